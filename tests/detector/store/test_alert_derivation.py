"""Alerts that are derived in steps: from what the windows hold by then, as if from all at once."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from functools import cache, partial
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.ingest.pipeline import Pipeline, Update
from detector.rules.ruleset import RuleSet, load
from detector.sources.directory import Directory
from detector.store import AlertChanges, Store
from detector.store.packing.segment import Segment
from tests.detector.rules.rule_scan import write_rule
from tests.detector.trail import (
    ACCOUNT,
    ANA,
    REGIONS,
    START,
    Raw,
    call,
    scan,
    sweep,
    watch,
    write,
)

WIDTH = 60
COUNT = "from logs-* | stats n = count(*), r = count_distinct(cloud.region) by "
TRUNCATED = f"w = date_trunc({WIDTH} seconds, @timestamp), user.id | where "
SUPPRESSION = """[rule.alert_suppression]
group_by = ["user.id"]
duration = {{value = {gap}, unit = "s"}}
missing_fields_strategy = "suppress"
"""
NEW_TERMS = """history_window_start = "now-60s"
new_terms_fields = ["user.id"]
"""
EDGES = "from logs-* | stats n = count(*), a = min(@timestamp), b = max(@timestamp) by "
LONG = ' | eval s = date_diff("seconds", a, b) | where n >= 2 and s > 30'
SHAPES: dict[str, tuple[str, ...]] = {
    "window of 3": (COUNT + TRUNCATED + "n >= 3",),
    "window of exactly 3": (COUNT + TRUNCATED + "n == 3",),
    "window of 3 in 2 regions": (COUNT + TRUNCATED + "n >= 3 and r == 2",),
    "look-back of 3": (COUNT + "user.id | where n >= 3",),
    "look-back of exactly 3": (COUNT + "user.id | where n == 3",),
    "window of 3 with a gap": (COUNT + TRUNCATED + "n >= 3", SUPPRESSION.format(gap=200)),
    "look-back of exactly 2 with a gap": (
        COUNT + "user.id | where n == 2",
        SUPPRESSION.format(gap=200),
    ),
    "window of over 30 seconds": (EDGES + TRUNCATED.partition(" | ")[0] + LONG,),
    "look-back of over 30 seconds": (EDGES + "user.id" + LONG,),
    "look-back of over 30 seconds with a gap": (
        EDGES + "user.id" + LONG,
        SUPPRESSION.format(gap=200),
    ),
    "events close together": ("event.action: *", SUPPRESSION.format(gap=150)),
    "new terms": ("event.action: *", NEW_TERMS),
}
WINDOWED = [shape for shape in SHAPES if shape.startswith("window")]
"""The shapes to which the mode makes a difference."""
TYPES = {"events close together": "query", "new terms": "new_terms"}


@cache
def by(shape: str, mode: str) -> RuleSet:
    """Return a rule of this shape, over a minute."""
    query, *more = SHAPES[shape]
    with tempfile.TemporaryDirectory() as folder:
        kind = TYPES.get(shape, "esql")
        path = write_rule(Path(folder), query, kind, f"now-{WIDTH}s", "".join(more))
        made = load([path], builtin=False, mode=mode)  # type: ignore[arg-type]
    assert not made.problems
    return made


def in_steps(parts: Sequence[Sequence[Raw]], by: RuleSet) -> tuple[list[Raw], list[Raw]]:
    """Return what is found of parts that come one by one, and of all in one file."""
    with tempfile.TemporaryDirectory() as folder, closing(Store.open(None)) as store:
        steps = [
            partial(write, Path(folder), f"{number}.json", part)
            for number, part in enumerate(parts)
            if part
        ]
        live = watch(store, Path(folder), *steps, by=by)
        at_once = scan(Path(folder), by=by)
    return live.facts, at_once.facts


@pytest.mark.parametrize(
    ("shape", "mode"),
    [
        *((shape, "sliding") for shape in SHAPES),
        *((shape, "tumbling") for shape in WINDOWED),
    ],
)
@settings(max_examples=10)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([0, 1, 59, 60, 61, 119, 120, 121, 178, 180, 181, 240, 259, 260, 261]),
            st.integers(0, 3),
            st.sampled_from([1, 1, 1, 2, 3]),
        ),
        min_size=3,
        max_size=12,
    )
)
def test_alerts_derived_in_steps_are_those_derived_at_once(
    shape: str, mode: str, calls: list[tuple[int, int, int]]
) -> None:
    """Calls at the edges of five windows, several on one second, over four files."""
    parts: list[list[Raw]] = [[], [], [], []]
    for number, (at, part, copies) in enumerate(calls):
        parts[part] += [
            call(at, REGIONS[number % 3], event_id=f"{number}-{copy}") for copy in range(copies)
        ]
    live, at_once = in_steps(parts, by(shape, mode))
    assert live == at_once


CHAINS: dict[str, tuple[str, list[int], int]] = {
    # A hit in the minute before, itself before the span that is derived anew, says it is not new.
    "an event whose past is before the derived span": ("new terms", [0, 50, 100], 125),
    "an event whose past is two windows before": ("new terms", [0, 59, 118, 177], 181),
    # The span of five calls, of which three are in what is derived anew, is none of exactly three.
    "a span that begins before the derived one": (
        "look-back of exactly 3",
        [3, 3, 60, 61, 62],
        121,
    ),
    "a span that ends after the derived one": ("window of exactly 3", [60, 61, 62, 119, 119], 2),
}


@pytest.mark.parametrize("case", CHAINS)
def test_hits_up_to_the_reach_beside_what_changed_are_read(case: str) -> None:
    shape, times, late = CHAINS[case]
    calls = [call(at, event_id=f"{number}") for number, at in enumerate(times)]
    live, at_once = in_steps([calls, [call(late, event_id="late")]], by(shape, "sliding"))
    assert live == at_once


@pytest.mark.parametrize(
    ("shape", "mode", "times", "late"),
    [
        ("window of 3", "sliding", [0, 1, 59], 60),
        ("window of 3", "sliding", [60, 61, 119], 59),
        ("look-back of 3", "tumbling", [0, 59, 59], 118),
        ("look-back of 3", "tumbling", [61, 119, 120], 60),
    ],
)
def test_hit_beside_an_alert_joins_it(shape: str, mode: str, times: list[int], late: int) -> None:
    """A hit in the next window, within reach of the span that met the rule."""
    calls = [call(at, event_id=f"{number}") for number, at in enumerate(times)]
    live, at_once = in_steps([calls, [call(late, event_id="late")]], by(shape, mode))
    assert live == at_once
    assert [len(alert["event_ids"]) for alert in live] == [4]


# many at once


def storm(folder: Path, people: int) -> None:
    """Write files in each of which every principal calls now and then."""
    rng = Random(people)
    for number in range(12):
        calls = []
        for person in range(people):
            for copy in range(rng.choice([0, 1, 2])):
                caller = {"type": "IAMUser", "accountId": ACCOUNT, "principalId": f"AIDA{person}"}
                at = 40 * person + rng.choice([0, 1, 59, 60, 61, 119, 120, 121, 180, 240])
                calls.append(
                    call(
                        at,
                        REGIONS[number % 3],
                        f"{number}-{person}-{copy}",
                        userIdentity=caller,
                    )
                )
        write(folder, f"{number:02d}.json", calls)


@pytest.mark.parametrize("shape", SHAPES)
def test_derivation_in_parts_finds_what_one_at_once_does(
    shape: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So few series at once, and so few hits, that both are reached."""
    storm(tmp_path, 9)
    expected = scan(tmp_path, by=by(shape, "sliding"))
    monkeypatch.setattr("detector.ingest.pipeline._COMMIT_FILES", 1)
    monkeypatch.setattr("detector.store.segments.segment_table._MERGED", 100)
    for series, hits in ((1, 1), (1000, 5)):
        monkeypatch.setattr("detector.store.derivation.touched_windows._MAX_TOUCHED", series)
        monkeypatch.setattr("detector.store.derivation.candidate_hits._MAX_HITS", hits)
        run = scan(tmp_path, by=by(shape, "sliding"))
        assert run.facts == expected.facts
    assert expected.facts


