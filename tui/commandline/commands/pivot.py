"""``trailhound pivot``: every event of a principal, a role, a key, an address, or any field's value, around a time."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import orjson

from detector.cloudtrail.object_key import trail_file
from detector.detection.correlate import flagging_events
from detector.detection.principal import PrincipalNames, RelatedPrincipals
from detector.detection.record_search import Selector
from detector.ecs.fields import field_table
from detector.filter.schemas import EVENTS
from detector.investigation import pivot
from detector.investigation.guide import by_question
from detector.investigation.pivot import Pivot, Progress, Row
from detector.investigation.selectors import field_is
from detector.sources.file_span import FileSpan
from detector.sources.time_bounds import Bounds, FileSnapshot
from detector.store import Store
from detector.text.visible import visible
from detector.triage.export import event_object
from tui.commandline.commands.common import (
    load_rules,
    narrate,
    open_named_sources,
    parse_filter_option,
    parse_interval_option,
    parse_time_option,
    pruned_file_lines,
)
from tui.settings import config
from tui.settings.errors import EXIT_OK, CommandError, UsageError


def run(args: argparse.Namespace) -> int:
    wanted = _pivot(args)
    passes = parse_filter_option(args, EVENTS, wanted.end)
    rules = load_rules(args)
    files, close = _files(args, wanted)
    rows: list[Row] = []
    last = Progress(0, 0, 0, 0)
    streaming = args.order == "found"
    print_rows = _PRINT[args.format]
    found = 0
    try:
        for batch in pivot.run(wanted, files, flagging_events(rules)):
            last = batch.progress
            passing = list(filter(passes, batch.rows))
            found += len(passing)
            if streaming:
                print_rows(passing)
            else:
                rows += passing
            _show_progress(last)
    finally:
        close()
    if args.order == "time":
        print_rows(pivot.timeline(rows))
    elif args.order == "guide":
        for question, held in by_question(pivot.timeline(rows)):
            if args.format == "table":
                sys.stdout.write(f"{question} {pivot.counted(held)}\n")
            print_rows(held)
    for why in last.unread:
        narrate(f"not read: {why}")
    narrate(
        f"{found:,} {'event' if found == 1 else 'events'} in {last.files:,} files, {last.bytes / 1e6:,.1f} MB"
    )
    return EXIT_OK


def _pivot(args: argparse.Namespace) -> Pivot:
    around = parse_time_option(args.around, "--around")
    assert around is not None
    title, selector = _selector(args)
    return Pivot(title, selector, around, around, around).within(
        parse_interval_option(args.within, "--within")
    )


def _selector(args: argparse.Namespace) -> tuple[str, Selector]:
    if args.principal is not None:
        return args.principal, RelatedPrincipals(PrincipalNames(arns=[args.principal]))
    if args.role is not None:
        return args.role, RelatedPrincipals(PrincipalNames(roles=[args.role]))
    if args.access_key is not None:
        return args.access_key, RelatedPrincipals(PrincipalNames(keys=[args.access_key]))
    name, equals, value = (
        ("source.address", "=", args.source)
        if args.source is not None
        else args.field.partition("=")
    )
    table = field_table()
    if not equals or name not in table:
        raise UsageError(
            f"--field {args.field}: write it like event.action=CreateAccessKey, with a field of ECS"
        )
    return f"{name} {value}", field_is(table[name], value)


def _files(
    args: argparse.Namespace, wanted: Pivot
) -> tuple[Sequence[FileSpan], Callable[[], None]]:
    """What may be read, and how to let it go afterwards: the named sources, or what the state has
    read."""
    path = config.state_path(args.db)
    if args.sources:
        recorded = _recorded(path) if args.db else None
        source = open_named_sources(args.sources, False, Bounds(wanted.start, wanted.end), recorded)
        files = [
            FileSpan(
                found.path,
                found.size,
                delivered=(file := trail_file(found.path)) and file.delivered,
            )
            for found in source.sweep()
            if found.problem is None
        ]
        for line in pruned_file_lines(source):
            narrate(line)
        return files, source.close
    if not Path(path).exists():
        raise CommandError(
            f"{path}: there is no state yet: name the logs, or a state with --db FILE"
        )
    store = Store.open(path)
    return store.chunks.file_spans(wanted.start, wanted.end, wanted.selector), store.close


def _recorded(path: Path) -> dict[str, FileSnapshot]:
    """What a state knows of the files that it has read."""
    with closing(Store.open(path)) as store:
        return store.files.read_to_end()


def _show_progress(progress: Progress) -> None:
    if sys.stderr.isatty():
        print(
            f"\r\x1b[Kread {progress.bytes_done / 1e6:,.1f} of {progress.bytes / 1e6:,.1f} MB, "
            f"{progress.files_done:,} of {progress.files:,} files",
            end="\r",
            file=sys.stderr,
        )


def _print_jsonl(rows: Iterable[Row]) -> None:
    sys.stdout.write(
        "".join(
            orjson.dumps({**event_object(row.event), "flags": row.flags}).decode() + "\n"
            for row in rows
        )
    )
    sys.stdout.flush()


def _print_table(rows: Iterable[Row]) -> None:
    sys.stdout.write("".join(line + "\n" for line in _lines(rows)))
    sys.stdout.flush()


def _lines(rows: Iterable[Row]) -> Iterator[str]:
    """A line an event, its columns about aligned: it is printed when it is found, so that no width
    is known before."""
    for row in rows:
        event = row.event
        yield "  ".join(
            (
                time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(event.time)),
                f"{visible(event.region, 20):14}",
                f"{visible(event.action, 60):26}",
                f"{visible(event.error_code, 40) or 'ok':8}",
                f"{visible(event.source_address, 45):15}",
                f"{','.join(row.flags) or '-':18}",
                visible(event.arn) or "(no ARN)",
            )
        ).rstrip()


_PRINT: dict[str, Callable[[Iterable[Row]], None]] = {"table": _print_table, "jsonl": _print_jsonl}
