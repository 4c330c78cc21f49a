"""Count the hits of each window once, so that a new threshold only compares numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from detector.esql import ast
from detector.esql.plan.predicate_analysis import conjuncts
from detector.esql.plan.query import Query
from detector.rules.rule import Rule
from detector.rules.rule_summary import WindowMode
from detector.store.segments.hit_columns import SeriesHits


class CountedWindow(NamedTuple):
    """A window aligned to the clock, and the indexes of its hits."""

    start: int
    first: int
    end: int


class WindowCounts:
    """The counts of a series' hits in windows of one width."""

    def __init__(self, hits: SeriesHits, width: int) -> None:
        self._hits = hits
        self._width = width
        self._counts = list(Counter(map(width.__rfloordiv__, hits.times)).items())
        self._largest = max((count for _, count in self._counts), default=0)
        self._by_least: dict[int, list[CountedWindow]] = {}
        self._distinct: dict[tuple[int, int], int] = {}

    def passing(
        self, least_hits: int, least_distinct: Sequence[tuple[int, int]]
    ) -> Iterator[CountedWindow]:
        """Yield the windows with at least ``least_hits`` hits and enough distinct input values.

        ``least_distinct`` has pairs of input index and minimum. Raises TypeError if an input is
        multivalued (a list)."""
        if self._largest < least_hits:
            return
        for window in self._with_hits(least_hits):
            if all(self._values(window, index) >= least for index, least in least_distinct):
                yield window

    def _with_hits(self, least: int) -> list[CountedWindow]:
        if least not in self._by_least:
            found = []
            end = 0
            for bucket, count in self._counts:
                end += count
                if count >= least:
                    found.append(CountedWindow(bucket * self._width, end - count, end))
            self._by_least[least] = found
        return self._by_least[least]

    def _values(self, window: CountedWindow, index: int) -> int:
        """Count the distinct non-null values of an input in a window."""
        key = window.first, index
        count = self._distinct.get(key)
        if count is None:
            values = {row[index] for row in self._hits.inputs[window.first : window.end]}
            count = self._distinct[key] = len(values) - (None in values)
        return count


def is_counted(rule: Rule, mode: WindowMode) -> bool:
    """Tell whether minimum counts alone decide which windows of a rule are alerts.

    They must be its only conditions, and its windows must be independent of each other."""
    query = rule.query
    if query.shape != "window" or mode != "tumbling" or rule.gap or query.grouping is None:
        return False
    return not query.grouping.merges and _has_only_least_numbers(query)


def _has_only_least_numbers(query: Query) -> bool:
    commands = query.tree.commands
    stats = [index for index, each in enumerate(commands) if isinstance(each, ast.Stats)]
    if len(stats) != 1:
        return False
    command = commands[stats[0]]
    assert isinstance(command, ast.Stats)
    plain = [each.named for each in command.aggregations if each.condition is None]
    distinct_columns = {each.name for each in plain if _counts_distinct(each.expression)}
    counted = distinct_columns | {each.name for each in plain if _counts_rows(each.expression)}
    distinct = set()
    for after in commands[stats[0] + 1 :]:
        if not isinstance(after, ast.Where):
            return False
        for node in conjuncts(after.condition):
            match node:
                case ast.Compare(">=" | ">", ast.Column(name), ast.Literal(int())):
                    if name not in counted:
                        return False
                    distinct |= {name} & distinct_columns
                case _:
                    return False
    # A multivalued column has no entry in min_distinct, as one event may have many values.
    return len(distinct) == len(query.min_distinct)


def _counts_rows(expression: ast.Expression) -> bool:
    match expression:
        case ast.Call("count", (), True):
            return True
    return False


def _counts_distinct(expression: ast.Expression) -> bool:
    match expression:
        case ast.Call("count_distinct", (ast.Column(),)):
            return True
    return False
