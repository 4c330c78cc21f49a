"""A run of a query over the logs that the state lists, in a thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from detector.esql.errors import EsqlError
from detector.investigation.hunt import EventReader
from detector.investigation.hunts.languages import plan_query
from detector.investigation.hunts.run import held_files, run_fingerprint, run_query
from detector.rules.rule import CompileContext
from detector.sources.file_span import FileSpan
from detector.store import StateError, Store
from detector.triage.hunt_record import HuntQuery, HuntRecord
from tui.screens.hunts.results import QueryRan

_PROGRESS_SECONDS = 0.25


class RunStopped(Exception):
    """The analyst has stopped the run, or left the screen."""


@dataclass(frozen=True)
class RunRequest:
    """A query to run for a hunt.

    ``is_saved``: the hunt has it as it is, so that the run is remembered. ``now`` is the value of
    NOW(). ``stop`` ends the run once it is set; ``say`` gets a line of progress now and then.
    """

    hunt: HuntRecord
    query: HuntQuery
    is_saved: bool
    now: int | None
    stop: threading.Event
    say: Callable[[str], None]

    def run(self, store: Store, context: CompileContext) -> QueryRan:
        """Run the query; return its result, or the reason why it has none."""
        try:
            return self._run(store, context)
        except RunStopped:
            return QueryRan(self.stop, None)
        except EsqlError as error:
            return QueryRan(self.stop, None, f"not run: {error.message}")
        except StateError as error:
            return QueryRan(self.stop, None, str(error))

    def _run(self, store: Store, context: CompileContext) -> QueryRan:
        query, scope, hunt_id = self.query, self.hunt.scope, self.hunt.hunt_id
        compiled = plan_query(query.text, query.language, context.fields, self.now, context.lookups)
        files = held_files(store, scope)
        progress = _Progress(files, self.stop, self.say)
        reader = EventReader([file.path for file in files], scope, progress)
        fingerprint = run_fingerprint(query, scope)
        last = store.hunts.last_rows(hunt_id, query.query_id, fingerprint)
        result = run_query(compiled, reader, last)
        if self.is_saved and not store.read_only and not result.truncated:
            store.hunts.record_run(
                hunt_id, query.query_id, fingerprint, result.digests, result.new_count
            )
        return QueryRan(self.stop, result, "", tuple(reader.problems.values()))


class _Progress:
    """Says how far the reading is, some times a second, and ends it when it was stopped."""

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
