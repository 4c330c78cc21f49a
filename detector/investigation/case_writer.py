"""Writer of case files for one or several alerts: report, evidence and manifest.

``manifest.json`` has the SHA-256 of every piece, and the source file and position of every record.
Records are the log's own bytes. A case file is readable only by its owner, and is written whole or
not at all.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import shutil
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec
import orjson
from markdown_it import MarkdownIt

from detector import __version__
from detector.cloudtrail.call_object import call_object_in_json
from detector.delivery.alert_export import alert_object
from detector.delivery.list_export import html_page
from detector.delivery.timesketch import timesketch_event
from detector.detection.alert import Alert
from detector.detection.event import Event
from detector.detection.signals.signal_finder import flagging_events
from detector.ecs.fields import FieldTable
from detector.investigation import pivot, report
from detector.investigation.case import Case, CaseError
from detector.investigation.case_indicators import case_indicators
from detector.investigation.guide import guide_answers, own_signals
from detector.investigation.pivot import EventRow, Progress
from detector.investigation.raw_record import EvidenceGone, raw_record
from detector.investigation.source_hashes import hash_sources
from detector.rules.ruleset import RuleSet
from detector.store import Store
from detector.text import private_files
from detector.text.json_output import escape_json, json_lines
from detector.text.path_text import source_text
from detector.text.spreadsheet import csv_text
from detector.text.time import format_time
from detector.triage.export import event_object, export_notes, position_object


def gather_case(
    store: Store,
    alert: Alert,
    rules: RuleSet,
    fields: FieldTable,
    stop: threading.Event | None = None,
    progress: Callable[[Progress], None] = lambda _: None,
) -> Case:
    """Collect an alert's case from the store and the logs.

    Raises CaseError if stopped.
    """
    lineage, signals = store.alerts.lineage(alert.alert_id), store.context.signals(alert.alert_id)
    around = pivot.pivot_around(alert, lineage, "all activity")
    flagging = flagging_events(rules)
    rows: list[EventRow] = []
    unread: tuple[str, ...] = ()
    if lineage:
        files = store.chunks.file_spans(around.start, around.end, lineage)
        for batch in pivot.read_pivot(around, files, flagging, frozenset(alert.event_ids), stop):
            rows += batch.rows
            unread = batch.progress.unread
            progress(batch.progress)
    if stop is not None and stop.is_set():
        raise CaseError("stopped: nothing was written")
    own_events = store.alerts.events(alert.alert_id)
    further_rows, missing = _read_others(rows, own_events, signals)
    rows += further_rows
    return Case(
        alert=alert,
        rule=rules.get(alert.rule.id),
        addresses=[rules.with_place(address) for address in alert.facets.source_addresses],
        lineage=lineage,
        answers=guide_answers(alert, signals, lineage, fields, own_signals(own_events, flagging)),
        signals=signals,
        rows=pivot.sorted_by_time(rows),
        notes=store.triage.notes_of(alert.alert_id),
        history=store.history.entries(alert.alert_id),
        pivot=around,
        missing=missing,
        unread=unread,
        made=time.time(),
        author=store.database.author,
        related=store.alerts.related(alert.alert_id),
        sources=hash_sources((row.event.position.source for row in rows), stop),
        watches=[row for row in store.watches.all() if row.state != "undone"],
    )


def case_files(case: Case) -> dict[str, bytes]:
    """Return the files of a one-alert case by name, the manifest last."""
    contents, records = _alert_files(case)
    return _with_manifest(contents, [case], records)


def joint_case_files(cases: Sequence[Case]) -> dict[str, bytes]:
    """Return the files of a joint case: a folder for each alert, shared files above."""
    contents: dict[str, bytes] = {}
    records: dict[str, EventRow] = {}
    for case in cases:
        own_contents, own_records = _alert_files(case)
        folder = case.alert.alert_id
        contents |= {f"{folder}/{name}": content for name, content in own_contents.items()}
        records |= {f"{folder}/{name}": row for name, row in own_records.items()}
    distinct: dict[bytes, EventRow] = {}
    for row in chain.from_iterable(case.rows for case in cases):
        if row.own or row.event.identity not in distinct:
            distinct[row.event.identity] = row
    rows = pivot.sorted_by_time(distinct.values())
    text = report.joint_report(cases, rows)
    shared = {
        "report.md": text.encode(),
        "report.html": _html(text, cases[0].made),
        **_tables([case.alert for case in cases], rows),
    }
    return _with_manifest({**shared, **contents}, cases, records)


def _alert_files(case: Case) -> tuple[dict[str, bytes], dict[str, EventRow]]:
    """Return one alert's files without a manifest, and its records by file name."""
    alert = case.alert
    records = {f"records/{number:05}.json": row for number, row in enumerate(case.rows, start=1)}
    text = report.case_report(case, len(records))
    contents = {
        "report.md": text.encode(),
        "report.html": _html(text, case.made),
        "alert.json": _pretty(
            {
                **alert_object(alert),
                "facets": msgspec.to_builtins(alert.facets),
                "baseline": msgspec.to_builtins(alert.baseline),
                "risk": msgspec.to_builtins(alert.risk),
                "lineage": msgspec.to_builtins(case.lineage),
                "related": [each.alert_id for each in case.related],
                "history": [
                    {**msgspec.to_builtins(entry), "at": format_time(entry.time)}
                    for entry in case.history
                ],
            }
        ),
        "signals.jsonl": _lines(
            {"flag": flag, **event_object(event)}
            for flag, events in sorted(case.signals.items())
            for event in events
        ),
        "pivot.jsonl": _lines(
            {
                **event_object(row.event),
                "object": call_object_in_json(row.raw),
                "flags": list(row.flags),
                "own": row.own,
                "record": name,
            }
            for name, row in records.items()
        ),
        **_tables([alert], case.rows),
        "notes.jsonl": export_notes(case.notes, "jsonl").encode(),
        **{name: row.raw for name, row in records.items()},
    }
    return contents, records


