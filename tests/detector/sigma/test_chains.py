"""Correlations of correlations against plain Python, by any split of the delivery."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.detector.sigma.test_correlations import (
    BASES,
    WIDTH,
    Found,
    Logged,
    alerts,
    deliveries,
    documents,
    rules_of,
)
from tests.detector.sigma.test_files import loaded

few = settings(max_examples=30)
INNER = 5
WHO, TARGET = "userIdentity.arn", "requestParameters.target"
Events = list[tuple[str, Logged]]
Moment = tuple[int, int]
"""When a rule of the chain holds, and the first second of what it holds of."""


def chain(type: str, order: list[str], inner: dict[str, Any]) -> str:
    """Write a chain: its rules, the correlation that it refers to, and itself."""
    plain = sorted({name for name in (*order, *inner["rules"]) if name in BASES})
    bases = list(yaml.safe_load_all(documents({"type": "temporal", "rules": plain})))[:-1]
    middle = {"title": "Inner", "name": "inner", "correlation": {"timespan": f"{INNER}s", **inner}}
    outer = {"type": type, "rules": order, "group-by": [WHO], "timespan": f"{WIDTH}s"}
    return yaml.safe_dump_all([*bases, middle, {"title": "All", "correlation": outer}])


def counted(
    events: Events, rules: list[str], number: int, value: str, extra: str
) -> Iterator[Moment]:
    """Yield when so many events, or values of theirs, are within INNER seconds."""
    matching = [event for _, event in events if set(rules) & set(rules_of(event))]
    for last in sorted({event.time for event in matching}):
        groups: dict[Any, list[Logged]] = defaultdict(list)
        for event in matching:
            if last - INNER < event.time <= last:
                groups[getattr(event, extra) if extra else None].append(event)
        for group in groups.values():
            counts = len({event.target for event in group}) if value else len(group)
            if counts >= number and any(event.time == last for event in group):
                yield last, min(event.time for event in group)


def sequences(
    order: list[str], moments: dict[str, list[Moment]], ordered: bool, width: int
) -> list[tuple[int, int]]:
    """Return first and last second of what holds, by every choice of moments."""
    starts: dict[int, int] = {}
    for chosen in itertools.product(*(moments[name] for name in order)):
        times = [time for time, _ in chosen]
        if (not ordered or times == sorted(times)) and max(times) - min(times) < width:
            starts[max(times)] = max(min(times), starts.get(max(times), min(times)))
    return sorted((start, last) for last, start in starts.items())


def found(
    events: dict[str, Logged], order: list[str], ordered: bool, inner: dict[str, Any]
) -> Iterator[Found]:
    by_who: dict[str | None, Events] = defaultdict(list)
    for id, event in events.items():
        by_who[event.who].append((id, event))
    leaves = {name for name in (*order, *inner["rules"]) if name in BASES}
    for who, group in by_who.items():
        moments = {
            name: [(event.time, event.time) for _, event in group if name in rules_of(event)]
            for name in BASES
        }
        moments["inner"] = list(inner["moments"](group, moments))
        begins: dict[int, int] = {}
        for time, begin in moments["inner"]:
            begins[time] = min(begin, begins.get(time, begin))
        spans: list[tuple[int, int]] = []
        for start, last in sorted(sequences(order, moments, ordered, WIDTH), key=lambda s: s[1]):
            first = begins.get(start, start)
            while spans and first <= spans[-1][1]:
                first = min(first, spans.pop()[0])
            spans.append((first, last))
        for first, last in spans:
            inside = [
                id
                for id, event in group
                if first <= event.time <= last and leaves & set(rules_of(event))
            ]
            yield Found((who,), tuple(sorted(inside)))


types = st.sampled_from(["temporal", "temporal_ordered"])
orders = st.sampled_from([["inner", "r3"], ["r3", "inner"], ["inner", "r2"], ["r1", "inner"]])


@few
@given(
    deliveries(),
    types,
    orders,
    st.sampled_from([["r1"], ["r1", "r2"]]),
    st.integers(1, 3),
    st.sampled_from(["event_count", "value_count"]),
    st.sampled_from(["", "target"]),
)
def test_chains_of_counts_match_oracle(delivery, type, order, rules, number, counts, extra):
    """A group of events may be known by more fields than the chain's own."""
    events, files = delivery
    value = "target" if counts == "value_count" else ""
    condition: dict[str, Any] = {"gte": number}
    if value:
        condition["field"] = TARGET
    keys = [WHO, *([TARGET] if extra else [])]
    inner = {"type": counts, "rules": rules, "group-by": keys, "condition": condition}
    oracle = {
        "rules": rules,
        "moments": lambda group, _: counted(group, rules, number, value, extra),
    }
    expected = found(events, order, type == "temporal_ordered", oracle)
    text = chain(type, order, inner)
    assert alerts(text, files) == sorted(expected, key=repr)


