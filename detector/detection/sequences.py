"""Sequences: spans in which events of several steps follow each other, as in EQL.

Times are whole seconds, so the order of events within a second is unknown: any order is accepted
there, so that nothing is missed. Each span is the shortest that ends at its last event. An
``until`` event ends the incomplete sequences that began before its second. An event that must be
missing between two steps ends the sequences that have waited for the second step since an earlier
second.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from itertools import groupby, product
from typing import Any

from detector.detection.window import Hit, HitSpan, ListedHits
from detector.ecs.values import many
from detector.esql.plan.sequence import CompiledSequence, CorrelatedStep


def find_sequences(
    hits: Sequence[Hit], sequence: CompiledSequence, width: int
) -> Iterator[tuple[int, int]]:
    """Yield the first and last second of each complete sequence, in order of the last.

    ``hits`` are those of one series in order of time; the first input of each is a bit set of the
    steps that it matches. The last second is less than ``width`` after the first, and never
    decreases. A chain of correlated steps begins where the steps of its first second begin."""
    tracker = _tracker_of(sequence, sequence.width or width)
    correlated = _CorrelatedSteps(sequence)
    until = _bit(sequence.until)
    for time, inside, steps in _by_second(hits):
        correlated.complete(time, inside, steps)
        start = tracker.advance(time, steps)
        if start is not None:
            yield correlated.begin_of(start), time
        if any(bits & until for bits in steps):
            tracker.end(time)


def _tracker_of(sequence: CompiledSequence, width: int) -> _Ordered | _Sample | _Unordered:
    if sequence.ordered:
        return _Ordered(sequence.order, sequence.reuse, width, sequence.missing)
    if sequence.reuse:
        return _Unordered(sequence.order, width)
    return _Sample(sequence.order, width)


def sequence_spans(
    hits: Sequence[Hit], spans: Iterable[tuple[int, int]], ending: int
) -> Iterator[HitSpan]:
    """Join spans that overlap; yield each with its hits, except those that only end sequences.

    ``ending`` is the bit set of the steps that only end sequences."""
    joined: list[tuple[int, int]] = []
    for first, last in spans:
        while joined and first <= joined[-1][1]:
            first = min(first, joined.pop()[0])
        joined.append((first, last))
    for first, last in joined:
        inside = [hit for hit in hits if first <= hit.time <= last and _steps_of(hit) & ~ending]
        yield HitSpan(first, last + 1, ListedHits(inside))


def _bit(step: int | None) -> int:
    """Return the bit of a step; 0 for None."""
    if step is None:
        return 0
    return 1 << step


def _steps_of(hit: Hit) -> int:
    steps = hit.inputs[0]
    assert isinstance(steps, int)
    return steps


def _by_second(hits: Sequence[Hit]) -> Iterator[tuple[int, list[Hit], Counter[int]]]:
    """Yield each second with its events, and their number by bit set of steps."""
    for time, group in groupby(hits, key=lambda hit: hit.time):
        inside = list(group)
        yield time, inside, Counter(map(_steps_of, inside))


class _Ordered:
    """The incomplete sequences: of each length, the one that began last.

    That one completes whenever another of the same length would, so no other needs to be kept. A
    longer one never began later than a shorter one. ``missing`` are pairs of a length and the step
    whose events end the sequences of that length."""

    def __init__(
        self,
        order: Sequence[int],
        reuse: bool,
        width: int,
        missing: Sequence[tuple[int, int]] = (),
    ) -> None:
        self._order = [1 << step for step in order]
        self._reuse = reuse
        self._width = width
        self._missing = [(length, 1 << step) for length, step in missing]
        self._starts: list[int | None] = [None] * (len(self._order) + 1)

    def advance(self, time: int, steps: Counter[int]) -> int | None:
        """Add the events of a second; return the start of the sequence that they complete."""
        starts = self._starts.copy()
        starts[0] = time
        extended = set()
        for length, shortest in self._reachable(steps):
            known = (each for each in starts[shortest:length] if each is not None)
            start = next(known, None)
            if start is not None and time - start < self._width:
                self._starts[length] = start
                extended.add(length)
        self._interrupt(extended, steps)
        return self._starts[-1] if len(self._order) in extended else None

    def _interrupt(self, extended: Container[int], steps: Counter[int]) -> None:
        """End the sequences of earlier seconds for which a step occurred that must be missing."""
        for length, missing in self._missing:
            if length not in extended and any(bits & missing for bits in steps):
                self._starts[length] = None

    def end(self, time: int) -> None:
        """End the sequences that began before ``time``."""
        for length, start in enumerate(self._starts):
            if start is not None and start < time:
                self._starts[length] = None

    def _reachable(self, steps: Counter[int]) -> Iterator[tuple[int, int]]:
        """Yield each length that the events of a second reach, and the least length to start
        from."""
        matching = _Matching(self._order, steps, self._reuse)
        for length in range(1, len(self._order) + 1):
            matching.add(length - 1)
            if matching.first < length:
                yield length, matching.first


class _Matching:
    """A bipartite matching of events to a run of places in the order; each has its own event.

    ``first``: the least place such that all places from it to the last added one are filled."""

    def __init__(self, order: list[int], steps: Counter[int], reuse: bool) -> None:
        self.first = 0
        self._order = order
        self._left = {bits: min(count, len(order)) for bits, count in steps.items()}
        if reuse:
            self._left = dict.fromkeys(steps, len(order))
        self._filled: dict[int, int] = {}
        """The bit set of the event that fills each place."""

    def add(self, place: int) -> None:
        """Fill one more place; give up the first places until it can be filled."""
        while self.first <= place and not self._fill(place, set()):
            self._give_up(self.first)
            self.first += 1

    def _fill(self, place: int, tried: set[int]) -> bool:
        """Fill a place with a free event, or with one whose place another event can take over."""
        for bits in self._left:
            if not bits & self._order[place] or bits in tried:
                continue
            tried.add(bits)
            if self._left[bits] > 0:
                self._left[bits] -= 1
                self._filled[place] = bits
                return True
            for other, filling in list(self._filled.items()):
                if filling == bits and self._fill(other, tried):
                    self._filled[place] = bits
                    return True
        return False

    def _give_up(self, place: int) -> None:
        bits = self._filled.pop(place, None)
        if bits is not None:
            self._left[bits] += 1


class _Sample:
    """Samples: each step needs an event of its own, in any order. Keeps the last events."""

    def __init__(self, order: Sequence[int], width: int) -> None:
        self._order = [1 << step for step in order]
        self._width = width
        self._last: dict[int, deque[int]] = defaultdict(lambda: deque(maxlen=len(self._order)))
        """The times of events by bit set of steps; no more are kept than there are places."""

    def advance(self, time: int, steps: Counter[int]) -> int | None:
        """Add the events of a second; return the start of the sample that they complete.

        Later events get places first, and an event with a place never loses all places. So no other
        choice of events begins later."""
        fresh = [bits for bits in steps if any(bits & step for step in self._order)]
        for bits in fresh:
            self._last[bits].extend([time] * min(steps[bits], len(self._order)))
        if not fresh:
            return None
        within = [
            (at, bits)
            for bits, times in self._last.items()
            for at in times
            if time - at < self._width
        ]
        filled: dict[int, int] = {}
        for at, bits in sorted(within, reverse=True):
            if self._fill(bits, filled, set()) and len(filled) == len(self._order):
                return at
        return None

    def end(self, time: int) -> None:
        """End the sequences that began before ``time``."""
        for bits, times in self._last.items():
            self._last[bits] = deque((at for at in times if at >= time), times.maxlen)

    def _fill(self, bits: int, filled: dict[int, int], tried: set[int]) -> bool:
        """Give an event a free place, or one whose event can move to another place."""
        for place, step in enumerate(self._order):
            if bits & step and place not in tried:
                tried.add(place)
                if place not in filled or self._fill(filled[place], filled, tried):
                    filled[place] = bits
                    return True
        return False


class _Unordered:
    """Sequences whose steps may occur in any order. Keeps the last time of each step."""

    def __init__(self, order: Sequence[int], width: int) -> None:
        self._steps = {1 << step for step in order}
        self._width = width
        self._last: dict[int, int] = {}

    def advance(self, time: int, steps: Counter[int]) -> int | None:
        """Add the events of a second; return the start of the sequence that they complete."""
        fresh = [step for step in self._steps if any(bits & step for bits in steps)]
        self._last.update(dict.fromkeys(fresh, time))
        if not fresh or len(self._last) < len(self._steps):
            return None
        start = min(self._last.values())
        if time - start >= self._width:
            return None
        return start

    def end(self, time: int) -> None:
        """End the sequences that began before ``time``."""
        self._last = {step: last for step, last in self._last.items() if last >= time}


_Advance = Callable[[int, Sequence[Hit], Counter[int]], int | None]
"""Takes a second, its events and their number by bit set of steps.

