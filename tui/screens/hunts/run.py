"""Runs of a query, in a thread, over the logs that the database lists."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from textual.message import Message

from detector.esql.errors import EsqlError
from detector.investigation.hunt import EventReader
from detector.investigation.hunts.languages import plan_query
from detector.investigation.hunts.run import (
    HuntResult,
    held_files,
    rows_before,
    run_query,
)
from detector.rules.rule import CompileContext
from detector.sources.file_span import FileSpan
from detector.store import StateError, Store
from detector.triage.hunt_record import HuntQuery, HuntRecord

_PROGRESS_SECONDS = 0.25


class RunStopped(Exception):
    """The analyst has stopped the run, or left the screen."""


@dataclass(frozen=True)
class RunRequest:
    """A query to run for a hunt.

    ``now`` is the value of ES|QL's NOW(). Setting ``stop`` ends the run; ``say`` is called with
    progress lines.
    """

    hunt: HuntRecord
    query: HuntQuery
    now: int | None
    stop: threading.Event
    say: Callable[[str], None]

    def run(self, store: Store, context: CompileContext) -> QueryRan:
        """Run the query; return its result, or the reason why there is none."""
        try:
            return self._run(store, context)
        except RunStopped:
            return QueryRan(self, None)
        except EsqlError as error:
            return QueryRan(self, None, f"not run: {error.message}")
        except StateError as error:
            return QueryRan(self, None, str(error))

    def _run(self, store: Store, context: CompileContext) -> QueryRan:
        hunt, query = self.hunt, self.query
        compiled = plan_query(query.text, query.language, context.fields, self.now, context.lookups)
        files = held_files(store, hunt.scope)
        progress = _Progress(files, self.stop, self.say)
        reader = EventReader([file.path for file in files], hunt.scope, progress)
        result = run_query(compiled, reader, rows_before(store, hunt, query))
        return QueryRan(self, result, unread=tuple(reader.problems.values()))


class QueryRan(Message):
    """A run has ended.

    ``result`` is None if the run was stopped or failed; ``problem`` is the reason for a failure.
    ``unread`` lists the files that could not be read, each with its reason.
    """

    def __init__(
        self,
        request: RunRequest,
        result: HuntResult | None,
        problem: str = "",
        unread: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.request = request
        self.result = result
        self.problem = problem
        self.unread = unread


class RunProgressed(Message):
    """The progress of a run, in one line."""

    def __init__(self, line: str) -> None:
        super().__init__()
        self.line = line


class _Progress:
    """Reports the reading's progress several times a second; ends the reading when stopped."""

    def __init__(
        self, files: Sequence[FileSpan], stop: threading.Event, say: Callable[[str], None]
    ) -> None:
        self._sizes = {file.path: file.size for file in files}
        self._total = max(1, sum(self._sizes.values()))
        self._stop = stop
        self._say = say
        self._done = 0
        self._path = ""
        self._count = 0
        self._due = time.monotonic() + _PROGRESS_SECONDS

    def __call__(self, path: str, end: int) -> None:
        if self._stop.is_set():
            raise RunStopped
        if path != self._path:
            self._done += self._sizes.get(self._path, 0)
            self._path = path
            self._count += 1
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + _PROGRESS_SECONDS
            share = min(1.0, (self._done + min(end, self._sizes.get(path, 0))) / self._total)
            self._say(f"reading {share:.0%}, {self._count:,} of {len(self._sizes):,} files")
