"""Selects the rules that may match a record, by its head."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any

from detector.cloudtrail.caller_view import CallerView, NotInView, decode_caller
from detector.cloudtrail.record import (
    CALL_FIELDS,
    NO_ORIGIN,
    ORIGIN_FIELDS,
    ApiCall,
    EventSignature,
    Head,
    api_call_of,
    join_parts,
)
from detector.esql.plan.predicate_analysis import Pair
from detector.esql.plan.prefilter import HeadCondition, HeadConditions
from detector.rules.rule import Rule
from detector.text.fold import fold
from detector.text.value_cache import LONGEST_KEY, ValueCache, key_size

_PAIRS_LIMIT = 10_000
"""How many pairs are remembered: AWS has about 15,000, a hostile log any number."""
_VERDICTS_LIMIT = 1 << 12
"""How many origin values each test remembers verdicts for."""
_TESTS_LIMIT = 64
"""How many tests have a bit that records, per origin, that they were evaluated."""
_SUBSETS_LIMIT = 4096
"""How many sets of rules are remembered."""
_CALLERS_LIMIT = 4096
_LONGEST_CALLER = 2048
"""How many callers are remembered, and the greatest size of one in bytes."""


def _fold_pair(pair: Pair) -> Pair:
    """Fold the case of a pair, as some rules ignore case."""
    source, name = pair
    if source is not None:
        source = fold(source)
    if name is not None:
        name = fold(name)
    return source, name


class _Condition:
    """A condition of a rule on the heads of records; ``bit`` is the rule's.

    ``is_of_calls``: the condition, or its result, depends on the call."""

    def __init__(self, condition: HeadCondition, bit: int, is_left: bool = False) -> None:
        self.condition = condition
        self.bit = bit
        self.accepts = condition.accepts
        self.origin_fields = tuple(name for name in ORIGIN_FIELDS if name in condition.reads)
        self.call_fields = tuple(name for name in CALL_FIELDS if name in condition.reads)
        self.is_of_calls = is_left or bool(self.call_fields)


_Asked = tuple[tuple[_Condition, ...], tuple[Any, ...]]
"""Conditions that read the same origin fields, and the values that they read from a call."""


class OriginVerdicts:
    """The verdicts of the tests of ``dispatch`` on an origin.

    ``asked`` has the bits of the tests that were evaluated, ``refused`` the bits of the rules that
    they reject for every call; ``of_calls`` has the bits that call-dependent tests reject."""

    __slots__ = ("asked", "dispatch", "of_calls", "refused")

    def __init__(self) -> None:
        self.start(None)

    def start(self, dispatch: Dispatch | None) -> None:
        """Start afresh for the tests of ``dispatch``."""
        self.dispatch = dispatch
        self.asked = self.refused = 0
        self.of_calls: dict[_OriginTest, int] = {}


class _OriginTest:
    """Conditions of rules that read the same origin fields and the same values of the call.

    ``bit`` identifies the test if its result is the same for all calls; 0 if it may depend on the
    call, or if there are no bits left."""

    def __init__(self, asked: _Asked, bit: int) -> None:
        conditions, _ = asked
        self.bit = bit
        self._conditions = HeadConditions((each.condition, each.bit) for each in conditions)
        fields = conditions[0].origin_fields
        self._values_of = attrgetter(*fields)
        self._reads_caller = "user_identity" in fields
        self.reads_region = "aws_region" in fields
        self._verdicts: dict[Any, int] = {}

    def refused(self, signature: EventSignature, known: OriginVerdicts) -> int:
        """Return the bits of the rules that reject the origin of a signature.

        Hardly any two origins share a caller, so the verdict of a test that reads the caller is
        remembered with the origin; other verdicts are remembered by the values read."""
        if self._reads_caller:
            bits = known.of_calls.get(self)
            if bits is None:
                bits = self._conditions.refused(signature)
                if not self.bit:
                    known.of_calls[self] = bits
            return bits
        values = self._values_of(signature)
        bits = self._verdicts.get(values)
        if bits is None:
            bits = self._conditions.refused(signature)
            if len(self._verdicts) >= _VERDICTS_LIMIT:
                self._verdicts.clear()
            if key_size(values) <= LONGEST_KEY:
                self._verdicts[values] = bits
        return bits


class Candidates:
    """The rules that records of some calls may match, as bits, and the tests to run on an origin.

    Calls with the same rules and tests share one object. ``reads_region``: some test reads the
    origin's region."""

    def __init__(self, key: tuple[int, tuple[_OriginTest, ...]]) -> None:
        self._rules, tests = key
        self.reads_region = any(test.reads_region for test in tests)
        self._for_all_calls = [test for test in tests if test.bit]
        self._for_these_calls = [test for test in tests if not test.bit]
        self._bits = sum(test.bit for test in self._for_all_calls)

    def __bool__(self) -> bool:
        return bool(self._rules)

    @property
    def asks_origins(self) -> bool:
        """Whether it depends on the origin which of these rules a call may match."""
        return bool(self._for_all_calls or self._for_these_calls)

    def of_origin(self, signature: EventSignature, known: OriginVerdicts) -> int:
        """Return the bits of the rules whose conditions the origin of a signature fulfils.

        Most calls of an origin need only tests that other calls have already run."""
        bits = self._rules & ~known.refused
        if self._bits & ~known.asked:
            for test in self._for_all_calls:
                if not bits:
                    return 0
                if not test.bit & known.asked:
                    known.asked |= test.bit
                    known.refused |= test.refused(signature, known)
                    bits &= ~known.refused
        for test in self._for_these_calls:
            if not bits:
                break
            bits &= ~test.refused(signature, known)
        return bits


