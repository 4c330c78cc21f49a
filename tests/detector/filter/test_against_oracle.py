"""The compiled filter against a plain reading of the same tree, over alerts of all sorts."""

from __future__ import annotations

import fnmatch
import ipaddress
import operator
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from detector.detection.alert import Alert
from detector.filter import parse_filter
from detector.filter.quoting import quote_value
from detector.filter.schemas import ALERTS
from tests.tui.build import START, alert

AT = START + 7_200

Plain = Callable[[Alert], bool]
FilterAndOracle = tuple[str, Plain]
"""A filter's text, and what it means said another way."""

_RANKS = ["low", "medium", "high", "critical"]
_ORDER = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    ":": operator.eq,
}

_TEXTS: dict[str, Callable[[Alert], list[str]]] = {
    "region": lambda one: one.facets.regions,
    "agent": lambda one: one.facets.user_agents,
    "account": lambda one: one.facets.accounts,
    "error": lambda one: one.facets.error_codes,
}
_NUMBERS: dict[str, Callable[[Alert], int]] = {
    "calls": lambda one: len(one.event_ids),
    "regions": lambda one: len(one.facets.regions),
    "denied": lambda one: one.facets.denied,
    "revision": lambda one: one.revision,
}

letters = st.text('aB*?. "\\ß,(:-é', max_size=4)
addresses = st.sampled_from(
    ["10.0.0.1", "10.9.0.1", "192.168.0.1", "2001:db8::1", "ec2.amazonaws.com"]
)
alerts = st.builds(
    lambda time, events, severity, **facets: alert(
        "x", time, severity, event_ids=["e"] * events, **facets
    ),
    st.integers(-100_000, 10_000),
    st.integers(0, 4),
    st.sampled_from(_RANKS),
    regions=st.lists(letters, max_size=3),
    user_agents=st.lists(letters, max_size=2),
    accounts=st.lists(letters, max_size=2),
    error_codes=st.lists(letters, max_size=2),
    denied=st.integers(0, 3),
    source_addresses=st.lists(addresses, max_size=3),
    revision=st.integers(1, 3),
)


def _in(value: str, name: str) -> Plain:
    return lambda one: (
        any(value.casefold() in text.casefold() for text in _TEXTS[name](one))
        if value
        else not any(_TEXTS[name](one))
    )


def _is(value: str, name: str) -> Plain:
    return lambda one: (
        any(value.casefold() == text.casefold() for text in _TEXTS[name](one))
        if value
        else not any(_TEXTS[name](one))
    )


def _like(value: str, name: str) -> Plain:
    pattern = re.compile(fnmatch.translate(value.casefold()))
    return lambda one: any(
        bool(text) and bool(pattern.match(text.casefold())) for text in _TEXTS[name](one)
    )


def _within(network: str) -> Plain:
    def address(text: str) -> bool:
        try:
            return ipaddress.ip_address(text) in ipaddress.ip_network(network)
        except ValueError:
            return False

    return lambda one: any(map(address, one.facets.source_addresses))


def _on(day: str) -> Plain:
    return lambda one: datetime.fromtimestamp(one.first_event, UTC).date().isoformat() == day


def _by_day(by: str, day: str) -> FilterAndOracle:
    """A day as a whole: its dates compare as text."""
    return f"time{by}{day}", lambda one: _ORDER[by](_moment(one)[:10], day)


@cache
def _by_clock(low: str, high: str) -> FilterAndOracle:
    """From the last such minute to the first such minute after it."""
    start = datetime.fromtimestamp(AT, UTC)
    while f"{start:%H:%M}" != low:
        start -= timedelta(minutes=1)
    end = start
    while f"{end:%H:%M}" != high:
        end += timedelta(minutes=1)
    first, last = f"{start:%Y-%m-%d %H:%M}", f"{end:%Y-%m-%d %H:%M}"
    return f"time:{low}..{high}", lambda one: first <= _moment(one) <= last


def _moment(one: Alert) -> str:
    return f"{datetime.fromtimestamp(one.first_event, UTC):%Y-%m-%d %H:%M}"


def _number(name: str, by: str, number: int) -> FilterAndOracle:
    return f"{name}{by}{number}", lambda one: _ORDER[by](_NUMBERS[name](one), number)


def _severity(by: str, word: str) -> FilterAndOracle:
    return f"severity{by}{word}", lambda one: _ORDER[by](
        _RANKS.index(one.severity), _RANKS.index(word)
    )


