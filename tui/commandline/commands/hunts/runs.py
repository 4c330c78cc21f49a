"""``trailhound hunts run``: run a hunt's queries and report what is new."""

from __future__ import annotations

import argparse
import sys
from contextlib import closing, nullcontext

from detector.esql.errors import EsqlError
from detector.esql.lookup.files import Lookups
from detector.esql.plan.query import Query
from detector.investigation.hunt import EventReader, uses_now
from detector.investigation.hunts.languages import plan_query
from detector.investigation.hunts.run import (
    HuntResult,
    held_files,
    remember_run,
    rows_before,
    run_query,
)
from detector.store import Store
from detector.text.excerpt import caret_excerpt
from detector.text.visible import visible
from detector.triage.hunt_record import HuntQuery, HuntRecord
from tui.commandline.inputs import (
    decision_author,
    existing_state_path,
    open_fields,
    open_named_sources,
    readable_files,
)
from tui.commandline.narration import narrate, warn
from tui.commandline.query_rows import print_rows
from tui.settings.config import lookup_sources
from tui.settings.errors import EXIT_FAILED, EXIT_OK, CommandError


def run(args: argparse.Namespace) -> int:
    store = Store.open(existing_state_path(args.db), author=decision_author(args))
    with closing(store):
        hunt = store.hunts.get(args.hunt)
        queries = _chosen(hunt, args.query)
        fields, lookups = open_fields(args.asn_db, args.geo_db), Lookups(lookup_sources())
        source = None
        if args.sources:
            source = open_named_sources(args.sources, live=False, allow_buckets=args.allow_bucket)
        with nullcontext() if source is None else closing(source):
            if source is None:
                paths = [file.path for file in held_files(store, hunt.scope)]
            else:
                paths = [file.path for file in readable_files(source)]
            reader = EventReader(paths, hunt.scope)
            now, status = None, EXIT_OK
            if any(uses_now(query.text) for query in queries if query.language == "esql"):
                now = store.files.newest_event_time() if source is None else reader.newest()
            for query in queries:
                try:
                    compiled = plan_query(query.text, query.language, fields, now, lookups)
                except EsqlError as error:
                    status = _report_refusal(query, error)
                    continue
                result = run_query(compiled, reader, rows_before(store, hunt, query))
                _print(query, compiled, result, args)
                if source is None:
                    remember_run(store, hunt, query, result)
    for problem in reader.problems.values():
        warn(f"not read: {problem}")
    return status


def _chosen(hunt: HuntRecord, name: str | None) -> list[HuntQuery]:
    queries = [each for each in hunt.queries if name in (None, each.name, each.query_id)]
    if not queries:
        wanted = "no query" if name is None else f"no query {name}"
        raise CommandError(
            f"{hunt.hunt_id}: {wanted}: trailhound hunts show {hunt.hunt_id} lists its queries"
        )
    return queries


def _report_refusal(query: HuntQuery, error: EsqlError) -> int:
    warn(f"{visible(query.name, 80)}:{error.line}:{error.column}: {error.message}")
    print(caret_excerpt(query.text, error.line, error.column), file=sys.stderr)
    return EXIT_FAILED


def _print(query: HuntQuery, compiled: Query, result: HuntResult, args: argparse.Namespace) -> None:
    rows = zip(result.rows, result.new, strict=True)
    shown = (row for row, is_new in rows if is_new or not args.new or not result.compared)
    print_rows(compiled, shown, args.format)
    narrate(f"{visible(query.name, 80)}: {result.phrase}")
