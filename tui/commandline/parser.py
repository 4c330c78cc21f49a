"""Define the arguments of every command."""

from __future__ import annotations

import argparse
from typing import NoReturn

from detector import __version__
from tui.settings.errors import EXIT_ALERTS, EXIT_MISUSED


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(EXIT_MISUSED, f"{self.prog}: {message}; see {self.prog} --help\n")


_SOURCES = (
    "files, folders, patterns ('logs/**/*.gz'), s3://BUCKET/PREFIX, sqs://QUEUE, - for standard input, "
    "file@LIST for a list of them"
)


_COMMANDS = (
    "scan",
    "tail",
    "demo",
    "log",
    "suppress",
    "rules",
    "hunt",
    "pivot",
    "case",
    "status",
    "keys",
    "compact",
    "doctor",
    "completion",
)


def parsers() -> tuple[argparse.ArgumentParser, argparse.ArgumentParser]:
    """What reads the command line of the app, and that of the commands."""
    return _app(), _commands()


def _app() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="trailhound",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Hunt cross-region reconnaissance in AWS CloudTrail logs. Opens the app, live on these sources.",
        epilog="commands (each with --help):\n"
        "  scan SOURCE...    read everything once and print the alerts\n"
        "  tail SOURCE...    the same, live, without the app\n"
        "  demo              a simulated attack unfolding live\n"
        "  log export        the hunt log as Markdown, JSON Lines or CSV\n"
        "  suppress          add, list or lift suppressions\n"
        "  rules             list the rules, or check rule files\n"
        "  hunt              ask a query of files, print its rows\n"
        "  pivot             every event of a principal, key or address around a time\n"
        "  case ALERT_ID     the case file of an alert: report, evidence, manifest\n"
        "  status            what the state holds\n"
        "  keys              every key of the app, by id\n"
        "  compact           let go of old windows that came to nothing, give the space back\n"
        "  doctor            whether all is well: terminal, state, sources; rescues what you wrote\n"
        "  completion SHELL  what bash, zsh or fish completes this by",
    )
    parser.add_argument("sources", nargs="*", metavar="SOURCE", help=_SOURCES)
    parser.add_argument("--version", action="version", version=f"trailhound {__version__}")
    _searching(parser)
    _state(parser)
    parser.add_argument(
        "--no-session",
        action="store_true",
        help="start afresh: do not go on as the app was left, and do not keep how it is left",
    )
    parser.set_defaults(module="app", demo=False)
    return parser


