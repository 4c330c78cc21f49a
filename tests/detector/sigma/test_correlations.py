"""Correlations against plain Python, over all spans and by any split of the delivery."""

from __future__ import annotations

import itertools
import math
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.detector.rules.rule_scan import RuleScan, raw_record

SOURCE = {"product": "aws", "service": "cloudtrail"}
WIDTH = 10
Key = tuple[str | None, ...]


class Logged(NamedTuple):
    """An event: when, what it is called, by whom, on whom, and a number."""

    time: int
    name: str
    who: str | None
    target: str | None
    number: Any

    def record(self, id: str) -> dict[str, Any]:
        parameters = {"target": self.target, "n": self.number}
        return raw_record(
            self.time,
            eventID=id,
            eventSource="s3.amazonaws.com",
            eventName=self.name,
            userIdentity={"type": "IAMUser", "arn": self.who} if self.who else None,
            requestParameters={name: value for name, value in parameters.items() if value != None},  # noqa: E711
        )


class Found(NamedTuple):
    """An alert: its key, and the events in it."""

    key: Key
    events: tuple[str, ...]


BASES = {"r1": "a", "r2": "b", "r3": "c"}
"""The letter that an event's name must have, by rule."""


def documents(correlation: dict[str, Any]) -> str:
    names = sorted({reference.removeprefix("Rule ") for reference in correlation["rules"]})
    bases = [
        {
            "title": f"Rule {name}",
            "name": name,
            "logsource": SOURCE,
            "detection": {"s": {"eventName|contains": BASES[name]}, "condition": "s"},
        }
        for name in names
    ]
    whole = {"title": "All", "correlation": {"timespan": f"{WIDTH}s", **correlation}}
    return yaml.safe_dump_all([*bases, whole], sort_keys=False)


def rules_of(event: Logged) -> list[str]:
    return [name for name, letter in BASES.items() if letter in event.name.lower()]


def grouped(
    events: dict[str, Logged], rules: list[str], field_of: dict[str, str]
) -> dict[Key, list[tuple[str, Logged, set[str]]]]:
    """The events of each group in order of time, with the rules by which they are in it."""
    groups: dict[Key, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for id, event in events.items():
        for rule in set(rules) & set(rules_of(event)):
            groups[(getattr(event, field_of[rule]),)][id].add(rule)
    return {
        key: [(id, events[id], found[id]) for id in sorted(found, key=lambda id: events[id].time)]
        for key, found in groups.items()
    }


def looking_back(
    groups: dict[Key, list[tuple[str, Logged, set[str]]]], meets: Callable[[list[Any]], bool]
) -> Iterator[Found]:
    """Look at the span of each second with an event; spans that overlap are one alert."""
    for key, found in groups.items():
        spans: list[list[int]] = []
        for last in sorted({event.time for _, event, _ in found}):
            inside = [each for each in found if last - WIDTH < each[1].time <= last]
            if not meets(inside):
                continue
            if spans and last - spans[-1][1] < WIDTH:
                spans[-1][1] = last
            else:
                spans.append([last - WIDTH + 1, last])
        for first, last in spans:
            yield Found(
                key, tuple(sorted(i for i, event, _ in found if first <= event.time <= last))
            )


def in_order(
    groups: dict[Key, list[tuple[str, Logged, set[str]]]], order: list[str]
) -> Iterator[Found]:
    """Try every choice of events for the rules; of each last second the latest first one."""
    for key, found in groups.items():
        starts: dict[int, int] = {}
        for chosen in itertools.product(found, repeat=len(order)):
            times = [event.time for _, event, _ in chosen]
            fits = all(rule in each[2] for rule, each in zip(order, chosen, strict=True))
            if fits and times == sorted(times) and times[-1] - times[0] < WIDTH:
                starts[times[-1]] = max(times[0], starts.get(times[-1], times[0]))
        spans: list[list[int]] = []
        for last, first in sorted(starts.items()):
            if spans and first <= spans[-1][1]:
                spans[-1][1] = last
            else:
                spans.append([first, last])
        for first, last in spans:
            yield Found(
                key, tuple(sorted(i for i, event, _ in found if first <= event.time <= last))
            )


def alerts(text: str, files: Iterable[list[dict[str, Any]]]) -> list[Found]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rules.yml"
        path.write_text(text)
        scan = RuleScan(Path(folder), path)
        for records in files:
            scan.add_file(*records)
        assert {alert.rule.name for alert in scan.alerts()} <= {"All"}
        return sorted(
            (Found(tuple(alert.key.values()), tuple(alert.event_ids)) for alert in scan.alerts()),
            key=repr,
        )


logged = st.builds(
    Logged,
    st.integers(0, 45),
    st.sampled_from(["a", "B", "ab", "C", "bc", "x"]),
    st.sampled_from(["ana", "bob", None]),
    st.sampled_from(["ana", "bob"]),
    st.sampled_from([1, 2, 5, 2.5, "3", "many", [1, 4], None]),
)


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[dict[str, Logged], list[list[dict[str, Any]]]]:
    """Events by id, and files that hold them in any order, some twice."""
    events = {
        f"e{number:02}": each for number, each in enumerate(draw(st.lists(logged, max_size=9)))
    }
    order = draw(st.permutations(list(events)))
    again = draw(st.lists(st.sampled_from(order), max_size=2)) if order else []
    files: list[list[dict[str, Any]]] = [[], [], []]
    for id in [*order, *again]:
        files[draw(st.integers(0, 2))].append(events[id].record(id))
    return events, [records for records in files if records]


OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "gt": lambda a, b: a > b,
    "gte": lambda a, b: a >= b,
    "lt": lambda a, b: a < b,
    "lte": lambda a, b: a <= b,
    "eq": lambda a, b: a == b,
    "neq": lambda a, b: a != b,
}


