"""Reading many files; several small ones are digested at once.

This applies only to whole trail files that are read for the first time and hold nothing unusual;
every other file is read separately.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO, NamedTuple

from detector.detection.digest import Partial
from detector.formats import can_parse_documents, unpack_small_document
from detector.ingest.fingerprint import fingerprint_of
from detector.ingest.reader import (
    FetchedTask,
    LocalDigester,
    Task,
    read_file,
    was_replaced,
)
from detector.sources.open_file import SMALL_FILE
from detector.store.file_table import FileRead, FileRow

_BATCH_FILES = 64
_BATCH_BYTES = 1 << 20
"""The bytes of unpacked text in a batch."""


class _SmallFile(NamedTuple):
    """An open small file, and its unpacked text."""

    task: Task
    file: BinaryIO
    text: bytes

    def reopen(self, _: str) -> BinaryIO:
        """Return the file, positioned at its beginning."""
        self.file.seek(0)
        return self.file


def read_files(
    fetched: Iterable[FetchedTask], digester: LocalDigester
) -> Iterator[Sequence[FileRead]]:
    """Read files in order, and yield results as of ``read_file``; those of a batch together."""
    batch: list[_SmallFile] = []
    size = 0
    for each in fetched:
        small = _open_small(each)
        if small is not None:
            batch.append(small)
            size += len(small.text)
        if batch and (small is None or len(batch) == _BATCH_FILES or size > _BATCH_BYTES):
            yield _read_small(batch, digester)
            batch, size = [], 0
        if small is None:
            for read in read_file(each.task, digester, each.open):
                yield [read]
    if batch:
        yield _read_small(batch, digester)


def _open_small(fetched: FetchedTask) -> _SmallFile | None:
    """Open a file that may be digested with others; return None if it must be read separately."""
    task = fetched.task
    is_candidate = task.previous is None and task.file.size <= SMALL_FILE
    if not is_candidate or not can_parse_documents():
        return None
    try:
        file = fetched.open(task.file.path)
        if not was_replaced(file, task.file):
            text = unpack_small_document(file, task.file.size)
            if text is not None:
                return _SmallFile(task, file, text)
        file.close()
    except OSError:
        pass  # reading it separately reports the error
    return None


def _read_small(batch: Sequence[_SmallFile], digester: LocalDigester) -> list[FileRead]:
    """Digest the texts of files, and return their results in order.

    The first result of the files digested together has the hits and observations of all."""
    paths = [each.task.file.path for each in batch]
    result = digester.digest_documents(paths, [each.text for each in batch])
    partial = result.partial
    reads: list[FileRead] = []
    for small, stats in zip(batch, result.stats, strict=True):
        task, file, text = small
        if stats is None:
            reads += read_file(task, digester, small.reopen)
            continue
        with file:
            row = FileRow(
                task.file,
                state="read",
                fingerprint=fingerprint_of(file, 0, task.file.size),
                generation=task.generation,
            )
        sha256 = hashlib.sha256(text).digest() if task.hash_content else None
        partial.chunks[task.file.path, 0] = stats
        reads.append(FileRead(row, partial, sha256=sha256))
        partial = Partial()
    return reads
