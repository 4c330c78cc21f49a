"""The windows of a hunt of any length, against a model in plain Python.

Records arrive late, doubled and out of order, trailhound restarts, old windows are evicted, and
rules change.
"""

from __future__ import annotations

import shutil
import tempfile
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from detector.rules.ruleset import RuleSet
from detector.store import Store
from detector.store.rule_table import RuleCount
from tests.detector import oracle
from tests.detector.detection.test_against_oracle import told
from tests.detector.rules.rule_scan import write_rule
from tests.detector.trail import (
    ACCOUNT,
    ANA,
    REFERENCE,
    REFERENCE_FILE,
    REGIONS,
    START,
    Raw,
    adds_up,
    call,
    outcome,
    rules,
    scan,
    write,
)

PEOPLE = (ANA, ANA.replace("ana", "bo"))
SLOTS = 8
WIDTH = oracle.WIDTH
REACH = 1800
"""Seconds around a window within which a flag is raised."""


def _call(who: str, at: int, region: str, **changed: Any) -> Raw:
    caller = {"type": "IAMUser", "accountId": ACCOUNT, "arn": who}
    caller["accessKeyId"] = f"AKIA{who.rpartition('/')[2].upper()}"
    name = changed.get("eventName", "call")
    return call(at, region, f"{name}-{who}-{at}-{region}", userIdentity=caller, **changed)


sweeps = st.builds(
    lambda who, begin, pace, first, count: [
        _call(who, begin + pace * index, region)
        for index, region in enumerate(REGIONS[first : first + count], first)
    ],
    st.sampled_from(PEOPLE),
    st.integers(0, SLOTS - 1).map(lambda slot: slot * WIDTH)
    | st.sampled_from([18, 29, 47, 59, 89, 100]),
    st.sampled_from([0, 1, 1, 2, 3, 7]),
    st.sampled_from([0, 0, 4, 7]),
    st.integers(3, 12),
)
"""Of one window's calls a part or all: it takes several, or a large one, to make an alert. They
begin with a window or near the end of one, lie on one second or span up to three windows."""

KEY_TIMES = (-REACH - 1, -REACH, -REACH + WIDTH - 1, 45, REACH + WIDTH - 1, REACH + WIDTH, 2000)


@cache
def by(mode: str, is_extended: bool) -> RuleSet:
    """Return the reference rule and a flag; extended, with a rule for which all is read again."""
    flag = REFERENCE_FILE.parent / "flags" / "access_key.toml"
    if not is_extended:
        return rules(mode, flag)
    with tempfile.TemporaryDirectory() as folder:
        rule = write_rule(Path(folder), 'from logs-* | where event.action == "None"')
        return rules(mode, flag, rule)


class ReadHit(NamedTuple):
    """A record that is in a window, and when it was read."""

    record: Raw
    read_at: float

    @property
    def series(self) -> str:
        return _caller(self.record)

    @property
    def bucket(self) -> int:
        return _time(self.record) // WIDTH


def _caller(record: Raw) -> str:
    return str(record["userIdentity"]["arn"])


def _time(record: Raw) -> int:
    time = oracle._time(record)
    assert time is not None
    return time


