"""The arguments of the commands for stored alerts and decisions on them."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

from tui.commandline.options import (
    add_author_option,
    add_filter_option,
    add_list_options,
    add_state_option,
)

if TYPE_CHECKING:
    from tui.commandline.options import Subparsers

NOTE_VERDICTS = ("undecided", "benign", "suspicious", "escalated", "false-positive", "duplicate")
"""The verdicts of ``detector.triage.note``, repeated because that module is slow to import."""


def _add_alerts(commands: Subparsers) -> None:
    parser = commands.add_parser(
        "alerts", help="list alerts from the database, without reading logs"
    )
    add_list_options(parser)
    add_filter_option(parser)
    add_state_option(parser)
    parser.set_defaults(module="alerts")


def _add_ack(commands: Subparsers) -> None:
    _add_decision(commands, "ack", "acknowledge alerts", "acknowledged")


def _add_close(commands: Subparsers) -> None:
    _add_decision(commands, "close", "resolve alerts", "closed")


def _add_reopen(commands: Subparsers) -> None:
    _add_decision(commands, "reopen", "reopen alerts", "open")


def _add_assign(commands: Subparsers) -> None:
    parser = _add_decision(commands, "assign", "give alerts to somebody to work on", None)
    parser.add_argument("--to", metavar="NAME", required=True, help="who; '' takes it off them")


def _add_note(commands: Subparsers) -> None:
    parser = _add_decision(commands, "note", "add a note to alerts", None)
    parser.add_argument("--text", required=True)
    parser.add_argument("--verdict", choices=NOTE_VERDICTS, default="undecided")
    parser.add_argument("--ticket", default="")
    parser.add_argument("--owner", default="")


def _add_decision(
    commands: Subparsers, name: str, help: str, status: str | None
) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name,
        help=help,
        usage="%(prog)s [options] ALERT_ID...\n       %(prog)s [options] --filter FILTER",
        description=f"{help.capitalize()}. Prints the ids of the changed alerts. Alerts that "
        "somebody else changed meanwhile are left as they are and named, with exit status 1.",
    )
    parser.add_argument("alerts", nargs="*", metavar="ALERT_ID")
    add_filter_option(parser)
    add_author_option(parser)
    add_state_option(parser)
    parser.set_defaults(module="decide", status=status, to=None)
    return parser


ADD_COMMAND: dict[str, Callable[[Subparsers], None]] = {
    "alerts": _add_alerts,
    "ack": _add_ack,
    "close": _add_close,
    "reopen": _add_reopen,
    "assign": _add_assign,
    "note": _add_note,
}
"""Functions that add each command's parser, in the order of the help."""