def test_parts_of_a_storm_are_published_as_they_are_derived(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A screen is not empty until the last of a hundred thousand alerts is there."""
    storm(tmp_path, 9)
    made = by("window of 3", "tumbling")
    expected = scan(tmp_path, by=made)
    monkeypatch.setattr("detector.store.derivation.candidate_hits._MAX_HITS", 5)
    updates: list[Update] = []
    with closing(Store.open(None)) as store:
        Pipeline(store, made, Directory([tmp_path]), 1).scan(updates.append)

    with_alerts = [update for update in updates if update.alerts]
    assert len(with_alerts) > 2
    assert [update.live for update in updates] == [False] * (len(updates) - 1) + [True]
    assert not any(update.withdrawn for update in updates)
    told = {alert.alert_id: alert for update in updates for alert in update.alerts}
    assert sorted(told) == sorted(alert.alert_id for alert in expected.alerts)


def test_event_that_moved_is_derived_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It arrives where another part derives it before that from which it left."""
    made = load([write_rule(tmp_path / "rules", "event.action: *", "query")], builtin=False)
    logs = tmp_path / "logs"
    write(logs, "a.json", [call(30, event_id=UUIDS[0], sourceIPAddress="203.0.113.9")])
    with closing(Store.open(None)) as store:
        scan(logs, store=store, by=made)
        moved = call(5, event_id=UUIDS[0], sourceIPAddress="203.0.113.1")
        write(logs, "b.json", [call(0, event_id=UUIDS[1]), call(5, event_id=UUIDS[2]), moved])
        monkeypatch.setattr("detector.store.derivation.touched_windows._MAX_TOUCHED", 1)
        live = scan(logs, store=store, by=made)
    assert live.facts == scan(logs, by=made).facts
    assert len(live.alerts) == 3


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if "over 30" in shape])
@settings(max_examples=12)
@given(st.lists(st.sampled_from([0, 29, 30, 31, 59, 60, 61, 90, 119, 120, 151]), max_size=5))
def test_series_that_is_too_short_is_not_looked_at(shape: str, times: list[int]) -> None:
    """What is found is the same as where all series are."""
    parts = [[call(at, event_id=f"{number}")] for number, at in enumerate(times)]
    expected = by(shape, "sliding")
    live, at_once = in_steps(parts, expected)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("detector.store.derivation.candidate_hits.is_long_enough", _always)
        assert in_steps(parts, expected) == (live, at_once)


