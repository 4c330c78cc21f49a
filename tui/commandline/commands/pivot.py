"""``trailhound pivot``: every event of a principal or value around a time."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from detector.cloudtrail.call_object import call_object_in_json
from detector.cloudtrail.object_key import trail_file
from detector.delivery.timesketch import timesketch_event
from detector.detection.principal import PrincipalNames, RelatedPrincipals
from detector.detection.record_search import Selector
from detector.detection.signals.signal_finder import flagging_events
from detector.ecs.fields import field_table
from detector.filter.schemas import EVENTS
from detector.investigation import pivot
from detector.investigation.guide import group_by_question
from detector.investigation.pivot import EventRow, Pivot, Progress
from detector.investigation.selectors import field_equals
from detector.sources.file_span import FileSpan
from detector.sources.time_bounds import Bounds, FileSnapshot
from detector.store import Store
from detector.text.json_output import json_line
from detector.text.plural import plural
from detector.text.visible import visible
from detector.triage.export import event_object
from tui.commandline.inputs import (
    load_rules,
    open_named_sources,
    parse_filter_option,
    parse_interval_option,
    parse_time_option,
    readable_files,
)
from tui.commandline.narration import narrate, pruned_file_lines, show_progress, warn
from tui.settings import config
from tui.settings.errors import EXIT_OK, CommandError, UsageError


def run(args: argparse.Namespace) -> int:
    request = _read_request(args)
    event_filter = parse_filter_option(args, EVENTS, request.end)
    rules = load_rules(args)
    files, close_files = open_files(args, request)
    print_rows = _PRINT[args.format]
    streaming = args.order == "found"
    rows: list[EventRow] = []
    count = 0
    progress = Progress(0, 0, 0, 0)
    try:
        for batch in pivot.read_pivot(request, files, flagging_events(rules)):
            progress = batch.progress
            matching = list(filter(event_filter, batch.rows))
            count += len(matching)
            if streaming:
                print_rows(matching)
            else:
                rows += matching
            show_files_read(progress)
    finally:
        close_files()
    if not streaming:
        _print_in_order(rows, args)
    for reason in progress.unread:
        warn(f"not read: {reason}")
    read = plural(progress.files, "file")
    narrate(f"{plural(count, 'event')} in {read}, {progress.bytes / 1e6:,.1f} MB")
    return EXIT_OK


def _read_request(args: argparse.Namespace) -> Pivot:
    around = parse_time_option(args.around, "--around")
    assert around is not None
    title, selector = _selector(args)
    request = Pivot(title, selector, around, around, around)
    return request.within(parse_interval_option(args.within, "--within"))


def _selector(args: argparse.Namespace) -> tuple[str, Selector]:
    """Return what to look for: a title and a selector."""
    if args.principal is not None:
        return args.principal, RelatedPrincipals(PrincipalNames(arns=[args.principal]))
    if args.role is not None:
        return args.role, RelatedPrincipals(PrincipalNames(roles=[args.role]))
    if args.access_key is not None:
        return args.access_key, RelatedPrincipals(PrincipalNames(keys=[args.access_key]))
    fields = field_table()
    if args.source is not None:
        return f"source.address {args.source}", field_equals(fields["source.address"], args.source)
    name, equals, value = args.field.partition("=")
    if not equals or name not in fields:
        raise UsageError(
            f"--field {args.field}: write it like event.action=CreateAccessKey, with a field of ECS"
        )
    return f"{name} {value}", field_equals(fields[name], value)


def open_files(
    args: argparse.Namespace, request: Pivot
) -> tuple[Sequence[FileSpan], Callable[[], None]]:
    """Return the files that may be read, and a function that closes their source.

    They are the files of the named sources, or else the files that the state has read.
    """
    path = config.state_path(args.db)
    if args.sources:
        recorded = files_read_to_end(path) if args.db and path.exists() else None
        bounds = Bounds(request.start, request.end)
        source = open_named_sources(args.sources, False, bounds, recorded, args.allow_bucket)
        files = [
            FileSpan(file.path, file.size, delivered=delivery_time(file.path))
            for file in readable_files(source)
        ]
        for line in pruned_file_lines(source):
            narrate(line)
        return files, source.close
    if not path.exists():
        raise CommandError(f"{path}: no database yet: name the logs, or a database with --db FILE")
    store = Store.look(path)
    return store.chunks.file_spans(request.start, request.end, request.selector), store.close


def delivery_time(path: str) -> int | None:
    """Return when CloudTrail delivered a file according to its name, in epoch seconds, or None."""
    file = trail_file(path)
    if file is None:
        return None
    return file.delivered


def files_read_to_end(path: Path) -> dict[str, FileSnapshot]:
    """Return the state's snapshots of the files that were read to the end, by path."""
    with closing(Store.look(path)) as store:
        return store.files.read_to_end()


def show_files_read(progress: Progress) -> None:
    """Show how much of the files has been read."""
    show_progress(
        f"read {progress.bytes_done / 1e6:,.1f} of {progress.bytes / 1e6:,.1f} MB, "
        f"{progress.files_done:,} of {progress.files:,} files"
    )


def _print_in_order(rows: Sequence[EventRow], args: argparse.Namespace) -> None:
    """Print events by time, grouped by the guide's questions unless the order is time."""
    print_rows = _PRINT[args.format]
    if args.order == "time":
        print_rows(pivot.sorted_by_time(rows))
        return
    for question, answers in group_by_question(pivot.sorted_by_time(rows)):
        if args.format == "table":
            sys.stdout.write(f"{question} {pivot.count_actions(answers)}\n")
        print_rows(answers)


def _print_jsonl(rows: Iterable[EventRow]) -> None:
    for row in rows:
        acted_on = call_object_in_json(row.raw)
        event = {**event_object(row.event), "object": acted_on or None, "flags": row.flags}
        sys.stdout.write(json_line(event) + "\n")
    sys.stdout.flush()


def _print_timesketch(rows: Iterable[EventRow]) -> None:
    for row in rows:
        event = timesketch_event(row.event, call_object_in_json(row.raw), row.flags)
        sys.stdout.write(json_line(event) + "\n")
    sys.stdout.flush()


def _print_table(rows: Iterable[EventRow]) -> None:
    for line in table_lines(rows):
        sys.stdout.write(line + "\n")
    sys.stdout.flush()


def table_lines(rows: Iterable[EventRow]) -> Iterator[str]:
    """Yield one line per event, in columns of fixed width.

    Events are printed as they are found, so the widths that all of them need are not known.
    """
    for row in rows:
        event = row.event
        cells = (
            time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(event.time)),
            f"{visible(event.region, 20):14}",
            f"{visible(event.action, 60):26}",
            f"{visible(event.error_code, 40) or 'ok':8}",
            f"{visible(event.source_address, 45):15}",
            f"{','.join(row.flags) or '-':18}",
            visible(event.arn) or "(no ARN)",
        )
        acted_on = visible(call_object_in_json(row.raw), 120)
        arrow = f"  → {acted_on}" if acted_on else ""
        yield "  ".join(cells).rstrip() + arrow


_PRINT: dict[str, Callable[[Iterable[EventRow]], None]] = {
    "table": _print_table,
    "jsonl": _print_jsonl,
    "timesketch": _print_timesketch,
}
