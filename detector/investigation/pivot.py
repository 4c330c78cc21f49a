"""Pivots: every event that is meant, in a span of time, read again from the logs.

The logs are the store. Only the files whose span of event times overlaps are read, the nearest first, and of these
only records that can hold what is asked for are decoded. Events come in batches, as they are found.
"""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence, Set

import msgspec

from detector.cloudtrail.record import identity
from detector.detection.alert import Alert
from detector.detection.correlate import SIGNAL_REACH, flags_of
from detector.detection.event import Event, Position
from detector.detection.record_search import RecordMatch, SearchRequest, Selector, scan_file
from detector.formats import NotALog, Unreadable
from detector.rules.dispatch import Dispatch
from detector.sources.file_span import FileSpan
from detector.sources.open_file import open_file


class Pivot(msgspec.Struct, frozen=True):
    """The events of ``selector`` in ``[start, end)``, epoch seconds, those next to ``around``
    first.

    ``flags`` narrows it to events that one of these flags speaks of; ``title`` says in few words
    what is asked for."""

    title: str
    selector: Selector
    start: int
    end: int
    around: int
    flags: frozenset[str] = frozenset()

    def within(self, seconds: int) -> Pivot:
        """The same, so many seconds to either side of ``around``."""
        return msgspec.structs.replace(
            self, start=self.around - seconds, end=self.around + seconds + 1
        )


class Row(msgspec.Struct, frozen=True, gc=False):
    """An event that was found, the flags that speak of it, and its JSON as the file has it.

    ``own``: it is one of those that the alert itself rests on. ``raw`` is empty where it is read
    again when it is asked for (``evidence.raw_record``)."""

    event: Event
    flags: tuple[str, ...]
    own: bool
    raw: bytes = b""

    @property
    def moment(self) -> tuple[int, str, str]:
        """What the order of time goes by."""
        return self.event.time, self.event.region, self.event.event_id

    def lean(self) -> Row:
        """The row as a million of them are held: without its JSON, and what many events have in
        common held once."""
        event, common = self.event, sys.intern
        return Row(
            Event(
                common(event.account),
                event.event_id,
                event.time,
                common(event.provider),
                common(event.action),
                common(event.region),
                common(event.source_address),
                common(event.user_agent),
                common(event.error_code),
                common(event.identity_type),
                common(event.arn),
                common(event.access_key),
                common(event.role_arn),
                common(event.caller_account),
                common(event.mfa),
                event.issued_key,
                Position(
                    common(event.position.source), event.position.offset, event.position.index
                ),
            ),
            self.flags,
            self.own,
        )


class Progress(msgspec.Struct, frozen=True):
    """How much of what must be read has been read. ``unread`` are files that could not be, a line
    each."""

    files_done: int
    files: int
    bytes_done: int
    bytes: int
    unread: tuple[str, ...] = ()

    @property
    def share(self) -> float:
        """From 0 to 1."""
        return self.bytes_done / self.bytes if self.bytes else 1.0


class Batch(msgspec.Struct, frozen=True):
    """What was found since the last batch, in the order of the files, and how far it has come."""

    rows: tuple[Row, ...]
    progress: Progress


def around(alert: Alert, selector: Selector, title: str, reach: int = SIGNAL_REACH) -> Pivot:
    """The pivot from an alert: what ``selector`` did within ``reach`` seconds either side of its
    window."""
    start, end = alert.extent
    return Pivot(title, selector, start - reach, end + reach, alert.first_event)


def run(
    pivot: Pivot,
    files: Iterable[FileSpan],
    flagging: Dispatch,
    own: Set[str] = frozenset(),
    stop: threading.Event | None = None,
) -> Iterator[Batch]:
    """Read for ``pivot`` until all is read or ``stop`` is set: first a batch of nothing, which says
    how much there is.

    Each event comes once, however often it was delivered. ``own`` are the event ids of the alert;
    the last batch's progress is complete unless it was stopped."""
    due = sorted(
        (file for file in files if file.overlaps(pivot.start, pivot.end)),
        key=lambda file: (file.distance(pivot.around), file.path),
    )
    total, done = sum(file.size for file in due), 0
    unread: list[str] = []
    seen: set[bytes] = set()
    yield Batch((), Progress(0, len(due), 0, total))
    for number, file in enumerate(due):
        try:
            for place, matches in _read(file, pivot):
                if stop is not None and stop.is_set():
                    return
                rows = tuple(_rows(matches, pivot, flagging, own, seen))
                yield Batch(
                    rows,
                    Progress(number, len(due), done + min(place, file.size), total, tuple(unread)),
                )
        except NotALog:
            pass
        except (OSError, Unreadable) as error:
            why = error.reason.detail if isinstance(error, Unreadable) else error.strerror
            unread.append(f"{file.path}: {why}")
        done += file.size
        yield Batch((), Progress(number + 1, len(due), done, total, tuple(unread)))


def counted(rows: Iterable[Row]) -> str:
    """What was called and how often, the most frequent first: ``DescribeVolumes 17,
    DescribeSnapshots 17``."""
    actions = Counter(row.event.action for row in rows)
    return ", ".join(
        f"{action} {count}"
        for action, count in sorted(actions.items(), key=lambda it: (-it[1], it[0]))
    )


def timeline(rows: Iterable[Row]) -> list[Row]:
    """In order of time."""
    return sorted(rows, key=lambda row: row.moment)


def _read(file: FileSpan, pivot: Pivot) -> Iterator[tuple[int, list[RecordMatch[Selector]]]]:
    """The matches of each chunk, with the place in the file up to which it is read."""
    with open_file(file.path) as opened:
        for matches in scan_file(
            file.path,
            opened,
            SearchRequest("", pivot.selector, pivot.start, pivot.end),
            file.offsets,
        ):
            yield opened.tell(), matches


def _rows(
    matches: Sequence[RecordMatch[Selector]],
    pivot: Pivot,
    flagging: Dispatch,
    own: Set[str],
    seen: set[bytes],
) -> Iterator[Row]:
    for _watch, event, record, raw in matches:
        name = identity(event.account, event.event_id)
        flags = flags_of(event, record, flagging)
        if name not in seen and (not pivot.flags or not pivot.flags.isdisjoint(flags)):
            seen.add(name)
            yield Row(event, flags, event.event_id in own, raw)
