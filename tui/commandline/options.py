"""The parser class and the options that several commands share."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn, TypeAlias

from tui.settings.errors import EXIT_MISUSED


class LineParser(argparse.ArgumentParser):
    """A parser whose errors are one line.

    Sources may also follow options, which argparse by itself does not accept."""

    def parse_known_args(  # type: ignore[override]  # as argparse calls it
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        parsed, left = super().parse_known_args(args, namespace)
        if "sources" in parsed and not any(word.startswith("-") for word in left if word != "-"):
            parsed.sources += left
            left = []
        if left:  # reported here, because the parent parser does not know the command's help
            self.error(f"unrecognized arguments: {' '.join(left)}")
        return parsed, left

    def error(self, message: str) -> NoReturn:
        self.exit(EXIT_MISUSED, f"{self.prog}: {message}; see {self.prog} --help\n")


if TYPE_CHECKING:
    Subparsers: TypeAlias = argparse._SubParsersAction[LineParser]

ALERT_FORMATS = ("table", "jsonl", "csv", "md", "html", "ocsf")

SOURCES_HELP = (
    "files, folders, patterns ('logs/**/*.gz'), s3://BUCKET/PREFIX, sqs://QUEUE, - for standard "
    "input, file@LIST for a list of them"
)


def add_filter_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--filter",
        metavar="FILTER",
        default="",
        help="only what matches, in the app's filter language: 'severity>=high last 2h'",
    )


def add_list_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for writing alerts: format, output file, and CSV for spreadsheets."""
    parser.add_argument("--format", choices=ALERT_FORMATS, default="table")
    add_output_option(parser)
    parser.add_argument(
        "--spreadsheet",
        action="store_true",
        help="CSV as spreadsheets read it: a byte order mark, times like 2026-03-01 11:58:02 (UTC)",
    )


def add_output_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="write here, readable only by you (default: standard output)",
    )
    parser.set_defaults(captures_output=True)


def add_quiet_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--quiet", action="store_true", help="narrate nothing but what is wrong on standard error"
    )


def add_rule_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose the rules and how they run."""
    parser.add_argument(
        "--rules",
        action="append",
        default=[],
        metavar="FILE|DIR",
        help="more rule files in Elastic's format (may be repeated)",
    )
    parser.add_argument("--no-builtin", action="store_true", help="do not load the built-in rules")
    parser.add_argument(
        "--window",
        choices=("tumbling", "sliding"),
        default="tumbling",
        help="tumbling: aligned to the clock, as in Elastic; sliding: any span (default: tumbling)",
    )
    add_address_options(parser)


def add_address_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that name address databases."""
    parser.add_argument("--asn-db", metavar="FILE", help="an .mmdb file with network (AS) names")
    parser.add_argument(
        "--geo-db", metavar="FILE", help="an .mmdb file with the cities or countries of addresses"
    )


def add_bucket_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--allow-bucket",
        action="append",
        default=[],
        metavar="BUCKET",
        help="another bucket that queue messages may point to, besides those named as sources "
        "(may be repeated)",
    )


def add_state_option(
    parser: argparse.ArgumentParser, default: str = "hunt.db in your data folder"
) -> None:
    parser.add_argument("--db", metavar="FILE", help=f"the database (default: {default})")


def add_author_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--author", metavar="NAME", help="author of the decision (default: the OS user)"
    )


def process_count(text: str) -> int:
    """Parse ``--jobs``. Raises ArgumentTypeError."""
    if not text.isdecimal() or not 0 < int(text) <= 256:
        raise argparse.ArgumentTypeError(f"--jobs must be 1–256, not {text!r}")
    return int(text)
