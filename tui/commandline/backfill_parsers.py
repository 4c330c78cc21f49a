"""The arguments of ``trailhound backfill``, for each engine."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

from tui.commandline.options import LineParser, add_rule_options, add_state_option

if TYPE_CHECKING:
    from tui.commandline.options import Subparsers


def _add_backfill(commands: Subparsers) -> None:
    parser = commands.add_parser(
        "backfill",
        help="hunt months of a trail on an engine of yours: Amazon Athena or Apache Spark",
        description="Hunt months of an organization's trail, too much to read here, on an engine "
        "of yours. docs/backfill.md says which to choose.",
    )
    engines = parser.add_subparsers(required=True, parser_class=LineParser, metavar="ENGINE")
    _add_athena(engines)
    _add_spark(engines)


def _add_athena(engines: Subparsers) -> None:
    parser = engines.add_parser(
        "athena",
        help="unload with Amazon Athena the calls that the rules ask for",
        description="Write the statements that unload from a trail, with Amazon Athena, the calls "
        "that the loaded rules ask for, with the bytes that they scan and the dollars that this "
        "costs. Nothing runs unless --run is given. What they unload is a source like any other.",
    )
    parser.add_argument(
        "source", metavar="s3://BUCKET/PREFIX", help="the trail: a folder at or above AWSLogs"
    )
    parser.add_argument("--since", metavar="T", required=True, help="the first event time")
    parser.add_argument(
        "--until", metavar="T", required=True, help="the end of the event times, exclusive"
    )
    parser.add_argument(
        "--output",
        metavar="s3://BUCKET/PREFIX",
        required=True,
        help="where Athena writes what it unloads; not in the trail",
    )
    _add_selection_options(parser)
    parser.add_argument(
        "--database", default="trailhound", help="the database of the table (default: %(default)s)"
    )
    parser.add_argument(
        "--workgroup", default="primary", help="the workgroup that runs it (default: %(default)s)"
    )
    action = parser.add_mutually_exclusive_group()
    action.add_argument(
        "--print",
        dest="action",
        action="store_const",
        const="print",
        help="print the statements, run nothing (default)",
    )
    action.add_argument(
        "--run",
        dest="action",
        action="store_const",
        const="run",
        help="run them, one span of days after the other; a second run goes on where the first "
        "one stopped",
    )
    action.add_argument(
        "--clean",
        dest="action",
        action="store_const",
        const="clean",
        help="delete what was unloaded, and drop the table; the trail is not touched",
    )
    add_rule_options(parser)
    parser.set_defaults(module="backfill.athena", action="print")


def _add_spark(engines: Subparsers) -> None:
    parser = engines.add_parser(
        "spark",
        help="read a trail on a cluster with Apache Spark, every rule served",
        description="Read days of a trail on a cluster, with Apache Spark, and load what was found "
        "into a database: what a scan would, by every rule, with flags and history. A day that "
        "was read is not read again. Without --master and --remote it is for spark-submit.",
    )
    parser.add_argument(
        "source",
        metavar="s3://BUCKET/PREFIX|DIR",
        help="the trail: a folder at or above AWSLogs (s3a:// where the cluster reads S3 so)",
    )
    parser.add_argument("--since", metavar="T", required=True, help="the first event time")
    parser.add_argument(
        "--until", metavar="T", required=True, help="the end of the event times, exclusive"
    )
    parser.add_argument(
        "--work",
        metavar="s3://BUCKET/PREFIX|DIR",
        required=True,
        help="where the cluster keeps the days that it has read; not in the trail",
    )
    add_state_option(parser)
    session = parser.add_mutually_exclusive_group()
    session.add_argument(
        "--master", metavar="URL", help="start Spark here, as with local[8] on one machine"
    )
    session.add_argument("--remote", metavar="sc://HOST", help="use Spark Connect")
    _add_folder_options(parser, "those in the trail")
    parser.add_argument(
        "--inventory",
        metavar="MANIFEST",
        help="an S3 Inventory's manifest.json: only folders in it are read, and the time that is "
        "left is estimated by bytes",
    )
    add_rule_options(parser)
    parser.set_defaults(module="backfill.spark")


def _add_folder_options(parser: argparse.ArgumentParser, all_regions: str) -> None:
    parser.add_argument(
        "--account",
        dest="accounts",
        action="append",
        default=[],
        metavar="ID",
        help="only this account (repeatable; default: those in the trail)",
    )
    parser.add_argument(
        "--region",
        dest="regions",
        action="append",
        default=[],
        metavar="NAME",
        help=f"only this region (repeatable; default: {all_regions})",
    )


def _add_selection_options(parser: argparse.ArgumentParser) -> None:
    _add_folder_options(parser, "all known ones of the partition aws")
    parser.add_argument(
        "--principal",
        dest="principals",
        action="append",
        default=[],
        metavar="ARN|KEY",
        help="only calls of this user, role, session or access key (repeatable)",
    )
    parser.add_argument(
        "--indicators",
        metavar="FILE",
        help="only records with one of these: addresses, networks, keys, ARNs, account ids, event "
        "ids, parts of user agents, one per line (- for standard input)",
    )
    parser.add_argument(
        "--filter",
        metavar="FILTER",
        help="only events that this filter of `trailhound events` may let through; what it says of "
        "time, outcome or use, and what it excludes, is left to that command",
    )
    parser.add_argument(
        "--all-calls",
        action="store_true",
        help="whatever they call, not only what the rules ask for; for `trailhound events`",
    )


ADD_BACKFILL_COMMAND: dict[str, Callable[[Subparsers], None]] = {"backfill": _add_backfill}
