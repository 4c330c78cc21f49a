"""Time bounds that hold before anything is read: by the label in a trail file's name, and by what it held before."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from detector.cloudtrail.object_key import trail_file
from detector.sources.source import Source, SourceFile

AHEAD = 3600
"""Seconds before the earliest label from which files are read, at the least: labels run ahead by
minutes."""
SLACK = 86_400
"""Seconds after the last event within which a delivery may still hold it. CloudTrail may redeliver
for 30 days, but says so in the record; within a day is what is worth reading for."""
_LABEL_AHEAD = 600


class Bounds(NamedTuple):
    """Event times asked for, ``[since, until)`` in epoch seconds; None: open.

    ``reach`` is how many seconds beyond them events tell on what is found within: the longest
    window, and how far around an alert is looked."""

    since: int | None
    until: int | None
    margin: int = 0

    @property
    def first_label(self) -> int | None:
        return None if self.since is None else self.since - max(AHEAD, self.margin + _LABEL_AHEAD)

    @property
    def last_label(self) -> int | None:
        """Exclusive."""
        return None if self.until is None else self.until + self.margin + SLACK

    def may_hold(self, label: int) -> bool:
        """Whether a file delivered then may hold events that tell on what is asked for."""
        first, last = self.first_label, self.last_label
        return (first is None or label >= first) and (last is None or label < last)

    def overlaps(self, first: int, last: int) -> bool:
        """Whether events from ``first`` to ``last`` do."""
        return (self.since is None or last >= self.since - self.margin) and (
            self.until is None or first < self.until + self.margin
        )


class FileSnapshot(NamedTuple):
    """What is known of a file that was read: what it was then, and its first and last event time,
    where it had any."""

    size: int
    mtime_ns: int
    inode: int
    device: int
    first: int | None
    last: int | None

    def matches(self, found: SourceFile) -> bool:
        """Whether the file is still what it was."""
        return self[:4] == (found.size, found.mtime_ns, found.inode, found.device)


class BoundedSource:
    """A source of which only the files that may hold events within ``bounds`` are read.

    ``recorded`` tells of the files read before, by path: one that has not changed need not be read
    again for events that it does not hold."""

    def __init__(
        self, source: Source, bounds: Bounds, snapshots: Mapping[str, FileSnapshot]
    ) -> None:
        self._source = source
        self._bounds = bounds
        self._snapshots = snapshots
        self._excluded: dict[str, Counter[str]] = {}

    def sweep(self) -> Iterator[SourceFile]:
        self._excluded = {}
        for found in self._source.sweep():
            why = None if found.problem else self._why_not(found)
            if why is None:
                yield found
                continue
            self._excluded.setdefault(why, Counter()).update(files=1, bytes=found.size)
            yield found._replace(problem=("skipped", "out-of-range", why))

    def _why_not(self, found: SourceFile) -> str | None:
        file = trail_file(found.path)
        if file is not None and not self._bounds.may_hold(file.delivered):
            return "delivered outside of the time asked for"
        known = self._snapshots.get(found.path)
        if (
            known is not None
            and known.matches(found)
            and (
                known.first is None
                or known.last is None
                or not self._bounds.overlaps(known.first, known.last)
            )
        ):
            return "read before, and without events of the time asked for"
        return None

    def excluded_lines(self) -> list[str]:
        """How much the last sweep found and left out, and why, a line each."""
        return [
            f"not read: {sums['files']:,} {'file' if sums['files'] == 1 else 'files'} "
            f"({sums['bytes'] / 1e6:,.1f} MB) {why}"
            for why, sums in self._excluded.items()
        ]

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
