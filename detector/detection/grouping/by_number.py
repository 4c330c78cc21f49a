"""The events of a chunk from its records by the numbers of their heads.

They are summed by origin and by principal, natively where there is the library. What runs here runs
once for each origin of a chunk, not for each distinct call; and for calls of which some rule may
match.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from detector.cloudtrail.record import NO_ORIGIN, join_parts
from detector.detection.baseline import OriginSpans, widen_spans
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
    sum_documents,
    sum_groups,
)
from detector.rules.dispatch import Candidates, Dispatch
from detector.rules.rule import Rule
from detector.text.value_cache import Generations

_UNNUMBERED = 1 << 63
"""The bit of the sets of candidates that have none of their own; these are asked for each head."""
_CALLER_QUESTIONS = 64
"""Of the sets of rules of which it is remembered who refuses them, a bit each."""


def group_by_number(
    groups: RecordGroups,
    events: ChunkEvents,
    cache: SignatureCache,
    dispatch: Dispatch,
    counts_activity: bool,
) -> None:
    """Add the events of a chunk's groups, whose table has the heads of the cache.

    Those of an origin are listed by their calls, and observed in its region, unless nobody will ask
    what principals do (``counts_activity``)."""
    known = _facts_of(groups, cache, dispatch)
    sums = sum_groups(groups) if isinstance(groups, HeadGroups) else sum_decoded(groups)
    _add_events(groups, sums, events, known, counts_activity)


def group_documents(
    documents: CutDocuments,
    seen: OriginSpans,
    cache: SignatureCache,
    dispatch: Dispatch,
    counts_activity: bool,
) -> list[ChunkEvents]:
    """Return the events of each document that was cut, as of a chunk; none of one that was not.

    What is observed in all of them is added to ``seen``."""
    known = _facts_of(documents.groups, cache, dispatch)
    every = []
    for spans, sums in zip(documents.spans, sum_documents(documents), strict=True):
        events = ChunkEvents(seen)
        if spans is not None and spans.groups is not None:
            _add_events(spans.groups, sums, events, known, counts_activity)
        every.append(events)
    return every


def _facts_of(groups: RecordGroups, cache: SignatureCache, dispatch: Dispatch) -> NumberedFacts:
    """Return what follows from the table of groups, of all that it has."""
    known: NumberedFacts = groups.table.facts
    if known is None or known.dispatch is not dispatch:
        known = groups.table.facts = NumberedFacts(groups.table, cache, dispatch)
    known.learn()
    return known


def _add_events(
    groups: RecordGroups,
    sums: GroupSums,
    events: ChunkEvents,
    known: NumberedFacts,
    counts_activity: bool,
) -> None:
    """Add the events of groups by their sums."""
    _observe(sums, events.seen, known, counts_activity)
    if sums.origins:
        events.span = min(sums.firsts), max(sums.lasts)
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
    if counts_activity:
        events.by_origin = _list_groups(sums, known)
        events.groups = CallGroups(
            groups.table.calls_of(groups.numbers), known.calls, groups.sizes(), members
        )


def _observe(
    sums: GroupSums, seen: OriginSpans, known: NumberedFacts, counts_activity: bool
) -> None:
    """Widen the spans of what is observed of origins."""
    origins = list(map(known.origins.__getitem__, sums.origins))
    spans = zip(sums.firsts, sums.lasts, strict=True)
    observed = [each.observed_for(counts_activity) for each in origins]
    widen_spans(seen.seen, zip(observed, spans, strict=True))
    spans = zip(sums.change_firsts, sums.change_lasts, strict=True)
    changed = [
        (origin.changed, span)
        for origin, span in zip(origins, spans, strict=True)
        if origin.changed and span[0] <= span[1]
    ]
    widen_spans(seen.changed, changed)


def _list_groups(sums: GroupSums, known: NumberedFacts) -> dict[OriginFacts, OriginEvents]:
    by_origin: dict[OriginFacts, OriginEvents] = {}
    for number, first, last, groups in zip(
        sums.origins, sums.firsts, sums.lasts, sums.groups_of_origin(), strict=True
    ):
        origin = known.origins[number]
        events = by_origin.get(origin)
        if events is None:
            by_origin[origin] = OriginEvents(groups, first, last)
            continue
        # Of two texts that decode alike there are two numbers, and one origin.
        events.groups += groups
        events.first, events.last = min(events.first, first), max(events.last, last)
    return by_origin


class _Origins(Generations[int, OriginFacts]):
    """What follows from the origins of a table, by their numbers."""

    def __init__(self, table: HeadParts, cache: SignatureCache) -> None:
        super().__init__()
        self._table = table
        self._cache = cache

    def _find(self, key: int) -> OriginFacts:
        facts = self[key] = self._cache.origin_facts(self._table.origins[key])
        return facts


class NumberedFacts:
    """What follows from the origins and calls of a table, by their numbers.

    ``calls`` are what follows from calls. ``callers`` are known by what they refuse."""

    def __init__(self, table: HeadParts, cache: SignatureCache, dispatch: Dispatch) -> None:
        self.dispatch = dispatch
        self.origins = _Origins(table, cache)
        self._table = table
        self._cache = cache
        self.calls: list[Any] = [None]
        self._candidates: list[Any] = [None]
        self._postings: dict[PrincipalHashes, int] = {}
        self.callers = table.new_callers()
        self._questions: dict[Candidates, int] = {}
        self._caller_questions: dict[tuple[str, ...], int] = {}
        self._questions_of_rules: dict[AskedRules, int] = {}
        self._judged: dict[int, SignatureFacts | None] = {}
        self._learned = 1

    def learn(self) -> None:
        """Tell the table what follows from its origins and calls that came since the last time."""
        table = self._table
        for number in range(self._learned, table.origin_count):
            hashes = self.origins[number].client.principal_hashes
            table.posting_of[number] = self._posting_of(hashes)
            table.refused[number] = 0
        self._learned = table.origin_count
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

    def turn(self) -> set[OriginFacts]:
        """Forget what was not asked for since the last time; return the origins that are left."""
        left = set(self.origins.turn().values())
        judged = self._judged.items()
        self._judged = {key: it for key, it in judged if it is None or it.origin in left}
        self.callers.keep_views_of(self._judged)
        self._questions_of_rules.clear()
        return left

    def origin_of(self, number: int) -> OriginFacts:
        """Return what follows from the origin of a head."""
        return self.origins[self._table.parts(number)[0]]

    def call_of(self, number: int) -> CallFacts:
        """Return what follows from the call of a head."""
        call: CallFacts = self.calls[self._table.parts(number)[1]]
        return call

    def judged(self, number: int) -> SignatureFacts | None:
        """Return what follows from a head, with the rules that its records may match.

        None where there are no such rules."""
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

    def _posting_of(self, hashes: PrincipalHashes) -> int:
        number = self._postings.get(hashes)
        if number is None:
            number = self._postings[hashes] = len(self._postings)
            self._table.name_posting(number, posting_name(hashes))
        return number

    def _question_of(self, candidates: Candidates) -> int:
        """Return the bit of the candidates of a call; 0 where it has none."""
        if not candidates:
            return 0
        number = self._questions.setdefault(candidates, len(self._questions))
        return min(1 << number, _UNNUMBERED)

    def _caller_question_of(self, asked: AskedRules) -> int:
        """Return the bit by which callers refuse all of some rules; 0 where none can."""
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
