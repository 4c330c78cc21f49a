"""The hits of a chunk: which of its events pass which rules, and what is kept of them.

Most records of a signature also have the same caller, so the rules are evaluated once for all of
them. If a rule reads further fields, their names are noted, and records with the same values in
them share the outcome, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice, repeat
from typing import Any

import msgspec

from detector.cloudtrail.record_fields import raw_values, texts
from detector.detection.columns.event_columns import EventColumns
from detector.detection.event import KeptEvent, Match, Position
from detector.detection.outcomes.outcome import (
    NO_HITS,
    RuleOutcome,
    ViewVerdict,
    view_size,
)
from detector.detection.outcomes.rule_asker import RuleAsker
from detector.detection.record_view import (
    HitFields,
    NotedRecord,
    fields_of_view,
    read_hit_fields,
)
from detector.detection.signature_cache import SignatureGroup
from detector.ecs.getters import present
from detector.esql.plan.shared_inputs import OWN_ATTRIBUTES
from detector.formats import Records
from detector.formats.decoded.hit_runs import RecordRuns
from detector.formats.heads.decoded_callers import HitCallers
from detector.formats.native.groups import RawHit, RawView
from detector.formats.native.hit_runs import Questions
from detector.rules.dispatch import Dispatch
from detector.rules.rule import Rule

_VIEWS_LIMIT = 4
"""How many views are remembered per signature; most signatures have one."""
_VIEW_BYTES = 4096
"""The greatest size of a remembered view's caller and error message together."""
_OUTCOMES_LIMIT = 16
"""How many outcomes are remembered per view; most views have one or two."""
_ANSWERS_LIMIT = 4
"""How many views of a client's call are remembered for other regions."""
_OWN_ATTRIBUTES = {"document", "event_time", *OWN_ATTRIBUTES}
"""The attributes whose values hardly any two records share."""
_UNKNOWN: Any = object()
"""Marks a view whose event is not known yet."""


