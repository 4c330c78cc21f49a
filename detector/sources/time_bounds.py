"""Time bounds that are applied before a file is read.

A file is judged by the label in its name, and by the span of its events if it was read before.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from detector.cloudtrail.object_key import trail_file
from detector.sources.source import Source, SourceFile

AHEAD = 3600
"""Minimum seconds before the earliest event from which labels are read.

Labels run ahead of the events by minutes."""
SLACK = 86_400
"""Seconds after the last event within which a delivery may still contain it.

CloudTrail may redeliver for 30 days, but marks such records; one day is worth reading."""
_LABEL_AHEAD = 600


class Bounds(NamedTuple):
    """The requested event times, ``[since, until)`` in epoch seconds; None: open.

    ``margin`` is the number of seconds beyond the bounds in which events still affect the result:
    the longest window, and the span searched around an alert.
    """

    since: int | None
    until: int | None
    margin: int = 0

    @property
    def first_label(self) -> int | None:
        """The earliest label of a file worth reading; None: no limit."""
        if self.since is None:
            return None
        return self.since - max(AHEAD, self.margin + _LABEL_AHEAD)

    @property
    def last_label(self) -> int | None:
        """The label from which on files are not worth reading; None: no limit."""
        return None if self.until is None else self.until + self.margin + SLACK

    def may_hold(self, label: int) -> bool:
        """Tell whether a file with this label may matter for the bounds."""
        first, last = self.first_label, self.last_label
        return (first is None or label >= first) and (last is None or label < last)

    def overlaps(self, first: int, last: int) -> bool:
        """Tell whether events from ``first`` to ``last`` matter for the bounds."""
        return (self.since is None or last >= self.since - self.margin) and (
            self.until is None or first < self.until + self.margin
        )


class FileSnapshot(NamedTuple):
    """A file as it was when read, with its span of event times."""

    size: int
    mtime_ns: int
    inode: int
    device: int
    first: int | None
    last: int | None

    def matches(self, file: SourceFile) -> bool:
        """Tell whether the file is unchanged since the snapshot."""
        return self[:4] == (file.size, file.mtime_ns, file.inode, file.device)


class BoundedSource:
    """A source of which only files within time bounds are read.

    ``snapshots`` are the files read earlier, by path: an unchanged file whose events are all out of
    bounds is not read again.
    """

    def __init__(
        self, source: Source, bounds: Bounds, snapshots: Mapping[str, FileSnapshot]
    ) -> None:
        self._source = source
        self._bounds = bounds
        self._snapshots = snapshots
        self._excluded: dict[str, Counter[str]] = {}

    def sweep(self) -> Iterator[SourceFile]:
        self._excluded = {}
        for file in self._source.sweep():
            reason = None if file.problem else self._exclusion_reason(file)
            if reason is None:
                yield file
                continue
            self._excluded.setdefault(reason, Counter()).update(files=1, bytes=file.size)
            yield file._replace(problem=("skipped", "out-of-range", reason))

    def _exclusion_reason(self, file: SourceFile) -> str | None:
        """Say why a file need not be read; None if it must be."""
        trail = trail_file(file.path)
        if trail is not None and not self._bounds.may_hold(trail.delivered):
            return "delivered outside of the time asked for"
        snapshot = self._snapshots.get(file.path)
        if snapshot is None or not snapshot.matches(file):
            return None
        first, last = snapshot.first, snapshot.last
        if first is not None and last is not None and self._bounds.overlaps(first, last):
            return None
        return "read before, and without events of the time asked for"

    def excluded_lines(self) -> list[str]:
        """Describe the files that the last sweep excluded, by reason."""
        lines = []
        for reason, sums in self._excluded.items():
            files = "file" if sums["files"] == 1 else "files"
            megabytes = sums["bytes"] / 1e6
            lines.append(f"not read: {sums['files']:,} {files} ({megabytes:,.1f} MB) {reason}")
        return lines

    def in_scope(self, path: str) -> bool:
        return self._source.in_scope(path)

    def committed(self, paths: Sequence[str]) -> None:
        self._source.committed(paths)

    def wait(self, stop: threading.Event, seconds: float) -> None:
        self._source.wait(stop, seconds)

    def problems(self) -> list[str]:
        return self._source.problems()

    def ended(self) -> bool:
        return self._source.ended()

    def close(self) -> None:
        self._source.close()
