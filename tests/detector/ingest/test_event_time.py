"""Event times of any kind, calendars, time zones and clocks."""

from __future__ import annotations

import calendar
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.ecs.fields import field_table
from detector.esql.plan.planner import plan
from detector.store import LATENESS, Store
from detector.text.time import format_time, parse_time
from tests.detector.detection.test_against_oracle import found
from tests.detector.esql.conftest import record
from tests.detector.trail import REGIONS, START, adds_up, call, lines, scan, sweep, watch, write

NEVER = {
    "1970": "1970-01-01T00:00:00Z",
    "9998": "9998-12-31T23:59:59Z",
    "soon": "2026-03-01T10:20:30Z",
}


# event times of a clock that is wrong


@pytest.mark.parametrize("mode", ["tumbling", "sliding"])
def test_far_event_times_do_not_move_watermark(mode: str, tmp_path: Path) -> None:
    """Add a file of far times beside a sweep of now.

    The sweep stays provisional, grows, and settles as it would alone.
    """
    now = float(START + 40)
    odd = [
        call(
            0,
            region,
            event_id=f"{when}-{region}",
            arn=f"arn:aws:iam::111122223333:user/{when}",
            eventTime=text,
        )
        for when, text in NEVER.items()
        for region in REGIONS[:10]
    ]
    settled: list[list[bool]] = []

    def note_settled() -> None:
        settled.append(
            [alert.settled for alert in store.alerts.all() if alert.first_event == START]
        )

    def later(seconds: float) -> None:
        nonlocal now
        note_settled()
        now += seconds

    with closing(Store.open(None)) as store:
        write(tmp_path, "a.jsonl", lines([*odd, *sweep(10), *odd[:3]]))
        run = watch(
            store,
            tmp_path,
            partial(later, 0),
            partial(write, tmp_path, "b.json", sweep(12)),
            partial(later, LATENESS - 11),
            partial(later, 1),
            partial(later, 1),
            note_settled,
            mode=mode,
            clock=lambda: now,
        )
        assert (
            store.files.newest_event_time() == START + 1230
        )  # what is so little ahead may be a clock that is a little fast
    assert settled == [[False], [False], [False], [True], [True]]
    assert sorted(
        (alert.first_event, alert.event_count, alert.settled) for alert in run.alerts
    ) == [
        (0, 10, True),
        (START, 12, True),
        (START + 1230, 10, False),
        (parse_time(NEVER["9998"]), 10, False),
    ]
    assert (run.accounting.records_read, run.accounting.records_duplicate) == (55, 13)
    assert adds_up(run.accounting)


def test_single_far_event_time_does_not_block_watermark(tmp_path: Path) -> None:
    write(
        tmp_path,
        "a.json",
        [
            *sweep(10),
            call(1, "me-south-1", eventTime=NEVER["9998"]),
            call(2000, "eu-west-1"),
            call(3, "me-south-1", eventTime=NEVER["1970"]),
        ],
    )
    with closing(Store.open(None)) as store:
        watch(store, tmp_path, clock=lambda: float(START + 3000))
        assert store.files.newest_event_time() == START + 2000


# the calendar


@pytest.mark.parametrize(
    "begin",
    [
        0,
        29,
        951_782_390,
        1_709_164_790,
        1_709_251_185,
        1_767_225_585,
        4_107_542_390,
        253_370_764_770,
    ],
    ids=[
        "the epoch",
        "the first window",
        "leap day 2000",
        "leap day 2024",
        "after it",
        "new year",
        "no leap day 2100",
        "the last time that is read",
    ],
)
def test_windows_span_calendar_edges(begin: int, tmp_path: Path) -> None:
    records = [
        call(begin - START + offset, region)
        for offset, region in enumerate([*REGIONS, *REGIONS[:15]])
        if begin + offset < 253_370_764_800
    ]
    assert found(records, tmp_path / "t", "tumbling")
    (start, _, count), *_ = found(records, tmp_path / "s", "sliding")
    assert (start, count) == (format_time(begin)[11:-1], len(records))


