"""Which rules may match a record, by the two fields that nearly every rule asks for first."""

from __future__ import annotations

from collections.abc import Iterable

from detector.rules.rule import Rule

_REMEMBERED = 10_000
"""Distinct (eventSource, eventName) pairs; AWS has some 15,000, a hostile log could hold any number."""


class Dispatch(dict[tuple[str | None, str | None], tuple[Rule, ...]]):
    """``dispatch[eventSource, eventName]``: the rules whose filter does not already exclude such a record."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        super().__init__()
        self._rules = tuple(rules)

    def __missing__(self, pair: tuple[str | None, str | None]) -> tuple[Rule, ...]:
        source, name = pair
        ways = {pair, (source, None), (None, name), (None, None)}
        rules = tuple(rule for rule in self._rules if not ways.isdisjoint(rule.query.dispatch))
        if len(self) < _REMEMBERED:
            self[pair] = rules
        return rules
