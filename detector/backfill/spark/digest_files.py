"""The first step on the cluster: turn files into rows, with a scan's reader and digester."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from typing import BinaryIO, NamedTuple

import msgspec

from detector.backfill.spark.activity_sum import sum_activity
from detector.backfill.spark.rows import ChunkPlace, FolderTally, StepRow, encode_body
from detector.detection.baseline import OriginSpans
from detector.detection.digest import ChunkStats
from detector.ingest.reader import ChunkDigester, Task, read_file
from detector.sources.day_folder import folder_above
from detector.sources.source import SourceFile
from detector.store.file_table import FileRead, FileRow

_NEVER = (1 << 62, -1 << 62)
"""The span of a chunk without event times, which overlaps no search."""
_MOST_OBSERVATIONS = 100_000
_MOST_ACTIVITY_BYTES = 32 << 20


class TrailObject(NamedTuple):
    """A file with its content; the modification time is in nanoseconds since the epoch."""

    path: str
    mtime_ns: int
    content: bytes

    @property
    def file(self) -> SourceFile:
        return SourceFile(self.path, 0, 0, len(self.content), self.mtime_ns)

    def open(self, _: str) -> BinaryIO:
        """Open the content for reading."""
        return io.BytesIO(self.content)


def digest_files(objects: Iterable[TrailObject], digester: ChunkDigester) -> Iterator[StepRow]:
    """Read files and yield their rows; small sums over many files come last."""
    sums = _Sums()
    for each in objects:
        task = Task(each.file, None, 0, is_final=True)
        for read in read_file(task, digester, each.open):
            yield from _rows_of(read)
            sums.add(read)
        if sums.is_large:
            yield from sums.rows()
            sums = _Sums()
    yield from sums.rows()


def _rows_of(read: FileRead) -> Iterator[StepRow]:
    folder = folder_above(read.file.path)
    for identity, event in read.partial.hits.items():
        yield StepRow("hit", folder, identity, event.time, event.time, encode_body(event))
    for (path, offset), stats in read.partial.chunks.items():
        first, last = _NEVER
        if stats.first is not None and stats.last is not None:
            first, last = stats.first, stats.last
        place = ChunkPlace(offset, stats.principal_index)
        yield StepRow("chunk", folder, path.encode(), first, last, encode_body(place))
    if not read.partial.chunks:  # a row must show that the file was delivered
        yield StepRow(
            "chunk", folder, read.file.path.encode(), *_NEVER, encode_body(ChunkPlace(0, b""))
        )
    if read.file.reason != "reading" and not _is_tallied(read):
        yield _file_row(read.file)


def unread_row(path: str, mtime_ms: int, size: int, largest: int) -> StepRow:
    """Return the row of a file that the engine listed but did not deliver."""
    reason, detail = "unreadable", "the cluster could not read it: check its right to do so"
    if size > largest:
        reason, detail = "too-large", "too large for a value: read it with trailhound scan"
    file = SourceFile(path, 0, 0, size, mtime_ms * 1_000_000)
    return _file_row(FileRow(file, "quarantined", reason, detail))


def _file_row(row: FileRow) -> StepRow:
    """Return the row of a file that is not counted in its folder."""
    return StepRow("file", folder_above(row.path), row.path.encode(), 0, 0, encode_body(row))


def _is_tallied(read: FileRead) -> bool:
    return read.file.state == "read" and not read.file.detail


class _Sums:
    """Sums over several files, before they become rows."""

    def __init__(self) -> None:
        self._tallies: dict[str, FolderTally] = {}
        self._observations = OriginSpans()
        self._activity: dict[str, list[bytes]] = {}
        self._activity_bytes = 0

    @property
    def is_large(self) -> bool:
        """Whether it is time to yield the sums and start new ones."""
        return (
            len(self._observations) > _MOST_OBSERVATIONS
            or self._activity_bytes > _MOST_ACTIVITY_BYTES
        )

    def add(self, read: FileRead) -> None:
        """Add what was read of a file or of a part of it."""
        folder = folder_above(read.file.path)
        tally = self._tallies.setdefault(folder, FolderTally())
        tally.newest_ns = max(tally.newest_ns, read.file.file.mtime_ns)
        if _is_tallied(read):
            tally.files += 1
            tally.bytes += read.file.file.size
        for stats in read.partial.chunks.values():
            tally.add(_tally_of(stats))
            if stats.activity:
                self._activity.setdefault(folder, []).append(stats.activity)
                self._activity_bytes += len(stats.activity)
        self._observations.unite(read.partial.observations)

    def rows(self) -> Iterator[StepRow]:
        """Yield the sums."""
        for folder, tally in self._tallies.items():
            yield StepRow("tally", folder, b"", 0, 0, encode_body(tally))
        for folder, bodies in self._activity.items():
            yield StepRow("activity", folder, b"", 0, 0, sum_activity(bodies))
        for observation, (first, last) in self._observations.observations().items():
            yield StepRow("observation", "", encode_body(observation), first, last, b"")


def _tally_of(stats: ChunkStats) -> FolderTally:
    names = FolderTally.__struct_fields__
    return FolderTally(
        **{name: value for name, value in msgspec.structs.asdict(stats).items() if name in names}
    )
