"""The arguments of the commands for hunts."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

from tui.commandline.options import (
    SOURCES_HELP,
    LineParser,
    add_address_options,
    add_author_option,
    add_bucket_option,
    add_filter_option,
    add_output_option,
    add_state_option,
)

if TYPE_CHECKING:
    from tui.commandline.options import Subparsers


def _add_hunt(commands: Subparsers) -> None:
    parser = commands.add_parser(
        "hunt",
        help="run an ES|QL query over files",
        usage="trailhound hunt [options] FILE SOURCE...\n"
        "       trailhound hunt [options] --query ESQL SOURCE...",
        description="Run the ES|QL queries of a hunt file unmodified over CloudTrail "
        "logs. Nothing is stored.",
    )
    parser.add_argument(
        "names",
        nargs="+",
        metavar="FILE SOURCE",
        help="a hunt file (or a rule file), then the logs",
    )
    parser.add_argument("--query", metavar="ESQL", help="run this query instead of a file")
    parser.add_argument("--format", choices=("table", "jsonl", "csv"), default="table")
    add_output_option(parser)
    parser.add_argument(
        "--now", metavar="T", help="value of now() (default: the latest event's time)"
    )
    add_address_options(parser)
    add_bucket_option(parser)
    parser.set_defaults(module="hunt")


def _add_hunts(commands: Subparsers) -> None:
    hunts = commands.add_parser(
        "hunts",
        help="hunts: hypothesis, queries, findings, conclusion",
        description="Hunts as records: hypothesis, queries, findings, conclusion. "
        "In the app: key 9, unless it is remapped (trailhound keys).",
    )
    actions = hunts.add_subparsers(required=True, parser_class=LineParser)
    _add_new(actions.add_parser("new", help="begin a hunt"))
    listing = actions.add_parser("list", help="list the hunts, open ones first")
    listing.add_argument(
        "--format", choices=("table", "jsonl", "csv", "md", "html"), default="table"
    )
    add_filter_option(listing)
    show = actions.add_parser("show", help="show a hunt: queries, last runs, findings")
    show.add_argument("hunt", metavar="HUNT_ID")
    show.add_argument("--format", choices=("table", "jsonl"), default="table")
    _add_run(actions.add_parser("run", help="run the queries of a hunt; --new: what is new"))
    export = actions.add_parser(
        "export",
        help="export a hunt as one report",
        description="Write a hunt as one report in Markdown, with its log; as JSON; or its ES|QL "
        "queries as a hunt file.",
    )
    export.add_argument("hunt", metavar="HUNT_ID")
    export.add_argument("--format", choices=("md", "jsonl", "toml"), default="md")
    for name, action in (("list", listing), ("show", show), ("export", export)):
        add_output_option(action)
        add_state_option(action)
        action.set_defaults(module="hunts.records", action=name)


def _add_new(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", metavar="NAME", help="default: the name of the file")
    parser.add_argument("--file", metavar="FILE", help="a hunt file, whose queries are taken")
    parser.add_argument("--hypothesis", metavar="TEXT")
    parser.add_argument("--since", metavar="T", help="2026-03-01 or 2026-03-01T12:00")
    parser.add_argument("--until", metavar="T", help="as --since; a whole day counts to its end")
    parser.add_argument("--accounts", metavar="IDS", help="separated by commas")
    parser.add_argument("--principals", metavar="ARNS", help="separated by commas")
    add_author_option(parser)
    add_state_option(parser)
    parser.set_defaults(module="hunts.records", action="new")


def _add_run(parser: LineParser) -> None:
    parser.description = (
        "Run the queries of a hunt over its scope, and say which rows are new since the last run. "
        "Without SOURCE the files that the database lists are read; only such a run is remembered."
    )
    parser.add_argument("hunt", metavar="HUNT_ID")
    parser.add_argument("sources", nargs="*", metavar="SOURCE", help=SOURCES_HELP)
    parser.add_argument("--query", metavar="NAME", help="only the query of this name or id")
    parser.add_argument("--new", action="store_true", help="print only the rows that are new")
    parser.add_argument("--format", choices=("table", "jsonl", "csv"), default="table")
    add_output_option(parser)
    add_author_option(parser)
    add_address_options(parser)
    add_bucket_option(parser)
    add_state_option(parser)
    parser.set_defaults(module="hunts.runs")


ADD_HUNT_COMMAND: dict[str, Callable[[Subparsers], None]] = {
    "hunt": _add_hunt,
    "hunts": _add_hunts,
}
"""Functions that add each command's parser, in the order of the help."""
