"""The hits of a chunk: which of its events pass which rules, and as what they are kept.

The records of one signature mostly have one caller too: what rules say of them is asked once. What
a rule reads further is noted, and those that agree in it too are not asked for again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import islice
from time import perf_counter
from typing import Any, NamedTuple

import msgspec

from detector.cloudtrail.record import Record
from detector.cloudtrail.record_fields import raw_values, texts
from detector.detection.columns.event_columns import EventColumns
from detector.detection.event import (
    EVENT_REGION,
    EVENT_TIME,
    KeptEvent,
    Match,
    Matches,
    Position,
    Series,
    inputs_without_time,
    issued_key,
)
from detector.detection.record_view import NotedRecord, read_hit_fields
from detector.detection.signature_cache import SignatureGroup
from detector.ecs.getters import present
from detector.esql.plan.accumulators import Inputs
from detector.esql.plan.shared_inputs import OWN_ATTRIBUTES, SharedInputs
from detector.formats import Records
from detector.formats.native.callers import KnownCallers
from detector.formats.native.columns import IDENTITY
from detector.formats.native.groups import RawView
from detector.formats.native.hit_runs import HitRun, Questions
from detector.rules.dispatch import Dispatch
from detector.rules.rule import Rule

_NOWHERE = Position("", 0, 0)
_VIEWS_LIMIT = 4
"""Of the views of a signature that are remembered; most have one."""
_VIEW_BYTES = 4096
"""Of the caller and the error message of a view that is remembered."""
_OUTCOMES_LIMIT = 16
"""Of the outcomes of a view that are remembered; most have one or two."""
_ANSWERS_LIMIT = 4
"""Of the views of a client's call that are remembered for other regions."""
_OWN_ATTRIBUTES = {"document", "event_time", *OWN_ATTRIBUTES}
"""The attributes of a record that hardly two have in common."""


class _Outcome(NamedTuple):
    """What rules say of records that agree in all that the rules read of them.

    ``event`` is theirs but for time, id and position; None where no rule may match. ``own`` are the
    inputs of matches that are each record's own: the match's index, the input's, the attribute."""

    matches: Matches
    event: KeptEvent | None
    own: tuple[tuple[int, int, str], ...] = ()


class _Answer(NamedTuple):
    """What rules say of the records of a view, in whatever region."""

    view: RawView
    outcome: _Outcome

    def at(self, region: str) -> _Outcome:
        """Return the outcome in a region."""
        event = self.outcome.event
        if event is None or event.region == region:
            return self.outcome
        return _Outcome(self.outcome.matches, event.made_in(region), self.outcome.own)


class _Verdict(msgspec.Struct, gc=False):
    """What rules say of the records of a view.

    ``outcomes`` are by the values of the attributes ``reads``, which rules read beyond the view.
    ``settled`` is that of all records, where nothing more of them has to be read. ``timed`` are the
    rules that depend on an event's time: they are asked for each record. ``is_shared``: it is that
    of the same call in another region, where it is kept."""

    view: Any
    rules: list[Rule]
    timed: list[Rule]
    is_shared: bool = False
    reads: tuple[str, ...] = ()
    outcomes: dict[tuple[object, ...], _Outcome] = {}
    settled: _Outcome | None = None


_NO_HITS = _Verdict(None, [], [], settled=_Outcome((), None))


