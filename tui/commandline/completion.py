"""Completion scripts for bash, zsh and fish, from the command line as it is defined."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

PROGRAM = "trailhound"


@dataclass(frozen=True)
class Option:
    """``takes`` says what follows: "" nothing, "file" a path, "text" what only the user knows; or
    it is one of ``choices``."""

    flags: tuple[str, ...]
    help: str
    takes: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Command:
    """``words`` are what it is called by, none for the program alone. ``names`` are its positional
    arguments: "file", or "text" where they are no paths, or "" where there are none."""

    words: tuple[str, ...]
    help: str
    options: tuple[Option, ...]
    names: str
    choices: tuple[str, ...]
    under: tuple[Command, ...]

    @property
    def path(self) -> str:
        return "".join(f"/{word}" for word in self.words)

    def walk(self) -> Iterator[Command]:
        yield self
        for command in self.under:
            yield from command.walk()


_FILES = ("FILE", "DIR", "SOURCE")
"""Parts of the metavars of what is a path."""


def command(
    parser: argparse.ArgumentParser,
    under: argparse.ArgumentParser | None = None,
    words: Sequence[str] = (),
    help: str = "",
) -> Command:
    """The command of a parser, with its subcommands, or those of ``under``."""
    options: list[Option] = []
    names: str = ""
    choices: tuple[str, ...] = ()
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction) or action.help == argparse.SUPPRESS:
            continue
        if action.option_strings:
            options.append(Option(tuple(action.option_strings), action.help or "", *_takes(action)))
        else:
            names, choices = _takes(action)
    return Command(
        tuple(words),
        help,
        tuple(options),
        names,
        choices,
        tuple(_subcommands(under or parser, words)),
    )


def _takes(action: argparse.Action) -> tuple[str, tuple[str, ...]]:
    if action.nargs == 0:
        return "", ()
    if action.choices:
        return "text", tuple(map(str, action.choices))
    return "file" if any(part in str(action.metavar) for part in _FILES) else "text", ()


def _subcommands(parser: argparse.ArgumentParser, words: Sequence[str]) -> Iterator[Command]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            helps = {choice.dest: choice.help or "" for choice in action._choices_actions}
            for name, below in action.choices.items():
                yield command(below, words=(*words, name), help=helps.get(name, ""))


def bash(root: Command) -> str:
    paths = "|".join(each.path for each in root.walk() if each.words)
    values, offers = [], []
    for each in root.walk():
        for option in each.options:
            if option.takes:
                at = "|".join(f'"{each.path} {flag}"' for flag in option.flags)
                values.append(f'        {at}) words="{" ".join(option.choices)}" ;;')
        words = [
            *(below.words[-1] for below in each.under),
            *each.choices,
            *(flag for option in each.options for flag in option.flags),
        ]
        offers.append(f'                "{each.path}") words="{" ".join(words)}" ;;')
    # where nothing of ours matches, readline completes the names of files
    return (
        "\n".join(
            [
                f"_{PROGRAM}() {{",
                '    local cur=${COMP_WORDS[COMP_CWORD]} path="" words="" at i',
                "    for ((i = 1; i < COMP_CWORD; i++)); do",
                '        at="$path/${COMP_WORDS[i]}"',
                '        case "$at" in',
                f'            {paths}) path="$at" ;;',
                "        esac",
                "    done",
                '    case "$path ${COMP_WORDS[COMP_CWORD-1]}" in',
                *values,
                "        *)",
                '            case "$path" in',
                *offers,
                "            esac ;;",
                "    esac",
                '    COMPREPLY=($(compgen -W "$words" -- "$cur"))',
                "}",
                f"complete -o default -F _{PROGRAM} {PROGRAM}",
            ]
        )
        + "\n"
    )


def zsh(root: Command) -> str:
    lines = [f"#compdef {PROGRAM}", ""]
    for each in reversed(list(root.walk())):
        lines += [f"{_function(each)}() {{", *(f"    {line}" for line in _zsh_body(each)), "}", ""]
    return (
        "\n".join(
            [
                *lines,
                f'if [ "$funcstack[1]" = "_{PROGRAM}" ]; then',
                f'    _{PROGRAM} "$@"',
                "else",
                f"    compdef _{PROGRAM} {PROGRAM}",
                "fi",
            ]
        )
        + "\n"
    )


def _function(each: Command) -> str:
    return "_".join([f"_{PROGRAM}", *each.words])


def _zsh_body(each: Command) -> Iterator[str]:
    if each.under:
        names = " ".join(shlex.quote(f"{below.words[-1]}:{below.help}") for below in each.under)
        yield f"local -a commands=({names})"
        yield "case ${words[2]} in"
        for below in each.under:
            yield (
                f"    {below.words[-1]}) if (( CURRENT > 2 )); then shift words; (( CURRENT-- )); "
                f"{_function(below)}; return; fi ;;"
            )
        yield "esac"
        yield "(( CURRENT == 2 )) && _describe command commands"
    arguments = [shlex.quote(spec) for option in each.options for spec in _zsh_option(option)]
    if each.names:
        arguments.append(
            "'*:file:_files'"
            if each.names == "file"
            else f"'1:word:({' '.join(each.choices)})'"
            if each.choices
            else "'*:word:'"
        )
    yield "_arguments -s " + " ".join(arguments)


def _zsh_option(option: Option) -> Iterator[str]:
    said = "[" + option.help.replace("[", "(").replace("]", ")").replace(":", "\\:") + "]"
    value = (
        ""
        if not option.takes
        else f":value:({' '.join(option.choices)})"
        if option.choices
        else ":file:_files"
        if option.takes == "file"
        else ":value:"
    )
    return (f"*{flag}{said}{value}" for flag in option.flags)


def fish(root: Command) -> str:
    paths = " ".join(each.path for each in root.walk() if each.words)
    at = f"__{PROGRAM}_path"
    lines = [
        f"function {at}",
        "    set -l path",
        "    for word in (commandline -opc)[2..-1]",
        f"        if contains -- $path/$word {paths}",
        "            set path $path/$word",
        "        end",
        "    end",
        "    echo $path/",
        "end",
        "",
    ]
    for each in root.walk():
        here = f"complete -c {PROGRAM} -n 'test ({at}) = {each.path}/'"
        lines += [f"{here} -a {below.words[-1]} -d {_fish(below.help)}" for below in each.under]
        if each.choices:
            lines.append(f"{here} -f -a '{' '.join(each.choices)}'")
        for option in each.options:
            flags = " ".join(
                f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}"
                for flag in option.flags
            )
            value = (
                f" -x -a '{' '.join(option.choices)}'"
                if option.choices
                else {"": "", "file": " -r -F", "text": " -x"}[option.takes]
            )
            lines.append(f"{here} {flags}{value} -d {_fish(option.help)}")
    return "\n".join(lines) + "\n"


def _fish(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


SHELLS = {"bash": bash, "zsh": zsh, "fish": fish}
