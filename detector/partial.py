"""The one function that does the work: bytes -> a mergeable partial result.

The live tail, the process pool and a cluster all call ``digest``; ``merge`` is commutative, associative and
idempotent, so how the work was split and in what order it came back cannot change the result.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from time import perf_counter
from typing import TypeVar

import msgspec

from detector.alert import Event, Position
from detector.baseline import Sight, collect, widen
from detector.formats import Chunk, Records, parse
from detector.presence import marks, packed
from detector.record import Call, Head, identity
from detector.rules.dispatch import Dispatch
from detector.rules.rule import Rule
from detector.window import Inputs, WindowKey


class Tally(msgspec.Struct):
    """The accounting of one chunk, which ends before byte ``end``: seen = kept + skipped + rejected.

    ``hits`` of the kept were counted by some rule; ``first`` and ``last`` span the event times of the kept ones.
    """

    end: int
    seen: int = 0
    hits: int = 0
    skipped: dict[str, int] = {}
    rejected: dict[str, int] = {}
    first: int | None = None
    last: int | None = None
    marks: bytes = b""
    """Who is in it, as ``presence.packed`` has it."""
    bridged: int = 0
    """Records that came by EventBridge; of the chunks that have such, ``bridged_read_only`` are read-only calls."""
    bridged_read_only: int = 0


class Partial(msgspec.Struct, eq=True):
    """What some chunks hold for some rules. Keys are identities, so that a union never counts twice."""

    chunks: dict[tuple[str, int], Tally] = {}
    """By file and offset."""
    events: dict[bytes, Event] = {}
    """By ``record.identity``."""
    hits: dict[WindowKey, dict[bytes, Inputs]] = {}
    sights: dict[Sight, tuple[int, int]] = {}

    @classmethod
    def empty(cls) -> Partial:
        return cls({}, {}, {}, {})

    def merge(self, *others: Partial) -> Partial:
        """The union. Where two records claim one identity, the smaller one (by value) stands, whoever came first."""
        return merge([self, *others])


def merge(partials: Iterable[Partial]) -> Partial:
    """The union of any number of partials, a new one."""
    union = Partial.empty()
    for partial in partials:
        union.chunks.update(partial.chunks)
        _unite(union.events, partial.events)
        for key, hits in partial.hits.items():
            _unite(union.hits.setdefault(key, {}), hits)
        for sight, span in partial.sights.items():
            widen(union.sights, sight, span)
    return union


_T = TypeVar("_T", Event, Inputs)


def _unite(into: dict[bytes, _T], other: dict[bytes, _T]) -> None:
    for name, value in other.items():
        if (held := into.setdefault(name, value)) is not value and held != value:
            into[name] = min(held, value, key=_order)


def _order(value: Event | Inputs) -> tuple[object, ...]:
    """What tells which of two values stands; a file's name decides last, and need not be text that can be encoded."""
    if not isinstance(value, Event):
        return (msgspec.msgpack.encode(value),)
    *body, place = msgspec.structs.astuple(value)
    return msgspec.msgpack.encode(body), os.fsencode(place.source), place.offset, place.index


def digest(source: str, chunk: Chunk, dispatch: Dispatch) -> Partial:
    """What one chunk of the file ``source`` holds for the rules behind ``dispatch``.

    Raises formats.Incomplete or formats.Unreadable where the chunk is no JSON.
    """
    records = parse(chunk)
    tally = Tally(chunk.end, seen=len(records.heads) + records.rejected.total() + records.skipped.total(),
                  skipped=dict(records.skipped), rejected=dict(records.rejected), bridged=records.bridged)
    if records.bridged:
        tally.bridged_read_only = sum(head.read_only is True for head in records.heads)
    partial = Partial({(source, chunk.offset): tally}, {}, {}, {})
    tally.marks = packed(marks(records))
    spans: dict[Call, tuple[int, int]] = {}
    for call, indexes in _kept(records, tally):
        times = [time for index in indexes if (time := records.times[index]) is not None]
        spans[call] = min(times), max(times)
        if rules := dispatch.wanting(call):
            for index in indexes:
                try:
                    tally.hits += _collect(partial, rules, dispatch.spent, records,
                                           Position(source, chunk.offset, index))
                except RecursionError:
                    tally.rejected["nested-too-deep"] = tally.rejected.get("nested-too-deep", 0) + 1
    tally.first = min((first for first, _ in spans.values()), default=None)
    tally.last = max((last for _, last in spans.values()), default=None)
    collect(spans, partial.sights)
    return partial


_SKIPPED = {"Insight": "insight", "NetworkActivity": "network-activity", "Aggregated": "aggregated"}


def _kept(records: Records, tally: Tally) -> Iterator[tuple[Call, list[int]]]:
    """Where the records of each call are that count as events; the others are counted by reason."""
    timeless = None in records.times
    for call, indexes in records.calls.items():
        head = Head(None, *call)
        if reason := skip_reason(head):
            tally.skipped[reason] = tally.skipped.get(reason, 0) + len(indexes)
            continue
        if timeless and (kept := [index for index in indexes if records.times[index] is not None]) != indexes:
            reason = "no-event-time" if _is_cloudtrail(head) else "not-cloudtrail"
            tally.rejected[reason] = tally.rejected.get(reason, 0) + len(indexes) - len(kept)
            indexes = kept
        if indexes:
            yield call, indexes


def skip_reason(head: Head) -> str | None:
    """Why a record that is read is not an event of the kind that rules are about; None where it is one."""
    if head.event_source == "aws:s3":
        return "s3-notification"
    return _SKIPPED.get(head.event_category or "")


def _is_cloudtrail(head: Head) -> bool:
    return bool(head.event_source and head.event_name)


def _collect(partial: Partial, rules: Sequence[Rule], spent: dict[str, float], records: Records,
             position: Position) -> bool:
    """Put the record into the windows of the rules that it passes; whether there was one."""
    record = records.record(position.index)
    time = records.times[position.index] or 0
    found = []
    for rule in rules:
        begun = perf_counter()
        found += [(rule, *row) for row in rule.query.rows(record, time)]
        spent[rule.rule_id] += perf_counter() - begun
    if not found:
        return False
    event = Event.of(record, records.canonical(position.index), time, position)
    name = identity(event.account, event.event_id)
    _unite(partial.events, {name: event})
    for rule, key, inputs in found:
        if rule.query.window:
            window = WindowKey(rule.rule_id, time // rule.query.window, key)
        else:
            window = WindowKey(rule.rule_id, time, (event.account, event.event_id))
        _unite(partial.hits.setdefault(window, {}), {name: inputs})
    return True
