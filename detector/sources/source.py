"""The protocol of sources, and the files they find."""

from __future__ import annotations

import errno
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

from detector.sources.accounting import FileState

Problem = tuple[FileState, str, str]
"""(state, reason, detail), as stored in the file's row."""


class SourceFile(NamedTuple):
    """A file found by a sweep.

    ``problem`` says why the file cannot be read, or not yet. For an object in a bucket, ``path`` is
    its ``s3://`` URL and ``inode`` is derived from its ETag.
    """

    path: str
    device: int
    inode: int
    size: int
    mtime_ns: int
    problem: Problem | None = None

    @property
    def identity(self) -> tuple[int, int]:
        """The device and inode, which stay the same when a file is renamed."""
        return self.device, self.inode


def unique_files(files: Iterable[SourceFile]) -> list[SourceFile]:
    """Drop files that several sources found, or that were found several times.

    A readable entry is preferred to one with a problem.
    """
    by_path: dict[str, SourceFile] = {}
    for file in files:
        known = by_path.get(file.path)
        if known is None or (known.problem is not None and file.problem is None):
            by_path[file.path] = file
    return list(by_path.values())


class NoSource(Exception):
    """A source that cannot be used.

    The message is one line that gives the reason and the remedy.
    """


class Unavailable(OSError):
    """A file of a source that cannot be opened.

    ``state`` says whether it will be tried again; ``strerror`` is a sentence for people.
    """

    def __init__(self, state: FileState, code: str, detail: str) -> None:
        super().__init__(errno.EIO, detail)
        self.state = state
        self.code = code

    def __reduce__(self) -> tuple[type[Unavailable], tuple[FileState, str, str]]:
        return Unavailable, (self.state, self.code, str(self.strerror))


class Requests(NamedTuple):
    """The cost of reading buckets: LIST and GET requests, and bytes read."""

    lists: int
    gets: int
    bytes: int


NO_REQUESTS = Requests(0, 0, 0)


class Source(Protocol):
    """A place where files appear."""

    def sweep(self) -> Iterable[SourceFile]:
        """Find the source's files, or at least those that may have changed since the last sweep."""

    def in_scope(self, path: str) -> bool:
        """Tell whether the last sweep covered a path."""

    def committed(self, paths: Sequence[str]) -> None:
        """Acknowledge that the events read from these files are in the state."""

    def wait(self, stop: threading.Event, seconds: float) -> None:
        """Wait for a change, for ``seconds`` at most, or for ``stop``."""

    def problems(self) -> list[str]:
        """Return the source's own problems since the last call, one line each."""

    def ended(self) -> bool:
        """Tell whether no more files can arrive.

        Files that have already arrived may still have to be swept.
        """

    def close(self) -> None: ...


class CombinedSource:
    """Several sources as one."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources

    def sweep(self) -> Iterator[SourceFile]:
        for source in self._sources:
            yield from source.sweep()

    def in_scope(self, path: str) -> bool:
        return any(source.in_scope(path) for source in self._sources)

    def committed(self, paths: Sequence[str]) -> None:
        for source in self._sources:
            source.committed(paths)

    def wait(self, stop: threading.Event, seconds: float) -> None:
        """Wait on the first source; the others are polled."""
        self._sources[0].wait(stop, seconds)

    def problems(self) -> list[str]:
        problems: list[str] = []
        for source in self._sources:
            problems += source.problems()
        return problems

    def ended(self) -> bool:
        return all(source.ended() for source in self._sources)

    def close(self) -> None:
        for source in self._sources:
            source.close()