class HitCollector:
    """Evaluates rules over the records of a chunk.

    Events that are hits are added to ``found``, but of ``callers`` who are known to refuse it.
    ``count`` are the hits, ``too_deep`` the records that are nested too deep to be read;
    ``rule_seconds`` are what each rule took; ``kept_bytes`` what signatures have come to keep."""

    def __init__(
        self, records: Records, dispatch: Dispatch, source: str, offset: int, found: EventColumns
    ) -> None:
        self._records = records
        self._dispatch = dispatch
        self._source = source
        self._offset = offset
        self._found = found
        self.callers: KnownCallers | None = None
        self._chunk: int | None = None
        self.count = 0
        self.too_deep = 0
        self.kept_bytes = 0
        self.rule_seconds: dict[str, float] = defaultdict(float)

    def collect(self, groups: Sequence[SignatureGroup]) -> None:
        """Add the hits among the events of some signatures."""
        asked = [group.facts.question for group in groups]
        questions = Questions(self.callers, asked) if self.callers else None
        runs = self._records.hit_runs([group.timed for group in groups], questions)
        for number in range(len(groups)) if runs is None else runs.groups():
            group = groups[number]
            verdicts: dict[Any, _Verdict] = group.facts.verdicts
            known = len(verdicts)
            if runs is None:
                for index in group.timed:
                    self._collect_decoded(index, group, verdicts)
            else:
                for run in runs.of_group(number):
                    self._collect_run(run, group, verdicts)
            if len(verdicts) > known:
                self._limit(group, verdicts, known)

    def _limit(self, group: SignatureGroup, verdicts: dict[Any, _Verdict], known: int) -> None:
        """Count what a group has come to keep, which is dropped where it is much."""
        new = islice(verdicts.items(), known, None)
        sizes = [_view_size(view) for view, verdict in new if not verdict.is_shared]
        if len(verdicts) > _VIEWS_LIMIT or max(sizes, default=0) > _VIEW_BYTES:
            group.facts.verdicts = {}
        else:
            self.kept_bytes += sum(sizes)

    def _collect_run(
        self, run: HitRun, group: SignatureGroup, verdicts: dict[Any, _Verdict]
    ) -> None:
        """Add the hits among records of one view."""
        indexes, identities, caller = run
        raw = self._records.raw_hit(indexes[0])
        if raw is None:
            self._collect_decoded(indexes[0], group, verdicts)
            return
        view, _ = raw
        verdict = verdicts.get(view) or self._verdict_of(group, view, verdicts)
        if verdict is _NO_HITS and self.callers is not None:
            self.callers.refuse(caller, group.facts.question)
        first = 0
        while verdict.settled is None and first < len(indexes):
            identity = identities[first * IDENTITY : (first + 1) * IDENTITY]
            self._collect_unsettled(indexes[first], group, verdict, identity)
            first += 1
        if verdict.settled is None or verdict.settled.event is None or first == len(indexes):
            return
        if first:
            indexes, identities = indexes[first:], identities[first * IDENTITY :]
        self._add(verdict.settled.event, indexes, identities)

    def _collect_decoded(
        self, index: int, group: SignatureGroup, verdicts: dict[Any, _Verdict]
    ) -> None:
        """Add a hit whose fields must be decoded."""
        fields = read_hit_fields(self._records.encoded(index))
        if fields is None:
            self._collect_whole(index, group.facts.asked.rules)
            return
        view = fields.decided_by
        verdict = verdicts.get(view) or self._verdict_of(group, view, verdicts)
        self._collect_unsettled(index, group, verdict, name=fields.eventID)

    def _collect_unsettled(
        self,
        index: int,
        group: SignatureGroup,
        verdict: _Verdict,
        identity: bytes = b"",
        name: str | None = None,
    ) -> None:
        """Add a hit of which its view may not tell all, by its identity or its id."""
        try:
            outcome = verdict.settled or self._outcome_of(index, group, verdict)
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
            self._add(event, [index], identity)

    def _add(self, event: KeptEvent, indexes: Sequence[int], identities: bytes) -> None:
        """Add hits that are one event but for identity, time and place."""
        times: Sequence[Any] = self._records.times
        self.count += len(indexes)
        if self._chunk is None:
            self._chunk = self._found.chunk_number(self._source, self._offset)
        self._found.add_alike(
            event, self._chunk, identities, [times[index] for index in indexes], indexes
        )

    def _event_of(self, index: int, outcome: _Outcome, verdict: _Verdict) -> KeptEvent | None:
        """Return a record's event, but for what is each one's own; None where it is no hit."""
        event = outcome.event
        if event is None or not (outcome.own or verdict.timed):
            return event
        matches = [*self._matches_of(index, outcome), *self._timed_matches(index, verdict)]
        return msgspec.structs.replace(event, matches=tuple(matches)) if matches else None

    def _verdict_of(
        self, group: SignatureGroup, view: RawView, verdicts: dict[Any, _Verdict]
    ) -> _Verdict:
        """Return the verdict on a view that is new; one that its caller decides is not kept."""
        asked = group.facts.asked
        answer: _Answer | None = asked.answers.get(view)
        if answer is not None:
            settled = answer.at(group.signature.aws_region or "")
            verdict = _Verdict(view, [], [], is_shared=True, settled=settled)
            verdicts[answer.view] = verdict
            return verdict
        left = self._dispatch.of_caller(asked.rules, view[0])
        if not left:
            return _NO_HITS
        timed = [rule for rule in left if rule.query.time_inputs is None]
        if timed:
            left = [rule for rule in left if rule.query.time_inputs is not None]
        verdicts[view] = _Verdict(view, left, timed)
        return verdicts[view]

    def _outcome_of(self, index: int, group: SignatureGroup, verdict: _Verdict) -> _Outcome | None:
        """Return what rules say of records like one; None where it has to be evaluated whole."""
        values = None
        if verdict.outcomes:
            values = raw_values(self._records.encoded(index), verdict.reads)
            outcome = verdict.outcomes.get(values)
            if outcome is not None:
                return outcome
        fields = read_hit_fields(self._records.encoded(index))
        record = NotedRecord.of(group.signature, fields) if fields else None
        if record is None:
            return None
        record.decode = lambda: self._records.record(index)
        outcome, is_of_region = self._ask(verdict, record)
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
            self.kept_bytes += _outcome_size(values, outcome)
        return outcome

    def _share(self, outcome: _Outcome, group: SignatureGroup, verdict: _Verdict) -> None:
        """Remember an outcome for the same call in other regions: a sweep asks in all of them."""
        answers, view = group.facts.asked.answers, verdict.view
        if len(answers) < _ANSWERS_LIMIT and _view_size(view) <= _VIEW_BYTES:
            answers[view] = _Answer(view, outcome)
            self.kept_bytes += _view_size(view) + _outcome_size((), outcome)

    def _ask(self, verdict: _Verdict, record: Any) -> tuple[_Outcome, bool]:
        """Return what rules say of records like one, and whether that may be of its region only."""
        matches: list[Match] = []
        own: list[tuple[int, int, str]] = []
        for rule in verdict.rules:
            inputs_told = rule.query.shared_inputs
            begun = perf_counter()
            for series, inputs in _matches(rule, rule.query.shared_rows(record)):
                own += [(len(matches), *each) for each in inputs_told.own]
                matches.append((series, _anywhere(inputs, inputs_told)))
            self.rule_seconds[rule.rule_id] += perf_counter() - begun
        is_of_region = record.reads_region  # the event, made next, has it in any case
        event = None
        if matches or verdict.timed:
            event = KeptEvent.of_view(record, _NOWHERE)
            event = msgspec.structs.replace(
                event, issued_key=issued_key(record), matches=tuple(matches)
            )
        return _Outcome(tuple(matches), event, tuple(own)), is_of_region

    def _matches_of(self, index: int, outcome: _Outcome) -> Sequence[Match]:
        """Return the matches of a record, with the inputs that are its own."""
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

    def _timed_matches(self, index: int, verdict: _Verdict) -> list[Match]:
        """Return the matches of a record by the rules that depend on its time."""
        if not verdict.timed:
            return []
        return self._evaluate(
            self._records.record(index), self._records.times[index], verdict.timed
        )

    def _evaluate(self, record: Record, time: Any, rules: Sequence[Rule]) -> list[Match]:
        """Return the matches of a whole record."""
        matches: list[Match] = []
        for rule in rules:
            begun = perf_counter()
            found = _matches(rule, rule.query.rows(record, time, is_accepted=True))
            matches += [(series, inputs_without_time(it, time)) for series, it in found]
            self.rule_seconds[rule.rule_id] += perf_counter() - begun
        return matches

    def _collect_whole(self, index: int, rules: Sequence[Rule]) -> None:
        """Evaluate rules over a whole record."""
        time: Any = self._records.times[index]
        try:
            record = self._records.record(index)
            matches = self._evaluate(record, time, rules)
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


