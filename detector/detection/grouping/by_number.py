"""Groups the records of a chunk into events, by the numbers of their heads.

Events are summed by observation and by principal, in native code if the library is available. The
code here runs once per observation of a chunk, not per distinct call, and for those calls that some
rule may match.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import Any, TypeVar

from detector.cloudtrail.record import NO_ORIGIN, join_parts
from detector.detection.baseline import (
    ChangedRegion,
    ObservedOrigin,
    OriginSpans,
    widen_spans,
)
from detector.detection.grouping.chunk_events import CallGroups, ChunkEvents, OriginEvents
from detector.detection.principal_index import PrincipalHashes, posting_name
from detector.detection.signature_cache import (
    AskedRules,
    CallFacts,
    OriginFacts,
    SignatureCache,
    SignatureFacts,
    SignatureGroup,
)
from detector.formats import RecordGroups
from detector.formats.decoded.sums import sum_decoded
from detector.formats.heads.head_parts import HeadParts
from detector.formats.native.cut import HeadGroups
from detector.formats.native.documents import CutDocuments
from detector.formats.native.sums import (
    IS_CHANGE,
    IS_SKIPPED,
    MAY_OPEN,
    GroupSums,
    NumberedSpans,
    OriginGroups,
    sum_documents,
    sum_groups,
)
from detector.rules.dispatch import Candidates, Dispatch
from detector.rules.rule import Rule
from detector.text.numbers import Numbers

_UNNUMBERED = 1 << 63
"""The bit shared by all sets of candidates beyond 63; these are evaluated for each head."""
_CALLER_QUESTIONS = 64
"""For how many sets of rules it is remembered which callers refuse them; one bit each."""
_NOWHERE = "", ""
"""Stands for no region; it has number 0, which sums leave out."""
_K = TypeVar("_K", bound=Hashable)


def group_by_number(
    groups: RecordGroups,
    events: ChunkEvents,
    cache: SignatureCache,
    dispatch: Dispatch,
    counts_activity: bool,
) -> None:
    """Add the events of a chunk's groups; their table has the heads of the cache.

    With ``counts_activity``, an origin's events are listed by call and observed in its region."""
    known = _facts_of(groups, cache, dispatch, counts_activity)
    if isinstance(groups, HeadGroups):
        sums = sum_groups(groups, counts_activity)
    else:
        sums = sum_decoded(groups, counts_activity)
    _add_events(groups, sums, events, known)


def group_documents(
    documents: CutDocuments,
    seen: OriginSpans,
    cache: SignatureCache,
    dispatch: Dispatch,
    counts_activity: bool,
) -> list[ChunkEvents]:
    """Return the events of each document; those of a document that was not cut are empty.

    The observations of all documents are added to ``seen``."""
    known = _facts_of(documents.groups, cache, dispatch, counts_activity)
    every = []
    all_sums = sum_documents(documents, counts_activity)
    for spans, sums in zip(documents.spans, all_sums, strict=True):
        events = ChunkEvents(seen)
        if spans is not None and spans.groups is not None:
            _add_events(spans.groups, sums, events, known)
        every.append(events)
    return every


def _facts_of(
    groups: RecordGroups, cache: SignatureCache, dispatch: Dispatch, counts_activity: bool
) -> NumberedFacts:
    """Return the facts derived from the groups' table, updated for all its entries."""
    known: NumberedFacts = groups.table.facts
    if known is None or not known.is_for(dispatch, counts_activity):
        known = NumberedFacts(groups.table, cache, dispatch, counts_activity)
        groups.table.facts = known
    known.learn()
    return known


