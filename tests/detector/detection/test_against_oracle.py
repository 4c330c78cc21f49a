"""The detector, compared with the definition of its rule, for any records and any delivery."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from itertools import count, islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.store import Store
from tests.detector import oracle
from tests.detector.strategies import File, Trail, cuts, files, trails
from tests.detector.trail import REGIONS, Raw, Run, call, scan, sweep, watch, write

MODES = ("tumbling", "sliding")


def told(run: Run) -> list[Raw]:
    """What the oracle tells of an alert, as the detector tells it."""
    found = [
        {
            name: alert[name]
            for name in ("window", "key", "columns", "event_ids", "first_event", "last_event")
        }
        for alert in run.facts
    ]
    for alert in found:
        alert["window"] = {name: alert["window"][name] for name in ("start", "end")}
    return sorted(found, key=lambda alert: (alert["window"]["start"], str(alert["key"])))


def holds(run: Run, records: Sequence[Raw], mode: str) -> None:
    assert told(run) == oracle.alerts(records, mode)
    sums = run.accounting
    assert oracle.Sums(
        sums.records_seen,
        sums.records_counted,
        sums.records_duplicate,
        sums.records_skipped,
        sums.records_rejected,
    ) == oracle.sums(records)


@settings(max_examples=50)
@given(st.data(), trails(), st.sampled_from(MODES))
def test_scan_matches_oracle(data: st.DataObject, records: Trail, mode: str) -> None:
    made = data.draw(files(records))
    with tempfile.TemporaryDirectory() as folder:
        for file in made:
            write(Path(folder), file.name, file.content)
        run = scan(Path(folder), mode=mode)
    holds(run, records, mode)
    assert run.accounting.files_read == run.accounting.files_found == len(made)
    ids = {(alert["window"]["start"], str(alert["key"])): alert["alert_id"] for alert in run.facts}
    assert len(set(ids.values())) == len(ids)


@settings(max_examples=25)
@given(st.data(), trails(), st.sampled_from(MODES))
def test_live_run_matches_oracle_by_any_delivery(
    data: st.DataObject, records: Trail, mode: str
) -> None:
    """Files come in turns, some piece by piece, and now and then trailhound is stopped and started
    again."""
    pieces = data.draw(in_turns(data.draw(files(records))))
    stops = sorted(data.draw(st.lists(st.integers(0, len(pieces)), max_size=2)))
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as state:
        steps = [partial(append, Path(folder, name), piece) for name, piece in pieces]
        for begin, end in zip([0, *stops], [*stops, len(steps)], strict=True):
            with closing(Store.open(Path(state, "hunt.db"))) as store:
                run = watch(store, Path(folder), *steps[begin:end], mode=mode)
        at_once = scan(Path(folder), mode=mode)
    holds(run, records, mode)
    assert run.facts == at_once.facts


MOMENTS = (0, 1, 2, 15, 28, 29, 30, 31, 45, 58, 59, 60, 61, 75, 89, 90, 91, 119, 120, 149, 150)


@settings(max_examples=30)
@given(
    st.lists(
        st.tuples(st.sampled_from(MOMENTS), st.integers(0, 2), st.sampled_from([1, 1, 1, 3, 9])),
        min_size=6,
        max_size=26,
    ),
    st.sampled_from(MODES),
)
def test_windows_do_not_depend_on_order(calls: list[tuple[int, int, int]], mode: str) -> None:
    """Calls near the edges of six windows, several on one second, over three files in turn."""
    files: list[list[Raw]] = [[], [], []]
    places = count()
    for at, number, copies in calls:
        for place in islice(places, copies):
            files[number].append(call(60 + at, REGIONS[place % 11], event_id=str(place)))
    with tempfile.TemporaryDirectory() as folder, closing(Store.open(None)) as store:
        run = watch(
            store,
            Path(folder),
            *(
                partial(write, Path(folder), f"{number}.json", part)
                for number, part in enumerate(files)
            ),
            mode=mode,
        )
    holds(run, [record for part in files for record in part], mode)


class Pieces(list[tuple[str, bytes]]):
    def __repr__(self) -> str:
        return ", ".join(f"{name} +{len(piece)}" for name, piece in self)


@st.composite
def in_turns(draw: st.DrawFn, made: list[File]) -> Pieces:
    due = {file.name: draw(cuts(file.content)) for file in made}
    turns = draw(st.permutations([name for name, pieces in due.items() for _ in pieces]))
    return Pieces((name, due[name].pop(0)) for name in turns)


@settings(max_examples=20)
@given(st.data(), st.sampled_from(MODES))
def test_conflicting_identities_do_not_depend_on_order(data: st.DataObject, mode: str) -> None:
    """CloudTrail's copies of an event are equal. Should they differ, which one stands must not
    depend on the order."""
    records = [record for at in (60, 75) for record in sweep(data.draw(st.integers(9, 11)), at)]
    claims = [
        {**record, **data.draw(st.sampled_from(CLAIMS))}
        for record in data.draw(st.lists(st.sampled_from(records), min_size=1, max_size=5))
    ]
    told = []
    for order in (
        [records, claims],
        [claims, records],
        data.draw(st.permutations([[r] for r in records + claims])),
    ):
        with tempfile.TemporaryDirectory() as folder, closing(Store.open(None)) as store:
            steps = [
                partial(write, Path(folder), f"{place}.json", part)
                for place, part in enumerate(order)
            ]
            told.append(watch(store, Path(folder), *steps, mode=mode).facts)
    assert told[0] == told[1] == told[2]


CLAIMS: tuple[Raw, ...] = (
    {"eventTime": "2026-03-01T10:01:40Z"},
    {"eventTime": "2026-03-01T10:00:10Z"},
    {"awsRegion": "af-south-1"},
    {"errorCode": "AccessDenied"},
    {"userIdentity": {}},
    {"eventTime": "2026-03-01T10:01:40Z", "userAgent": "other"},
)


def append(path: Path, piece: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.write(piece)


# the edges of the definition, by name


def found(records: Sequence[Raw], folder: Path, mode: str) -> list[tuple[str, str, int]]:
    """Start, end and number of events of each alert."""
    write(folder, "trail.json", list(records))
    run = scan(folder, mode=mode)
    holds(run, records, mode)
    return [
        (alert["window"]["start"][11:-1], alert["window"]["end"][11:-1], len(alert["event_ids"]))
        for alert in run.facts
    ]


EVEN = list(range(0, 30, 3))
"""Seconds of ten calls that fill a window."""


@pytest.mark.parametrize(
    ("times", "tumbling", "sliding"),
    [
        ([0] * 10, [("10:00:00", "10:00:30", 10)], [("10:00:00", "10:00:30", 10)]),
        ([0] * 9, [], []),
        ([0] * 9 + [29], [("10:00:00", "10:00:30", 10)], [("10:00:00", "10:00:30", 10)]),
        ([0] * 9 + [30], [], []),
        ([25] * 9 + [54], [], [("10:00:25", "10:00:55", 10)]),
        (
            EVEN + [30 + second for second in EVEN],
            [("10:00:00", "10:00:30", 10), ("10:00:30", "10:01:00", 10)],
            [("10:00:00", "10:01:00", 20)],
        ),
        (
            [0] * 10 + [30] * 10,
            [("10:00:00", "10:00:30", 10), ("10:00:30", "10:01:00", 10)],
            [("10:00:00", "10:00:30", 10), ("10:00:30", "10:01:00", 10)],
        ),
        ([0] * 10 + [29] * 10, [("10:00:00", "10:00:30", 20)], [("10:00:00", "10:00:59", 20)]),
    ],
)
def test_window_edges_match_oracle(
    times: list[int], tumbling: list[Any], sliding: list[Any], tmp_path: Path
) -> None:
    records = [call(at, REGIONS[place % 10]) for place, at in enumerate(times)]
    assert found(records, tmp_path, "tumbling") == tumbling
    assert found(records, tmp_path, "sliding") == sliding


def test_ten_events_in_nine_regions_raise_no_alert(tmp_path: Path) -> None:
    assert found([*sweep(9), call(5, REGIONS[0])], tmp_path, "tumbling") == []


def test_shared_event_id_in_two_accounts_is_two_events(tmp_path: Path) -> None:
    """An event's identity is its recipient account and eventID together."""
    records = [
        call(0, region, event_id=f"e{place % 5}", recipientAccountId=str(111122223333 + place // 5))
        for place, region in enumerate(REGIONS[:10])
    ]
    assert found(records, tmp_path, "tumbling") == [("10:00:00", "10:00:30", 5)]
    assert scan(tmp_path).alerts[0].columns["Esql.event_count"] == 10