def _outcome_size(values: tuple[object, ...], outcome: _Outcome) -> int:
    """Return about how many bytes an outcome takes."""
    inputs = sum(len(inputs) for _, inputs in outcome.matches)
    return 64 * inputs + sum(len(str(each)) for each in values)


def _view_size(view: tuple[bytes, object, bool]) -> int:
    caller, message, _ = view
    return len(caller) + len(str(message))


def _anywhere(inputs: Inputs, told: SharedInputs) -> Inputs:
    """Return inputs with marks for the event's time and region."""
    if not told.times and not told.regions:
        return inputs
    values = list(inputs)
    for index in told.times:
        values[index] = EVENT_TIME
    for index in told.regions:
        values[index] = EVENT_REGION
    return tuple(values)


def _matches(rule: Rule, rows: Sequence[tuple[tuple[Any, ...], Inputs]]) -> list[Match]:
    """Return the matches of an event by the rows that a rule makes of it.

    Of two rows with one key the smaller inputs stand."""
    if len(rows) == 1:
        key, inputs = rows[0]
        return [(Series(rule.rule_id, key if rule.query.window else None), inputs)]
    found: dict[Series, Inputs] = {}
    for key, inputs in rows:
        series = Series(rule.rule_id, key if rule.query.window else None)
        present = found.setdefault(series, inputs)
        if present is not inputs:
            found[series] = min(present, inputs, key=msgspec.msgpack.encode)
    return list(found.items())
