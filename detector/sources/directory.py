"""A source of files on disk, which sweeps them and watches for changes.

Sweeps (``os.scandir``) are authoritative: change events can get lost under load without an error,
so they only hint at paths to check first. A tree too large to be swept as a whole each time has
only its hot parts swept: folders with a new modification time, recently written files, and hinted
paths. The rest is visited in slices, one per sweep, so that new files need not wait for it;
recently written files are sliced too if there are very many, as after a large copy.
"""

from __future__ import annotations

import contextlib
import os
import stat
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

from detector.sources.accounting import FileState
from detector.sources.open_file import has_identity
from detector.sources.os_errors import GONE, describe_os_error
from detector.sources.patterns import expand_pattern, is_pattern, matches_pattern
from detector.sources.settling import Settling
from detector.sources.source import Problem, SourceFile

_FULL_SWEEP_SECONDS = 0.02
"""Maximum duration of a sweep of the whole tree for every sweep to be a full one."""
_ROUND_SWEEPS = 300
"""Number of sweeps that visit all of a large tree: ten minutes at one every two seconds."""
_RECENT_NS = 120 * 10**9
"""Nanoseconds after its last write during which a file counts as recently written."""
_FARTHEST_NS = 1 << 62
"""The latest modification time that is kept, in 2116.

The state stores 64 bits; file systems can hold more."""
_RECENT_SECONDS = 0.05
"""Seconds per sweep for recently written files: enough for some thousands."""
_RACY_NS = 3 * 10**9
"""Nanoseconds in which a folder may change again without a new modification time."""


NOT_A_FILE = "a pipe, socket or device, not a file: pipe it in and name -"