def _always(*_: object) -> bool:
    return True


def test_segments_are_unpacked_twice_in_a_derivation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once to count their hits, and once to collect them, where none is held."""
    unpacked: Counter[bytes] = Counter()
    unpack = Segment.unpack

    def counted(identities: bytes, body: bytes) -> Segment:
        unpacked[identities] += 1
        return unpack(identities, body)

    storm(tmp_path, 30)
    monkeypatch.setattr("detector.ingest.pipeline._COMMIT_FILES", 1)
    monkeypatch.setattr("detector.store.segments.segment_table._MERGED", 100)
    monkeypatch.setattr("detector.store.segments.segment_table._UNPACKED_PARTS", 0)
    monkeypatch.setattr(Segment, "unpack", counted)
    with closing(Store.open(None)) as store:
        monkeypatch.setattr(store.context, "pending_searches", lambda _: (0, []))
        monkeypatch.setattr(store.context, "refresh", lambda _: AlertChanges())
        assert scan(tmp_path, by=by("window of 3", "tumbling"), store=store).alerts
    assert len(unpacked) == 12
    assert max(unpacked.values()) == 2


# what follows an alert that is gone

UUIDS = [f"00000000-0000-4000-8000-0000000000{number:02d}" for number in range(10)]


@pytest.mark.parametrize(("old", "new", "account"), [(35, 5, "2"), (5, 35, "1")])
def test_alert_takes_nothing_from_one_that_it_only_touches(
    old: int, new: int, account: str, tmp_path: Path
) -> None:
    """Contradicting records move a tumbling alert to the next window, or the one before."""
    ids = zip(REGIONS, UUIDS, strict=False)
    first = [call(old, region, name, recipientAccountId="2") for region, name in ids]
    claims = [
        {**record, "eventTime": moved["eventTime"], "recipientAccountId": account}
        for record, moved in zip(first, sweep(10, new), strict=True)
    ]
    with closing(Store.open(None)) as store:
        write(tmp_path, "a.json", first)
        (gone,) = scan(tmp_path, store=store).alerts
        store.triage.set_status([gone.alert_id], "closed")
        write(tmp_path, "b.json", claims)
        (alert,) = scan(tmp_path, store=store).alerts
        history = [entry.kind for entry in store.history.entries(gone.alert_id)]
    assert (gone.start - START, alert.start - START) == (old // 30 * 30, new // 30 * 30)
    assert (alert.status, alert.supersedes) == ("open", [])
    assert history == ["closed", "withdrawn"]


# batches


@pytest.mark.parametrize("size", [1, 3, 4, 8, 9, 100])
def test_batches_have_every_alert_once_where_many_share_a_start(size: int, tmp_path: Path) -> None:
    people = [f"{ANA}-{number}" for number in range(8)]
    write(tmp_path, "a.json", [record for arn in people for record in sweep(10, arn=arn)])
    write(tmp_path, "b.json", [record for arn in people[:3] for record in sweep(10, 60, arn=arn)])
    with closing(Store.open(None)) as store:
        scan(tmp_path, store=store)
        alerts = store.alerts.all()
        batches = list(store.alerts.batches(size))
    ids = [alert.alert_id for batch in batches for alert in batch]
    assert len(ids) == 11
    assert sorted(ids) == sorted(alert.alert_id for alert in alerts)
    assert [len(batch) for batch in batches[:-1]] == [size] * (len(batches) - 1)
    starts = [alert.start for batch in batches for alert in batch]
    assert starts == sorted(starts, reverse=True)
