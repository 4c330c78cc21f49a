"""Files on disk: found by a sweep, woken by the system's change events.

The sweep (``os.scandir``) is the truth. Change events get lost without an error under load, so they only say where it
is worth looking now. A tree that is too large to be swept all the time is swept where it is hot: folders whose
modification time has changed, files that were written lately, and what the events named. The rest comes round in
slices, one with each sweep, so that nothing new has to wait for it; and so do the files written lately where there are
very many, as after a large copy.
"""

from __future__ import annotations

import contextlib
import fnmatch
import glob
import os
import re
import stat
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

from detector.sources.accounting import FileState
from detector.sources.open_file import has_identity
from detector.sources.source import SourceFile

_BEING_WRITTEN = re.compile(
    r"\.(?:gz|json|jsonl|ndjson)\.[A-Za-z0-9]{8}$"  # aws s3 cp and sync: NAME.json.gz.1a2B3c4D
    r"|\.(?:gz|json|jsonl|ndjson)\d+$"  # s5cmd: NAME.json.gz123456789
    r"|\.partial$"  # rclone
    r"|^\.s3cmd\..*\.tmp$"  # s3cmd
    r"|^\..*\.[A-Za-z0-9]{6}$"  # rsync: .NAME.json.gz.1a2B3c
    r"|\.(?:tmp|part|crdownload|filepart)$"
)
"""Names under which copying tools write before they rename; the final name is read when it
appears."""

_CHEAP = 0.02
"""Seconds that a whole sweep may take to be made every time."""
_ROUND = 300
"""Sweeps in which the whole tree comes round: ten minutes where one is made every two seconds."""
_GROWING = 120 * 10**9
"""Nanoseconds since its last write in which a file is one written lately."""
_LATELY = 0.05
"""Seconds of each sweep that go to files written lately, of which some thousands are looked at in
that time."""
_RACY = 3 * 10**9
"""Nanoseconds in which a folder may have changed again without another modification time."""


def is_being_written(name: str) -> bool:
    """Whether a copying tool still writes under this name."""
    return _BEING_WRITTEN.search(name) is not None


