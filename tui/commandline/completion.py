"""Completion scripts for bash, zsh and fish, from the parsers.

Each script is static: completion does not start Python, so it causes no noticeable delay.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

PROGRAM = "trailhound"

ValueKind = Literal["", "file", "text"]
"""What an argument takes: nothing, a path, or text that cannot be completed."""


@dataclass(frozen=True)
class OptionSpec:
    """An option and what it takes."""

    flags: tuple[str, ...]
    help: str
    value: ValueKind
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class CommandSpec:
    """A command, or the program itself, for which ``words`` is empty.

    ``value`` and ``choices`` describe the positional arguments.
    """

    words: tuple[str, ...]
    help: str
    options: tuple[OptionSpec, ...]
    value: ValueKind
    choices: tuple[str, ...]
    subcommands: tuple[CommandSpec, ...]

    @property
    def path(self) -> str:
        return "".join(f"/{word}" for word in self.words)

    @property
    def name(self) -> str:
        return self.words[-1]

    def walk(self) -> Iterator[CommandSpec]:
        """Yield the command, then all commands below it."""
        yield self
        for subcommand in self.subcommands:
            yield from subcommand.walk()


_PATH_METAVARS = ("FILE", "DIR", "SOURCE")
"""Words in the metavars of arguments that are paths."""


def command_spec(
    parser: argparse.ArgumentParser,
    subcommand_parser: argparse.ArgumentParser | None = None,
    words: Sequence[str] = (),
    help: str = "",
) -> CommandSpec:
    """Describe a parser and its subcommands, or those of ``subcommand_parser``."""
    options: list[OptionSpec] = []
    value: ValueKind = ""
    choices: tuple[str, ...] = ()
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction) or action.help == argparse.SUPPRESS:
            continue
        if action.option_strings:
            flags = tuple(action.option_strings)
            options.append(OptionSpec(flags, action.help or "", *_value_and_choices(action)))
        else:
            value, choices = _value_and_choices(action)
    subcommands = tuple(_subcommands(subcommand_parser or parser, words))
    return CommandSpec(tuple(words), help, tuple(options), value, choices, subcommands)


def _value_and_choices(action: argparse.Action) -> tuple[ValueKind, tuple[str, ...]]:
    if action.nargs == 0:
        return "", ()
    if action.choices:
        return "text", tuple(map(str, action.choices))
    if any(part in str(action.metavar) for part in _PATH_METAVARS):
        return "file", ()
    return "text", ()


def _subcommands(parser: argparse.ArgumentParser, words: Sequence[str]) -> Iterator[CommandSpec]:
    for action in parser._actions:
        if not isinstance(action, argparse._SubParsersAction):
            continue
        helps = {choice.dest: choice.help or "" for choice in action._choices_actions}
        for name, subparser in action.choices.items():
            yield command_spec(subparser, words=(*words, name), help=helps.get(name, ""))


def bash_script(program: CommandSpec) -> str:
    """Write the completion for bash.

    If no word of the script matches, readline completes file names.
    """
    commands = list(program.walk())
    paths = "|".join(command.path for command in commands if command.words)
    lines = [
        f"_{PROGRAM}() {{",
        '    local cur=${COMP_WORDS[COMP_CWORD]} path="" words="" at i',
        "    for ((i = 1; i < COMP_CWORD; i++)); do",
        '        at="$path/${COMP_WORDS[i]}"',
        '        case "$at" in',
        f'            {paths}) path="$at" ;;',
        "        esac",
        "    done",
        '    case "$path ${COMP_WORDS[COMP_CWORD-1]}" in',
    ]
    for command in commands:
        lines += _bash_values(command)
    lines += [
        "        *)",
        '            case "$path" in',
        *map(_bash_words, commands),
        "            esac ;;",
        "    esac",
        '    COMPREPLY=($(compgen -W "$words" -- "$cur"))',
        "}",
        f"complete -o default -F _{PROGRAM} {PROGRAM}",
    ]
    return "\n".join(lines) + "\n"


def _bash_values(command: CommandSpec) -> Iterator[str]:
    """Yield the case branches that complete the values of options."""
    for option in command.options:
        if option.value:
            pattern = "|".join(f'"{command.path} {flag}"' for flag in option.flags)
            yield f'        {pattern}) words="{" ".join(option.choices)}" ;;'


def _bash_words(command: CommandSpec) -> str:
    words = [subcommand.name for subcommand in command.subcommands]
    words += command.choices
    for option in command.options:
        words += option.flags
    return f'                "{command.path}") words="{" ".join(words)}" ;;'


def zsh_script(program: CommandSpec) -> str:
    """Write the completion for zsh, with one function per command."""
    lines = [f"#compdef {PROGRAM}", ""]
    for command in reversed(list(program.walk())):
        body = (f"    {line}" for line in _zsh_body(command))
        lines += [f"{_zsh_function(command)}() {{", *body, "}", ""]
    lines += [
        f'if [ "$funcstack[1]" = "_{PROGRAM}" ]; then',
        f'    _{PROGRAM} "$@"',
        "else",
        f"    compdef _{PROGRAM} {PROGRAM}",
        "fi",
    ]
    return "\n".join(lines) + "\n"


def _zsh_function(command: CommandSpec) -> str:
    return "_".join([f"_{PROGRAM}", *command.words])


def _zsh_body(command: CommandSpec) -> Iterator[str]:
    if command.subcommands:
        names = " ".join(
            shlex.quote(f"{subcommand.name}:{subcommand.help}")
            for subcommand in command.subcommands
        )
        yield f"local -a commands=({names})"
        yield "case ${words[2]} in"
        for subcommand in command.subcommands:
            yield (
                f"    {subcommand.name}) if (( CURRENT > 2 )); then shift words; (( CURRENT-- )); "
                f"{_zsh_function(subcommand)}; return; fi ;;"
            )
        yield "esac"
        yield "(( CURRENT == 2 )) && _describe command commands"
    arguments: list[str] = []
    for option in command.options:
        arguments += map(shlex.quote, _zsh_option(option))
    if command.value == "file":
        arguments.append("'*:file:_files'")
    elif command.choices:
        arguments.append(f"'1:word:({' '.join(command.choices)})'")
    elif command.value:
        arguments.append("'*:word:'")
    yield "_arguments -s " + " ".join(arguments)


def _zsh_option(option: OptionSpec) -> Iterator[str]:
    help = option.help.replace("[", "(").replace("]", ")").replace(":", "\\:")
    if option.choices:
        value = f":value:({' '.join(option.choices)})"
    else:
        value = {"": "", "file": ":file:_files", "text": ":value:"}[option.value]
    return (f"*{flag}[{help}]{value}" for flag in option.flags)


def fish_script(program: CommandSpec) -> str:
    """Write the completion for fish, with one line per word."""
    paths = " ".join(command.path for command in program.walk() if command.words)
    lines = [
        f"function {_FISH_PATH}",
        "    set -l path ''",
        "    for word in (commandline -opc)[2..-1]",
        f"        if contains -- $path/$word {paths}",
        "            set path $path/$word",
        "        end",
        "    end",
        "    echo $path/",
        "end",
        "",
    ]
    for command in program.walk():
        lines += _fish_lines(command)
    return "\n".join(lines) + "\n"


_FISH_PATH = f"__{PROGRAM}_path"
"""The fish function that finds the command being typed."""


def _fish_lines(command: CommandSpec) -> Iterator[str]:
    prefix = f"complete -c {PROGRAM} -n 'test ({_FISH_PATH}) = {command.path}/'"
    if command.value != "file":
        yield f"{prefix} -f"
    for subcommand in command.subcommands:
        yield f"{prefix} -a {subcommand.name} -d {_fish_quoted(subcommand.help)}"
    if command.choices:
        yield f"{prefix} -a '{' '.join(command.choices)}'"
    for option in command.options:
        flags = " ".join(map(_fish_flag, option.flags))
        if option.choices:
            value = f" -x -a '{' '.join(option.choices)}'"
        else:
            value = {"": "", "file": " -r -F", "text": " -x"}[option.value]
        yield f"{prefix} {flags}{value} -d {_fish_quoted(option.help)}"


def _fish_flag(flag: str) -> str:
    return f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}"


def _fish_quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


SHELLS: dict[str, Callable[[CommandSpec], str]] = {
    "bash": bash_script,
    "zsh": zsh_script,
    "fish": fish_script,
}
