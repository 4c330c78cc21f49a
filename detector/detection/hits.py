"""The hits of a chunk: which of its events pass which rules, and as what they are kept.

The records of one signature mostly have one caller too: what rules say of them is asked once. Only
for a rule that reads further is a record decoded whole.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import islice
from time import perf_counter
from typing import Any, NamedTuple

import msgspec

from detector.detection.event import (
    EVENT_TIME,
    KeptEvent,
    Match,
    Matches,
    Position,
    Series,
    inputs_without_time,
)
from detector.detection.principal import STS
from detector.detection.record_view import HitFields, NotInView, RecordView, read_hit_fields
from detector.detection.signature_cache import SignatureGroup
from detector.esql.plan.accumulators import Inputs
from detector.formats import Records
from detector.rules.rule import Rule

AddHit = Callable[[bytes, KeptEvent], None]
_VIEWS_LIMIT = 4
"""Of the views of a signature that are remembered; most have one."""
_VIEW_BYTES = 4096
"""Of the caller and the error message of a view that is remembered."""


class _Verdict(NamedTuple):
    """What rules say of all records of a view.

    ``undecided`` are the rules that read further. ``event`` is that of the records, but for its
    time, id and position; None where there are neither ``matches`` nor undecided rules.
    ``is_final``: nothing more of the records needs to be read."""

    matches: Matches
    undecided: list[Rule]
    event: KeptEvent | None
    is_final: bool


class HitCollector:
    """Evaluates rules over the records of a chunk.

    ``add`` takes each event that is a hit. ``count`` are the hits, ``too_deep`` the records that
    are nested too deep to be read; ``rule_seconds`` are what each rule took; ``view_bytes`` are
    those of the views that signatures have come to keep."""

    def __init__(self, records: Records, source: str, offset: int, add: AddHit) -> None:
        self._records = records
        self._source = source
        self._offset = offset
        self._add = add
        self.count = 0
        self.too_deep = 0
        self.view_bytes = 0
        self.rule_seconds: dict[str, float] = defaultdict(float)

    def collect(self, group: SignatureGroup, rules: Sequence[Rule]) -> None:
        """Add the hits among the events of one signature."""
        verdicts: dict[Any, _Verdict | None] = group.facts.verdicts
        known = len(verdicts)
        raw_hit, times = self._records.raw_hit, self._records.times
        last: Any = None
        for index in group.timed:
            raw = raw_hit(index)
            if raw is None:
                self._collect_decoded(index, group, rules, verdicts)
                continue
            view, identity = raw
            if view != last:  # mostly one caller calls several times
                if view not in verdicts:
                    fields = read_hit_fields(self._records.encoded(index))
                    verdicts[view] = self._judge(group, rules, fields) if fields else None
                verdict, last = verdicts[view], view
            if verdict is None or not verdict.is_final:
                self._collect_undecided(index, rules, verdict)
            elif verdict.event is not None:
                time: Any = times[index]
                position = Position(self._source, self._offset, index)
                self.count += 1
                self._add(identity, verdict.event.copy_at(time, position, verdict.matches))
        if len(verdicts) == known:
            return
        sizes = list(map(_view_size, islice(verdicts, known, None)))
        if len(verdicts) > _VIEWS_LIMIT or max(sizes) > _VIEW_BYTES:
            group.facts.verdicts = {}
        else:
            self.view_bytes += sum(sizes)

    def _collect_decoded(
        self,
        index: int,
        group: SignatureGroup,
        rules: Sequence[Rule],
        verdicts: dict[Any, _Verdict | None],
    ) -> None:
        """Add a hit whose fields must be decoded."""
        fields = read_hit_fields(self._records.encoded(index))
        if fields is None:
            self._collect_whole(index, rules, None)
            return
        view = fields.decided_by
        if view in verdicts:
            verdict = verdicts[view]
        else:
            verdict = verdicts[view] = self._judge(group, rules, fields)
        if verdict is None or not verdict.is_final:
            self._collect_undecided(index, rules, verdict)
        elif verdict.event is not None:
            self._collect_viewed(index, fields, verdict, verdict.event)

    def _collect_undecided(
        self, index: int, rules: Sequence[Rule], verdict: _Verdict | None
    ) -> None:
        """Add a hit whose view does not tell all of it."""
        self._collect_whole(index, verdict.undecided if verdict else rules, verdict)

    def _judge(
        self, group: SignatureGroup, rules: Sequence[Rule], fields: HitFields
    ) -> _Verdict | None:
        """Ask rules for what they say of a view; None where there is none."""
        view: Any = RecordView.of(group.signature, fields)
        if view is None:
            return None
        matches: list[Match] = []
        undecided = []
        for rule in rules:
            times = rule.query.time_inputs
            begun = perf_counter()
            try:
                if times is None:
                    raise NotInView
                found = _matches(rule, rule.query.rows(view, 0, is_accepted=True))
                matches += [(series, _at_any_time(inputs, times)) for series, inputs in found]
            except (NotInView, RecursionError):
                undecided.append(rule)
            self.rule_seconds[rule.rule_id] += perf_counter() - begun
        event = None
        if matches or undecided:
            event = KeptEvent.of_view(view, Position(self._source, self._offset, 0))
        # The key that a call to STS issued stands beyond its view.
        is_final = not undecided and not (matches and group.signature.event_source == STS)
        return _Verdict(tuple(matches), undecided, event, is_final)

    def _collect_viewed(
        self, index: int, fields: HitFields, verdict: _Verdict, event: KeptEvent
    ) -> None:
        time: Any = self._records.times[index]
        self.count += 1
        self._add(
            *event.at(
                fields.eventID or "",
                time,
                Position(self._source, self._offset, index),
                verdict.matches,
            )
        )

    def _collect_whole(self, index: int, rules: Sequence[Rule], verdict: _Verdict | None) -> None:
        """Evaluate rules over a whole record, which a view's ``verdict`` has not decided."""
        time: Any = self._records.times[index]
        matches = list(verdict.matches) if verdict else []
        try:
            record = self._records.record(index)
            for rule in rules:
                begun = perf_counter()
                found = _matches(rule, rule.query.rows(record, time, is_accepted=True))
                matches += [(series, inputs_without_time(it, time)) for series, it in found]
                self.rule_seconds[rule.rule_id] += perf_counter() - begun
            if not matches:
                return
            position = Position(self._source, self._offset, index)
            template = verdict.event if verdict else None
            if template is None or record.event_source == STS:
                raw = self._records.canonical(index)
                identity, event = KeptEvent.of(record, raw, time, position, tuple(matches))
            else:
                name = record.event_id or ""
                identity, event = template.at(name, time, position, tuple(matches))
        except RecursionError:
            self.too_deep += 1
            return
        self.count += 1
        self._add(identity, event)


def _view_size(view: tuple[bytes, object, bool]) -> int:
    caller, message, _ = view
    return len(caller) + len(str(message))


def _at_any_time(inputs: Inputs, times: Sequence[int]) -> Inputs:
    """Return inputs of which those with the indexes ``times`` are the event's time."""
    if not times:
        return inputs
    values = list(inputs)
    for index in times:
        values[index] = EVENT_TIME
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