class Windows(RuleBasedStateMachine):
    """What is in the windows, by what arrives, is evicted and is read again."""

    mode = "tumbling"
    margins: ClassVar[dict[str, int]] = {"tumbling": 0, "sliding": 2}
    """Buckets on either side of an evicted one for which a record is late."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="model-"))
        self.now = START + 3600.0
        self.store = self._open()
        self.is_extended = False
        # The model.
        self.files: list[tuple[int, float]] = []
        self.arrived: list[Raw] = []
        self.keys: dict[str, Raw] = {}
        self.seen = self.counted = self.duplicate = self.late = 0
        self.hits: dict[str, ReadHit] = {}
        self.known: dict[str, int] = {}
        self.gone: dict[str, tuple[int, int]] = {}
        self.newest = 0

    def _open(self) -> Store:
        return Store.open(self.folder / "hunt.db", lambda: self.now)

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.folder)

    def _scan(self) -> None:
        rules = by(self.mode, self.is_extended)
        scan(self.folder / "logs", store=self.store, clock=lambda: self.now, by=rules)

    def _write(self, records: list[Raw]) -> None:
        """Add a file of these records, and read it."""
        self.files.append((min(map(_time, records)), self.now))
        write(self.folder / "logs", f"{len(self.files)}.json", records)
        self._scan()
        self.seen += len(records)
        self.newest = max(self.newest, *map(_time, records))

    # --- what happens

    @rule(
        records=st.lists(sweeps, min_size=1, max_size=3).flatmap(
            lambda them: st.permutations([*chain(*them)])
        )
    )
    def arrive(self, records: list[Raw]) -> None:
        """Add records in any order; earlier ones come again with them."""
        self._write(records)
        self.arrived += records
        new = {name: call for call in records if (name := call["eventID"]) not in self.known}
        self.counted += len(new)
        self.duplicate += len(records) - len(new)
        for name, record in new.items():
            self.known[name] = _time(record)
            hit = ReadHit(record, self.now)
            first, last = self.gone.get(hit.series, (1, 0))
            if first <= hit.bucket <= last:
                self.late += 1
            else:
                self.hits[name] = hit

    @rule(who=st.sampled_from(PEOPLE), at=st.sampled_from(KEY_TIMES))
    def make_key(self, who: str, at: int) -> None:
        """Add a call that raises a flag; it is in no window."""
        iam = {"eventName": "CreateAccessKey", "eventSource": "iam.amazonaws.com"}
        record = _call(who, at, "us-east-1", readOnly=False, **iam)
        self._write([record])
        self.keys[record["eventID"]] = record

    @rule(seconds=st.sampled_from([1, 300, 1000]))
    def restart(self, seconds: int) -> None:
        self.store.close()
        self.now += seconds
        self.store = self._open()

    @precondition(lambda self: self.files)
    @rule()
    def change_rules(self) -> None:
        """Load another rule, for which every file is read again, or leave it out."""
        self.is_extended = not self.is_extended
        self._scan()
        if self.is_extended:
            self._have_read_again()

    def _have_read_again(self) -> None:
        """Nothing is late that had been read before; copies are known of all."""
        self.known = {record["eventID"]: _time(record) for record in self.arrived}
        self.counted = len(self.known)
        self.duplicate = len(self.arrived) - len(self.known)
        self.files = [(first, self.now) for first, _ in self.files]
        self.hits = {name: hit._replace(read_at=self.now) for name, hit in self.hits.items()}

    @precondition(lambda self: self.files)
    @rule(
        seconds=st.sampled_from([300, 300, 0]),
        retention=st.sampled_from([30, 90, 200]),
        vacuum=st.booleans(),
    )
    def evict(self, seconds: int, retention: int, vacuum: bool) -> None:
        self.now += seconds
        horizon = min(self.now, self.newest) - retention
        alerting = self._alerting()
        old = {
            name
            for name, hit in self.hits.items()
            if (hit.bucket + 1) * WIDTH <= horizon
            and hit.read_at < self.now - retention
            and (hit.series, hit.bucket) not in alerting
        }
        margin = self.margins[self.mode]
        for hit in (self.hits.pop(name) for name in old):
            first, last = self.gone.get(hit.series, (hit.bucket, hit.bucket))
            self.gone[hit.series] = (
                min(first, hit.bucket - margin),
                max(last, hit.bucket + margin),
            )
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

    # --- what must be so

    def _alerting(self) -> set[tuple[str, int]]:
        """Return the buckets that an alert overlaps."""
        return {
            (alert["key"]["aws.cloudtrail.user_identity.arn"], bucket)
            for alert in self._alerts()
            for bucket in range(
                _moment(alert, "start") // WIDTH, -(-_moment(alert, "end") // WIDTH)
            )
        }

    def _alerts(self) -> list[Raw]:
        return oracle.alerts([hit.record for hit in self.hits.values()], self.mode)

    @invariant()
    def the_alerts_are_those_of_what_is_in_the_windows(self) -> None:
        assert told(outcome(self.store)) == self._alerts()
        counts = self.store.rules.counts().get(REFERENCE, RuleCount())
        assert counts.hits == len(self.hits)

    @invariant()
    def every_record_is_accounted_for(self) -> None:
        sums = self.store.files.accounting()
        assert (sums.files_read, sums.records_seen, sums.records_duplicate, sums.late_dropped) == (
            len(self.files),
            self.seen,
            self.duplicate,
            self.late,
        )
        assert sums.records_counted == self.counted
        assert adds_up(sums)

    @invariant()
    def flags_are_all_that_was_made_around_an_alert(self) -> None:
        for alert in self.store.alerts.all():
            assert alert.window is not None
            start, end = alert.window.start - REACH, alert.window.end + REACH
            made = [
                record
                for record in self.keys.values()
                if _caller(record) == alert.principal and start <= _time(record) < end
            ]
            assert [flag.count for flag in alert.flags] == ([len(made)] if made else [])
            signals = self.store.context.signals(alert.alert_id).get("access-key", [])
            assert {event.event_id for event in signals} == {each["eventID"] for each in made}


def _moment(alert: Raw, edge: str) -> int:
    return _time({"eventTime": alert["window"][edge]})


class SlidingWindows(Windows):
    """Windows that begin anywhere, and reach over several buckets."""

    mode = "sliding"

    @precondition(lambda self: self.files)
    @rule()
    def switch_mode(self) -> None:
        """Cut the windows in the other mode; those that are no longer whole are read again."""
        self.mode = "tumbling" if self.mode == "sliding" else "sliding"
        self._scan()
        if self.gone:
            self.gone = {}
            self.hits = {record["eventID"]: ReadHit(record, self.now) for record in self.arrived}
            self._have_read_again()


TestSlidingWindows = SlidingWindows.TestCase
TestSlidingWindows.settings = settings(max_examples=12, stateful_step_count=20)
