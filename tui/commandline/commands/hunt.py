"""``trailhound hunt``: run a query on files and print its rows."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from detector.esql.lookup.files import Lookups
from detector.investigation.hunt import (
    EventReader,
    compile_hunt_query,
    read_hunt,
    result_rows,
    uses_now,
)
from detector.rules.rule_file import RuleError, file_position
from detector.text.excerpt import caret_excerpt
from detector.text.plural import plural
from detector.text.time import format_time
from tui.commandline.inputs import (
    open_fields,
    open_named_sources,
    parse_time_option,
    readable_files,
)
from tui.commandline.narration import narrate, warn
from tui.commandline.query_rows import print_rows
from tui.settings.config import lookup_sources
from tui.settings.errors import EXIT_FAILED, EXIT_MISUSED, EXIT_OK, CommandError, UsageError


class _Request(NamedTuple):
    """The queries, the source names, and the hunt file's text."""

    queries: Sequence[str]
    sources: Sequence[str]
    text: str


def run(args: argparse.Namespace) -> int:
    request = _read_request(args)
    fields = open_fields(args.asn_db, args.geo_db)
    now = parse_time_option(args.now, "--now")
    lookups = Lookups(lookup_sources())
    try:
        for query in request.queries:  # report every error before anything is read
            compile_hunt_query(query, fields, now, request.text, lookups)
    except RuleError as error:
        return _report_error(args, request, error)
    source = open_named_sources(request.sources, live=False, allow_buckets=args.allow_bucket)
    with closing(source):
        reader = EventReader(file.path for file in readable_files(source))
        if now is None and any(map(uses_now, request.queries)):
            now = reader.newest()
            if now is not None:
                time = format_time(now)
                narrate(f"now() is {time}, the newest event's time; --now T takes another")
        for number, text in enumerate(request.queries, 1):
            query_plan = compile_hunt_query(text, fields, now, request.text, lookups)
            printed = print_rows(query_plan, result_rows(query_plan, reader), args.format)
            prefix = ""
            if len(request.queries) > 1:
                prefix = f"query {number} of {len(request.queries)}: "
            narrate(f"{prefix}{plural(printed, 'row')}")
    for problem in reader.problems.values():
        warn(f"not read: {problem}")
    return EXIT_OK


def _read_request(args: argparse.Namespace) -> _Request:
    if args.query is not None:
        return _Request([args.query], args.names, "")
    name, *sources = args.names
    if not sources:
        raise UsageError(
            f"{name}: no source: name a hunt file and then files or folders of logs, "
            "or give --query"
        )
    try:
        hunt, text = read_hunt(Path(name).expanduser())
    except RuleError as error:
        raise CommandError(f"{file_position(name, error.line)}: {error.message}") from None
    return _Request(list(hunt.queries), sources, text)


def _report_error(args: argparse.Namespace, request: _Request, error: RuleError) -> int:
    """Narrate an error in a query, and return the exit status."""
    if args.query is not None:
        origin, status = "--query", EXIT_MISUSED
    else:
        origin, status = args.names[0], EXIT_FAILED
    warn(f"{origin}:{error.line}:{error.column}: {error.message}")
    text = request.text or args.query
    print(caret_excerpt(text, error.line, error.column), file=sys.stderr)
    return status