class HitCollector:
    """Evaluates rules over the records of a chunk.

    Hits are added to ``found``; ``callers`` remembers which callers refuse which rules. ``count``
    is the number of hits, ``too_deep`` that of records nested too deep to be read; ``rule_seconds``
    has the seconds that each rule took, ``kept_bytes`` is about how much memory signatures have
    gained."""

    def __init__(
        self,
        records: Records,
        dispatch: Dispatch,
        source: str,
        offset: int,
        found: EventColumns,
        callers: HitCallers,
    ) -> None:
        self._records = records
        self._dispatch = dispatch
        self._source = source
        self._offset = offset
        self._found = found
        self._callers = callers
        self._chunk: int | None = None
        self.count = 0
        self.too_deep = 0
        self.kept_bytes = 0
        self._asker = RuleAsker()
        self.rule_seconds = self._asker.seconds

    def collect(self, groups: Sequence[SignatureGroup]) -> None:
        """Add the hits among the events of some signatures."""
        facts = [group.facts for group in groups]
        questions = Questions(
            self._callers, [each.question for each in facts], [each.head for each in facts]
        )
        runs = self._records.hit_runs([group.timed for group in groups], questions)
        views = self._callers.views
        events = list(map(views.get, runs.views, repeat(_UNKNOWN)))
        for number, event in enumerate(events):
            if event is _UNKNOWN:
                group = groups[runs.groups[number]]
                is_refused = self._is_refused(runs.callers[number], group)
                event = None if is_refused else self._event_of_run(runs, number, group, views)
                events[number] = event
        if any(event is not None for event in events):
            chunk, times = self._chunk_number(), self._records.times
            self.count += self._found.add_runs(events, chunk, runs, times)

    def _limit(self, group: SignatureGroup, verdicts: dict[Any, ViewVerdict], known: int) -> bool:
        """Count the bytes of the verdicts that a group gained; drop all its verdicts if too large.

        ``known`` is the number of verdicts before. Returns whether they are kept."""
        if len(verdicts) > known:
            new = islice(verdicts, known, None)
            sizes = list(map(view_size, new))
            if len(verdicts) > _VIEWS_LIMIT or max(sizes, default=0) > _VIEW_BYTES:
                group.facts.verdicts = {}
                return False
            self.kept_bytes += sum(sizes)
        return True

    def _is_refused(self, caller: int, group: SignatureGroup) -> bool:
        """Return whether a caller was found to refuse the group's rules after the runs were cut."""
        return self._callers.refuses(caller, group.facts.question)

    def _event_of_run(
        self, runs: RecordRuns, number: int, group: SignatureGroup, views: dict[int, Any]
    ) -> KeptEvent | None:
        """Return the event that all records of a run share, apart from their own fields.

        None if none is a hit, or if the hits were added one by one."""
        raw = self._records.raw_hit(runs.first(number))
        answer: RuleOutcome | None = raw and group.facts.asked.answers.get(raw[0])
        if answer is not None:
            event = answer.event_in(group.facts.origin.region)
        else:
            event, is_settled = self._judge_run(runs, number, group, raw)
            if not is_settled:
                return event
        if runs.views[number]:
            views[runs.views[number]] = event
        return event

    def _judge_run(
        self, runs: RecordRuns, number: int, group: SignatureGroup, raw: RawHit | None
    ) -> tuple[KeptEvent | None, bool]:
        """Return the event of a run, and whether it holds for all other runs of the view."""
        verdicts: dict[Any, ViewVerdict] = group.facts.verdicts
        known = len(verdicts)
        if raw is None:
            self._collect_decoded(runs.first(number), group, verdicts)
            self._limit(group, verdicts, known)
            return None, False
        view, _ = raw
        verdict = verdicts.get(view) or self._verdict_of(group, view, verdicts)
        if verdict is NO_HITS:
            self._callers.refuse(runs.callers[number], group.facts.question)
        if verdict.settled is None:
            fields = fields_of_view(view)
            for index, identity in runs.records(number):
                self._collect_unsettled(index, group, verdict, fields, identity)
                if verdict.settled is not None:
                    break
        is_kept = self._limit(group, verdicts, known)
        if verdict.settled is None:
            return None, False
        return verdict.settled.event, is_kept

    def _collect_decoded(
        self, index: int, group: SignatureGroup, verdicts: dict[Any, ViewVerdict]
    ) -> None:
        """Evaluate a record whose fields must be decoded, and add it if it is a hit."""
        fields = read_hit_fields(self._records.encoded(index))
        if fields is None:
            self._collect_whole(index, group.facts.asked.rules)
            return
        view = fields.decided_by
        verdict = verdicts.get(view) or self._verdict_of(group, view, verdicts)
        self._collect_unsettled(index, group, verdict, fields, name=fields.eventID)

    def _collect_unsettled(
        self,
        index: int,
        group: SignatureGroup,
        verdict: ViewVerdict,
        fields: HitFields | None,
        identity: bytes = b"",
        name: str | None = None,
    ) -> None:
        """Evaluate a record whose view may not decide; add a hit by its identity or its id
        (``name``).

        A record given by identity is not added if its outcome settles that of its whole run."""
        try:
            outcome = verdict.settled or self._outcome_of(index, group, verdict, fields)
            if verdict.settled is not None and name is None:
                return
            if outcome is None:
                self._collect_whole(index, [*verdict.rules, *verdict.timed])
                return
            event = self._event_of(index, outcome, verdict)
        except RecursionError:
            self.too_deep += 1
            return
        if event is not None:
            if name is not None:
                identity, event = event.named(name)
            time: Any = self._records.times[index]
            self.count += 1
            self._found.add_alike(event, self._chunk_number(), identity, [time], [index])

    def _chunk_number(self) -> int:
        if self._chunk is None:
            self._chunk = self._found.chunk_number(self._source, self._offset)
        return self._chunk

    def _event_of(self, index: int, outcome: RuleOutcome, verdict: ViewVerdict) -> KeptEvent | None:
        """Return a record's event without time, id and position; None if it is not a hit."""
        event = outcome.event
        if event is None or not (outcome.own or verdict.timed):
            return event
        matches = [*self._matches_of(index, outcome), *self._timed_matches(index, verdict)]
        return msgspec.structs.replace(event, matches=tuple(matches)) if matches else None

    def _verdict_of(
        self, group: SignatureGroup, view: RawView, verdicts: dict[Any, ViewVerdict]
    ) -> ViewVerdict:
        """Make the verdict on a new view; it is not kept if the caller alone decides."""
        asked = group.facts.asked
        answer: RuleOutcome | None = asked.answers.get(view)
        if answer is not None:  # the client keeps it already
            event = answer.event_in(group.facts.origin.region)
            return ViewVerdict(view, [], [], settled=answer._replace(event=event))
        left = self._dispatch.of_caller(asked.rules, view[0])
        if not left:
            return NO_HITS
        timed = [rule for rule in left if rule.query.time_inputs is None]
        if timed:
            left = [rule for rule in left if rule.query.time_inputs is not None]
        verdicts[view] = ViewVerdict(view, left, timed)
        return verdicts[view]

    def _outcome_of(
        self, index: int, group: SignatureGroup, verdict: ViewVerdict, fields: HitFields | None
    ) -> RuleOutcome | None:
        """Return the outcome of a record; None if the whole record must be evaluated."""
        values = None
        if verdict.outcomes:
            values = raw_values(self._records.encoded(index), verdict.reads)
            outcome = verdict.outcomes.get(values)
            if outcome is not None:
                return outcome
        record = NotedRecord.of(group.facts.signature, fields) if fields else None
        if record is None:
            return None
        record.decode = lambda: self._records.record(index)
        outcome, is_of_region = self._asker.ask(verdict, record)
        if not _OWN_ATTRIBUTES.isdisjoint(record.read):
            return outcome
        if not record.read.issubset(verdict.reads):
            verdict.reads = tuple(sorted(record.read.union(verdict.reads)))
            verdict.outcomes = {}
            values = None
        if not verdict.reads and not outcome.own and not verdict.timed:
            verdict.settled = outcome
            if not is_of_region:
                self._share(outcome, group, verdict)
        elif len(verdict.outcomes) < _OUTCOMES_LIMIT:
            if values is None:
                values = raw_values(self._records.encoded(index), verdict.reads)
            verdict.outcomes[values] = outcome
            self.kept_bytes += outcome.size + sum(len(str(each)) for each in values)
        return outcome

    def _share(self, outcome: RuleOutcome, group: SignatureGroup, verdict: ViewVerdict) -> None:
        """Remember an outcome for the same call in other regions, as a sweep calls in all of
        them."""
        answers, view = group.facts.asked.answers, verdict.view
        if len(answers) < _ANSWERS_LIMIT and view_size(view) <= _VIEW_BYTES:
            answers[view] = outcome
            self.kept_bytes += view_size(view) + outcome.size

    def _matches_of(self, index: int, outcome: RuleOutcome) -> Sequence[Match]:
        """Return the matches of a record, with its own values filled in."""
        if not outcome.own:
            return outcome.matches
        read = texts(self._records.encoded(index), OWN_ATTRIBUTES)
        own = dict(zip(OWN_ATTRIBUTES, map(present, read), strict=True))
        rows = [list(inputs) for _, inputs in outcome.matches]
        for match, place, attribute in outcome.own:
            rows[match][place] = own[attribute]
        return [
            (series, tuple(row)) for (series, _), row in zip(outcome.matches, rows, strict=True)
        ]

    def _timed_matches(self, index: int, verdict: ViewVerdict) -> list[Match]:
        """Return the matches of a record with the rules that depend on its time."""
        if not verdict.timed:
            return []
        time: Any = self._records.times[index]
        return self._asker.evaluate(self._records.record(index), time, verdict.timed)

    def _collect_whole(self, index: int, rules: Sequence[Rule]) -> None:
        """Evaluate rules over a whole record."""
        time: Any = self._records.times[index]
        try:
            record = self._records.record(index)
            matches = self._asker.evaluate(record, time, rules)
            if not matches:
                return
            position = Position(self._source, self._offset, index)
            raw = self._records.canonical(index)
            identity, event = KeptEvent.of(record, raw, time, position, tuple(matches))
        except RecursionError:
            self.too_deep += 1
            return
        self.count += 1
        self._found.add(identity, event)
