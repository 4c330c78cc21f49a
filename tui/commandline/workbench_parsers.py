"""The arguments of the commands of the workbench."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tui.commandline.options import (
    SOURCES_HELP,
    LineParser,
    add_bucket_option,
    add_output_option,
    add_rule_options,
    add_state_option,
    process_count,
)

if TYPE_CHECKING:
    from tui.commandline.options import Subparsers

_RULE_HELP = "its id, its file, or a part of its name"


def _add_backtest(commands: Subparsers) -> None:
    parser = commands.add_parser(
        "backtest",
        help="what a rule would find with other thresholds or another window",
        description="Compare a rule with a variant: which alerts and principals come, go and stay. "
        "Without SOURCE it is over what the database holds; the logs are read again only where "
        "the variant has another filter. Without --set it lists what can be set.",
    )
    _add_common(parser)
    parser.add_argument(
        "--set",
        dest="settings",
        metavar="NAME=VALUE,...",
        help="the variant: regions=8,window=60s",
    )
    parser.add_argument(
        "--grid",
        metavar="NAME=A..B,...",
        help="count alerts and principals of many variants: regions=6..14,window=10s..5m",
    )
    parser.add_argument(
        "--near",
        action="store_true",
        help="list the windows that come near an alert of the rule or variant, and are none",
    )
    parser.add_argument("--format", choices=("table", "jsonl"), default="table")
    add_output_option(parser)
    parser.add_argument("--save", metavar="FILE", help="write the variant as a rule file")
    parser.add_argument("--name", metavar="NAME", default="", help="the name of the saved rule")
    parser.add_argument("--reason", metavar="TEXT", default="", help="why it is saved")
    parser.set_defaults(module="workbench.backtest")


def _add_explain(commands: Subparsers) -> None:
    parser = commands.add_parser(
        "explain",
        help="why a rule fired for a principal or an event, or did not",
        usage="trailhound explain [options] RULE --principal ARN [SOURCE...]\n"
        "       trailhound explain [options] RULE EVENT_ID [SOURCE...]",
        description="Say condition by condition, with the values, why a rule fired or not. Without "
        "SOURCE it is over what the database holds; the logs that it lists are read for what no "
        "window holds.",
    )
    _add_common(parser)
    parser.add_argument(
        "--principal",
        metavar="ARN",
        help="a user, role, session or access key; without it, an event's id follows RULE",
    )
    parser.add_argument("--format", choices=("table", "jsonl"), default="table")
    add_output_option(parser)
    parser.set_defaults(module="workbench.explain")


def _add_common(parser: LineParser) -> None:
    parser.add_argument("rule", metavar="RULE", help=_RULE_HELP)
    parser.add_argument("sources", nargs="*", metavar="SOURCE", help=SOURCES_HELP)
    parser.add_argument(
        "--jobs",
        type=process_count,
        metavar="N",
        help="processes that read (default: all that help)",
    )
    add_bucket_option(parser)
    add_rule_options(parser)
    add_state_option(parser)


ADD_WORKBENCH_COMMAND: dict[str, Callable[[Subparsers], None]] = {
    "backtest": _add_backtest,
    "explain": _add_explain,
}
"""Functions that add each command's parser, in the order of the help."""