def _add_events(
    groups: RecordGroups, sums: GroupSums, events: ChunkEvents, known: NumberedFacts
) -> None:
    """Add the events of groups, given their sums."""
    known.observe(sums, events.seen)
    events.span = sums.span
    events.postings = sums.postings
    members = groups.members
    for group in sums.opening:
        origin = known.origin_of(groups.numbers[group])
        events.openings.append((origin.client.principal_hashes, members[group]))
    for group in sums.skipped:
        call = known.call_of(groups.numbers[group])
        events.skip(call.skip_reason or "", len(members[group]))
    for group in sums.untimed:
        call = known.call_of(groups.numbers[group])
        reason = "no-event-time" if call.is_named else "not-cloudtrail"
        events.reject(reason, len(members[group]))
    events.callers = known.callers
    for group in sums.asking:
        facts = known.judged(groups.numbers[group])
        if facts is not None:
            events.candidates.append(SignatureGroup(facts, members[group]))
    if sums.by_origin:
        events.by_origin = _list_groups(sums.by_origin, known)
        events.groups = CallGroups(
            groups.table.calls_of(groups.numbers), known.calls, groups.sizes(), members
        )


def _list_groups(
    origins: Sequence[OriginGroups], known: NumberedFacts
) -> dict[OriginFacts, OriginEvents]:
    by_origin: dict[OriginFacts, OriginEvents] = {}
    for number, first, last, groups in origins:
        origin = known.origins[number]
        events = by_origin.get(origin)
        if events is None:
            by_origin[origin] = OriginEvents(groups, first, last)
            continue
        # Two texts that decode to the same origin have two numbers.
        events.groups += groups
        events.first, events.last = min(events.first, first), max(events.last, last)
    return by_origin


class _ListedNumbers(Numbers[_K]):
    """Numbers keys, beginning with the ``first`` ones, and lists the keys by number."""

    def __init__(self, *first: _K) -> None:
        super().__init__({key: number for number, key in enumerate(first)})
        self.by_number = list(first)

    def __missing__(self, key: _K) -> int:
        self.by_number.append(key)
        return super().__missing__(key)


class _Origins(dict[int, OriginFacts]):
    """The facts derived from the origins of a table, by number; they are made on lookup."""

    def __init__(self, table: HeadParts, cache: SignatureCache) -> None:
        super().__init__()
        self._table = table
        self._cache = cache

    def __missing__(self, number: int) -> OriginFacts:
        facts = self[number] = self._cache.origin_facts(self._table.origins[number])
        return facts