class Directory:
    """A source of files, folders and patterns (``*``, ``?``, ``**``).

    A root that does not exist yet may appear later.
    """

    def __init__(self, roots: Sequence[Path]) -> None:
        self.roots = [Path(root).absolute() for root in roots]
        self._named = {str(root) for root in self.roots}
        """The paths that the user named; they are read whatever they are called."""
        self._settling = Settling()
        self._failed: set[str] = set()
        """The paths that could not be listed or examined."""
        self._recovered: set[str] = set()
        """The failed paths that have worked again since the last sweep."""
        self._folder_mtimes: dict[str, int] = {}
        """Every folder, with its modification time when it was listed."""
        self._recent: set[str] = set()
        """The recently written files."""
        self._main_paths: dict[tuple[int, int], str] = {}
        """The path under which each file is read in this round; its other paths are links."""
        self._previous_main_paths: dict[tuple[int, int], str] = {}
        """The main paths of the previous round."""
        self._listed: set[str] | None = None
        """The folders that the last sweep listed; None: all."""
        self._hints: set[str] = set()
        self._slice_seconds = 0.0
        """Seconds per sweep for folders that are not hot; 0: every sweep is full."""
        self._pending_folders: deque[str] = deque()
        """The folders that no slice of this round has reached yet."""
        self._pending_recent: deque[str] = deque()
        """The recently written files that no sweep has reached yet."""
        self._pattern_errors: list[tuple[str, OSError]] = []
        """The folders matched by patterns that could not be listed in this sweep."""
        self._changes: Iterator[set[tuple[object, str]]] | None = None
        """The change events of ``_watched_roots``; None before the first wait."""
        self._watched_roots: list[Path] = []

    def sweep(self) -> Iterator[SourceFile]:
        """Find the regular files below the roots.

        Sweeps after the first may yield only files that may have changed. A file is yielded once,
        however often it is named; its other links are yielded as skipped. A path that cannot be
        listed or examined is yielded as one quarantined file, so that it is not overlooked.
        """
        hints, self._hints = self._hints, set()
        self._recovered = set()
        if self._slice_seconds:
            yield from _unique(self._sweep_hot(hints))
            return
        begun = time.monotonic()
        self._folder_mtimes, self._main_paths = {}, {}
        self._recent, self._listed, self._failed = set(), None, set()
        starts = self._starts()
        yield from _unique(chain(self._pattern_problems(), self._walk(starts)))
        seconds = time.monotonic() - begun
        if seconds > _FULL_SWEEP_SECONDS:
            self._slice_seconds = max(_FULL_SWEEP_SECONDS, seconds / _ROUND_SWEEPS)

    def in_scope(self, path: str) -> bool:
        """Tell whether the last sweep covered a path."""
        if self._listed is not None:
            return (path.rpartition("/")[0] or "/") in self._listed or path in self._recovered
        return any(_root_includes(root, path) for root in map(str, self.roots))

    def committed(self, paths: Sequence[str]) -> None:
        """Do nothing: files stay where they are."""

    def problems(self) -> list[str]:
        return []

    def ended(self) -> bool:
        return False

    def close(self) -> None:
        self._changes = None

    def wait(self, stop: threading.Event, seconds: float) -> None:
        """Wait for a change event, for ``seconds`` at most, or for ``stop``."""
        until = time.monotonic() + seconds
        while not stop.is_set():
            remaining = until - time.monotonic()
            if remaining <= 0:
                return
            before = self._changes
            changes = self._next_changes(stop, remaining)
            if changes is None:
                stop.wait(remaining)
            elif changes or self._changes is not before:
                # Changes go unnoticed while a new watch over a large tree is being set up.
                self._hints.update(path for _, path in changes)
                return

    def _next_changes(
        self, stop: threading.Event, seconds: float
    ) -> set[tuple[object, str]] | None:
        """Return the next change events, possibly none; None if nothing is being watched."""
        roots = [root for root in self.roots if os.path.exists(root)]
        if roots != self._watched_roots or self._changes is None:
            self._watched_roots = roots
            self._changes = _watch(roots, stop, min(seconds, 1.0)) if roots else None
        if self._changes is None:
            return None
        # Out of watches, or a root disappeared: sweeps still find the files.
        with contextlib.suppress(OSError, RuntimeError):
            changes = next(self._changes, None)
            if changes is not None:
                return changes
        self._changes = None
        return None

    def _starts(self) -> list[str]:
        """Return the paths from which a sweep starts."""
        self._pattern_errors = []
        starts: list[str] = []
        for root in map(str, self.roots):
            if is_pattern(root):
                starts += expand_pattern(root, self._note_pattern_error)
            else:
                starts.append(root)
        return starts

    def _note_pattern_error(self, path: str, error: OSError) -> None:
        self._pattern_errors.append((path, error))

    def _pattern_problems(self) -> Iterator[SourceFile]:
        """Yield the folders matched by a pattern that could not be listed."""
        for path, error in self._pattern_errors:
            yield self._unreadable(path, error)

    def _walk(self, starts: Sequence[str]) -> Iterator[SourceFile]:
        """Find the files at and below ``starts``, depth first."""
        visited: set[tuple[int, int]] = set()
        pending = list(reversed(starts))
        while pending:
            path = pending.pop()
            try:
                status = os.stat(path)
                if stat.S_ISREG(status.st_mode):
                    yield self._file(path, status)
                elif not stat.S_ISDIR(status.st_mode):
                    yield self._no_file(path)
                elif (status.st_dev, status.st_ino) not in visited:
                    visited.add((status.st_dev, status.st_ino))
                    pending += self._list(path, status.st_mtime_ns)
            except OSError as error:
                if error.errno in GONE and not os.path.islink(path):
                    self._forget(path)  # It went away.
                else:
                    yield self._unreadable(path, error)
                continue
            self._note_recovery(path)

    def _forget(self, path: str) -> None:
        self._recent.discard(path)
        self._settling.forget(path)
        self._note_recovery(path)

    def _note_recovery(self, path: str) -> None:
        if path in self._failed:
            self._failed.discard(path)
            self._recovered.add(path)

    def _unreadable(self, path: str, error: OSError) -> SourceFile:
        self._failed.add(path)
        problem: Problem = ("quarantined", "unreadable", describe_os_error(error))
        return SourceFile(path, 0, 0, 0, 0, problem)

    def _no_file(self, path: str) -> SourceFile:
        """Return a pipe, socket or device as unreadable: reading one might never end."""
        state: FileState = "quarantined" if path in self._named else "skipped"
        return SourceFile(path, 0, 0, 0, 0, (state, "not-a-file", NOT_A_FILE))

    def _list(self, path: str, mtime_ns: int) -> list[str]:
        """Return the paths in a folder, in reverse order."""
        with os.scandir(path) as entries:
            paths = sorted((entry.path for entry in entries), reverse=True)
        self._folder_mtimes[path] = mtime_ns
        if self._listed is not None:
            self._listed.add(path)
        return paths

    def _file(self, path: str, status: os.stat_result) -> SourceFile:
        identity = (status.st_dev, status.st_ino)
        main_path = self._main_paths.get(identity) or self._previous_main_paths.pop(identity, path)
        if main_path == path:
            path = main_path  # Reuse the string, to avoid a second one for each file.
        is_link = main_path != path and has_identity(main_path, identity)
        self._main_paths[identity] = main_path if is_link else path
        if time.time_ns() - status.st_mtime_ns < _RECENT_NS:
            self._recent.add(path)
        else:
            self._recent.discard(path)
        problem: Problem | None = None
        if is_link:
            problem = ("skipped", "link", "another name for a file that was read already")
        elif path not in self._named and self._settling.is_changing(path, status):
            problem = ("waiting", "being-written", "still being written under a temporary name")
        mtime_ns = max(-_FARTHEST_NS, min(status.st_mtime_ns, _FARTHEST_NS))
        return SourceFile(path, *identity, status.st_size, mtime_ns, problem)

    def _sweep_hot(self, hints: set[str]) -> Iterator[SourceFile]:
        """Find the files that may have changed, and one slice of the others."""
        listed: set[str] = set()
        self._listed = listed
        now = time.time_ns()
        starts = dict.fromkeys(path for path in self._starts() if path not in self._folder_mtimes)
        yield from self._pattern_problems()
        starts |= dict.fromkeys([*self._settling.paths(), *sorted(self._failed)])
        for path, listed_mtime in list(self._folder_mtimes.items()):
            try:
                mtime = os.stat(path).st_mtime_ns
            except OSError as error:
                del self._folder_mtimes[path]
                if error.errno in GONE:
                    listed.add(path)  # The folder is gone, so it has no files.
                else:
                    starts[path] = None
                continue
            if mtime != listed_mtime or now - mtime < _RACY_NS:
                starts[path] = None
        starts |= dict.fromkeys(path for path in hints if self._is_below_root(path))
        for path in chain(starts, self._next_recent(), self._next_folders()):
            yield from self._walk_new(path)

    def _next_recent(self) -> Iterator[str]:
        """Return the recently written files that this sweep has time for."""
        if not self._pending_recent:
            self._pending_recent.extend(self._recent)
        return _take_for(_RECENT_SECONDS, self._pending_recent)

    def _next_folders(self) -> Iterator[str]:
        """Return the folders of this sweep's slice that are not listed yet."""
        if not self._pending_folders:
            self._pending_folders.extend(self._folder_mtimes)
            # A new round: it will not contain paths that are gone.
            self._previous_main_paths, self._main_paths = self._main_paths, {}
        return (
            path
            for path in _take_for(self._slice_seconds, self._pending_folders)
            if self._listed is not None and path not in self._listed
        )

    def _walk_new(self, path: str) -> Iterator[SourceFile]:
        """Find the files at a path and below its new folders."""
        if path not in self._folder_mtimes:
            yield from self._walk([path])
            return
        try:
            inner = self._list(path, os.stat(path).st_mtime_ns)
        except OSError as error:
            del self._folder_mtimes[path]
            if error.errno not in GONE:
                yield self._unreadable(path, error)
            return
        yield from self._walk([each for each in reversed(inner) if each not in self._folder_mtimes])

    def _is_below_root(self, path: str) -> bool:
        return any(_is_below(path, root) for root in map(str, self.roots) if not is_pattern(root))


def _unique(files: Iterator[SourceFile]) -> Iterator[SourceFile]:
    """Drop files that this sweep has already found."""
    paths: set[str] = set()
    for file in files:
        if file.path not in paths:
            paths.add(file.path)
            yield file


def _take_for(seconds: float, pending: deque[str]) -> Iterator[str]:
    """Take paths from ``pending`` until the time is up."""
    until = time.monotonic() + seconds
    while pending and time.monotonic() < until:
        yield pending.popleft()


def _watch(
    roots: Sequence[Path], stop: threading.Event, seconds: float
) -> Iterator[set[tuple[object, str]]]:
    from watchfiles import watch  # Importing it costs 40 ms, and a scan never waits.

    return iter(
        watch(
            *roots,
            stop_event=stop,
            rust_timeout=max(1, int(seconds * 1000)),  # type: ignore[arg-type]
            yield_on_timeout=True,
            debounce=200,
            step=50,
            watch_filter=None,
            raise_interrupt=False,
            ignore_permission_denied=True,
        )
    )


def _root_includes(root: str, path: str) -> bool:
    if is_pattern(root):
        return matches_pattern(path, root)
    return _is_below(path, root)


def _is_below(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip("/") + "/")
