"""Select the rules that may match a record, by its head."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from detector.cloudtrail.record import EventSignature, Head
from detector.esql.plan.predicate_analysis import Pair
from detector.rules.rule import Rule

_CACHE_SIZE = 10_000
"""Of pairs, and of signatures: AWS has some 15,000 pairs, a hostile log any number."""


class Dispatch(dict[Pair, tuple[Rule, ...]]):
    """``dispatch[eventSource, eventName]``: the rules whose filter such a record may pass."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        super().__init__()
        self._rules = tuple(rules)
        self._pairs_with_conditions: set[Pair] = set()
        """Pairs with a rule that has conditions on the rest of the head."""
        self._rules_for_head = lru_cache(_CACHE_SIZE)(self._filter_by_head)

    def __missing__(self, pair: Pair) -> tuple[Rule, ...]:
        source, name = pair
        matching_pairs = {pair, (source, None), (None, name), (None, None)}
        head = Head(event_source=source, event_name=name)
        rules = tuple(
            rule
            for rule in self._rules
            if not matching_pairs.isdisjoint(rule.query.required_pairs)
            and rule.query.prefilter.accepts_pair(head)
        )
        if len(self) < _CACHE_SIZE:
            self[pair] = rules
            if any(rule.query.prefilter.rest for rule in rules):
                self._pairs_with_conditions.add(pair)
        return rules

    def rules_for(self, signature: EventSignature) -> tuple[Rule, ...]:
        """Return the rules whose filter records of this signature may pass."""
        pair = (signature.event_source, signature.event_name)
        rules = self[pair]
        if pair in self._pairs_with_conditions:
            return self._rules_for_head(signature)
        return rules

    def _filter_by_head(self, signature: EventSignature) -> tuple[Rule, ...]:
        head = Head(None, *signature)
        return tuple(
            rule
            for rule in self[head.event_source, head.event_name]
            if rule.query.prefilter.accepts(head)
        )