class NumberedFacts:
    """The facts derived from the origins and calls of a table, by number.

    ``calls`` are the facts of calls; ``callers`` remembers which callers refuse which rules.
    Origins are observed with their regions if activity is counted."""

    def __init__(
        self, table: HeadParts, cache: SignatureCache, dispatch: Dispatch, counts_activity: bool
    ) -> None:
        self.dispatch = dispatch
        self.origins = _Origins(table, cache)
        self._table = table
        self._cache = cache
        self._counts_activity = counts_activity
        self.calls: list[Any] = [None]
        self._candidates: list[Any] = [None]
        self._postings: _ListedNumbers[PrincipalHashes] = _ListedNumbers()
        self._observed: _ListedNumbers[ObservedOrigin] = _ListedNumbers()
        self._changed: _ListedNumbers[ChangedRegion] = _ListedNumbers(_NOWHERE)
        self.callers = table.new_callers()
        self._questions: dict[Candidates, int] = {}
        self._caller_questions: dict[tuple[str, ...], int] = {}
        self._questions_of_rules: dict[AskedRules, int] = {}
        self._judged: dict[int, SignatureFacts | None] = {}
        self._learned = 1

    def is_for(self, dispatch: Dispatch, counts_activity: bool) -> bool:
        """Return whether the facts are valid for these rules and this ``counts_activity``."""
        return self.dispatch is dispatch and self._counts_activity == counts_activity

    def learn(self) -> None:
        """Derive facts from the table's new origins and calls, and store them in the table."""
        self._learn_origins()
        table = self._table
        for number in range(len(self.calls), len(table.calls)):
            call = self._cache.calls[table.calls[number]]
            self.calls.append(call)
            table.kinds[number] = (
                IS_SKIPPED * bool(call.skip_reason)
                | MAY_OPEN * call.may_open_session
                | IS_CHANGE * call.changes
            )
            candidates = self.dispatch.candidates(join_parts(NO_ORIGIN, table.calls[number]))
            self._candidates.append(candidates)
            table.asked[number] = self._question_of(candidates)

    def _learn_origins(self) -> None:
        table, first_name = self._table, len(self._postings)
        for number in range(self._learned, table.origin_count):
            origin = self.origins[number]
            table.posting_of[number] = self._postings[origin.client.principal_hashes]
            table.observed_of[number] = self._observed[origin.observed_for(self._counts_activity)]
            table.changed_of[number] = self._changed[origin.changed or _NOWHERE]
            table.refused[number] = 0
        self._learned = table.origin_count
        for number, hashes in enumerate(self._postings.by_number[first_name:], first_name):
            table.name_posting(number, posting_name(hashes))

    def observe(self, sums: GroupSums, seen: OriginSpans) -> None:
        """Widen the spans of observations in ``seen`` to include those of ``sums``."""
        widen_spans(seen.seen, _spans_of(self._observed.by_number, sums.observed))
        widen_spans(seen.changed, _spans_of(self._changed.by_number, sums.changed))

    def turn(self) -> set[OriginFacts]:
        """Forget origins without a call since the last turn; return the facts of the others."""
        callers = self._table.take_callers()
        for number in self.origins.keys() - callers:
            del self.origins[number]
        left = set(self.origins.values())
        judged = self._judged.items()
        self._judged = {key: it for key, it in judged if it is None or it.origin in left}
        self.callers.keep_views_of(self._judged)
        self._questions_of_rules.clear()
        return left

    def origin_of(self, number: int) -> OriginFacts:
        """Return the facts derived from a head's origin."""
        return self.origins[self._table.parts(number)[0]]

    def call_of(self, number: int) -> CallFacts:
        """Return the facts derived from a head's call."""
        call: CallFacts = self.calls[self._table.parts(number)[1]]
        return call

    def judged(self, number: int) -> SignatureFacts | None:
        """Return the facts derived from a head, with the rules that its records may match.

        None if there are no such rules, which is remembered."""
        if number in self._judged:
            return self._judged[number]
        table = self._table
        origin, call = table.parts(number)
        parts = table.origins[origin], table.calls[call]
        asked = self.origins[origin].ask(self._candidates[call], *parts, self.dispatch)
        if not asked.rules:
            question = table.asked[call]
            if question == _UNNUMBERED:
                self._judged[number] = None
            else:
                table.refused[origin] |= question
            return None
        facts = self._judged[number] = SignatureFacts(
            parts, self.origins[origin], asked, self._caller_question_of(asked), number
        )
        return facts

    def _question_of(self, candidates: Candidates) -> int:
        """Return the bit of a call's set of candidates; 0 if it is empty."""
        if not candidates:
            return 0
        number = self._questions.setdefault(candidates, len(self._questions))
        return min(1 << number, _UNNUMBERED)

    def _caller_question_of(self, asked: AskedRules) -> int:
        """Return the bit that says that a caller refuses all these rules; 0 if there is none."""
        question = self._questions_of_rules.get(asked)
        if question is None:
            question = self._questions_of_rules[asked] = self._new_question(asked.rules)
        return question

    def _new_question(self, rules: Sequence[Rule]) -> int:
        if not all(rule.query.prefilter.caller for rule in rules):
            return 0
        names = tuple([rule.rule_id for rule in rules])
        number = self._caller_questions.setdefault(names, len(self._caller_questions))
        return 1 << number if number < _CALLER_QUESTIONS else 0


def _spans_of(keys: Sequence[_K], spans: NumberedSpans) -> Iterator[tuple[_K, tuple[int, int]]]:
    """Yield each numbered key with its first and last time."""
    numbers, firsts, lasts = spans
    return zip(map(keys.__getitem__, numbers), zip(firsts, lasts, strict=True), strict=True)
