"""A hunt of any length against a model in plain Python.

Records arrive late, doubled and out of order, trailhound restarts, and old windows are evicted.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from detector.detection.alert import Alert, Status
from detector.store import Store
from detector.triage.note import NoteBody
from detector.triage.suppression import Suppression
from tests.detector import oracle
from tests.detector.detection.test_against_oracle import told
from tests.detector.trail import ANA, REGIONS, START, Raw, adds_up, call, outcome, scan, write

PEOPLE = (ANA, ANA.replace("ana", "bo"))
SLOTS = 8
WIDTH = oracle.WIDTH

sweeps = st.builds(
    lambda who, slot, first, count: [
        call(slot * WIDTH + index, region, arn=who)
        for index, region in enumerate(REGIONS[first : first + count], first)
    ],
    st.sampled_from(PEOPLE),
    st.integers(0, SLOTS - 1),
    st.sampled_from([0, 0, 4, 7]),
    st.integers(3, 12),
)
"""Of one window's calls a part or all: it takes several, or a large one, to make an alert."""


class ReadHit(NamedTuple):
    """A record that is in a window, and when it was read."""

    record: Raw
    read_at: float

    @property
    def series(self) -> str:
        return str(self.record["userIdentity"]["arn"])

    @property
    def bucket(self) -> int:
        return _time(self.record) // WIDTH


def _time(record: Raw) -> int:
    time = oracle._time(record)
    assert time is not None
    return time


