"""The arguments of the app and of every command."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from detector import __version__
from tui.commandline import (
    activity_parsers,
    backfill_parsers,
    decision_parsers,
    hunt_parsers,
    state_parsers,
    workbench_parsers,
)
from tui.commandline.options import (
    SOURCES_HELP,
    LineParser,
    add_author_option,
    add_bucket_option,
    add_filter_option,
    add_list_options,
    add_output_option,
    add_quiet_option,
    add_rule_options,
    add_state_option,
    process_count,
)
from tui.commandline.sinks import add_sink_options
from tui.settings.errors import EXIT_ALERTS, EXIT_INCOMPLETE

if TYPE_CHECKING:
    from tui.commandline.options import Subparsers


def app_parser() -> argparse.ArgumentParser:
    """Build the parser of the app: sources and options, no command."""
    parser = LineParser(
        prog="trailhound",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Hunt cross-region reconnaissance in AWS CloudTrail logs. "
        "Opens the app, live on these sources.",
        epilog="commands (each with --help):\n"
        "  scan SOURCE...    read sources once and print the alerts\n"
        "  tail SOURCE...    print alerts live, without the app\n"
        "  demo              a simulated attack, live\n"
        "  principals        who called, without any alert\n"
        "  events            any call: by filter, or by a list of indicators\n"
        "  alerts            list alerts from the database, without reading logs\n"
        "  ack|close|reopen  acknowledge, resolve or reopen alerts: ALERT_ID..., or --filter\n"
        "  assign ALERT_ID   --to NAME: who works on alerts\n"
        "  note ALERT_ID     add a note to alerts\n"
        "  log export        export the hunt log as Markdown, JSON Lines or CSV\n"
        "  log import FILE   import a colleague's notes, suppressions, watches, hunts\n"
        "  suppress          add, list or end suppressions\n"
        "  watch             say when a principal, key or address is seen again\n"
        "  rules             list rules, or check rule files\n"
        "  backtest RULE     what a rule would find with other thresholds\n"
        "  explain RULE      why it fired for a principal or an event, or did not\n"
        "  hunt              run an ES|QL query over files\n"
        "  hunts             hunts as records: new, list, show, run, export\n"
        "  pivot             list events of a principal, key or address around a time\n"
        "  backfill athena   unload what the rules ask for from terabytes in S3\n"
        "  case ALERT_ID     export a case file of alerts: report, raw records, manifest\n"
        "  status            show database contents and ingest health\n"
        "  keys              list the app's keys, by id\n"
        "  compact           purge expired windows and shrink the database\n"
        "  doctor            diagnose terminal, database, sources; recover your notes\n"
        "  completion SHELL  print a shell completion script",
    )
    parser.add_argument("sources", nargs="*", metavar="SOURCE", help=SOURCES_HELP)
    parser.add_argument("--version", action="version", version=f"trailhound {__version__}")
    add_bucket_option(parser)
    add_rule_options(parser)
    add_state_option(parser)
    parser.add_argument(
        "--no-session",
        action="store_true",
        help="don't restore or save the UI session",
    )
    add_author_option(parser)
    parser.set_defaults(module="app", demo=False)
    return parser


def command_parser(command: str | None = None) -> argparse.ArgumentParser:
    """Build the parser of all commands, or only of ``command`` if given.

    Building all of them takes a tenth of the startup time."""
    parser = LineParser(prog="trailhound")
    commands = parser.add_subparsers(required=True, parser_class=LineParser)
    for name in COMMANDS if command is None else (command,):
        _ADD_COMMAND[name](commands)
    for leaf in _leaves(parser):
        add_quiet_option(leaf)
    return parser


def _leaves(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Yield ``parser`` or the parsers below it, those that have no subcommands."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from _leaves(below)
            return
    yield parser


def command_first(arguments: Sequence[str]) -> list[str]:
    """Move options that precede a command behind it; leave the app's arguments unchanged.

    ``trailhound --db x scan logs`` becomes ``trailhound scan logs --db x``.
    """
    index = 0
    while index < len(arguments) and arguments[index].startswith("-"):
        argument = arguments[index]
        if argument in ("-", "--"):
            return list(arguments)
        takes_value = argument in _options_with_value() and "=" not in argument
        index += 2 if takes_value else 1
    before, rest = list(arguments[:index]), list(arguments[index:])
    if not before or not rest or rest[0] not in COMMANDS:
        return list(arguments)
    end = rest.index("--") if "--" in rest else len(rest)
    return [*rest[:end], *before, *rest[end:]]


def _options_with_value() -> set[str]:
    """Return the options, of all commands, that take a value."""
    return {
        name
        for leaf in _leaves(command_parser())
        for action in leaf._actions
        if action.nargs is None or action.nargs == "+"
        for name in action.option_strings
    }


def _add_scan(commands: Subparsers) -> None:
    parser = commands.add_parser(
        "scan",
        help="read sources once and print the alerts",
        description="Read sources once and print the alerts. Without --db nothing is stored.",
    )
    parser.add_argument("sources", nargs="+", metavar="SOURCE", help=SOURCES_HELP)
    add_list_options(parser)
    parser.add_argument(
        "--since",
        metavar="T",
        help="only alerts with an event at or after this time, written as in filters "
        "(2026-03-01, 2026-03-01T11:30:00Z, yesterday, now-2h); trail files delivered over an "
        "hour before it are not read",
    )
    parser.add_argument(
        "--until",
        metavar="T",
        help="only alerts with an event before this time; trail files delivered "
        "over a day after it are not read",
    )
    parser.add_argument("--now", metavar="T", help="use this as the current time")
    add_filter_option(parser)
    parser.add_argument(
        "--jobs",
        type=process_count,
        metavar="N",
        help="reader processes (default: chosen by the size of the sources)",
    )
    parser.add_argument(
        "--exit-code", action="store_true", help=f"exit {EXIT_ALERTS} if any alert matches"
    )
    parser.add_argument(
        "--strict",
        action="store_true",
        help=f"exit {EXIT_INCOMPLETE} if anything was not read: waiting, quarantined, denied, "
        "rejected",
    )
    add_bucket_option(parser)
    add_rule_options(parser)
    add_state_option(parser, default="none")
    parser.set_defaults(module="scan")


def _add_tail(commands: Subparsers) -> None:
    parser = commands.add_parser(
        "tail",
        help="print alerts live, without the app",
        description="Read, then watch for new files: print each alert when it appears and at "
        "every revision.",
    )
    parser.add_argument("sources", nargs="+", metavar="SOURCE", help=SOURCES_HELP)
    parser.add_argument("--format", choices=("jsonl",), default="jsonl")
    parser.add_argument(
        "--since",
        metavar="T",
        help="only alerts with an event at or after this time, written as in filters: now, "
        "now-2h, yesterday, 2026-03-01T11:30:00Z",
    )
    add_filter_option(parser)
    add_sink_options(parser)
    add_bucket_option(parser)
    add_rule_options(parser)
    add_state_option(parser)
    parser.set_defaults(module="tail")


def _add_demo(commands: Subparsers) -> None:
    parser = commands.add_parser(
        "demo",
        help="a simulated attack, live",
        description="Open the app on a simulated organization trail that arrives live, in fast "
        "motion, in a temporary folder. Nothing is kept.",
    )
    parser.set_defaults(module="app", demo=True)


def _add_log(commands: Subparsers) -> None:
    log = commands.add_parser("log", help="the hunt log")
    actions = log.add_subparsers(required=True, parser_class=LineParser)
    export = actions.add_parser("export", help="export the hunt log")
    export.add_argument("--format", choices=("md", "jsonl", "csv"), default="md")
    export.add_argument(
        "-o", "--output", metavar="FILE", help="output file, readable only by you (default: stdout)"
    )
    export.add_argument("--alert", metavar="ID", help="only the notes of one alert")
    add_filter_option(export)
    add_state_option(export)
    export.set_defaults(module="log", imported=None)
    joining = actions.add_parser(
        "import",
        help="import the notes, statuses, suppressions, watches and hunts of another database",
    )
    joining.add_argument(
        "imported", metavar="FILE", help="a file written by log export --format jsonl"
    )
    add_state_option(joining)
    joining.set_defaults(module="log")


def _add_pivot(commands: Subparsers) -> None:
    parser = commands.add_parser(
        "pivot",
        help="list events of a principal, key or address around a time",
        description="Print every matching event, read again from the logs. Without SOURCE, search "
        "the files that the database lists.",
    )
    parser.add_argument("sources", nargs="*", metavar="SOURCE", help=SOURCES_HELP)
    selector = parser.add_mutually_exclusive_group(required=True)
    selector.add_argument(
        "--principal", metavar="ARN", help="including its keys and the sessions it opened"
    )
    selector.add_argument("--role", metavar="ARN", help="all sessions of a role")
    selector.add_argument("--access-key", metavar="ID", help="including the call that issued it")
    selector.add_argument("--source", metavar="ADDRESS")
    selector.add_argument(
        "--field", metavar="NAME=VALUE", help="any ECS field: event.action=CreateAccessKey"
    )
    parser.add_argument("--around", metavar="T", required=True, help="2026-03-01T11:58:02Z")
    parser.add_argument(
        "--within",
        metavar="INTERVAL",
        default="30m",
        help="time before and after: 5m, 2h (default: 30m)",
    )
    parser.add_argument(
        "--order",
        choices=("time", "guide", "found"),
        default="time",
        help="time; guide: by time under each guide question; found: as read, nearest files "
        "first (default: time)",
    )
    parser.add_argument("--format", choices=("table", "jsonl", "timesketch"), default="table")
    add_output_option(parser)
    add_filter_option(parser)
    add_bucket_option(parser)
    add_rule_options(parser)
    add_state_option(parser)
    parser.set_defaults(module="pivot")


def _add_case(commands: Subparsers) -> None:
    parser = commands.add_parser(
        "case",
        help="export a case file of one alert or several",
        usage="%(prog)s [options] ALERT_ID...\n       %(prog)s [options] --filter FILTER",
        description="Export a case file: report, raw records and SHA-256 manifest (mode 0600). Of "
        "several alerts: one report, and a folder of each.",
    )
    parser.add_argument("alerts", nargs="*", metavar="ALERT_ID")
    parser.add_argument(
        "-o",
        "--output",
        metavar="DIR|FILE.zip",
        help="new folder or zip file (default: case-ALERT_ID, or case-N-alerts)",
    )
    add_filter_option(parser)
    add_rule_options(parser)
    add_state_option(parser)
    parser.set_defaults(module="case")


def _add_compact(commands: Subparsers) -> None:
    parser = commands.add_parser(
        "compact",
        help="purge expired windows and shrink the database",
        description="Purge hits older than the retention (by event and by read time), except those "
        "of alerts, and shrink the database. Alerts, notes, suppressions and the list of files "
        "stay.",
    )
    parser.add_argument(
        "--retention", metavar="INTERVAL", help="how long to keep hits (default: 31d)"
    )
    add_state_option(parser)
    parser.set_defaults(module="compact")


def _add_doctor(commands: Subparsers) -> None:
    parser = commands.add_parser(
        "doctor",
        help="diagnose terminal, database, sources; recover your notes",
        description="Check terminal, clipboard, database, configuration and sources: one "
        "line each, with what to do. Exit status 1 if there is a problem. With a damaged "
        "database, --save copies your notes, statuses and suppressions with their history "
        "into a new one; rescan the logs into it to restore the alerts.",
    )
    parser.add_argument(
        "sources",
        nargs="*",
        metavar="SOURCE",
        help="check that these and the configured sources can be read",
    )
    parser.add_argument("--save", metavar="NEW", help="new database for your recovered notes")
    add_state_option(parser)
    parser.set_defaults(module="doctor")


def _add_completion(commands: Subparsers) -> None:
    parser = commands.add_parser(
        "completion",
        help="print a shell completion script",
        usage="trailhound completion bash|zsh|fish",
        description="Print a completion script. bash: add  source <(trailhound completion bash)  "
        "to ~/.bashrc; zsh: source <(trailhound completion zsh)  to ~/.zshrc after compinit; fish: "
        "trailhound completion fish > ~/.config/fish/completions/trailhound.fish",
    )
    parser.add_argument("shell", choices=("bash", "zsh", "fish"))
    parser.set_defaults(module="completion")


_ADD_COMMAND: dict[str, Callable[[Subparsers], None]] = {
    "scan": _add_scan,
    "tail": _add_tail,
    "demo": _add_demo,
    **activity_parsers.ADD_ACTIVITY_COMMAND,
    **decision_parsers.ADD_COMMAND,
    "log": _add_log,
    **state_parsers.ADD_STATE_COMMAND,
    **workbench_parsers.ADD_WORKBENCH_COMMAND,
    **hunt_parsers.ADD_HUNT_COMMAND,
    "pivot": _add_pivot,
    **backfill_parsers.ADD_BACKFILL_COMMAND,
    "case": _add_case,
    "compact": _add_compact,
    "doctor": _add_doctor,
    "completion": _add_completion,
}
"""Functions that add each command's parser, in the order of the help."""

COMMANDS = tuple(_ADD_COMMAND)