@few
@given(deliveries(), types, orders, types, st.sampled_from([["r1", "r2"], ["r2", "r3"]]))
def test_chains_of_sequences_match_oracle(delivery, type, order, inner_type, rules):
    events, files = delivery
    inner = {"type": inner_type, "rules": rules, "group-by": [WHO]}
    ordered = inner_type == "temporal_ordered"
    oracle = {
        "rules": rules,
        "moments": lambda _, moments: (
            (last, start) for start, last in sequences(rules, moments, ordered, INNER)
        ),
    }
    expected = found(events, order, type == "temporal_ordered", oracle)
    assert alerts(chain(type, order, inner), files) == sorted(expected, key=repr)


FAILURES = """title: Failed login
name: failed_login
logsource: {product: aws, service: cloudtrail}
detection: {s: {eventName: ConsoleLogin, errorMessage: Failed authentication}, condition: s}
---
title: Successful login
name: successful_login
logsource: {product: aws, service: cloudtrail}
detection: {s: {eventName: ConsoleLogin, errorMessage: null}, condition: s}
---
title: Many failed logins
name: many_failed_logins
correlation:
  type: event_count
  rules: [failed_login]
  group-by: [userIdentity.userName, sourceIPAddress]
  timespan: 5m
  condition: {gte: 10}
---
title: Login after many failures
correlation:
  type: temporal_ordered
  rules: [many_failed_logins, successful_login]
  group-by: [userIdentity.userName]
  timespan: 1h
"""


def test_the_failures_before_a_login_are_in_its_alert(tmp_path: Path) -> None:
    """The example of the specification; the parts of a chain give no alerts of their own."""
    from tests.detector.rules.rule_scan import RuleScan, raw_record

    def login(second: int, **changed: Any) -> dict[str, Any]:
        who = {"type": "IAMUser", "userName": "ana"}
        return raw_record(second, eventName="ConsoleLogin", userIdentity=who, **changed)

    (tmp_path / "r.yml").write_text(FAILURES)
    scan = RuleScan(tmp_path, tmp_path / "r.yml")
    failures = [login(10 * n, errorMessage="Failed authentication") for n in range(10)]
    other = login(
        3, eventID="x", sourceIPAddress="198.51.100.1", errorMessage="Failed authentication"
    )
    scan.add_file(*failures[:9], other)
    scan.add_file(login(1000))
    assert scan.alerts() == []  # nine from one address
    scan.add_file(failures[9])
    (alert,) = scan.alerts()
    assert alert.rule.name == "Login after many failures"
    assert set(alert.event_ids) == {f"e-{10 * n}" for n in range(10)} | {"e-1000", "x"}
    assert alert.key == {"userIdentity.userName": "ana"}


def changed(before: str, after: str) -> str:
    assert before in FAILURES
    return FAILURES.replace(before, after)


@pytest.mark.parametrize(
    "text, says",
    [
        (
            changed("[userIdentity.userName, sourceIPAddress]", "[sourceIPAddress]"),
            "many_failed_logins groups by sourceIPAddress, so that its events cannot be told by "
            "userIdentity.userName: let both group by the same fields",
        ),
        (
            changed("type: temporal_ordered", "type: event_count\n  condition: {gte: 2}"),
            "event_count of a correlation is not supported, since it would count "
            "correlations, not events: use temporal or temporal_ordered",
        ),
        (
            changed("  type: event_count\n", "  type: value_sum\n"),
            "many_failed_logins is value_sum, which is not supported in a chain",
        ),
        (
            changed("[failed_login]", "[Login after many failures]"),
            "Login after many failures cannot be used: many_failed_logins cannot be used: it "
            "refers to itself",
        ),
        (
            changed("  timespan: 1h\n", "  timespan: 1h\n  condition: {gte: 1}\n"),
            "a correlation in a chain wants all of its rules: leave out the condition",
        ),
        (
            changed("timespan: 1h", "timespan: 365d"),
            "over 365 days are not supported",
        ),
        (
            changed(
                "  timespan: 1h\n",
                "  timespan: 1h\n  aliases: {x: {successful_login: eventName}}\n",
            ),
            "aliases are not supported where a correlation refers to another: group by fields",
        ),
    ],
)
def test_chain_that_is_not_exact_is_refused(tmp_path: Path, text: str, says: str) -> None:
    rules = loaded(tmp_path, r=text)
    assert says in [problem.message for problem in rules.problems]
    assert all(problem.line > 1 for problem in rules.problems)


def test_rules_of_a_refused_correlation_give_their_own_alerts(tmp_path: Path) -> None:
    text = changed("  type: event_count\n", "  type: no_such\n")
    names = {rule.name for rule in loaded(tmp_path, r=text)}
    assert names == {"Failed login", "Successful login"}