class Hunt(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="model-"))
        self.now = START + 3600.0
        self.store = self._open()
        # The model.
        self.files: list[tuple[int, float]] = []
        self.seen = self.duplicate = self.late = 0
        self.hits: dict[str, ReadHit] = {}
        self.known: dict[str, int] = {}
        self.gone: dict[str, tuple[int, int]] = {}
        self.newest = 0
        self.statuses: dict[str, Status] = {}
        self.notes: dict[int, list[str]] = {}
        self.suppressions: dict[str, Suppression] = {}

    def _open(self) -> Store:
        return Store.open(self.folder / "hunt.db", lambda: self.now)

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.folder)

    # --- what happens

    @rule(
        records=st.lists(sweeps, min_size=1, max_size=3).flatmap(
            lambda them: st.permutations([*chain(*them)])
        )
    )
    def arrive(self, records: list[Raw]) -> None:
        """Add records in any order; earlier ones come again with them."""
        self.files.append((min(map(_time, records)), self.now))
        write(self.folder / "logs", f"{len(self.files)}.json", records)
        scan(self.folder / "logs", store=self.store, clock=lambda: self.now)
        arrived = {name: call for call in records if (name := call["eventID"]) not in self.known}
        self.seen += len(records)
        self.duplicate += len(records) - len(arrived)
        for name, record in arrived.items():
            self.known[name] = _time(record)
            self.newest = max(self.newest, _time(record))
            hit = ReadHit(record, self.now)
            first, last = self.gone.get(hit.series, (1, 0))
            if first <= hit.bucket <= last:
                self.late += 1
            else:
                self.hits[name] = hit

    @rule(seconds=st.sampled_from([1, 300, 1000]))
    def restart(self, seconds: int) -> None:
        self.store.close()
        self.now += seconds
        self.store = self._open()

    @precondition(lambda self: self.files)
    @rule(
        seconds=st.sampled_from([300, 300, 0]),
        retention=st.sampled_from([30, 90, 200]),
        vacuum=st.booleans(),
    )
    def evict(self, seconds: int, retention: int, vacuum: bool) -> None:
        self.now += seconds
        horizon = min(self.now, self.newest) - retention
        old = {
            name
            for name, hit in self.hits.items()
            if (hit.bucket + 1) * WIDTH <= horizon
            and hit.read_at < self.now - retention
            and (hit.series, hit.bucket) not in self._alerting()
        }
        for hit in (self.hits.pop(name) for name in old):
            first, last = self.gone.get(hit.series, (hit.bucket, hit.bucket))
            self.gone[hit.series] = min(first, hit.bucket), max(last, hit.bucket)
        if any(first < horizon and read_at < self.now - retention for first, read_at in self.files):
            self.known = {
                name: time
                for name, time in self.known.items()
                if name in self.hits or time >= horizon
            }
        done = (
            self.store.retention.vacuum(retention).hits
            if vacuum
            else self.store.retention.evict(retention)[0]
        )
        assert done == len(old)

    # --- what the analyst does

    def _decide(self, choice: int, decide: Callable[[Alert], Any]) -> None:
        if alerts := self.store.alerts.all():
            decide(alerts[choice % len(alerts)])

    @rule(choice=st.integers(0, 99), status=st.sampled_from(["open", "acknowledged", "closed"]))
    def judge(self, choice: int, status: Status) -> None:
        def decide(alert: Alert) -> None:
            self.store.triage.set_status([alert.alert_id], status)
            self.statuses[alert.alert_id] = status

        self._decide(choice, decide)

    @rule(choice=st.integers(0, 99), text=st.sampled_from(["seen", "ours", "theirs"]))
    def note(self, choice: int, text: str) -> None:
        def decide(alert: Alert) -> None:
            (made,) = self.store.triage.add_notes([alert], NoteBody(text))
            self.notes[made.note_id] = [alert.alert_id, text]

        self._decide(choice, decide)

    @precondition(lambda self: self.notes)
    @rule(choice=st.integers(0, 99), text=st.sampled_from(["not so", "after all"]))
    def edit(self, choice: int, text: str) -> None:
        name = sorted(self.notes)[choice % len(self.notes)]
        self.store.triage.edit_note(name, NoteBody(text))
        if text != self.notes[name][-1]:
            self.notes[name].append(text)

    @rule(who=st.sampled_from(PEOPLE), seconds=st.sampled_from([200.0, 2000.0]))
    def suppress(self, who: str, seconds: float) -> None:
        wanted = Suppression(
            "principal", who, None, 0, self.now + seconds, "T-1", "", "", break_at=10_000
        )
        (made,) = self.store.triage.suppress([wanted])
        self.suppressions[made.suppression_id] = made

    @precondition(lambda self: self.suppressions)
    @rule(choice=st.integers(0, 99))
    def lift(self, choice: int) -> None:
        made = self._chosen(choice)
        self.store.triage.lift([made.suppression_id])
        if made.lifted is None:
            self._become(made, lifted=self.now)

    @precondition(lambda self: self.suppressions)
    @rule(choice=st.integers(0, 99), seconds=st.sampled_from([200.0, 2000.0]))
    def extend(self, choice: int, seconds: float) -> None:
        made = self._chosen(choice)
        if made.lifted is None:
            self.store.triage.extend([made.suppression_id], self.now + seconds)
            self._become(made, expires=self.now + seconds)

    def _chosen(self, choice: int) -> Suppression:
        return self.suppressions[sorted(self.suppressions)[choice % len(self.suppressions)]]

    def _become(self, made: Suppression, **changed: Any) -> None:
        self.suppressions[made.suppression_id] = msgspec.structs.replace(made, **changed)

    # --- what must be so

    def _alerting(self) -> set[tuple[str, int]]:
        return {
            (
                alert["key"]["aws.cloudtrail.user_identity.arn"],
                _time({"eventTime": alert["window"]["start"]}) // WIDTH,
            )
            for alert in self._alerts()
        }

    def _alerts(self) -> list[Raw]:
        return oracle.alerts([hit.record for hit in self.hits.values()], "tumbling")

    @invariant()
    def the_alerts_are_those_of_what_is_in_the_windows(self) -> None:
        assert told(outcome(self.store)) == self._alerts()

    @invariant()
    def every_record_is_accounted_for(self) -> None:
        sums = self.store.files.accounting()
        assert (sums.files_read, sums.records_seen, sums.records_duplicate, sums.late_dropped) == (
            len(self.files),
            self.seen,
            self.duplicate,
            self.late,
        )
        assert adds_up(sums)

    @invariant()
    def what_was_decided_is_kept(self) -> None:
        alerts = self.store.alerts.all()
        assert self.statuses.items() >= {
            (alert.alert_id, alert.status) for alert in alerts if alert.status != "open"
        }
        assert {
            alert.alert_id: alert.status for alert in alerts if alert.alert_id in self.statuses
        } == self.statuses
        assert {
            note.note_id: [
                note.alert_id,
                *(edit.body.text for edit in note.history if edit.body),
                note.body.text,
            ]
            for note in self.store.triage.notes()
        } == self.notes
        assert {
            made.suppression_id: (made.expires, made.lifted)
            for made in self.store.suppressions.all()
        } == {name: (made.expires, made.lifted) for name, made in self.suppressions.items()}

    @invariant()
    def an_alert_is_hidden_while_something_hides_it(self) -> None:
        hiding = {
            name: made
            for name, made in self.suppressions.items()
            if made.lifted is None and made.created <= self.now < made.expires
        }
        for alert in self.store.alerts.all():
            those = {name for name, made in hiding.items() if made.value == alert.principal}
            assert alert.suppressed_by in (those or {None})


TestHunt = Hunt.TestCase
TestHunt.settings = settings(max_examples=8, stateful_step_count=25)
