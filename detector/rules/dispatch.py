"""Select the rules that may match a record, by its head."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from typing import Any

from detector.cloudtrail.record import (
    CALL_FIELDS,
    ORIGIN_FIELDS,
    ApiCall,
    EventSignature,
    Head,
    Origin,
    api_call_of,
    origin_of,
)
from detector.esql.plan.predicate_analysis import Pair
from detector.esql.plan.prefilter import HeadCondition
from detector.rules.rule import Rule
from detector.text.fold import fold
from detector.text.value_cache import ValueCache

_PAIRS_LIMIT = 10_000
"""Of pairs that are remembered: AWS has some 15,000, a hostile log any number."""
_VERDICTS_LIMIT = 1 << 15
"""Of the verdicts that are remembered of all rules together, and the least for each."""
_LEAST_VERDICTS = 256
_SUBSETS_LIMIT = 1024
"""Of the sets of rules that are remembered of a call."""


class _Verdicts(ValueCache[tuple[Any, Any], bool]):
    """Whether a condition is true of a head, by the values that it reads.

    The key is the values of the call and those of the origin, by ``of_call`` and ``of_origin``. The
    ``number`` is that of the condition among all."""

    def __init__(self, condition: HeadCondition, limit: int, number: int) -> None:
        self.number = number
        call_fields = [name for name in CALL_FIELDS if name in condition.reads]
        origin_fields = [name for name in ORIGIN_FIELDS if name in condition.reads]
        self.of_call = _values_of(CALL_FIELDS, call_fields)
        self.of_origin = _values_of(ORIGIN_FIELDS, origin_fields)
        self.origin_fields = tuple(origin_fields)
        self.reads_origin = bool(origin_fields)

        def is_true(values: tuple[Any, Any]) -> bool:
            of_call, of_origin = values
            head = Head(**_named(call_fields, of_call), **_named(origin_fields, of_origin))
            return condition.accepts(head)

        super().__init__(is_true, limit)


def _values_of(fields: tuple[str, ...], names: list[str]) -> Callable[[Any], Any]:
    """Return a getter of the values of fields of a part; a lone value stands by itself."""
    positions = [fields.index(name) for name in names]
    return itemgetter(*positions) if positions else lambda _: None


def _named(names: list[str], values: Any) -> dict[str, Any]:
    """Return what a getter by ``_values_of`` gave, by name."""
    return dict(zip(names, values if len(names) > 1 else [values], strict=bool(names)))


def _fold_pair(pair: Pair) -> Pair:
    """Fold the case of a pair: some rules want every spelling of it."""
    source, name = pair
    if source is not None:
        source = fold(source)
    if name is not None:
        name = fold(name)
    return source, name


_Condition = tuple[int, int, Any]
"""The bit of a rule, the number of its verdicts, and the values of the call that they read."""


class _OriginTest:
    """The conditions of rules that read the same values of an origin."""

    def __init__(self, verdicts: Sequence[_Verdicts], conditions: Sequence[_Condition]) -> None:
        self.of_origin = verdicts[conditions[0][1]].of_origin
        self._conditions = [(bit, verdicts[number], of_call) for bit, number, of_call in conditions]

    def refused(self, values: Any) -> int:
        """Return the bits of the rules that refuse these values of an origin."""
        bits = 0
        for bit, verdicts, of_call in self._conditions:
            if not verdicts[of_call, values]:
                bits |= bit
        return bits


class _Candidates:
    """The rules that records of a call may match, by their origins."""

    def __init__(self, rules: Sequence[Rule], tests: Sequence[_OriginTest]) -> None:
        self._rules = rules
        self._all = (1 << len(rules)) - 1
        self._tests = tests
        self._by_bits: dict[int, list[Rule]] = {0: []}

    def __bool__(self) -> bool:
        return bool(self._rules)

    def of_origin(
        self, origin: Origin, refused: ValueCache[tuple[_OriginTest, Any], int]
    ) -> list[Rule]:
        """Return the rules whose conditions an origin fulfils."""
        bits = self._all
        for test in self._tests:
            bits &= ~refused[test, test.of_origin(origin)]
            if not bits:
                break
        rules = self._by_bits.get(bits)
        if rules is None:
            rules = [rule for index, rule in enumerate(self._rules) if bits >> index & 1]
            if len(self._by_bits) < _SUBSETS_LIMIT:
                self._by_bits[bits] = rules
        return rules


class Dispatch(dict[Pair, tuple[Rule, ...]]):
    """``dispatch[eventSource, eventName]``: the rules whose filter such a record may pass."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        super().__init__()
        self._rules = tuple(rules)
        conditions = [condition for rule in self._rules for condition in rule.query.prefilter.rest]
        limit = max(_LEAST_VERDICTS, _VERDICTS_LIMIT // max(1, len(conditions)))
        self._verdicts: dict[str, list[_Verdicts]] = {}
        numbered: list[_Verdicts] = []
        for rule in self._rules:
            of_rule = self._verdicts[rule.rule_id] = []
            for condition in rule.query.prefilter.rest:
                of_rule.append(_Verdicts(condition, limit, len(numbered)))
                numbered.append(of_rule[-1])
        self._tests: ValueCache[tuple[_Condition, ...], _OriginTest] = ValueCache(
            lambda conditions: _OriginTest(numbered, conditions), longest=1 << 20
        )
        """Calls have tests in common: most are those of rules for any call."""
        self._refused: ValueCache[tuple[_OriginTest, Any], int] = ValueCache(
            lambda key: key[0].refused(key[1]), _VERDICTS_LIMIT // 2
        )
        self._by_call: ValueCache[ApiCall, _Candidates] = ValueCache(self._of_call)
        self._by_pair: dict[Pair, list[int]] = defaultdict(list)
        """The indexes of the rules that require a pair, by the folded pair."""
        for index, rule in enumerate(self._rules):
            for pair in set(map(_fold_pair, rule.query.required_pairs)):
                self._by_pair[pair].append(index)

    def __missing__(self, pair: Pair) -> tuple[Rule, ...]:
        source, name = _fold_pair(pair)
        matching_pairs = {(source, name), (source, None), (None, name), (None, None)}
        indexes = {index for each in matching_pairs for index in self._by_pair.get(each, ())}
        head = Head(event_source=pair[0], event_name=pair[1])
        candidates = [self._rules[index] for index in sorted(indexes)]
        rules = tuple(rule for rule in candidates if rule.query.prefilter.accepts_pair(head))
        if len(self) < _PAIRS_LIMIT:
            self[pair] = rules
        return rules

    def may_match(self, signature: EventSignature) -> bool:
        """Return whether records of this signature's call may match any rule."""
        return bool(self._by_call[api_call_of(signature)])

    def rules_for(self, signature: EventSignature) -> list[Rule]:
        """Return the rules whose filter records of this signature may pass."""
        candidates = self._by_call[api_call_of(signature)]
        if not candidates:
            return []
        return candidates.of_origin(origin_of(signature), self._refused)

    def _of_call(self, call: ApiCall) -> _Candidates:
        """Return the rules that a call may match, with what is left to ask of an origin."""
        source, name, *_ = call
        rules: list[Rule] = []
        left: dict[tuple[str, ...], list[_Condition]] = defaultdict(list)
        for rule in self[source, name]:
            verdicts = [(each, each.of_call(call)) for each in self._verdicts[rule.rule_id]]
            if all(each[of_call, None] for each, of_call in verdicts if not each.reads_origin):
                for each, of_call in verdicts:
                    if each.reads_origin:
                        left[each.origin_fields].append((1 << len(rules), each.number, of_call))
                rules.append(rule)
        # The caller last: it has more values than all others, and is compared by several fields.
        fields = sorted(left, key=lambda names: ("user_identity" in names, names))
        return _Candidates(rules, [self._tests[tuple(left[names])] for names in fields])
