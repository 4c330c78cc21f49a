"""Sliding windows that late records join, with the decisions on them."""

from __future__ import annotations

import tempfile
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from detector.detection.alert import STATUSES, Status
from detector.store import Store
from detector.triage.note import NoteBody
from tests.detector.trail import START, scan, sweep, write

WIDTH = 30


class ModelAlert(NamedTuple):
    """An alert of the model.

    ``replaced`` are the starts of those that it superseded.
    """

    status: Status
    assigned: int
    """The number of the step that assigned it; 0: none."""
    notes: frozenset[int]
    replaced: frozenset[int]


def spans(seconds: set[int]) -> dict[int, int]:
    """Return start and end of the alerts of sweeps at these seconds."""
    ends: dict[int, int] = {}
    start = None
    for second in sorted(seconds):
        if start is None or second >= ends[start]:
            start = second
        ends[start] = second + WIDTH
    return ends


def supersede(alerts: dict[int, ModelAlert], seconds: set[int]) -> dict[int, ModelAlert]:
    """Merge the alerts whose start is inside a span that begins elsewhere."""
    return {
        start: _joined(
            [alerts[old] for old in alerts if start <= old < end],
            frozenset(old for old in alerts if start < old < end),
        )
        for start, end in spans(seconds).items()
    }


def _joined(parts: list[ModelAlert], gone: frozenset[int]) -> ModelAlert:
    status = min((part.status for part in parts), key=STATUSES.index, default="open")
    return ModelAlert(
        status,
        max((part.assigned for part in parts), default=0),
        frozenset().union(*(part.notes for part in parts)),
        gone.union(*(part.replaced for part in parts)),
    )


STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("late"),
            st.sets(
                st.sampled_from([0, 10, 29, 30, 31, 58, 60, 61, 89, 90, 120]),
                min_size=1,
                max_size=2,
            ),
        ),
        st.tuples(st.sampled_from(["note", "assign", *STATUSES]), st.integers(0, 3)),
    ),
    min_size=2,
    max_size=12,
)


@settings(max_examples=30)
@given(STEPS)
def test_decisions_follow_superseded_alerts(steps: list[tuple[str, object]]) -> None:
    seconds: set[int] = set()
    model: dict[int, ModelAlert] = {}
    names: dict[int, str] = {}
    written: dict[int, str] = {}
    with tempfile.TemporaryDirectory() as folder, closing(Store.open(None)) as store:
        for number, (what, value) in enumerate(steps):
            if isinstance(value, set):
                seconds |= value
                write(
                    Path(folder),
                    f"{number}.json",
                    list(chain.from_iterable(sweep(10, second) for second in value)),
                )
                scan(Path(folder), store=store, mode="sliding")
                model = supersede(model, seconds)
            elif model:
                start = sorted(model)[int(str(value)) % len(model)]
                alert = store.alerts.get(names[start])
                assert alert is not None
                if what == "note":
                    (note,) = (
                        each.note_id
                        for each in store.triage.add_notes([alert], NoteBody(f"note {number}"))
                    )
                    written[note] = f"note {number}"
                    model[start] = model[start]._replace(notes=model[start].notes | {note})
                elif what == "assign":
                    store.triage.assign([alert.alert_id], f"step {number}")
                    model[start] = model[start]._replace(assigned=number)
                else:
                    store.triage.set_status([alert.alert_id], what)  # type: ignore[arg-type]
                    model[start] = model[start]._replace(status=what)  # type: ignore[arg-type]
            alerts = {alert.first_event - START: alert for alert in store.alerts.all()}
            names |= {start: alert.alert_id for start, alert in alerts.items()}
            notes = {
                start: frozenset(note.note_id for note in store.triage.notes_of(names[start]))
                for start in alerts
            }
            assert {
                start: ModelAlert(
                    alert.status,
                    int(alert.assignee.removeprefix("step ") or 0),
                    notes[start],
                    frozenset(alert.supersedes),  # type: ignore[arg-type]
                )
                for start, alert in alerts.items()
            } == {
                start: known._replace(replaced=frozenset(names[old] for old in known.replaced))  # type: ignore[arg-type]
                for start, known in model.items()
            }
        assert {note.note_id: note.body.text for note in store.triage.notes()} == written
