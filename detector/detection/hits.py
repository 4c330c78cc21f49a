"""The hits of a chunk: which of its events pass which rules, and as what they are kept.

The records of one signature mostly have one caller too: what rules say of them is asked once. Only
for a rule that reads further is a record decoded whole.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any, NamedTuple

import msgspec

from detector.detection.event import Event, Position
from detector.detection.principal import STS
from detector.detection.record_view import HitFields, NotInView, RecordView, read_hit_fields
from detector.detection.signature_cache import SignatureGroup
from detector.esql.plan.accumulators import Inputs
from detector.formats import Records
from detector.rules.rule import Rule

RuleHit = tuple[Rule, tuple[Any, ...], Inputs]
"""A rule, and the key and inputs of a row that it makes of an event."""
AddHits = Callable[[Event, Sequence[RuleHit]], None]


class _Verdict(NamedTuple):
    """What rules say of all records of a view.

    ``event`` is right but for time, id and position. ``timed`` are the indexes of hits with their
    inputs that are times; ``undecided`` are the rules that read further."""

    event: Event
    hits: list[RuleHit]
    timed: list[tuple[int, tuple[int, ...]]]
    undecided: list[Rule]

    def hits_at(self, time: int) -> list[RuleHit]:
        """Return the hits of an event at this time."""
        hits = self.hits.copy()
        for number, times in self.timed:
            rule, key, inputs = hits[number]
            changed = list(inputs)
            for index in times:
                changed[index] = time * 1000
            hits[number] = rule, key, tuple(changed)
        return hits


class HitCollector:
    """Evaluates rules over the records of a chunk.

    ``add`` takes each event that is a hit. ``count`` are the hits, ``too_deep`` the records that
    are nested too deep to be read; ``rule_seconds`` are what each rule took."""

    def __init__(self, records: Records, source: str, offset: int, add: AddHits) -> None:
        self._records = records
        self._source = source
        self._offset = offset
        self._add = add
        self.count = 0
        self.too_deep = 0
        self.rule_seconds: dict[str, float] = defaultdict(float)

    def collect(self, group: SignatureGroup, rules: Sequence[Rule]) -> None:
        """Add the hits among the events of one signature."""
        verdicts: dict[tuple[bytes, str | None], _Verdict | None] = {}
        # What a call to STS issued stands beyond its view.
        is_viewed = group.signature.event_source != STS
        for index in group.timed:
            fields = read_hit_fields(self._records.encoded(index)) if is_viewed else None
            if fields is None:
                self._collect_whole(index, rules, None)
                continue
            key = bytes(fields.userIdentity), fields.errorMessage
            if key in verdicts:
                verdict = verdicts[key]
            else:
                verdict = verdicts[key] = self._judge(group, rules, fields)
            if verdict is None:
                self._collect_whole(index, rules, None)
            elif verdict.undecided:
                self._collect_whole(index, verdict.undecided, verdict)
            elif verdict.hits:
                self._collect_viewed(index, fields, verdict)

    def _judge(
        self, group: SignatureGroup, rules: Sequence[Rule], fields: HitFields
    ) -> _Verdict | None:
        """Ask rules for what they say of a view; None where there is none."""
        view: Any = RecordView.of(group.signature, fields)
        if view is None:
            return None
        event = Event.of_view(view, Position(self._source, self._offset, 0))
        verdict = _Verdict(event, [], [], [])
        for rule in rules:
            times = rule.query.time_inputs
            begun = perf_counter()
            try:
                if times is None:
                    raise NotInView
                for key, inputs in rule.query.rows(view, 0, is_accepted=True):
                    if times:
                        verdict.timed.append((len(verdict.hits), times))
                    verdict.hits.append((rule, key, inputs))
            except (NotInView, RecursionError):
                verdict.undecided.append(rule)
            self.rule_seconds[rule.rule_id] += perf_counter() - begun
        return verdict

    def _collect_viewed(self, index: int, fields: HitFields, verdict: _Verdict) -> None:
        time: Any = self._records.times[index]
        event = msgspec.structs.replace(
            verdict.event,
            event_id=fields.eventID,
            time=time,
            position=Position(self._source, self._offset, index),
        )
        self.count += 1
        self._add(event, verdict.hits_at(time))

    def _collect_whole(self, index: int, rules: Sequence[Rule], verdict: _Verdict | None) -> None:
        """Evaluate rules over a whole record, which a view's ``verdict`` has not decided."""
        time: Any = self._records.times[index]
        hits = verdict.hits_at(time) if verdict else []
        try:
            record = self._records.record(index)
            for rule in rules:
                begun = perf_counter()
                hits += [(rule, *row) for row in rule.query.rows(record, time, is_accepted=True)]
                self.rule_seconds[rule.rule_id] += perf_counter() - begun
            if not hits:
                return
            position = Position(self._source, self._offset, index)
            event = Event.of(record, self._records.canonical(index), time, position)
        except RecursionError:
            self.too_deep += 1
            return
        self.count += 1
        self._add(event, hits)
