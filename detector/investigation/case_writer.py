"""The case file of an alert: all that is known of it, with the evidence, for whoever takes it over.

Every piece has its SHA-256 in ``manifest.json``, every record the file and place that it came from. Records are the
bytes of the log. It is written readable only by its owner, and is there whole or not at all.
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
from pathlib import Path
from typing import Any

import msgspec
import orjson

from detector import __version__
from detector.detection.alert import Alert
from detector.detection.correlate import flagging_events
from detector.detection.event import Event
from detector.ecs.fields import FieldTable
from detector.investigation import pivot, report
from detector.investigation.case import Case, CaseError
from detector.investigation.guide import answers
from detector.investigation.pivot import Progress, Row
from detector.investigation.raw_record import EvidenceGone, raw_record
from detector.rules.ruleset import RuleSet
from detector.store import Store
from detector.store.history_table import current_user
from detector.text.time import format_time
from detector.triage.export import event_object, export_alerts, export_notes, position_object


def gather(
    store: Store,
    alert: Alert,
    rules: RuleSet,
    fields: FieldTable,
    stop: threading.Event | None = None,
    progress: Callable[[Progress], None] = lambda _: None,
) -> Case:
    """All that is known of the alert; its principal's events are read from the logs. Raises
    CaseError when stopped."""
    lineage, signals = store.alerts.lineage(alert.alert_id), store.context.signals(alert.alert_id)
    around = pivot.around(alert, lineage, "its principal")
    rows: list[Row] = []
    unread: tuple[str, ...] = ()
    if lineage:
        files = store.chunks.file_spans(around.start, around.end, lineage)
        for batch in pivot.run(
            around, files, flagging_events(rules), frozenset(alert.event_ids), stop
        ):
            rows += batch.rows
            unread = batch.progress.unread
            progress(batch.progress)
    if stop is not None and stop.is_set():
        raise CaseError("stopped: nothing was written")
    more, missing = _others(rows, store.alerts.events(alert.alert_id), signals)
    return Case(
        alert=alert,
        rule=rules.get(alert.rule.id),
        lineage=lineage,
        answers=answers(alert, signals, lineage, fields),
        signals=signals,
        rows=pivot.timeline([*rows, *more]),
        notes=store.triage.notes_of(alert.alert_id),
        history=store.history.entries(alert.alert_id),
        pivot=around,
        missing=missing,
        unread=unread,
        made=time.time(),
        author=current_user(),
    )


def pieces(case: Case) -> dict[str, bytes]:
    """The files of the case by name, the manifest last."""
    alert = case.alert
    records = {f"records/{number:05}.json": row for number, row in enumerate(case.rows, start=1)}
    found = {
        "report.md": report.report(case, len(records)).encode(),
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
    return {**found, "manifest.json": _pretty(_manifest(case, found, records))}


def write(case: Case, out: Path) -> Path:
    """Write the case to ``out``: a zip where it is named so, a new folder otherwise. Raises
    CaseError."""
    if os.path.lexists(out):
        raise CaseError(f"{out}: is there already; name another with -o")
    contents = pieces(case)
    try:
        with _beside(out) as partial:
            if out.suffix.lower() == ".zip":
                _put(partial / "case", _zipped(contents, case.made))
                os.rename(partial / "case", out)
            else:
                for name, content in contents.items():
                    (partial / name).parent.mkdir(mode=0o700, exist_ok=True)
                    _put(partial / name, content)
                os.rename(partial, out)
    except OSError as error:
        raise CaseError(f"{out}: {error.strerror}; name another place with -o") from None
    return out


def _others(
    rows: Sequence[Row], own: Sequence[Event], signals: Mapping[str, Sequence[Event]]
) -> tuple[list[Row], list[tuple[Event, str]]]:
    """The alert's events that the pivot did not bring: rows of those whose records are still there,
    and the rest."""
    known = {_name(row.event) for row in rows}
    mine = {_name(event) for event in own}
    flagged: dict[tuple[str, str], list[str]] = {}
    for flag, events in signals.items():
        for event in events:
            flagged.setdefault(_name(event), []).append(flag)
    wanted = {_name(event): event for events in (own, *signals.values()) for event in events}
    found, missing = [], []
    for name in sorted(wanted.keys() - known):
        try:
            found.append(
                Row(
                    wanted[name],
                    tuple(flagged.get(name, ())),
                    name in mine,
                    raw_record(wanted[name]),
                )
            )
        except EvidenceGone as error:
            missing.append((wanted[name], str(error)))
    return found, missing


def _name(event: Event) -> tuple[str, str]:
    return event.account, event.event_id


def _manifest(
    case: Case, contents: Mapping[str, bytes], records: Mapping[str, Row]
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
    return b"".join(orjson.dumps(each) + b"\n" for each in objects)


def _pretty(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2) + b"\n"


def _zipped(contents: Mapping[str, bytes], made: float) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            entry = zipfile.ZipInfo(name, time.gmtime(made)[:6])
            entry.external_attr = 0o600 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return packed.getvalue()


@contextlib.contextmanager
def _beside(out: Path) -> Iterator[Path]:
    """A new private folder in the place where ``out`` will be; it goes again where it has not
    become that."""
    partial = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.absolute().parent))
    try:
        yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _put(path: Path, content: bytes) -> None:
    with open(
        os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb"
    ) as file:
        file.write(content)