def _commands() -> argparse.ArgumentParser:
    parser = _Parser(prog="trailhound")
    commands = parser.add_subparsers(required=True, parser_class=_Parser)

    scan = commands.add_parser(
        "scan",
        help="read everything once and print the alerts",
        description="Read everything once and print the alerts. Without --db no state is kept.",
    )
    scan.add_argument("sources", nargs="+", metavar="SOURCE", help=_SOURCES)
    scan.add_argument("--format", choices=("table", "jsonl", "csv"), default="table")
    scan.add_argument(
        "--since",
        metavar="T",
        help="only alerts with an event at or after this time; trail files "
        "delivered over an hour before it are not read",
    )
    scan.add_argument(
        "--until",
        metavar="T",
        help="only alerts with an event before this time; trail files delivered "
        "over a day after it are not read",
    )
    scan.add_argument("--now", metavar="T", help="take this for the present time")
    _filter(scan)
    scan.add_argument(
        "--jobs", type=_count, metavar="N", help="processes that read (default: as many as help)"
    )
    scan.add_argument(
        "--exit-code", action="store_true", help=f"exit with {EXIT_ALERTS} when there are alerts"
    )
    _searching(scan)
    _state(scan, kept=False)
    scan.set_defaults(module="scan")

    tail = commands.add_parser(
        "tail",
        help="the same, live, without the app",
        description="Read and watch: print an alert when it appears and at every revision.",
    )
    tail.add_argument("sources", nargs="+", metavar="SOURCE", help=_SOURCES)
    tail.add_argument("--format", choices=("jsonl",), default="jsonl")
    _filter(tail)
    _searching(tail)
    _state(tail)
    tail.set_defaults(module="tail")

    demo = commands.add_parser(
        "demo",
        help="a simulated attack unfolding live",
        description="Open the app on a simulated organization trail that arrives live, faster "
        "than life, in a temporary folder. Nothing of it is kept.",
    )
    demo.set_defaults(module="app", demo=True)

    log = commands.add_parser("log", help="the hunt log").add_subparsers(
        required=True, parser_class=_Parser
    )
    export = log.add_parser("export", help="write the hunt log")
    export.add_argument("--format", choices=("md", "jsonl", "csv"), default="md")
    export.add_argument(
        "-o", "--output", metavar="FILE", help="write here, readable only by you (default: stdout)"
    )
    export.add_argument("--alert", metavar="ID", help="only the notes of one alert")
    _filter(export)
    _state(export)
    export.set_defaults(module="log")

    _suppress(commands.add_parser("suppress", help="add, list or lift suppressions"))

    rules = commands.add_parser("rules", help="the rules").add_subparsers(
        required=True, parser_class=_Parser
    )
    listing = rules.add_parser("list", help="what is loaded, and what each looks for")
    _searching(listing)
    listing.set_defaults(module="rules", files=None)
    check = rules.add_parser("check", help="whether rule files can be used")
    check.add_argument("files", nargs="+", metavar="FILE")
    check.set_defaults(module="rules")

    hunt = commands.add_parser(
        "hunt",
        help="ask a query of files, print its rows",
        usage="trailhound hunt [options] FILE SOURCE...\n"
        "       trailhound hunt [options] --query ESQL SOURCE...",
        description="Run the ES|QL queries of a hunt file as they stand on files of CloudTrail logs. No state is kept.",
    )
    hunt.add_argument(
        "names",
        nargs="+",
        metavar="FILE SOURCE",
        help="a hunt file (or a rule file), then the logs",
    )
    hunt.add_argument("--query", metavar="ESQL", help="this query, instead of a file's")
    hunt.add_argument("--format", choices=("table", "jsonl", "csv"), default="table")
    hunt.add_argument(
        "--now", metavar="T", help="what now() says (default: the newest event's time)"
    )
    hunt.add_argument(
        "--asn-db", metavar="FILE", help="an .mmdb that names the networks of addresses"
    )
    hunt.set_defaults(module="hunt")

    _pivot(
        commands.add_parser(
            "pivot",
            help="every event of a principal, key or address around a time",
            description="Print every event of what is named, read again from the logs. Without SOURCE these are the files "
            "that the state has read.",
        )
    )

    case = commands.add_parser(
        "case",
        help="the case file of an alert",
        description="Write all that is known of an alert, with its records as the logs have "
        "them and a manifest, readable only by you.",
    )
    case.add_argument("alert", metavar="ALERT_ID")
    case.add_argument(
        "-o",
        "--output",
        metavar="DIR|FILE.zip",
        help="a new folder, or a zip (default: case-ALERT_ID)",
    )
    _searching(case)
    _state(case)
    case.set_defaults(module="case")

    keys = commands.add_parser(
        "keys",
        help="every key of the app, by the id to give it another by",
        description="List every key of the app. [keys] in the configuration gives them others.",
    )
    keys.add_argument("--format", choices=("table", "md"), default="table")
    keys.set_defaults(module="keys")

    status = commands.add_parser("status", help="what the state holds")
    status.add_argument(
        "--all",
        action="store_true",
        help="every region, all of the quarantine, all that is missing",
    )
    _state(status)
    status.set_defaults(module="status")

    compact = commands.add_parser(
        "compact",
        help="let go of old windows that came to nothing, give the space back",
        description="Let go of hits that are older than the retention and were read as long ago, but for those of "
        "alerts, and make the state smaller. Alerts, notes, suppressions and the list of files stay.",
    )
    compact.add_argument(
        "--retention", metavar="INTERVAL", help="for how long all is kept (default: 31d)"
    )
    _state(compact)
    compact.set_defaults(module="compact")

    doctor = commands.add_parser(
        "doctor",
        help="whether all is well here: terminal, state, sources, configuration",
        description="Look at the terminal, the clipboard, the state, the configuration and "
        "the sources: a line each, with what to do. Exit status 1 where "
        "something is a problem. From a damaged state, --save takes what you "
        "wrote (notes, statuses, suppressions, their history) into a new one; "
        "the rest comes back when the logs are read into that.",
    )
    doctor.add_argument(
        "sources",
        nargs="*",
        metavar="SOURCE",
        help="whether these can be read, and those configured",
    )
    doctor.add_argument("--save", metavar="NEW", help="a state to be made, with what you wrote")
    _state(doctor)
    doctor.set_defaults(module="doctor")

    completion = commands.add_parser(
        "completion",
        help="what a shell completes the command line by",
        usage="trailhound completion bash|zsh|fish",
        description="Print a completion script. bash: add  source <(trailhound completion bash)  to ~/.bashrc; zsh: "
        "source <(trailhound completion zsh)  to ~/.zshrc after compinit; fish: "
        "trailhound completion fish > ~/.config/fish/completions/trailhound.fish",
    )
    completion.add_argument("shell", choices=("bash", "zsh", "fish"))
    completion.set_defaults(module="completion")
    return parser