moments = st.datetimes(datetime(1970, 1, 1), datetime(9998, 12, 31, 23, 59, 59)).map(
    lambda moment: moment.replace(microsecond=0)
)


@given(moments, st.integers(-14 * 60, 14 * 60), st.sampled_from(["", ".5", ".999999999", ",25"]))
def test_event_time_follows_calendar(moment: datetime, offset: int, fraction: str) -> None:
    seconds = calendar.timegm(moment.timetuple())
    assert (
        parse_time(moment.isoformat() + fraction + "Z") == parse_time(moment.isoformat()) == seconds
    )
    sign, (hours, minutes) = "-" if offset < 0 else "+", divmod(abs(offset), 60)
    assert parse_time(f"{moment.isoformat()}{fraction}{sign}{hours:02}:{minutes:02}") in (
        seconds - offset * 60,
        None,
    )
    assert parse_time(format_time(seconds)) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "2016-12-31T23:59:60Z",
        "2026-02-29T00:00:00Z",
        "2100-02-29T00:00:00Z",
        "2026-04-31T00:00:00Z",
        "1969-12-31T23:59:59Z",
        "9999-01-01T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "1970-01-01T00:30:00+01:00",
    ],
)
def test_invalid_event_time_rejects_record(text: str, tmp_path: Path) -> None:
    assert parse_time(text) is None
    write(tmp_path, "a.json", [*sweep(10), call(1, "me-south-1", eventTime=text)])
    run = scan(tmp_path)
    assert run.accounting.records_rejected == {"no-event-time": 1}
    assert [alert.event_count for alert in run.alerts] == [10]


STEPS = {
    unit: timedelta(days=days)
    for unit, days in (("day", 1), ("week", 7), ("month", 31), ("quarter", 92), ("year", 366))
}
CUTS = {
    unit: plan(f"from logs-* | eval x = date_trunc(1 {unit}, @timestamp) | keep x", field_table())
    for unit in STEPS
}


@given(moments, st.sampled_from(list(STEPS)))
def test_calendar_bucket_starts_at_unit_start(moment: datetime, unit: str) -> None:
    ((row, _),) = CUTS[unit].filter_results(record(), calendar.timegm(moment.timetuple()))
    begin = datetime.fromisoformat(str(row["x"])).replace(tzinfo=None)
    assert (
        begin
        == {
            "day": datetime(moment.year, moment.month, moment.day),
            "week": datetime.fromisocalendar(*moment.isocalendar()[:2], 1),
            "month": datetime(moment.year, moment.month, 1),
            "quarter": datetime(moment.year, 3 * ((moment.month - 1) // 3) + 1, 1),
            "year": datetime(moment.year, 1, 1),
        }[unit]
    )
    assert begin <= moment < begin + STEPS[unit]


# zones of the machine


@pytest.fixture(
    params=["America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia"]
)
def zone(request: pytest.FixtureRequest) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", request.param)
        time.tzset()
        yield request.param
    time.tzset()


def test_results_are_independent_of_time_zone(zone: str, tmp_path: Path) -> None:
    """Scan in a zone with summer time.

    Also in the hours that it skips or has twice: 8 March and 1 November in New York.
    """
    begins = [
        int(datetime(*day, tzinfo=UTC).timestamp()) - START
        for day in (
            (2026, 3, 8, 6, 59, 50),
            (2026, 11, 1, 5, 59, 45),
            (2026, 4, 4, 14, 59, 40),
            (2011, 12, 30),
        )
    ]
    records = [
        call(begin + offset, region, arn=str(begin))
        for begin in begins
        for offset, region in enumerate(REGIONS[:12])
    ]
    for mode in ("tumbling", "sliding"):
        assert found(records, tmp_path / mode, mode)
