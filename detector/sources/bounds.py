"""Time bounds that hold before anything is read: by the label in a trail file's name."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

from detector.sources.keys import trail_file
from detector.sources.source import Found, Source

AHEAD = 3600
"""Seconds before ``since`` that are read too: labels run ahead, windows and the calls around them reach back."""
SLACK = 86_400
"""Seconds after ``until`` within which a delivery may still hold earlier events. CloudTrail may redeliver for 30 days,
but says so in the record; within a day is what is worth reading for."""


class Bounded:
    """A source of which only the files that may hold events of ``[since, until)`` are read."""

    def __init__(self, source: Source, since: int | None, until: int | None) -> None:
        self._source = source
        self._from = None if since is None else since - AHEAD
        self._to = None if until is None else until + SLACK

    def sweep(self) -> Iterator[Found]:
        for found in self._source.sweep():
            yield found if found.problem or self._within(found.path) else found._replace(
                problem=("skipped", "out-of-range", "delivered outside of --since and --until"))

    def _within(self, path: str) -> bool:
        file = trail_file(path)
        if file is None:
            return True
        return (self._from is None or file.delivered >= self._from) and (self._to is None or file.delivered < self._to)

    def covers(self, path: str) -> bool:
        return self._source.covers(path)

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
