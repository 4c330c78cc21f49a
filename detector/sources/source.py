"""What a source is: where files are found, and how each of them is opened."""

from __future__ import annotations

import errno
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

from detector.sources.accounting import FileState


class SourceFile(NamedTuple):
    """A file as the sweep sees it. ``problem`` tells why it cannot be read or is not read (yet).

    Of an object in a bucket, ``path`` is its ``s3://`` address, ``mtime_ns`` when it was put there,
    and ``inode`` comes from its ETag."""

    path: str
    device: int
    inode: int
    size: int
    mtime_ns: int
    problem: tuple[FileState, str, str] | None = None
    """(state, reason, detail), as the file's row in the store will say."""

    @property
    def identity(self) -> tuple[int, int]:
        """The device and inode, which stay the same when a file is renamed."""
        return self.device, self.inode


class NoSource(Exception):
    """A source cannot be used; one line says why and what to do."""


class Unavailable(OSError):
    """A file of some source cannot be had: ``state`` tells whether it is tried again, ``strerror``
    is for a person."""

    def __init__(self, state: FileState, code: str, detail: str) -> None:
        super().__init__(errno.EIO, detail)
        self.state = state
        self.code = code

    def __reduce__(self) -> tuple[type[Unavailable], tuple[FileState, str, str]]:
        return Unavailable, (self.state, self.code, str(self.strerror))


class Requests(NamedTuple):
    """What reading buckets costs: LIST and GET requests, and bytes read."""

    lists: int
    gets: int
    bytes: int


NO_REQUESTS = Requests(0, 0, 0)


class Source(Protocol):
    """Somewhere files appear."""

    def sweep(self) -> Iterable[SourceFile]:
        """The files that are there: all of them, or at least those that may have changed since the
        last sweep."""

    def in_scope(self, path: str) -> bool:
        """Whether the last sweep would have found a file at this path, if it were still there."""

    def committed(self, paths: Sequence[str]) -> None:
        """What was read of these files is in the state now."""

    def wait(self, stop: threading.Event, seconds: float) -> None:
        """Return when something may have changed, after ``seconds`` at the latest, or when ``stop``
        is set."""

    def problems(self) -> list[str]:
        """What went wrong with the source itself since this was last asked, a line each."""

    def ended(self) -> bool:
        """Whether nothing more can come; what came before is still to be swept."""

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
        """The first source is the one that can wake up; the others are polled."""
        self._sources[0].wait(stop, seconds)

    def problems(self) -> list[str]:
        return [problem for source in self._sources for problem in source.problems()]

    def ended(self) -> bool:
        return all(source.ended() for source in self._sources)

    def close(self) -> None:
        for source in self._sources:
            source.close()
