"""Write the case file of an alert: report, evidence and manifest.

``manifest.json`` has the SHA-256 of every piece, and the file and position of every record.
Records are the bytes of the log. A case file is readable only by its owner, and is written whole or
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

from detector import __version__
from detector.delivery.alert_export import export_alerts
from detector.detection.alert import Alert
from detector.detection.correlate import flagging_events
from detector.detection.event import Event
from detector.ecs.fields import FieldTable
from detector.investigation import pivot, report
from detector.investigation.case import Case, CaseError
from detector.investigation.guide import guide_answers, own_signals
from detector.investigation.pivot import EventRow, Progress
from detector.investigation.raw_record import EvidenceGone, raw_record
from detector.rules.ruleset import RuleSet
from detector.store import Store
from detector.text import private_files
from detector.text.json_output import escape_json, json_lines
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
    """Collect the case of an alert from the store and the logs.

    Raises CaseError when stopped.
    """
    lineage, signals = store.alerts.lineage(alert.alert_id), store.context.signals(alert.alert_id)
    around = pivot.pivot_around(alert, lineage, "its principal")
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
    return Case(
        alert=alert,
        rule=rules.get(alert.rule.id),
        addresses=[rules.with_place(address) for address in alert.facets.source_addresses],
        lineage=lineage,
        answers=guide_answers(alert, signals, lineage, fields, own_signals(own_events, flagging)),
        signals=signals,
        rows=pivot.sorted_by_time([*rows, *further_rows]),
        notes=store.triage.notes_of(alert.alert_id),
        history=store.history.entries(alert.alert_id),
        pivot=around,
        missing=missing,
        unread=unread,
        made=time.time(),
        author=store.database.author,
    )


def case_files(case: Case) -> dict[str, bytes]:
    """Return the files of a case by name, the manifest last."""
    alert = case.alert
    records = {f"records/{number:05}.json": row for number, row in enumerate(case.rows, start=1)}
    contents = {
        "report.md": report.case_report(case, len(records)).encode(),
        "alert.json": _pretty(
            {
                **alert.as_json(),
                "facets": msgspec.to_builtins(alert.facets),
                "baseline": msgspec.to_builtins(alert.baseline),
                "risk": msgspec.to_builtins(alert.risk),
                "lineage": msgspec.to_builtins(case.lineage),
                "history": [
                    {**msgspec.to_builtins(entry), "at": format_time(entry.time)}
                    for entry in case.history
                ],
            }
        ),
        "alert.jsonl": export_alerts([alert], "jsonl").encode(),
        "signals.jsonl": _lines(
            {"flag": flag, **event_object(event)}
            for flag, events in sorted(case.signals.items())
            for event in events
        ),
        "pivot.jsonl": _lines(
            {**event_object(row.event), "flags": list(row.flags), "own": row.own, "record": name}
            for name, row in records.items()
        ),
        "notes.jsonl": export_notes(case.notes, "jsonl").encode(),
        **{name: row.raw for name, row in records.items()},
    }
    return {**contents, "manifest.json": _pretty(_manifest(case, contents, records))}


def write_case(case: Case, out: Path) -> Path:
    """Write a case to ``out``, a zip file or a new folder.

    The suffix ``.zip`` decides. Raises CaseError.
    """
    if os.path.lexists(out):
        raise CaseError(f"{out}: exists already; choose another with -o")
    contents = case_files(case)
    try:
        if out.suffix.lower() == ".zip":
            private_files.write_new(out, _zipped(contents, case.made))
            return out
        with _temporary_folder(out) as partial:
            for name, content in contents.items():
                (partial / name).parent.mkdir(mode=0o700, exist_ok=True)
                private_files.write_member(partial / name, content)
            os.rename(partial, out)
    except OSError as error:
        raise CaseError(f"{out}: {error.strerror}; choose another location with -o") from None
    return out


def _read_others(
    rows: Sequence[EventRow], own: Sequence[Event], signals: Mapping[str, Sequence[Event]]
) -> tuple[list[EventRow], list[tuple[Event, str]]]:
    """Read the alert's events that the pivot lacks; return rows and losses."""
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
    case: Case, contents: Mapping[str, bytes], records: Mapping[str, EventRow]
) -> dict[str, Any]:
    return {
        "alert_id": case.alert.alert_id,
        "revision": case.alert.revision,
        "made": format_time(case.made),
        "by": case.author,
        "trailhound": __version__,
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
            for event, why in case.missing
        ],
        "unread": list(case.unread),
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
    """Make a private folder beside ``out``; remove it unless renamed."""
    partial = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.absolute().parent))
    try:
        yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)
