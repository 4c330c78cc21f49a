"""The search for signals around alerts in the files that were read."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Set
from itertools import chain, islice

from detector.detection.correlate import find_hops, group_by_file
from detector.detection.signals.found_signals import Signals, missing_flags
from detector.detection.signals.related_records import ChunkRequests
from detector.detection.signals.signal_finder import SignalFinder, flagging_events
from detector.ingest.known_files import KnownFiles
from detector.ingest.workers import Workers, is_worthwhile
from detector.rules.ruleset import RuleSet
from detector.sources.open_file import has_identity, is_of_this_process
from detector.store import FileRow, Store
from detector.store.errors import translate_sqlite_errors

_GONE = "moved, changed or deleted since it was read: scan again"
_LOOKAHEAD = 2000
"""How many files are looked at in advance to decide whether worker processes pay."""


class SignalSearch:
    """The search for the signals of alerts, in worker processes if that pays."""

    def __init__(self, store: Store, files: KnownFiles, jobs: int | None) -> None:
        self._store = store
        self._files = files
        self._jobs = jobs
        self._searched = 0
        """The file sequence up to which every alert has been searched."""
        self._moved_or_gone: Set[tuple[str, FileRow]] = frozenset()
        """Files that were not at their path when they were last searched."""
        self._told: set[str] = set()
        """The problems reported so far; alerts close in time search the same files again."""

    def use(self, rules: RuleSet, workers: Workers) -> None:
        """Search with these rules from now on."""
        self._flagging = flagging_events(rules)
        self._workers = workers
        self._searched = 0

    def run(self, stop: threading.Event, is_final: bool = False) -> list[str]:
        """Search until no alert has a pending search, or ``stop`` is set; return the new problems.

        A file that was renamed in the meantime is found by the next sweep, and searched then.
        ``is_final``: there will be no next sweep, so such a file is a problem.
        """
        unread: dict[str, str] = {}
        self._run(stop, unread, is_final)
        new = [problem for problem in missing_flags(unread) if problem not in self._told]
        self._told.update(new)
        return new

    def _run(self, stop: threading.Event, unread: dict[str, str], is_final: bool) -> None:
        while not stop.is_set():
            newest, searches = self._store.context.pending_searches(self._searched)
            if not searches:
                self._searched = newest
                return
            chunks = self._store.chunks.between(
                min(search.request.start for search in searches),
                max(search.request.end for search in searches),
                min(search.searched for search in searches),
            )
            paths: list[str] = []
            files = _note_paths(group_by_file(searches, chunks), paths)
            with translate_sqlite_errors(self._store.database.path):
                signals = self._signals_in(files, stop)
            if stop.is_set():
                return
            moved_or_gone = self._find_moved(paths)
            # Another file may have the path by now (log rotation) that has not been counted yet.
            moved_paths = {path for path, _ in moved_or_gone}
            unread.update(
                (path, why) for path, why in signals.unread.items() if path not in moved_paths
            )
            if is_final:
                unread.update(dict.fromkeys(moved_paths, _GONE))
            signals = signals.outside(moved_paths)
            missed = bool(moved_or_gone - self._moved_or_gone)
            self._moved_or_gone = moved_or_gone
            searched = {
                search.request.name: search.searched if missed else newest for search in searches
            }
            hops = find_hops(searches, signals.opened_sessions())
            self._store.context.add_signals(signals, hops, searched)
            if missed:
                return

    def _signals_in(
        self, files: Iterator[tuple[str, ChunkRequests]], stop: threading.Event
    ) -> Signals:
        files = _until(stop, files)
        first = list(islice(files, _LOOKAHEAD))
        rows = [self._files.get(path) for path, _ in first]
        size = sum(row.file.size for row in rows if row is not None)
        count = sum(len(requests) for _, requests in first)
        files = chain(first, files)
        if not is_worthwhile(self._jobs, count, size):
            return self._find_here(files)
        own: list[tuple[str, ChunkRequests]] = []
        found = self._workers.search_files(_without_own(files, own))
        found.add_all(self._find_here(own))
        return found

    def _find_here(self, files: Iterable[tuple[str, ChunkRequests]]) -> Signals:
        """Search files in this process, and return the signals found."""
        finder = SignalFinder(self._flagging)
        found = Signals()
        for path, requests in files:
            finder.find(path, requests, found)
        return found

    def _find_moved(self, paths: Iterable[str]) -> set[tuple[str, FileRow]]:
        """Return those files, with their rows, that are no longer at their path."""
        rows = ((path, self._files.get(path)) for path in paths)
        return {
            (path, row)
            for path, row in rows
            if row is not None and not has_identity(path, row.file.identity)
        }


def _note_paths(
    files: Iterable[tuple[str, ChunkRequests]], paths: list[str]
) -> Iterator[tuple[str, ChunkRequests]]:
    for path, requests in files:
        paths.append(path)
        yield path, requests


def _without_own(
    files: Iterable[tuple[str, ChunkRequests]], own: list[tuple[str, ChunkRequests]]
) -> Iterator[tuple[str, ChunkRequests]]:
    """Yield the files that other processes can open; add those of this process to ``own``."""
    for file in files:
        if is_of_this_process(file[0]):
            own.append(file)
        else:
            yield file


def _until(
    stop: threading.Event, files: Iterable[tuple[str, ChunkRequests]]
) -> Iterator[tuple[str, ChunkRequests]]:
    for file in files:
        if stop.is_set():
            return
        yield file