def _last(hours: int) -> FilterAndOracle:
    return f"last {hours}h", lambda one: one.first_event >= AT - hours * 3600


def _any_of(values: list[str], name: str) -> FilterAndOracle:
    tests = [_is(value, name) for value in values]
    return f"{name}={','.join(map(quote_value, values))}", lambda one: any(
        test(one) for test in tests
    )


texts = st.sampled_from(sorted(_TEXTS))
clocks = st.sampled_from(["00:00", "08:00", "09:59", "11:59", "12:00", "12:01", "13:30", "23:59"])
terms: st.SearchStrategy[FilterAndOracle] = st.one_of(
    st.builds(
        lambda value, name: (f"{name}:{quote_value(value)}", _in(value, name)), letters, texts
    ),
    st.builds(
        lambda value, name: (f"{name}:{value}", _like(value, name)),
        st.from_regex(r"[a*?.é]*[*?][ab*?]*|a[*]a|aB[*]Ba", fullmatch=True),
        texts,
    ),
    st.builds(_any_of, st.lists(letters, min_size=1, max_size=3), texts),
    st.builds(
        _number,
        st.sampled_from(sorted(_NUMBERS)),
        st.sampled_from(sorted(_ORDER)),
        st.integers(0, 4),
    ),
    st.builds(_severity, st.sampled_from(sorted(_ORDER)), st.sampled_from(_RANKS)),
    st.builds(
        lambda network: (f"source:{network}", _within(network)),
        st.sampled_from(["10.0.0.0/8", "10.0.0.0/16", "0.0.0.0/0", "2001:db8::/32", "::/0"]),
    ),
    st.builds(lambda day: (day, _on(day)), st.sampled_from(["2026-02-28", "2026-03-01"])),
    st.builds(_last, st.integers(1, 30)),
    st.builds(
        _by_day, st.sampled_from(sorted(_ORDER)), st.sampled_from(["2026-02-28", "2026-03-01"])
    ),
    st.builds(_by_clock, clocks, clocks),
)


def _both(these: list[FilterAndOracle]) -> FilterAndOracle:
    return " ".join(text for text, _ in these), lambda one: all(holds(one) for _, holds in these)


def _either(these: list[FilterAndOracle]) -> FilterAndOracle:
    return f"({' or '.join(text for text, _ in these)})", lambda one: any(
        holds(one) for _, holds in these
    )


def _not(mark: str, this: FilterAndOracle) -> FilterAndOracle:
    text, holds = this
    return f"{mark}({text})", lambda one: not holds(one)


def _grown(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    several = st.lists(inner, min_size=1, max_size=3)
    marks = st.sampled_from(["!", "-", "not "])
    return st.one_of(several.map(_both), several.map(_either), st.builds(_not, marks, inner))


def test_value_that_begins_with_an_operator_is_quoted() -> None:
    for value in (":", ":a", "::1", "=x", ">x", "<", "!x", "-x"):
        text = f"agent:{quote_value(value)}"
        row = alert("x", AT, "low", user_agents=[f"a{value}b"])
        assert parse_filter(text, ALERTS, AT)(row), text


@settings(max_examples=150)
@given(st.recursive(terms, _grown, max_leaves=6), st.lists(alerts, min_size=1, max_size=4))
def test_filter_matches_oracle(case: FilterAndOracle, rows: list[Alert]) -> None:
    text, holds = case
    wanted = parse_filter(text, ALERTS, AT)
    assert [wanted(row) for row in rows] == [holds(row) for row in rows]


@given(
    st.lists(letters.filter(bool), min_size=1, max_size=3), st.lists(alerts, min_size=1, max_size=4)
)
def test_words_match_any_text(words: list[str], rows: list[Alert]) -> None:
    wanted = parse_filter(
        " ".join('"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"' for word in words),
        ALERTS,
        AT,
    )
    for row in rows:
        facets = row.facets
        texts = [
            row.severity,
            row.status,
            "settled",
            *row.broke_through,
            *facets.arns,
            "user/ana",
            *facets.identity_types,
            *facets.roles,
            *facets.access_keys,
            *facets.accounts,
            *facets.regions,
            *facets.source_addresses,
            *facets.user_agents,
            *facets.error_codes,
            row.rule.name,
            row.rule.id,
            row.alert_id,
        ]
        assert wanted(row) is all(
            any(word.casefold() in text.casefold() for text in texts) for word in words
        )
