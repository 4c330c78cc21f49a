"""The arguments of the commands that need no alert: principals and events."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

from tui.commandline.options import (
    SOURCES_HELP,
    add_bucket_option,
    add_filter_option,
    add_output_option,
    add_rule_options,
    add_state_option,
    process_count,
)

if TYPE_CHECKING:
    from tui.commandline.options import Subparsers


def _add_principals(commands: Subparsers) -> None:
    parser = commands.add_parser(
        "principals",
        help="who called: users, roles, keys, services, foreign accounts",
        description="List every principal with its calls, regions, networks, rarity, rhythm, "
        "alerts and risk. Reads the sources into --db; without SOURCE it lists what the database "
        "holds.",
    )
    parser.add_argument("sources", nargs="*", metavar="SOURCE", help=SOURCES_HELP)
    parser.add_argument(
        "--risk-over",
        metavar="INTERVAL",
        default="7d",
        help="the span that risk is summed up over, up to the newest event (default: 7d)",
    )
    _add_common(parser, ("table", "jsonl", "csv", "md", "html"))
    parser.add_argument(
        "--jobs",
        type=process_count,
        metavar="N",
        help="processes that read (default: as many as help)",
    )
    parser.set_defaults(module="principals")


def _add_events(commands: Subparsers) -> None:
    parser = commands.add_parser(
        "events",
        help="any call, without an alert: by filter, or by a list of indicators",
        description="Print the events that a filter or a list of indicators selects, newest files "
        "first. Without SOURCE these are the files that the database has read, of which its index "
        "tells where to look.",
    )
    parser.add_argument("sources", nargs="*", metavar="SOURCE", help=SOURCES_HELP)
    parser.add_argument("--writes", action="store_true", help="only calls that are not read-only")
    parser.add_argument("--errors", action="store_true", help="only calls that failed")
    parser.add_argument(
        "--indicators",
        metavar="FILE",
        help="look for these: addresses, networks, keys, ARNs, account ids, event ids, parts of "
        "user agents, one per line (- for standard input)",
    )
    parser.add_argument("--limit", type=_count, metavar="N", help="stop after N events")
    parser.add_argument(
        "--order",
        choices=("found", "time"),
        default="found",
        help="as found, newest files first; or by time when all is read (default: found)",
    )
    _add_common(parser, ("table", "jsonl", "csv", "md", "html"))
    parser.set_defaults(module="events")


def _add_common(parser: argparse.ArgumentParser, formats: tuple[str, ...]) -> None:
    parser.add_argument(
        "--since",
        metavar="T",
        help="written as in filters: 2026-03-01, 2026-03-01T11:30:00Z, yesterday, now-2h",
    )
    parser.add_argument("--until", metavar="T", help="before this time, written so too")
    parser.add_argument("--format", choices=formats, default="table")
    add_output_option(parser)
    add_filter_option(parser)
    add_bucket_option(parser)
    add_rule_options(parser)
    add_state_option(parser)


def _count(text: str) -> int:
    """Parse ``--limit``. Raises ArgumentTypeError."""
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1")
    return int(text)


ADD_ACTIVITY_COMMAND: dict[str, Callable[[Subparsers], None]] = {
    "principals": _add_principals,
    "events": _add_events,
}
"""Functions that add each command's parser, in the order of the help."""
