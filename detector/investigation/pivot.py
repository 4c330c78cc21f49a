"""Pivots: a selector's events, read again from the logs.

Only files whose span of event times overlaps are read, nearest first, and only records that can
match are decoded. Events come in batches as they are read.
"""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence, Set

import msgspec

from detector.cloudtrail.call_object import call_object_in_json
from detector.detection.alert import Alert
from detector.detection.correlate import SIGNAL_REACH
from detector.detection.event import Event, Position
from detector.detection.record_search import RecordMatch, SearchRequest, Selector, scan_file
from detector.detection.signals.signal_finder import flags_of
from detector.formats import NotALog, Unreadable
from detector.rules.dispatch import Dispatch
from detector.sources.day_folder import files_in_folder, is_day_folder
from detector.sources.file_span import FileSpan
from detector.sources.open_file import open_file


class Pivot(msgspec.Struct, frozen=True):
    """A query for the events of ``selector`` in ``[start, end)``, epoch seconds.

    Files nearest to ``around`` are read first. If there are ``flags``, only events that raise one
    of them count. ``title`` names the pivot in a few words."""

    title: str
    selector: Selector
    start: int
    end: int
    around: int
    flags: frozenset[str] = frozenset()

    def within(self, seconds: int) -> Pivot:
        """Return this pivot over ``seconds`` on either side of ``around``."""
        return msgspec.structs.replace(
            self, start=self.around - seconds, end=self.around + seconds + 1
        )


class EventRow(msgspec.Struct, frozen=True, gc=False):
    """An event of a pivot, with its flags and raw JSON.

    ``own``: the event is one of the alert's own hits. ``raw`` is empty if the JSON was dropped;
    ``raw_record`` reads it again when needed."""

    event: Event
    flags: tuple[str, ...]
    own: bool
    raw: bytes = b""
    acted_on: str = ""
    """The object of the call, kept when the JSON is dropped."""

    @property
    def sort_key(self) -> tuple[int, str, str]:
        """The sort key: time, then region, then event id."""
        return self.event.time, self.event.region, self.event.event_id

    def without_json(self) -> EventRow:
        """Return a copy without the JSON, whose strings are shared with other rows.

        A list may hold a million rows.
        """
        event, common = self.event, sys.intern
        return EventRow(
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
            acted_on=call_object_in_json(self.raw),
        )


class Progress(msgspec.Struct, frozen=True):
    """How much has been read; ``unread`` describes each file that failed."""

    files_done: int
    files: int
    bytes_done: int
    bytes: int
    unread: tuple[str, ...] = ()

    @property
    def share(self) -> float:
        """The share of bytes that were read, from 0 to 1."""
        return self.bytes_done / self.bytes if self.bytes else 1.0


class Batch(msgspec.Struct, frozen=True):
    """The events read since the last batch, in file order, and the progress."""

    rows: tuple[EventRow, ...]
    progress: Progress


def pivot_around(alert: Alert, selector: Selector, title: str, margin: int = SIGNAL_REACH) -> Pivot:
    """Return a pivot over an alert's window and ``margin`` seconds on either side."""
    start, end = alert.extent
    return Pivot(title, selector, start - margin, end + margin, alert.first_event)


def read_pivot(
    pivot: Pivot,
    files: Iterable[FileSpan],
    flagging: Dispatch,
    own: Set[str] = frozenset(),
    stop: threading.Event | None = None,
) -> Iterator[Batch]:
    """Read a pivot's events until done or ``stop`` is set.

    The first batch is empty and gives the total to read. Each event is returned once, however often
    it was delivered. ``own`` are the alert's event ids. The last batch's progress is complete
    unless the pivot was stopped."""
    unread: list[str] = []
    overlapping = sorted(
        _without_folders(
            (file for file in files if file.overlaps(pivot.start, pivot.end)), pivot, unread
        ),
        key=lambda file: (file.distance(pivot.around), file.path),
    )
    total, done = sum(file.size for file in overlapping), 0
    seen: set[bytes] = set()
    yield Batch((), Progress(0, len(overlapping), 0, total, tuple(unread)))
    for number, file in enumerate(overlapping):
        try:
            for offset, matches in _read_matches(file, pivot):
                if stop is not None and stop.is_set():
                    return
                rows = tuple(_rows(matches, pivot, flagging, own, seen))
                yield Batch(
                    rows,
                    Progress(
                        number,
                        len(overlapping),
                        done + min(offset, file.size),
                        total,
                        tuple(unread),
                    ),
                )
        except NotALog:
            pass
        except (OSError, Unreadable) as error:
            why = error.reason.detail if isinstance(error, Unreadable) else error.strerror
            unread.append(f"{file.path}: {why}")
        done += file.size
        yield Batch((), Progress(number + 1, len(overlapping), done, total, tuple(unread)))


def count_actions(rows: Iterable[EventRow]) -> str:
    """Count calls by name: ``DescribeVolumes 17, DescribeSnapshots 17``."""
    actions = Counter(row.event.action for row in rows)
    return ", ".join(
        f"{action} {count}"
        for action, count in sorted(actions.items(), key=lambda it: (-it[1], it[0]))
    )


def sorted_by_time(rows: Iterable[EventRow]) -> list[EventRow]:
    """Sort rows by time, region and event id."""
    return sorted(rows, key=lambda row: row.sort_key)


def _without_folders(
    files: Iterable[FileSpan], pivot: Pivot, unread: list[str]
) -> Iterator[FileSpan]:
    """Replace each day folder with those of its files that may hold a pivot's events."""
    for file in files:
        if not is_day_folder(file.path):
            yield file
            continue
        try:
            yield from files_in_folder(file.path, pivot.start)
        except OSError as error:
            unread.append(f"{file.path}: {error.strerror}")


def _read_matches(file: FileSpan, pivot: Pivot) -> Iterator[tuple[int, list[RecordMatch]]]:
    """Yield each chunk's matches with the file offset read so far."""
    with open_file(file.path) as stream:
        for matches in scan_file(
            file.path,
            stream,
            SearchRequest("", pivot.selector, pivot.start, pivot.end),
            file.offsets,
        ):
            yield stream.tell(), matches


def _rows(
    matches: Sequence[RecordMatch],
    pivot: Pivot,
    flagging: Dispatch,
    own: Set[str],
    seen: set[bytes],
) -> Iterator[EventRow]:
    for event, record, raw in matches:
        event_key = event.identity
        flags = flags_of(event, record, flagging)
        if event_key not in seen and (not pivot.flags or not pivot.flags.isdisjoint(flags)):
            seen.add(event_key)
            yield EventRow(event, flags, event.event_id in own, raw)