Returns the start of the correlated step that they complete, None if they complete none."""


class _CorrelatedSteps:
    """The steps of a chain that several events complete together, second by second."""

    def __init__(self, sequence: CompiledSequence) -> None:
        self._advances = [(step.step, _advance_of(step)) for step in sequence.correlated]
        self._begins: dict[int, int] = {}

    def complete(self, time: int, hits: Sequence[Hit], steps: Counter[int]) -> None:
        """Add to ``steps`` the correlated steps that the events of a second complete."""
        for step, advance in self._advances:
            start = advance(time, hits, steps)
            if start is not None:
                steps[1 << step] += 1
                self._begins[time] = min(self.begin_of(start), self.begin_of(time))

    def begin_of(self, time: int) -> int:
        """Return the first second of the correlated steps that were completed at ``time``."""
        return self._begins.get(time, time)


def _advance_of(step: CorrelatedStep) -> _Advance:
    match step.kind:
        case "in order":
            ordered = _Ordered(step.of, True, step.width)
            return lambda time, _, steps: ordered.advance(time, steps)
        case "any order":
            unordered = _Unordered(step.of, step.width)
            return lambda time, _, steps: unordered.advance(time, steps)
    return _Counted(step).advance


class _Counted:
    """A correlated step that counts events: keeps the events of each group within its width."""

    def __init__(self, step: CorrelatedStep) -> None:
        self._step = step
        self._mask = sum(1 << index for index in step.of)
        self._events: dict[tuple[Any, ...], deque[Hit]] = defaultdict(deque)

    def advance(self, time: int, hits: Sequence[Hit], _steps: Counter[int]) -> int | None:
        """Add the events of a second; return the first second of the step that they complete."""
        changed = set()
        for hit in hits:
            if _steps_of(hit) & self._mask:
                values = [many(hit.inputs[index]) or [None] for index in self._step.keys]
                for key in product(*values):
                    self._events[key].append(hit)
                    changed.add(key)
        starts = [self._start_of(self._events[key], time) for key in changed]
        return min((start for start in starts if start is not None), default=None)

    def _start_of(self, events: deque[Hit], time: int) -> int | None:
        while events[0].time <= time - self._step.width:
            events.popleft()
        if not self._step.passes(self._number(events)):
            return None
        return events[0].time

    def _number(self, events: deque[Hit]) -> int:
        index = self._step.value
        if index is None:
            return len(events)
        return len({value for hit in events for value in many(hit.inputs[index])})
