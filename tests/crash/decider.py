"""A colleague: a process that decides while another ingests and is killed.

Each decision is made on what the colleague has just seen, and written down with what became of it.
"""

from __future__ import annotations

import os
import random
import signal
import threading
from collections import Counter
from contextlib import closing
from pathlib import Path

from detector.detection.alert import Status
from detector.store import Store
from detector.triage.note import NoteBody
from tui.commandline.termination import stop_on_signals

KINDS: dict[Status, str] = {"open": "reopened", "acknowledged": "acknowledged", "closed": "closed"}
Told = tuple[str, str, str, str]
"""The alert, the author, the kind and detail that the history must have."""


def decide_until_told(db: Path, author: str, seed: int, told: Path) -> None:
    """Decide on one state until SIGTERM, which was blocked until here; append what was told."""
    stop, chance = threading.Event(), random.Random(seed)
    stop_on_signals(stop, signal.SIGTERM)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    log = os.open(told, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    number = 0
    with closing(Store.open(db, author=author)) as store:
        while not stop.wait(chance.random() * 0.02):
            alerts = store.alerts.all()
            if not alerts:
                continue
            alert, number = chance.choice(alerts[:3]), number + 1
            if chance.random() < 0.3:
                [note] = store.triage.add_notes([alert], NoteBody(f"{author}.{seed}.{number}"))
                os.write(log, f"note\t{note.body.text}\n".encode())
                continue
            status: Status = chance.choice(tuple(KINDS))
            if status == alert.status:
                continue
            stop.wait(chance.random() * 0.02)  # while others may decide
            alert_id, entries = alert.alert_id, _own_entries(store, alert.alert_id)
            [after] = store.triage.set_status([alert_id], status, {alert_id: alert.status})
            fate = "done" if after.status == status else "refused"
            if fate == "done" and _own_entries(store, alert_id) == entries:
                continue  # a colleague had done the same
            line = f"{fate}\t{alert.alert_id}\t{author}\t{alert.status}\t{status}\n"
            os.write(log, line.encode())


def _own_entries(store: Store, alert_id: str) -> int:
    return sum(entry.author == store.author for entry in store.history.entries(alert_id))


def read_told(told: Path) -> tuple[list[str], list[list[str]]]:
    """Return the texts of notes, and the decisions on statuses, as they were written down."""
    lines = [line.split("\t") for line in told.read_text().splitlines()]
    notes = [line[1] for line in lines if line[0] == "note"]
    return notes, [line for line in lines if line[0] != "note"]


def differences(store: Store, decisions: list[list[str]]) -> dict[str, tuple[object, object]]:
    """Compare the history of each alert with its status and with what was told.

    Each decision in the history was made on what the one before it left.
    """
    expected: Counter[Told] = Counter()
    for fate, alert_id, author, before, after in decisions:
        kind = KINDS[after] + ("" if fate == "done" else " refused")  # type: ignore[index]
        expected[(alert_id, author, kind, f"{before} -> {after}")] += 1
    authors = {told[1] for told in expected}
    history: Counter[Told] = Counter()
    broken: list[str] = []
    for alert in store.alerts.all():
        stands = "open"
        for entry in store.history.entries(alert.alert_id):
            is_decision = entry.kind in KINDS.values()
            if is_decision:
                before, _, after = entry.detail.partition(" -> ")
                if before != stands:
                    broken.append(f"{alert.alert_id}: {entry.detail} where it was {stands}")
                stands = after
            if entry.author in authors and entry.kind.removesuffix(" refused") in KINDS.values():
                history[(alert.alert_id, entry.author, entry.kind, entry.detail)] += 1
        if stands != alert.status:
            broken.append(f"{alert.alert_id}: is {alert.status}, the history says {stands}")
    return {
        "decisions lost": (expected - history, Counter()),
        "decisions doubled or unsaid": (history - expected, Counter()),
        "decisions overwritten in silence": (broken, []),
    }