def numbers(inside: list[tuple[str, Logged, set[str]]]) -> list[float]:
    found = []
    for _, event, _ in inside:
        values = event.number if isinstance(event.number, list) else [event.number]
        found += [float(value) for value in dict.fromkeys(values) if value not in (None, "many")]
    return found


def distinct(inside: list[tuple[str, Logged, set[str]]]) -> int:
    found: set[str] = set()
    for _, event, _ in inside:
        values = event.number if isinstance(event.number, list) else [event.number]
        found |= {str(value) for value in values if value is not None}
    return len(found)


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    position = (len(ordered) - 1) * share / 100
    low = math.floor(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (position - low)


METRICS: dict[str, Callable[[list[float]], float]] = {
    "value_sum": math.fsum,
    "value_avg": lambda values: math.fsum(values) / len(values),
    "value_median": statistics.median,
    "value_percentile": lambda values: percentile(values, 75),
}
few = settings(max_examples=25)


@few
@given(deliveries(), st.sampled_from(sorted(OPERATORS)), st.integers(1, 4), st.booleans())
def test_event_counts_match_oracle(delivery, operator, number, range_too):
    events, files = delivery
    condition = {operator: number}
    if range_too and operator != "lte":
        condition["lte"] = 3
    text = documents(
        {
            "type": "event_count",
            "rules": ["r1", "r2"],
            "group-by": ["userIdentity.arn"],
            "condition": condition,
        }
    )
    groups = grouped(events, ["r1", "r2"], {"r1": "who", "r2": "who"})

    def meets(inside: list[Any]) -> bool:
        return all(OPERATORS[name](len(inside), limit) for name, limit in condition.items())

    assert alerts(text, files) == sorted(looking_back(groups, meets), key=repr)


@few
@given(deliveries(), st.integers(1, 3))
def test_value_counts_match_oracle(delivery, number):
    events, files = delivery
    text = documents(
        {
            "type": "value_count",
            "rules": ["Rule r1", "r2"],
            "group-by": ["userIdentity.arn"],
            "condition": {"gte": number, "field": "requestParameters.n"},
        }
    )
    groups = grouped(events, ["r1", "r2"], {"r1": "who", "r2": "who"})
    expected = looking_back(groups, lambda inside: distinct(inside) >= number)
    assert alerts(text, files) == sorted(expected, key=repr)


@few
@given(deliveries(), st.sampled_from(sorted(METRICS)), st.sampled_from(["gte", "lt"]))
def test_metrics_match_oracle(delivery, type, operator):
    events, files = delivery
    condition = {operator: 4, "field": "requestParameters.n"}
    if type == "value_percentile":
        condition["percentile"] = 75
    text = documents(
        {
            "type": type,
            "rules": ["r1", "r2"],
            "group-by": ["userIdentity.arn"],
            "condition": condition,
        }
    )
    groups = grouped(events, ["r1", "r2"], {"r1": "who", "r2": "who"})

    def meets(inside: list[Any]) -> bool:
        values = numbers(inside)
        return bool(values) and OPERATORS[operator](METRICS[type](values), 4)

    assert alerts(text, files) == sorted(looking_back(groups, meets), key=repr)


ALIASES = {"aliases": {"person": {"r1": "userIdentity.arn", "r2": "requestParameters.target"}}}


@few
@given(deliveries(), st.booleans(), st.sampled_from([None, 1, 2]))
def test_temporal_matches_oracle(delivery, by_alias, number):
    """An event of two rules counts for both, in the groups of each."""
    events, files = delivery
    correlation: dict[str, Any] = {"type": "temporal", "rules": ["r1", "r2"]}
    if by_alias:
        correlation |= {"group-by": ["person"], **ALIASES}
    else:
        correlation["group-by"] = ["userIdentity.arn"]
    if number is not None:
        correlation["condition"] = {"gte": number}
    groups = grouped(events, ["r1", "r2"], {"r1": "who", "r2": "target" if by_alias else "who"})

    def meets(inside: list[Any]) -> bool:
        return len(set().union(*(rules for _, _, rules in inside))) >= (number or 2)

    assert alerts(documents(correlation), files) == sorted(looking_back(groups, meets), key=repr)


EXPRESSIONS: dict[str, Callable[[set[str]], bool]] = {
    "r1 and not r2": lambda rules: "r1" in rules and "r2" not in rules,
    "(r1 or r2) and r3": lambda rules: "r3" in rules and len(rules) > 1,
    "r2": lambda rules: "r2" in rules,
}


@few
@given(deliveries(), st.sampled_from(sorted(EXPRESSIONS)))
def test_temporal_expressions_match_oracle(delivery, expression):
    events, files = delivery
    text = documents(
        {
            "type": "temporal",
            "rules": ["r1", "r2", "r3"],
            "group-by": ["userIdentity.arn"],
            "condition": expression,
        }
    )
    groups = grouped(events, ["r1", "r2", "r3"], dict.fromkeys(BASES, "who"))

    def meets(inside: list[Any]) -> bool:
        return EXPRESSIONS[expression](set().union(*(rules for _, _, rules in inside)))

    assert alerts(text, files) == sorted(looking_back(groups, meets), key=repr)


@few
@given(
    deliveries(),
    st.sampled_from([["r1", "r2"], ["r2", "r1"], ["r1", "r2", "r3"], ["r1", "r2", "r1"]]),
    st.booleans(),
)
def test_temporal_ordered_matches_oracle(delivery, order, by_alias):
    """Events of one second may stand in either order."""
    events, files = delivery
    correlation: dict[str, Any] = {"type": "temporal_ordered", "rules": order}
    if by_alias and "r3" not in order:
        correlation |= {"group-by": ["person"], **ALIASES}
        field_of = {"r1": "who", "r2": "target"}
    else:
        correlation["group-by"] = ["userIdentity.arn"]
        field_of = dict.fromkeys(BASES, "who")
    expected = in_order(grouped(events, order, field_of), order)
    assert alerts(documents(correlation), files) == sorted(expected, key=repr)


def test_two_aliases_stay_those_of_one_rule():
    """An event of both rules is in a group by each rule's own fields, not by a mixture."""
    text = documents(
        {
            "type": "event_count",
            "rules": ["r1", "r2"],
            "group-by": ["from", "to"],
            "aliases": {
                "from": {"r1": "userIdentity.arn", "r2": "requestParameters.target"},
                "to": {"r1": "requestParameters.target", "r2": "userIdentity.arn"},
            },
            "condition": {"gte": 2},
        }
    )
    events = [Logged(0, "ab", "ana", "bob", 1), Logged(1, "ab", "ana", "bob", 1)]
    found = alerts(text, [[event.record(f"e{index}") for index, event in enumerate(events)]])
    assert [each.key for each in found] == [("ana", "bob"), ("bob", "ana")]


def test_values_of_several_fields_count_together():
    text = documents(
        {
            "type": "value_count",
            "rules": ["r1"],
            "group-by": ["userIdentity.arn"],
            "condition": {"gte": 3, "field": ["eventName", "requestParameters.n"]},
        }
    )
    pairs = [("a", 1), ("a", 2), ("A", 1), ("ab", 1), ("a", None)]
    events = [
        Logged(index, name, "ana", None, number) for index, (name, number) in enumerate(pairs)
    ]
    records = [event.record(f"e{event.time}") for event in events]
    assert alerts(text, [records[:2], records[4:]]) == []
    assert alerts(text, [records[:3]]) == [Found(("ana",), ("e0", "e1", "e2"))]


def test_a_field_of_two_rules_keeps_the_values_of_both():
    """Of an event of both rules, each rule's value counts."""
    text = documents(
        {
            "type": "value_count",
            "rules": ["r1", "r2"],
            "group-by": ["eventSource"],
            "aliases": ALIASES["aliases"],
            "condition": {"gte": 2, "field": "person"},
        }
    )
    both = Logged(0, "ab", "ana", "bob", 1).record("e0")
    one = Logged(0, "a", "ana", "bob", 1).record("e0")
    assert alerts(text, [[both]]) == [Found(("s3.amazonaws.com",), ("e0",))]
    assert alerts(text, [[one]]) == []


@pytest.mark.parametrize("type", ["event_count", "temporal_ordered"])
def test_without_groups_all_events_are_one(type):
    correlation: dict[str, Any] = {"type": type, "rules": ["r1", "r2"]}
    if type == "event_count":
        correlation["condition"] = {"gte": 2}
    events = [Logged(0, "a", "ana", None, 1), Logged(9, "b", "bob", None, 1)]
    records = [event.record(f"e{event.time}") for event in events]
    assert alerts(documents(correlation), [records]) == [Found((), ("e0", "e9"))]


def test_one_event_of_two_rules_is_enough():
    """An event is a row for each of its rules: so many events are not needed."""
    text = documents({"type": "temporal", "rules": ["r1", "r2"], "group-by": ["person"], **ALIASES})
    record = Logged(0, "ab", "ana", "ana", 1).record("e0")
    assert alerts(text, [[record]]) == [Found(("ana",), ("e0",))]
