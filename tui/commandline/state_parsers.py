"""The arguments of the commands for suppressions, rules, keys and the state itself."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

from tui.commandline.options import (
    LineParser,
    add_author_option,
    add_output_option,
    add_rule_options,
    add_state_option,
)

if TYPE_CHECKING:
    from tui.commandline.options import Subparsers


def _add_suppress(commands: Subparsers) -> None:
    suppress = commands.add_parser("suppress", help="add, list or end suppressions")
    actions = suppress.add_subparsers(required=True, parser_class=LineParser)
    add = actions.add_parser("add", help="hide matching alerts temporarily; they are kept")
    _add_suppression_arguments(add)
    listing = actions.add_parser(
        "list", help="list suppressions, with the number of alerts each has hidden"
    )
    listing.add_argument("--format", choices=("table", "jsonl"), default="table")
    add_output_option(listing)
    lift = actions.add_parser("lift", help="end a suppression now")
    lift.add_argument("id")
    for action in (add, listing, lift):
        add_author_option(action)
    for action, name in ((add, "add"), (listing, "list"), (lift, "lift")):
        add_state_option(action)
        action.set_defaults(module="suppress", action=name)


def _add_suppression_arguments(parser: argparse.ArgumentParser) -> None:
    scope = parser.add_mutually_exclusive_group(required=True)
    scope.add_argument("--principal", metavar="ARN")
    scope.add_argument("--principal-pattern", metavar="PATTERN", help="an ARN with * and ?")
    scope.add_argument("--role", metavar="ARN", help="all sessions of a role")
    scope.add_argument("--access-key", metavar="ID")
    scope.add_argument("--user-agent", metavar="PATTERN", help="with * and ?")
    scope.add_argument("--cidr", metavar="NETWORK")
    scope.add_argument("--account", metavar="ID")
    parser.add_argument(
        "--rule", metavar="ID", help="only alerts of this rule (default: all rules)"
    )
    parser.add_argument(
        "--for", dest="interval", metavar="INTERVAL", default="7d", help="12h, 7d, 2w (default: 7d)"
    )
    parser.add_argument("--ticket", default="")
    parser.add_argument("--owner", default="")
    parser.add_argument(
        "--reason",
        "--justification",
        dest="justification",
        metavar="TEXT",
        default="",
        help="why this is expected; a reason or a ticket is required",
    )
    parser.add_argument(
        "--break-at",
        type=int,
        default=15,
        metavar="POINTS",
        help="show an alert anyway if new activity adds at least N points (default: 15)",
    )
    parser.add_argument(
        "--waive",
        action="append",
        default=[],
        metavar="FLAG",
        help="activity that should stay suppressed (may be repeated); unless waived, snapshot, "
        "image-export, access-key and iam-change always show the alert",
    )


def _add_watch(commands: Subparsers) -> None:
    watch = commands.add_parser("watch", help="say when a principal, key or address is seen again")
    actions = watch.add_subparsers(required=True, parser_class=LineParser)
    add = actions.add_parser(
        "add",
        help="watch for indicators in what is read from now on",
        description="Watch for addresses, networks, keys, ARNs (a user, a role with its sessions, "
        "one session), account ids, event ids and parts of user agents. What was read before is "
        "not searched: events --indicators does that.",
    )
    add.add_argument("indicators", nargs="*", metavar="INDICATOR")
    add.add_argument("--file", metavar="FILE", help="one per line (- for standard input)")
    add.add_argument("--label", default="", metavar="TEXT", help="why: a case, a ticket")
    listing = actions.add_parser("list", help="list watches, with what was seen")
    listing.add_argument("--format", choices=("table", "jsonl", "csv"), default="table")
    add_output_option(listing)
    acknowledge = actions.add_parser("ack", help="take note of what was seen so far")
    lift = actions.add_parser("lift", help="end watches; what was seen stays")
    for action in (acknowledge, lift):
        action.add_argument("ids", nargs="+", metavar="ID")
    named = (("add", add), ("list", listing), ("ack", acknowledge), ("lift", lift))
    for name, action in named:
        add_author_option(action)
        add_state_option(action)
        action.set_defaults(module="watch", action=name)


def _add_rules(commands: Subparsers) -> None:
    rules = commands.add_parser("rules", help="list rules, or check rule files")
    actions = rules.add_subparsers(required=True, parser_class=LineParser)
    listing = actions.add_parser("list", help="list the loaded rules and what each detects")
    listing.add_argument("--format", choices=("table", "jsonl", "navigator"), default="table")
    add_output_option(listing)
    add_rule_options(listing)
    add_state_option(listing, default="the one in use, where there is one")
    listing.set_defaults(module="rules", files=None)
    check = actions.add_parser("check", help="check rule files")
    check.add_argument("files", nargs="+", metavar="FILE")
    check.add_argument(
        "--summary",
        action="store_true",
        help="count what runs, and what is refused by reason, instead of naming each file",
    )
    check.set_defaults(module="rules")
    testing = actions.add_parser(
        "test",
        help="run the examples beside rule files",
        description="Run the examples that NAME.examples.jsonl has beside NAME.toml: records that "
        "the rule must find, and that it must not. Exit status 1 if one fails.",
    )
    testing.add_argument("files", nargs="+", metavar="FILE|DIR")
    testing.add_argument("--junit", metavar="FILE", help="write the outcomes as JUnit's XML")
    testing.set_defaults(module="workbench.rules_test")


def _add_keys(commands: Subparsers) -> None:
    parser = commands.add_parser(
        "keys",
        help="list the app's keys, by id",
        description="List the app's keys. Remap them under [keys] in the configuration.",
    )
    parser.add_argument("--format", choices=("table", "md"), default="table")
    add_output_option(parser)
    parser.set_defaults(module="keys")


def _add_status(commands: Subparsers) -> None:
    parser = commands.add_parser("status", help="show database contents and ingest health")
    parser.add_argument("--format", choices=("table", "jsonl"), default="table")
    add_output_option(parser)
    parser.add_argument(
        "--all",
        action="store_true",
        help="all regions, quarantined files and missing files",
    )
    add_state_option(parser)
    parser.set_defaults(module="status")


ADD_STATE_COMMAND: dict[str, Callable[[Subparsers], None]] = {
    "suppress": _add_suppress,
    "watch": _add_watch,
    "rules": _add_rules,
    "keys": _add_keys,
    "status": _add_status,
}
"""Functions that add each command's parser, in the order of the help."""