def _tables(alerts: Sequence[Alert], rows: Sequence[EventRow]) -> dict[str, bytes]:
    """Return the indicators as CSV, and the events for Timesketch."""
    found = case_indicators(alerts, rows)
    return {
        "indicators.csv": csv_text(
            ("kind", "value", "remark"), ([each.kind, each.value, each.remark] for each in found)
        ).encode(),
        "timesketch.jsonl": _lines(
            timesketch_event(row.event, call_object_in_json(row.raw), row.flags) for row in rows
        ),
    }


def _html(text: str, made: float) -> bytes:
    """Return a report as a self-contained HTML page."""
    title, _, body = text.partition("\n")
    heading = "".join(character for character in title.removeprefix("# ") if character != "`")
    renderer = MarkdownIt("commonmark", {"html": False}).enable("table")
    page = html_page(
        heading, renderer.render(body), f"{format_time(made)}, trailhound {__version__}"
    )
    return page.encode()


def _with_manifest(
    contents: dict[str, bytes], cases: Sequence[Case], records: Mapping[str, EventRow]
) -> dict[str, bytes]:
    """Add the manifest, and a file with its hash."""
    manifest = _pretty(_manifest(cases, contents, records))
    digest = hashlib.sha256(manifest).hexdigest()
    return {
        **contents,
        "manifest.json": manifest,
        "manifest.json.sha256": f"{digest}  manifest.json\n".encode(),
    }


def write_case(case: Case, out: Path) -> Path:
    """Write an alert's case to ``out``: a zip file or a new folder, depending on its suffix.

    Raises CaseError.
    """
    return _write(lambda: case_files(case), case.made, out)


def write_joint_case(cases: Sequence[Case], out: Path) -> Path:
    """Write the case of several alerts, in the same way as ``write_case``. Raises CaseError."""
    return _write(lambda: joint_case_files(cases), cases[0].made, out)


def _write(make_files: Callable[[], Mapping[str, bytes]], made: float, out: Path) -> Path:
    if os.path.lexists(out):
        raise CaseError(f"{out}: exists already; choose another with -o")
    contents = make_files()
    try:
        if out.suffix.lower() == ".zip":
            private_files.write_new(out, _zipped(contents, made))
            return out
        with _temporary_folder(out) as partial:
            for name, content in contents.items():
                for folder in reversed(Path(name).parents[:-1]):
                    (partial / folder).mkdir(mode=0o700, exist_ok=True)
                private_files.write_member(partial / name, content)
            os.rename(partial, out)
    except OSError as error:
        raise CaseError(f"{out}: {error.strerror}; choose another location with -o") from None
    return out


def _read_others(
    rows: Sequence[EventRow], own: Sequence[Event], signals: Mapping[str, Sequence[Event]]
) -> tuple[list[EventRow], list[tuple[Event, str]]]:
    """Read the alert's events missing in the pivot; return their rows, and unreadable events."""
    known = {row.event.identity for row in rows}
    own_keys = {event.identity for event in own}
    flagged: dict[bytes, list[str]] = {}
    for flag, events in signals.items():
        for event in events:
            flagged.setdefault(event.identity, []).append(flag)
    wanted = {event.identity: event for event in chain(own, *signals.values())}
    further_rows, missing = [], []
    for key in sorted(wanted.keys() - known):
        event = wanted[key]
        try:
            raw = raw_record(event)
        except EvidenceGone as error:
            missing.append((event, str(error)))
            continue
        further_rows.append(EventRow(event, tuple(flagged.get(key, ())), key in own_keys, raw))
    return further_rows, missing


def _manifest(
    cases: Sequence[Case], contents: Mapping[str, bytes], records: Mapping[str, EventRow]
) -> dict[str, Any]:
    sources = {each.path: each for case in cases for each in case.sources}
    return {
        "alerts": [
            {
                "alert_id": case.alert.alert_id,
                "revision": case.alert.revision,
                "rule_id": case.alert.rule.id,
                "rule_version": case.rule.fingerprint if case.rule else None,
            }
            for case in cases
        ],
        "made": format_time(cases[0].made),
        "by": cases[0].author,
        "trailhound": __version__,
        "sources": [
            {**msgspec.to_builtins(each), "path": source_text(each.path)}
            for _, each in sorted(sources.items())
        ],
        "pieces": [
            {"name": name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for name, content in contents.items()
        ],
        "records": [
            {
                "name": name,
                "account": row.event.account,
                "event_id": row.event.event_id,
                **position_object(row.event),
            }
            for name, row in records.items()
        ],
        "missing": [
            {"event_id": event.event_id, **position_object(event), "why": why}
            for case in cases
            for event, why in case.missing
        ],
        "unread": sorted({why for case in cases for why in case.unread}),
    }


def _lines(objects: Iterator[dict[str, Any]]) -> bytes:
    return json_lines(objects).encode()


def _pretty(value: Any) -> bytes:
    return escape_json(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()).encode() + b"\n"


def _zipped(contents: Mapping[str, bytes], made: float) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            entry = zipfile.ZipInfo(name, time.gmtime(made)[:6])
            entry.external_attr = 0o600 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return buffer.getvalue()


@contextlib.contextmanager
def _temporary_folder(out: Path) -> Iterator[Path]:
    """Make a private folder next to ``out``; remove it unless it is renamed."""
    partial = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.absolute().parent))
    try:
        yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)