def _pivot(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("sources", nargs="*", metavar="SOURCE", help=_SOURCES)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--principal", metavar="ARN", help="with its keys and what it opened")
    what.add_argument("--role", metavar="ARN", help="all sessions of a role")
    what.add_argument("--access-key", metavar="ID", help="with the call that issued it")
    what.add_argument("--source", metavar="ADDRESS")
    what.add_argument(
        "--field", metavar="NAME=VALUE", help="any field of ECS: event.action=CreateAccessKey"
    )
    parser.add_argument("--around", metavar="T", required=True, help="2026-03-01T11:58:02Z")
    parser.add_argument(
        "--within", metavar="INTERVAL", default="30m", help="to either side: 5m, 2h (default: 30m)"
    )
    parser.add_argument(
        "--order",
        choices=("found", "time", "guide"),
        default="found",
        help="as found, nearest files first; by time; or under the guide's questions",
    )
    parser.add_argument("--format", choices=("table", "jsonl"), default="table")
    _filter(parser)
    _searching(parser)
    _state(parser)
    parser.set_defaults(module="pivot")


def _suppress(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(required=True, parser_class=_Parser)
    add = actions.add_parser("add", help="hide what matches for a while; the alerts are kept")
    what = add.add_mutually_exclusive_group(required=True)
    what.add_argument("--principal", metavar="ARN")
    what.add_argument("--principal-pattern", metavar="PATTERN", help="an ARN with * and ?")
    what.add_argument("--role", metavar="ARN", help="all sessions of a role")
    what.add_argument("--access-key", metavar="ID")
    what.add_argument("--user-agent", metavar="PATTERN", help="with * and ?")
    what.add_argument("--cidr", metavar="NETWORK")
    what.add_argument("--account", metavar="ID")
    add.add_argument(
        "--rule", metavar="ID", help="only alerts of this rule (default: of all rules)"
    )
    add.add_argument(
        "--for", dest="interval", metavar="INTERVAL", default="7d", help="12h, 7d, 2w (default: 7d)"
    )
    add.add_argument("--ticket", default="")
    add.add_argument("--owner", default="")
    add.add_argument("--justification", default="", help="why; this or a ticket is needed")
    add.add_argument(
        "--break-at",
        type=int,
        default=15,
        metavar="POINTS",
        help="an alert breaks through that brings something new of so many points (default: 15)",
    )
    add.add_argument(
        "--waive",
        action="append",
        default=[],
        metavar="FLAG",
        help="what is no reason to break through (may be repeated); unless waived, snapshot, "
        "image-export, access-key and iam-change always are",
    )
    listing = actions.add_parser("list", help="all of them, with how many alerts each has hidden")
    listing.add_argument("--format", choices=("table", "jsonl"), default="table")
    lift = actions.add_parser("lift", help="end one now")
    lift.add_argument("id")
    for action, name in ((add, "add"), (listing, "list"), (lift, "lift")):
        _state(action)
        action.set_defaults(module="suppress", action=name)


def _filter(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--filter",
        metavar="FILTER",
        default="",
        help="only what it lets through, as the app's filter does: 'severity>=high last 2h'",
    )


def _searching(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--rules",
        action="append",
        default=[],
        metavar="FILE|DIR",
        help="rule files in Elastic's form, beside the built-in ones (may be repeated)",
    )
    parser.add_argument("--no-builtin", action="store_true", help="leave the built-in rules out")
    parser.add_argument(
        "--window",
        choices=("tumbling", "sliding"),
        default="tumbling",
        help="windows aligned to the clock as Elastic's are, or any span (default: tumbling)",
    )
    parser.add_argument(
        "--asn-db", metavar="FILE", help="an .mmdb that names the networks of addresses"
    )


def _state(parser: argparse.ArgumentParser, kept: bool = True) -> None:
    parser.add_argument(
        "--db",
        metavar="FILE",
        help="the state (default: " + ("hunt.db in your data folder)" if kept else "none is kept)"),
    )


def _count(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= 256:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of processes from 1 to 256")
    return int(text)
