"""The command line. Data goes to standard output, narration to standard error; each error is one line.

Nothing heavy is imported before it is known what to do: a command's module when it runs, Textual when the app opens.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

from detector import __version__

RAN, FAILED, MISUSED, FOUND = 0, 1, 2, 10
"""Exit statuses; FOUND only with ``--exit-code``."""


class Failure(Exception):
    """A command cannot go on; one line says what happened and what to do."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(MISUSED, f"{self.prog}: {message}; see {self.prog} --help\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run trailhound; the exit status."""
    given = list(sys.argv[1:] if argv is None else argv)
    parser = _commands() if given and given[0] in _COMMANDS else _app()
    args = parser.parse_args(given)
    try:
        status = int(import_module(f"tui.commands.{args.module}").run(args))
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return RAN
    except KeyboardInterrupt:
        print("trailhound: interrupted", file=sys.stderr)
        return FAILED
    except Exception as error:
        if not _is_expected(error):
            raise
        from detector.visible import visible

        print(f"trailhound: {visible(str(error))}", file=sys.stderr)
        return FAILED


def _is_expected(error: Exception) -> bool:
    if isinstance(error, Failure):
        return True
    from detector.asn import AsnError
    from detector.store import StateError

    return isinstance(error, AsnError | StateError)


_COMMANDS = ("scan", "tail", "demo", "log", "suppress", "rules", "status")


def _app() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="trailhound", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Hunt cross-region reconnaissance in AWS CloudTrail logs. Opens the app, live on these sources.",
        epilog="commands (each with --help):\n"
               "  scan SOURCE...    read everything once and print the alerts\n"
               "  tail SOURCE...    the same, live, without the app\n"
               "  demo              a simulated attack unfolding live\n"
               "  log export        the hunt log as Markdown, JSON Lines or CSV\n"
               "  suppress          add, list or lift suppressions\n"
               "  rules             list the rules, or check rule files\n"
               "  status            what the state holds")
    parser.add_argument("sources", nargs="*", metavar="PATH", help="files and folders of CloudTrail logs")
    parser.add_argument("--version", action="version", version=f"trailhound {__version__}")
    _searching(parser)
    _state(parser)
    parser.set_defaults(module="app", demo=False)
    return parser


def _commands() -> argparse.ArgumentParser:
    parser = _Parser(prog="trailhound")
    commands = parser.add_subparsers(required=True, parser_class=_Parser)

    scan = commands.add_parser("scan", help="read everything once and print the alerts",
                               description="Read everything once and print the alerts. Without --db no state is kept.")
    scan.add_argument("sources", nargs="+", metavar="SOURCE")
    scan.add_argument("--format", choices=("table", "jsonl", "csv"), default="table")
    scan.add_argument("--since", metavar="T", help="only alerts with an event at or after this time")
    scan.add_argument("--until", metavar="T", help="only alerts with an event before this time")
    scan.add_argument("--now", metavar="T", help="take this for the present time")
    scan.add_argument("--jobs", type=_count, metavar="N", help="processes that read (default: as many as help)")
    scan.add_argument("--exit-code", action="store_true", help=f"exit with {FOUND} when there are alerts")
    _searching(scan)
    _state(scan, kept=False)
    scan.set_defaults(module="scan")

    tail = commands.add_parser("tail", help="the same, live, without the app",
                               description="Read and watch: print an alert when it appears and at every revision.")
    tail.add_argument("sources", nargs="+", metavar="SOURCE")
    tail.add_argument("--format", choices=("jsonl",), default="jsonl")
    _searching(tail)
    _state(tail)
    tail.set_defaults(module="tail")

    demo = commands.add_parser("demo", help="a simulated attack unfolding live",
                               description="Open the app on a simulated organization trail that arrives live, faster "
                                           "than life, in a temporary folder. Nothing of it is kept.")
    demo.set_defaults(module="app", demo=True)

    log = commands.add_parser("log", help="the hunt log").add_subparsers(required=True, parser_class=_Parser)
    export = log.add_parser("export", help="write the hunt log")
    export.add_argument("--format", choices=("md", "jsonl", "csv"), default="md")
    export.add_argument("-o", "--output", metavar="FILE", help="write here, readable only by you (default: stdout)")
    export.add_argument("--alert", metavar="ID", help="only the notes of one alert")
    _state(export)
    export.set_defaults(module="log")

    _suppress(commands.add_parser("suppress", help="add, list or lift suppressions"))

    rules = commands.add_parser("rules", help="the rules").add_subparsers(required=True, parser_class=_Parser)
    listing = rules.add_parser("list", help="what is loaded, and what each looks for")
    _searching(listing)
    listing.set_defaults(module="rules", files=None)
    check = rules.add_parser("check", help="whether rule files can be used")
    check.add_argument("files", nargs="+", metavar="FILE")
    check.set_defaults(module="rules")

    status = commands.add_parser("status", help="what the state holds")
    _state(status)
    status.set_defaults(module="status")
    return parser


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
    add.add_argument("--rule", metavar="ID", help="only alerts of this rule (default: of all rules)")
    add.add_argument("--for", dest="interval", metavar="INTERVAL", default="7d", help="12h, 7d, 2w (default: 7d)")
    add.add_argument("--ticket", default="")
    add.add_argument("--owner", default="")
    add.add_argument("--justification", default="", help="why; this or a ticket is needed")
    listing = actions.add_parser("list", help="all of them, with how many alerts each has hidden")
    listing.add_argument("--format", choices=("table", "jsonl"), default="table")
    lift = actions.add_parser("lift", help="end one now")
    lift.add_argument("id")
    for action, name in ((add, "add"), (listing, "list"), (lift, "lift")):
        _state(action)
        action.set_defaults(module="suppress", action=name)


def _searching(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rules", action="append", default=[], metavar="FILE|DIR",
                        help="rule files in Elastic's form, beside the built-in ones (may be repeated)")
    parser.add_argument("--no-builtin", action="store_true", help="leave the built-in rules out")
    parser.add_argument("--window", choices=("tumbling", "sliding"), default="tumbling",
                        help="windows aligned to the clock as Elastic's are, or any span (default: tumbling)")
    parser.add_argument("--asn-db", metavar="FILE", help="an .mmdb that names the networks of addresses")


def _state(parser: argparse.ArgumentParser, kept: bool = True) -> None:
    parser.add_argument("--db", metavar="FILE", help="the state (default: " + (
        "hunt.db in your data folder)" if kept else "none is kept)"))


def _count(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= 256:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of processes from 1 to 256")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
