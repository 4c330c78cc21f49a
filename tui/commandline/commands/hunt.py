"""``trailhound hunt``: ask a query of files, print its rows."""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from itertools import chain, islice
from pathlib import Path

import orjson

from detector.ecs.asn import open_asn
from detector.ecs.fields import field_table
from detector.ecs.values import Value
from detector.esql.plan.query import Query
from detector.investigation.hunt import Reader, asks_now, compiled, read_hunt, rows
from detector.rules.rule_file import RuleError
from detector.text.time import format_time
from detector.text.visible import visible
from detector.triage.export import safe_cell
from tui.commandline.commands.common import narrate, open_named_sources, parse_time_option
from tui.commandline.commands.rules import pointed
from tui.settings import config
from tui.settings.errors import EXIT_FAILED, EXIT_MISUSED, EXIT_OK, CommandError, UsageError

ResultRow = dict[str, Value]
_FIRST = 50
"""Rows that a table takes its widths from; those after them are printed as they come."""


def run(args: argparse.Namespace) -> int:
    queries, sources, text = _asked(args)
    asn = args.asn_db or config.load_config().asn_db
    table = field_table(open_asn(Path(asn).expanduser()) if asn else None)
    now = parse_time_option(args.now, "--now")
    try:
        for query in queries:  # all that is wrong is said before anything is read
            compiled(query, table, now, text)
    except RuleError as error:
        where, status = (
            ("--query", EXIT_MISUSED) if args.query is not None else (args.names[0], EXIT_FAILED)
        )
        narrate(f"{where}:{error.line}:{error.column}: {error.message}")
        print(pointed(text or args.query, error.line, error.column), file=sys.stderr)
        return status
    with closing(open_named_sources(sources, live=False)) as source:
        reader = Reader(found.path for found in source.sweep() if found.problem is None)
        if now is None and any(map(asks_now, queries)) and (now := reader.newest()) is not None:
            narrate(f"now() is {format_time(now)}, the newest event's time; --now T takes another")
        for number, query in enumerate(queries, 1):
            ready = compiled(query, table, now, text)
            printed = _print(ready, rows(ready, reader), args.format)
            which = f"query {number} of {len(queries)}: " if len(queries) > 1 else ""
            narrate(f"{which}{printed:,} {'row' if printed == 1 else 'rows'}")
    for problem in reader.problems.values():
        narrate(f"not read: {problem}")
    return EXIT_OK


def _asked(args: argparse.Namespace) -> tuple[Sequence[str], Sequence[str], str]:
    """The queries, the sources, and the text of the file that the queries stand in."""
    if args.query is not None:
        return [args.query], args.names, ""
    name, *sources = args.names
    if not sources:
        raise UsageError(
            f"{name}: no source: name a hunt file and then files or folders of logs, or give --query"
        )
    try:
        hunt, text = read_hunt(Path(name).expanduser())
    except RuleError as error:
        raise CommandError(f"{name}:{error.line}: {error.message}") from None
    return list(hunt.queries), sources, text


def _print(query: Query, found: Iterator[ResultRow], format: str) -> int:
    """How many rows were printed. Each goes out as soon as it is there."""
    if format == "jsonl":
        return _count(print(orjson.dumps(row).decode(), flush=True) for row in found)
    if format == "csv":
        columns = list(query.columns)
        writer = csv.writer(sys.stdout, lineterminator="\r\n")
        writer.writerow([safe_cell(column) for column in columns])
        return _count(
            writer.writerow([_csv_cell(row.get(column)) for column in columns]) for row in found
        )
    return _table(query, found)


def _count(done: Iterable[object]) -> int:
    return sum(1 for _ in done)


def _csv_cell(value: Value) -> str:
    return (
        ""
        if value is None
        else safe_cell(list(map(_text, value)) if isinstance(value, list) else _text(value))
    )


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _table(query: Query, found: Iterator[ResultRow]) -> int:
    first = list(islice(found, _FIRST))
    columns = [
        name for name in query.columns if not query.sparse or any(name in row for row in first)
    ]
    if not first:
        return 0
    printed = 0
    lines = [[_shown(row.get(name)) for name in columns] for row in first]
    widths = [
        max(len(name), *(len(line[place]) for line in lines)) for place, name in enumerate(columns)
    ]

    for cells in chain(
        [columns], lines, ([_shown(row.get(name)) for name in columns] for row in found)
    ):
        print(
            "  ".join(
                cell.ljust(width) for cell, width in zip(cells, widths, strict=True)
            ).rstrip(),
            flush=True,
        )
        printed += 1
    return printed - 1


def _shown(value: Value) -> str:
    if value is None:
        return "-"
    return visible(", ".join(map(_text, value)) if isinstance(value, list) else _text(value), 120)
