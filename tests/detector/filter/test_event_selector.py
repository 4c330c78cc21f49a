"""A filter's question reads fewer chunks, and never loses an event."""

from __future__ import annotations

import pytest

from detector.detection.indicator import parse_indicators
from detector.detection.signals.signal_finder import flagging_events
from detector.filter import parse_filter
from detector.filter.event_selector import EventQuery
from detector.filter.schemas import EVENTS
from detector.investigation.facets import facet_of
from detector.investigation.indicators import IndicatorCounts, IndicatorSelector
from detector.investigation.pivot import EventRow, Pivot, read_pivot
from detector.store import Store
from tests.detector.detection.test_principal_activity import CALLERS, CALLS
from tests.detector.trail import ANA, START, call, rules, scan, write

DAYS = 3
NEWEST = START + DAYS * 86_400
FILTERS = (
    "",
    "principal:ana",
    "principal:user/ana",
    f"principal={ANA}",
    "principal:app/i-1",
    "principal:i-2",
    "principal:nobody-here",
    "not principal:ana",
    "principal:ana or principal:autoscaling",
    "principal=*a*",
    "key:AKIAIOSFODNN7EXAMPLE",
    "key:AKIAANA",
    "account:999988887777",
    "region:eu-west-1 call:createuser",
    "call:CREATEUSER",
    "service:iam",
    "service:iam and not principal:root",
    "source:203.0.113.7",
    "source:203.0.113.0/28",
    "source:198.51.100.1",
    "source:198.51.100.1,203.0.113.7 call:GetUser",
    "source=203.0.113.7 or source:2001:db8::/32",
    "source:203.0.113.7 or principal:ana",
    "not source:203.0.113.7",
    "source:amazonaws",
    'source:""',
    "outcome:AccessDenied",
    "since 2026-03-02",
    "2026-03-02 call:GetUser",
    "ana",
    'principal:""',
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A state over a file for each caller and day."""
    folder = tmp_path_factory.mktemp("trail")
    for day in range(DAYS):
        for number, caller in enumerate(CALLERS):
            own = dict(caller)
            if number == 1:
                own["accessKeyId"] = "AKIAIOSFODNN7EXAMPLE"
            records = [
                {
                    **call(day * 86_400 + at, "eu-west-1" if number % 2 else "us-east-1"),
                    "userIdentity": own,
                    "eventID": f"{day}-{number}-{at}",
                    **changed,
                }
                for at, changed in enumerate(CALLS[: number + 1])
            ]
            if number == 4:
                records[0]["sourceIPAddress"] = "::ffff:203.0.113.7"
            write(folder, f"{day}-{number}.json", records)
    held = Store.open(None)
    scan(folder, store=held)
    return held


def all_rows(store: Store) -> list[EventRow]:
    """Every event, read without an index."""
    everything = EventQuery(parse_filter("", EVENTS, NEWEST)).pivot(NEWEST)
    files = store.chunks.file_spans(0, 1 << 40)
    return [
        row
        for batch in read_pivot(everything, files, flagging_events(rules()))
        for row in batch.rows
    ]


def found(pivot: Pivot, store: Store, narrowed: bool) -> tuple[set[str], int]:
    """The ids of a pivot's events, and how many files were read."""
    selector = pivot.selector if narrowed else None
    files = store.chunks.file_spans(pivot.start, pivot.end, selector)
    rows = [
        row for batch in read_pivot(pivot, files, flagging_events(rules())) for row in batch.rows
    ]
    return {row.event.event_id for row in rows}, len(files)


@pytest.mark.parametrize("text", FILTERS)
def test_index_loses_no_event(store: Store, text: str) -> None:
    event_filter = parse_filter(text, EVENTS, NEWEST)
    expected = {row.event.event_id for row in all_rows(store) if event_filter(row)}
    question = EventQuery(event_filter)
    assert found(question.pivot(NEWEST, store), store, True)[0] == expected
    assert found(question.pivot(NEWEST), store, False)[0] == expected


@pytest.mark.parametrize(
    ("text", "files"),
    [
        (f"principal={ANA}", 2 * DAYS),
        ("principal:user/ana", 2 * DAYS),
        ("principal:app/i-1", 2 * DAYS),
        ("principal:nobody-here", 0),
        ("key:AKIAIOSFODNN7EXAMPLE", DAYS),
        ("source:198.51.100.1", 2 * DAYS),  # of the role that has an IPv4 address as an IPv6 one
        ("source:2001:db8::1", 0),
        ("principal:user/ana 2026-03-02", 2),
    ],
)
def test_index_names_the_files(store: Store, text: str, files: int) -> None:
    pivot = EventQuery(parse_filter(text, EVENTS, NEWEST)).pivot(NEWEST, store)
    assert found(pivot, store, True)[1] == files


def test_writes_and_errors_are_told_by_record(store: Store) -> None:
    nothing = parse_filter("", EVENTS, NEWEST)
    writes = EventQuery(nothing, writes=True).pivot(NEWEST, store)
    errors = EventQuery(nothing, errors=True).pivot(NEWEST, store)
    assert {name.rpartition("-")[2] for name in found(writes, store, True)[0]} == {"3"}
    assert {name.rpartition("-")[2] for name in found(errors, store, True)[0]} == {"1", "2", "4"}


LIST = """# from the incident
203.0.113[.]7, 198.51.100.9
10.0.0.0/8
AKIAIOSFODNN7EXAMPLE 999988887777
arn:aws:iam::111122223333:user/ana
kali
"boto3/1.39 os/linux"
ab
"""


def test_list_of_indicators_is_read() -> None:
    parsed = parse_indicators(LIST)
    assert [(each.kind, each.value) for each in parsed.indicators] == [
        ("address", "203.0.113.7"),
        ("address", "198.51.100.9"),
        ("network", "10.0.0.0/8"),
        ("key", "AKIAIOSFODNN7EXAMPLE"),
        ("account", "999988887777"),
        ("arn", ANA),
        ("agent", "kali"),
        ("agent", "boto3/1.39 os/linux"),
    ]
    assert parsed.refused == ("ab: too short to look for: write at least 4 characters",)


def test_one_indicator_in_two_spellings_is_one() -> None:
    parsed = parse_indicators("203.0.113.7\n203.0.113[.]7\nKali\nkali\n10.0.0.1/8 10.0.0.0/8")
    assert [each.text for each in parsed.indicators] == ["203.0.113.7", "Kali", "10.0.0.1/8"]


@pytest.mark.parametrize(
    "text",
    [
        "203.0.113.7\n198.51.100.9",
        "AKIAIOSFODNN7EXAMPLE",
        ANA,
        "203.0.112.0/20",
        "999988887777",
        "aws-cli/2",
        "0d9e6f2a-0000-4000-8000-000000000000",
        "arn:aws:sts::111122223333:assumed-role/app/i-1\n198.51.100.1",
    ],
)
def test_indicators_find_what_each_event_has(store: Store, text: str) -> None:
    indicators = parse_indicators(text).indicators
    counts = IndicatorCounts(indicators)
    rows = all_rows(store)
    expected = {row.event.event_id for row in rows if counts.of_event(row.event)}
    for held in (store, None):
        pivot = Pivot("", IndicatorSelector(indicators, held), 0, 1 << 40, NEWEST)
        assert found(pivot, store, held is not None)[0] == expected
    counts.add(row.event for row in rows)
    assert sum(each.events for each in counts.counts) >= len(expected)


def test_facets_say_what_is_missing_and_left_out() -> None:
    rows = [["a"], ["a", "b"], [], ["c"], [""]]
    facet = facet_of("letter", rows, lambda row: row, top=2)
    assert (facet.top, facet.distinct, facet.missing) == ((("a", 2), ("b", 1)), 3, 2)
    assert facet.summary == "1 more values, 2 without"
