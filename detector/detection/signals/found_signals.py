"""The signals that a search found, in columnar form."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from detector.detection.columns.event_columns import EventColumns
from detector.detection.event import Event, KeptEvent
from detector.formats.decoded.hit_runs import RecordRuns

Flags = tuple[str, ...]
"""The flags that an event raises, sorted."""


class Signal(NamedTuple):
    """An event near an alert, with the flags it raises.

    ``flags`` is empty if the event only opens a session."""

    identity: bytes
    row: KeptEvent
    flags: Flags


class Signals:
    """Signals as ``events`` whose kinds determine their flags.

    Several records may have the same identity; each is a signal of its own. ``unread`` has the
    reasons, by path, why signals of some files may be missing."""

    def __init__(self) -> None:
        self.events = EventColumns()
        self.unread: dict[str, str] = {}
        self._flags: dict[int, Flags] = {}
        """By the ``id()`` of the kind, which ``events`` keeps alive."""

    @classmethod
    def of(cls, signals: Iterable[Signal]) -> Signals:
        """Collect single signals."""
        found = cls()
        for identity, row, flags in signals:
            place = row.position
            chunk = place.source, place.offset
            found.add(row, flags, chunk, identity, [row.time], [place.index])
        return found

    def __reduce__(self) -> tuple[Callable[..., Signals], tuple[Any, ...]]:
        flags = [self._flags[id(kind)] for kind in self.events.kinds]
        return _restore, (self.events, flags, self.unread)

    def __iter__(self) -> Iterator[Signal]:
        """Yield each signal."""
        for kind, identity, row in self.events.rows():
            yield Signal(identity, row, self._flags[id(kind)])

    def add(
        self,
        event: KeptEvent,
        flags: Flags,
        chunk: tuple[str, int],
        identities: bytes,
        times: Sequence[int],
        indexes: Sequence[int],
    ) -> None:
        """Add signals that differ only in identity, time and position.

        ``chunk`` is their file and the chunk's offset in it."""
        kind = self._kind(event, flags)
        number = self.events.chunk_number(*chunk)
        self.events.add_alike(kind, number, identities, times, indexes)

    def add_runs(
        self,
        events: Sequence[KeptEvent | None],
        flags: Sequence[Flags],
        chunk: tuple[str, int],
        runs: RecordRuns,
        times: Sequence[int | None],
    ) -> None:
        """Add the signals of runs; ``events`` and ``flags`` have one item per run.

        An event of None leaves out its run. ``times`` are those of the chunk's records."""
        kinds = [
            None if event is None else self._kind(event, raised)
            for event, raised in zip(events, flags, strict=True)
        ]
        self.events.add_runs(kinds, self.events.chunk_number(*chunk), runs, times)

    def _kind(self, event: KeptEvent, flags: Flags) -> KeptEvent:
        """Return the event as a kind with these flags; a copy if it already has other flags."""
        if self._flags.setdefault(id(event), flags) != flags:
            event = msgspec.structs.replace(event)
            self._flags[id(event)] = flags
        return event

    def add_all(self, other: Signals) -> None:
        """Add all signals of ``other``.

        Another process sends each kind once, however many files share it."""
        self.unread |= other.unread
        if any(self._flags.get(id(kind), flags) != flags for kind, flags in other.kinds()):
            other = _restore(other.events.with_own_kinds(), [flags for _, flags in other.kinds()])
        self.events.add_all(other.events)
        self._flags |= other._flags

    def kinds(self) -> Iterator[tuple[KeptEvent, Flags]]:
        """Yield the kinds of events, each with its flags."""
        for kind in self.events.kinds:
            yield kind, self._flags[id(kind)]

    def names(self) -> set[str]:
        """Return the names of all callers, and the keys of the sessions that they opened."""
        found: set[str] = set()
        for kind in self.events.kinds:
            client = kind.client
            found.update((client.arn, client.access_key, client.role_arn, kind.issued_key))
        return found

    def opened_sessions(self) -> list[Event]:
        """Return the events that opened a session."""
        opens = [bool(kind.issued_key) for kind in self.events.kinds]
        selected = self._selected([opens[number] for number in self.events.kind])
        return [row.event(identity) for _, identity, row in selected.events.rows()]

    def flagged(self) -> Signals:
        """Return the signals that raise flags."""
        raises = [bool(flags) for _, flags in self.kinds()]
        return self._selected([raises[number] for number in self.events.kind])

    def outside(self, paths: Container[str]) -> Signals:
        """Return the signals that are in none of these files."""
        is_outside = [path not in paths for path, _ in self.events.chunks]
        return self._selected([is_outside[number] for number in self.events.chunk])

    def _selected(self, is_selected: Sequence[bool]) -> Signals:
        if all(is_selected):
            return self
        selected = Signals()
        selected.events, selected._flags = self.events.selected(is_selected), self._flags
        selected.unread = self.unread
        return selected


def _restore(
    events: EventColumns, flags: Sequence[Flags], unread: Mapping[str, str] = {}
) -> Signals:
    signals = Signals()
    signals.unread = dict(unread)
    signals.events = events
    signals._flags = {id(kind): of_kind for kind, of_kind in zip(events.kinds, flags, strict=True)}
    return signals


def missing_flags(unread: Mapping[str, str]) -> list[str]:
    """Return a line for each file whose signals may be missing, with the reason."""
    return [f"flags may be missing: {path}: {why}" for path, why in sorted(unread.items())]