class Directory:
    """Some files, folders and patterns (``*``, ``?``, ``**``). A root that does not exist yet may
    appear later."""

    def __init__(self, roots: Sequence[Path]) -> None:
        self.roots = [Path(root).absolute() for root in roots]
        self._folders: dict[str, int] = {}
        """Every folder, with its modification time when it was listed."""
        self._growing: set[str] = set()
        self._owner: dict[tuple[int, int], str] = {}
        """By which path each file is read: the others are links to it. Of this round; and of the
        round before."""
        self._owner_before: dict[tuple[int, int], str] = {}
        self._listed: set[str] | None = None
        """The folders that the last sweep has listed; None: all."""
        self._hints: set[str] = set()
        self._slice = 0.0
        """Seconds of each sweep that go to what is not hot; 0: the whole tree is swept each
        time."""
        self._round: deque[str] = deque()
        """The folders that the slices have yet to come to."""
        self._lately: deque[str] = deque()
        """The files written lately that the sweeps have yet to come to."""
        self._watching: Iterator[set[tuple[object, str]]] | None = None
        self._watched: list[Path] = []

    def sweep(self) -> Iterator[SourceFile]:
        """Every regular file below the roots, each once, whatever links lead to it; or those that
        may have changed.

        A folder that may not be listed is found as one quarantined file, so that it is not
        overlooked."""
        hints, self._hints = self._hints, set()
        if self._slice:
            yield from self._sweep_hot(hints)
            return
        begun = time.monotonic()
        self._folders, self._owner, self._growing, self._listed = {}, {}, set(), None
        yield from self._walk(self._starts())
        took = time.monotonic() - begun
        self._slice = max(_CHEAP, took / _ROUND) if took > _CHEAP else 0.0

    def in_scope(self, path: str) -> bool:
        """Whether the last sweep would have found a file at this path, if it were still there."""
        if self._listed is not None:
            return (path.rpartition("/")[0] or "/") in self._listed
        return any(
            fnmatch.fnmatchcase(path, str(root))
            if _is_pattern(root)
            else _is_below(path, str(root))
            for root in self.roots
        )

    def committed(self, paths: Sequence[str]) -> None:
        """Nothing hangs on it."""

    def problems(self) -> list[str]:
        return []

    def ended(self) -> bool:
        return False

    def close(self) -> None:
        self._watching = None

    def wait(self, stop: threading.Event, seconds: float) -> None:
        """Return when something may have changed, after ``seconds`` at the latest, or when ``stop``
        is set."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not stop.is_set():
            new = self._watching is None
            changes = self._changes(stop, left)
            if changes is None:
                stop.wait(left)
            elif (
                changes or new
            ):  # while the watch over a large tree was being set up, nothing was noticed
                self._hints.update(path for _, path in changes)
                return

    def _changes(self, stop: threading.Event, seconds: float) -> set[tuple[object, str]] | None:
        """The next change events, none after a while; None where there is nothing that gives
        events."""
        watched = [root for root in self.roots if root.exists()]
        if watched != self._watched or self._watching is None:
            self._watched = watched
            self._watching = _watch(watched, stop, min(seconds, 1.0)) if watched else None
        if self._watching is None:
            return None
        # Out of watches, or a root went away: the sweep still comes.
        with contextlib.suppress(OSError, RuntimeError):
            if (changes := next(self._watching, None)) is not None:
                return changes
        self._watching = None
        return None

    def _starts(self) -> list[str]:
        starts: list[str] = []
        for root in self.roots:
            starts += (
                sorted(glob.glob(str(root), recursive=True)) if _is_pattern(root) else [str(root)]
            )
        return starts

    def _walk(self, starts: Sequence[str]) -> Iterator[SourceFile]:
        folders: set[tuple[int, int]] = set()
        due = list(reversed(starts))
        while due:
            path = due.pop()
            try:
                status = os.stat(path)
                if stat.S_ISREG(status.st_mode):
                    yield self._file(path, status)
                elif stat.S_ISDIR(status.st_mode) and (status.st_dev, status.st_ino) not in folders:
                    folders.add((status.st_dev, status.st_ino))
                    due += self._list(path, status.st_mtime_ns)
            except PermissionError as error:
                yield SourceFile(
                    path,
                    0,
                    0,
                    0,
                    0,
                    ("quarantined", "unreadable", f"{error.strerror}: allow reading it"),
                )
            except OSError:
                self._growing.discard(path)
                continue  # it went away, or is a link that leads nowhere: there is nothing to read

    def _list(self, path: str, mtime_ns: int) -> list[str]:
        with os.scandir(path) as entries:
            names = sorted((entry.path for entry in entries), reverse=True)
        self._folders[path] = mtime_ns
        if self._listed is not None:
            self._listed.add(path)
        return names

    def _file(self, path: str, status: os.stat_result) -> SourceFile:
        identity = (status.st_dev, status.st_ino)
        owner = self._owner.get(identity) or self._owner_before.pop(identity, path)
        if owner == path:
            path = owner  # the string that is held already, not a second one for each file
        linked = owner != path and has_identity(owner, identity)
        self._owner[identity] = owner if linked else path
        if time.time_ns() - status.st_mtime_ns < _GROWING:
            self._growing.add(path)
        else:
            self._growing.discard(path)
        return SourceFile(
            path, *identity, status.st_size, status.st_mtime_ns, _problem(path, linked)
        )

    def _sweep_hot(self, hints: set[str]) -> Iterator[SourceFile]:
        self._listed = set()
        now = time.time_ns()
        starts: dict[str, None] = dict.fromkeys(
            path for path in self._starts() if path not in self._folders
        )
        for path, listed in list(self._folders.items()):
            try:
                changed = os.stat(path).st_mtime_ns
            except OSError as error:
                del self._folders[path]
                if isinstance(error, FileNotFoundError):
                    self._listed.add(path)  # and there is nothing in it
                continue
            if changed != listed or now - changed < _RACY:
                starts[path] = None
        starts |= dict.fromkeys(path for path in hints if self._in_root_scope(path))
        seen: set[str] = set()
        for path in chain(starts, self._due_growing(), self._due_folders()):
            for found in self._walk_new(path):
                if found.path not in seen:
                    seen.add(found.path)
                    yield found

    def _due_growing(self) -> Iterator[str]:
        """The files written lately; of very many those that this sweep has time for."""
        if not self._lately:
            self._lately.extend(self._growing)
        return _within(_LATELY, self._lately)

    def _due_folders(self) -> Iterator[str]:
        """The folders that this sweep looks at though nothing speaks for it, until its time for
        that is up."""
        if not self._round:
            self._round.extend(self._folders)
            self._owner_before, self._owner = self._owner, {}  # those that are gone are not in it
        return (
            path
            for path in _within(self._slice, self._round)
            if self._listed is not None and path not in self._listed
        )

    def _walk_new(self, path: str) -> Iterator[SourceFile]:
        """The file at ``path``; the files right in the folder ``path``, and all below its folders
        that are new."""
        if path not in self._folders:
            yield from self._walk([path])
            return
        try:
            inner = self._list(path, os.stat(path).st_mtime_ns)
        except OSError:
            return  # its parent says what became of it
        yield from self._walk([each for each in reversed(inner) if each not in self._folders])

    def _in_root_scope(self, path: str) -> bool:
        return any(_is_below(path, str(root)) for root in self.roots if not _is_pattern(root))


def _within(seconds: float, due: deque[str]) -> Iterator[str]:
    """Take from ``due`` until the time is up."""
    until = time.monotonic() + seconds
    while due and time.monotonic() < until:
        yield due.popleft()


def _watch(
    roots: Sequence[Path], stop: threading.Event, seconds: float
) -> Iterator[set[tuple[object, str]]]:
    from watchfiles import watch  # it costs 40 ms, and a scan never waits

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


def _is_pattern(root: Path) -> bool:
    return glob.has_magic(str(root)) and not root.exists()


def _is_below(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip("/") + "/")


def _problem(path: str, known: bool) -> tuple[FileState, str, str] | None:
    if is_being_written(os.path.basename(path)):
        return "waiting", "being-written", "still being written under a temporary name"
    return ("skipped", "link", "another name of a file that is read already") if known else None
