"""Write the manual page from the parsers: ``python -m docs.man_page``.

The page is docs/trailhound.1; a wheel brings it to share/man/man1.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

from detector import __version__
from tui.commandline.parser import app_parser, command_parser

PAGE = Path(__file__).with_name("trailhound.1")

EXIT_STATUSES = {
    "0": "ran",
    "1": "failed",
    "2": "wrong usage",
    "3": "incomplete (--strict)",
    "10": "an alert matches (--exit-code)",
}

FILES = {
    "hunt.db": "the database: alerts, notes, suppressions, what was read",
    "config.toml": "the configuration, optional",
}
"""Their folders differ by system and environment, and ``trailhound status`` names them."""


def man_page() -> str:
    """Return the page in roff, with macros of man(7)."""
    app = app_parser()
    lines = [
        f'.TH TRAILHOUND 1 "" "trailhound {__version__}" "User Commands"',
        ".SH NAME",
        "trailhound \\- hunt cross\\-region reconnaissance in AWS CloudTrail logs",
        ".SH SYNOPSIS",
        *_usage(app),
        ".SH DESCRIPTION",
        _escaped(app.description or ""),
        ".SH OPTIONS",
        *_arguments(app),
        ".SH COMMANDS",
        *_commands(command_parser()),
        ".SH EXIT STATUS",
        *_definitions(EXIT_STATUSES),
        ".SH FILES",
        *_definitions(FILES),
        _escaped("trailhound status names their folders."),
    ]
    return "\n".join(lines) + "\n"


def _commands(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Yield a section for each command and those below it."""
    for action in parser._actions:
        if not isinstance(action, argparse._SubParsersAction):
            continue
        helps = {choice.dest: choice.help or "" for choice in action._choices_actions}
        for name, command in action.choices.items():
            yield f".SS {_escaped(command.prog.removeprefix('trailhound '))}"
            yield from _usage(command)
            yield ".PP"
            yield _escaped(command.description or helps.get(name, ""))
            yield from _arguments(command)
            yield from _commands(command)


def _usage(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Yield how a command is called; argparse writes it otherwise in each version of Python."""
    words = [parser.prog, "[OPTION]..."]
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            words.append("COMMAND")
        elif action.required and action.option_strings:
            words.append(f"{action.option_strings[-1]} {_value(action)}")
        elif not action.option_strings:
            words.append(_value(action))
    yield _escaped(" ".join(words))


def _arguments(parser: argparse.ArgumentParser) -> Iterator[str]:
    formatter = argparse.HelpFormatter(parser.prog)
    for action in parser._actions:
        is_command = isinstance(action, argparse._SubParsersAction)
        if is_command or action.help == argparse.SUPPRESS or action.dest == "help":
            continue
        term = f"{', '.join(action.option_strings)} {_value(action)}".strip()
        yield from _definitions({term: formatter._expand_help(action) if action.help else ""})


def _value(action: argparse.Action) -> str:
    """Write what an argument takes."""
    if action.nargs == 0:
        return ""
    name = action.metavar or action.dest.upper()
    if action.choices is not None and not action.metavar:
        name = "|".join(map(str, action.choices))
    if isinstance(name, tuple):
        return " ".join(name)
    return {"?": f"[{name}]", "*": f"[{name}...]", "+": f"{name}..."}.get(str(action.nargs), name)


def _definitions(terms: dict[str, str]) -> Iterator[str]:
    for term, text in terms.items():
        yield ".TP"
        yield f"\\fB{_escaped(term)}\\fR"
        if text:
            yield _escaped(text)


def _escaped(text: str) -> str:
    """Return a text as one line that roff prints as it is."""
    line = re.sub(r"\s+", " ", text).strip().replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{line}" if line.startswith((".", "'")) else line


if __name__ == "__main__":
    PAGE.write_text(man_page(), encoding="utf-8")