class _CallerVerdicts:
    """Remembers which rules reject a caller."""

    def __init__(self, raw: bytes) -> None:
        self._refused: dict[str, bool] = {}
        self._view: CallerView | None = None
        with contextlib.suppress(ValueError, RecursionError):  # odd types: unknown
            self._view = CallerView(decode_caller(raw), raw)

    def refuses(self, rule: Rule) -> bool:
        """Return whether some condition of a rule is false for the caller, whatever it calls."""
        refused = self._refused.get(rule.rule_id)
        if refused is None:
            conditions = rule.query.prefilter.caller
            refused = any(map(self._is_refused, conditions))
            self._refused[rule.rule_id] = refused
        return refused

    def _is_refused(self, condition: HeadCondition) -> bool:
        if self._view is None:
            return False
        try:
            return not condition.accepts(self._view)
        except (NotInView, RecursionError):
            return False


class Dispatch(dict[Pair, tuple[Rule, ...]]):
    """``dispatch[eventSource, eventName]``: the rules whose filter such a record may pass."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        super().__init__()
        self._rules = tuple(rules)
        self._bits = {rule.rule_id: 1 << number for number, rule in enumerate(self._rules)}
        self._conditions = {
            rule.rule_id: [
                _Condition(condition, self._bits[rule.rule_id])
                for condition in rule.query.prefilter.rest
            ]
            for rule in self._rules
        }
        self._subsets: dict[int, list[Rule]] = {0: []}
        self._tests: ValueCache[_Asked, _OriginTest] = ValueCache(self._new_test, longest=1 << 20)
        """Calls share tests: most belong to rules for any call."""
        self._numbered: dict[tuple[_Condition, ...], int] = {}
        self._by_call: ValueCache[ApiCall, Candidates] = ValueCache(self._of_call)
        self._candidates: ValueCache[tuple[int, tuple[_OriginTest, ...]], Candidates]
        self._candidates = ValueCache(Candidates, longest=1 << 20)
        self._ask_callers = {rule.rule_id for rule in self._rules if rule.query.prefilter.caller}
        self._left: dict[tuple[_Condition, str], _Condition] = {}
        self._by_caller = ValueCache(_CallerVerdicts, _CALLERS_LIMIT, _LONGEST_CALLER)
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

    def candidates(self, signature: EventSignature) -> Candidates:
        """Return the rules that records of a signature's call may match."""
        return self._by_call[api_call_of(signature)]

    def select(
        self, candidates: Candidates, signature: EventSignature, known: OriginVerdicts
    ) -> list[Rule]:
        """Return the candidate rules whose filter records of this origin may pass.

        ``known`` has the verdicts on the origin; missing verdicts are added."""
        if known.dispatch is not self:
            known.start(self)
        bits = candidates.of_origin(signature, known)
        rules = self._subsets.get(bits)
        if rules is None:
            rules = [rule for rule in self._rules if bits & self._bits[rule.rule_id]]
            if len(self._subsets) < _SUBSETS_LIMIT:
                self._subsets[bits] = rules
        return rules

    def rules_for(self, signature: EventSignature) -> list[Rule]:
        """Return the rules whose filter records of this signature may pass."""
        return self.select(self.candidates(signature), signature, OriginVerdicts())

    def of_caller(self, rules: Sequence[Rule], caller: bytes) -> list[Rule]:
        """Return those of ``rules`` whose filter records of a caller may pass.

        ``caller`` is its raw JSON."""
        if not any(rule.rule_id in self._ask_callers for rule in rules):
            return list(rules)
        verdicts = self._by_caller[caller]
        return [rule for rule in rules if not verdicts.refuses(rule)]

    def _new_test(self, asked: _Asked) -> _OriginTest:
        conditions, _ = asked
        bit = 0
        if not any(condition.is_of_calls for condition in conditions):
            number = self._numbered.setdefault(conditions, len(self._numbered))
            bit = 1 << number if number < _TESTS_LIMIT else 0
        return _OriginTest(asked, bit)

    def _of_call(self, call: ApiCall) -> Candidates:
        """Return the rules that a call may match, with the tests that remain for the origin."""
        source, name, *_ = call
        signature = join_parts(NO_ORIGIN, call)
        bits = 0
        left: dict[tuple[bool, tuple[str, ...], tuple[Any, ...], bool], list[_Condition]]
        left = defaultdict(list)
        for rule in self[source, name]:
            conditions = self._conditions[rule.rule_id]
            asked = [self._left_for(condition, signature) for condition in conditions]
            if False in asked:
                continue
            bits |= self._bits[rule.rule_id]
            # Kept apart, so that conditions of rules for any call are tested once per origin.
            is_general = (None, None) in rule.query.required_pairs
            for condition in asked:
                if isinstance(condition, _Condition):
                    values = tuple(getattr(signature, field) for field in condition.call_fields)
                    reads = condition.origin_fields, values
                    left[is_general, *reads, condition.is_of_calls].append(condition)
        # The caller last: it has the most distinct values, and several fields are compared.
        keys = sorted(left, key=lambda each: ("user_identity" in each[1], each[1], not each[0]))
        tests = tuple([self._tests[tuple(left[each]), each[2]] for each in keys])
        return self._candidates[bits, tests]

    def _left_for(self, condition: _Condition, signature: EventSignature) -> _Condition | bool:
        """Return the part of a condition that remains for the origins of a signature's call.

        A bool if the call decides. Calls with the same remainder share one object."""
        if not condition.origin_fields:
            return condition.accepts(signature)
        if not condition.call_fields:
            return condition
        left = condition.condition.left_for(signature, frozenset(CALL_FIELDS))
        if isinstance(left, bool):
            return left
        asked = _Condition(left, condition.bit, is_left=True)
        return self._left.setdefault((condition, repr(left.node)), asked)
