"""Which rules may match a record: by the two fields that nearly every rule asks for, then by the rest of its head."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from detector.cloudtrail.record import EventSignature, Head
from detector.rules.rule import Rule

_REMEMBERED = 10_000
"""Distinct (eventSource, eventName) pairs, and calls; AWS has some 15,000 of the former, a hostile
log any number."""


class Dispatch(dict[tuple[str | None, str | None], tuple[Rule, ...]]):
    """``dispatch[eventSource, eventName]``: the rules whose filter does not already exclude such a
    record."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        super().__init__()
        self._rules = tuple(rules)
        self._gated: set[tuple[str | None, str | None]] = set()
        """Pairs with a rule that asks for more of the head than these two."""
        self._asked = lru_cache(_REMEMBERED)(self._ask)

    def __missing__(self, pair: tuple[str | None, str | None]) -> tuple[Rule, ...]:
        source, name = pair
        ways = {pair, (source, None), (None, name), (None, None)}
        head = Head(event_source=source, event_name=name)
        rules = tuple(
            rule
            for rule in self._rules
            if not ways.isdisjoint(rule.query.required_pairs)
            and rule.query.prefilter.accepts_pair(head)
        )
        if len(self) < _REMEMBERED:
            self[pair] = rules
            if any(rule.query.prefilter.rest for rule in rules):
                self._gated.add(pair)
        return rules

    def wanting(self, call: EventSignature) -> tuple[Rule, ...]:
        """The rules whose filter does not exclude the records of a call."""
        pair = call[1:3]
        rules = self[pair]
        return self._asked(call) if pair in self._gated else rules

    def _ask(self, call: EventSignature) -> tuple[Rule, ...]:
        head = Head(None, *call)
        return tuple(
            rule
            for rule in self[head.event_source, head.event_name]
            if rule.query.prefilter.accepts(head)
        )
