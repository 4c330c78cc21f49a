"""The reader of one file, which resumes where the last read ended.

A document or a compressed file is committed whole or not at all. Plain lines are committed chunk by
chunk, each with the offset at which reading resumes.
"""

from __future__ import annotations

import hashlib
import io
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import BinaryIO, NamedTuple

from detector.cloudtrail.digest_file import digest_of
from detector.detection.digest import (
    ChunkStats,
    DocumentsResult,
    Partial,
    digest,
    digest_documents,
    merge,
)
from detector.detection.signature_cache import SignatureCache
from detector.formats import Chunk, Incomplete, NotALog, Unreadable, read_chunks
from detector.ingest.archive_members import ArchiveMembers
from detector.ingest.fingerprint import covered_size, fingerprint_of, has_content, kept_fingerprint
from detector.rules.dispatch import Dispatch
from detector.sources.accounting import FileState
from detector.sources.open_file import identity_of, open_file
from detector.sources.os_errors import describe_os_error
from detector.sources.source import SourceFile, Unavailable
from detector.store.file_table import FileRead, FileRow

_WHOLE = 1 << 62
"""An offset past the end of any file."""


class Task(NamedTuple):
    """A file to read, and how the last read left it."""

    file: SourceFile
    previous: FileRow | None
    """The row of the file; None if it was not found before."""
    generation: int
    """The generation of the rules."""
    is_final: bool
    """Whether the file will not grow any more."""
    hash_content: bool = False
    """Whether to hash the content, for comparison with digest files."""


class FetchedTask(NamedTuple):
    """A task with the content of its object, or the error of fetching it.

    ``content`` is None for a file that every process can open by itself.
    """

    task: Task
    content: bytes | Unavailable | None = None

    def open(self, path: str) -> BinaryIO:
        """Open the file for reading. Raises OSError."""
        if isinstance(self.content, Unavailable):
            raise self.content
        return open_file(path) if self.content is None else io.BytesIO(self.content)


class DigestFile(NotALog):
    """A digest file, which names the log files that must exist."""

    def __init__(self, chunk: Chunk) -> None:
        super().__init__("digest", "a CloudTrail digest file (contains no events)")
        self.digest = digest_of(chunk.data)
        self.sha256 = hashlib.sha256(chunk.data).digest()


class DigestedChunk(NamedTuple):
    """A chunk and its digest; the chunk's data may have been overwritten already."""

    chunk: Chunk
    partial: Partial
    is_partial_line: bool = False
    """Whether the chunk is the beginning of a line whose end has not been written yet."""


ChunkDigester = Callable[[str, Iterable[Chunk]], Iterator[DigestedChunk]]
"""Digests the chunks of a source in order, in this process or in others."""


class LocalDigester:
    """A digester that runs in this process, with the rules of ``dispatch``.

    The activity of principals is counted only if ``counts_activity``."""

    def __init__(self, dispatch: Dispatch, counts_activity: bool = True) -> None:
        self._dispatch = dispatch
        self._counts_activity = counts_activity
        self._cache = SignatureCache()
        self.rule_seconds: dict[str, float] = defaultdict(float)
        """The seconds that each rule has taken for the records dispatched to it, by rule id."""

    def __call__(self, source: str, chunks: Iterable[Chunk]) -> Iterator[DigestedChunk]:
        """Digest the chunks of one source in order."""
        for chunk in chunks:
            partial = self.digest(source, chunk)
            yield DigestedChunk(chunk, partial, _is_partial_line(chunk, _stats_of(partial)))

    def digest(self, source: str, chunk: Chunk) -> Partial:
        """Digest one chunk. Raises Incomplete or Unreadable."""
        partial, rule_seconds = digest(
            source, chunk, self._dispatch, self._cache, self._counts_activity
        )
        self._add_rule_seconds(rule_seconds)
        return partial

    def digest_documents(self, sources: Sequence[str], texts: Sequence[bytes]) -> DocumentsResult:
        """Digest small compressed trail files."""
        result = digest_documents(
            sources, texts, self._dispatch, self._cache, self._counts_activity
        )
        self._add_rule_seconds(result.rule_seconds)
        return result

    def forget(self) -> None:
        """Free the cache of callers and calls; it is built again as needed."""
        self._cache.forget()

    def _add_rule_seconds(self, rule_seconds: Mapping[str, float]) -> None:
        for rule_id, seconds in rule_seconds.items():
            self.rule_seconds[rule_id] += seconds

    def drain_rule_seconds(self) -> dict[str, float]:
        """Return the rules' seconds since the last call, and reset them."""
        drained = dict(self.rule_seconds)
        self.rule_seconds.clear()
        return drained


def read_file(
    task: Task, digester: ChunkDigester, opener: Callable[[str], BinaryIO] = open_file
) -> Iterator[FileRead]:
    """Read a file from where the last read ended, and digest it.

    Yields several results for a large file of plain lines, and none for a file that is gone. Does
    not raise: for a file that cannot be read, it yields a result with the reason.
    """
    unfinished: FileState = "quarantined" if task.is_final else "waiting"
    try:
        with opener(task.file.path) as file:
            if was_replaced(file, task.file):
                return  # The next sweep finds both files.
            yield from _read_opened(file, task, digester)
    except Unavailable as error:
        state = unfinished if error.state == "waiting" else error.state
        yield unread_result(task, state, Unreadable(error.code, str(error.strerror)))
    except FileNotFoundError:
        return  # Renamed or removed since the sweep; the next sweep finds it at its new path.
    except DigestFile as error:
        result = unread_result(task, "skipped", error)
        result.digest, result.sha256 = error.digest, error.sha256
        yield result
    except NotALog as error:
        yield unread_result(task, "skipped", error)
    except Incomplete as error:
        yield unread_result(task, unfinished, _with_advice(error, task.is_final))
    except Unreadable as error:
        yield unread_result(task, "quarantined", error)
    except OSError as error:
        yield unread_result(task, "quarantined", Unreadable("unreadable", describe_os_error(error)))


def _read_opened(file: BinaryIO, task: Task, digester: ChunkDigester) -> Iterator[FileRead]:
    previous = _previous_row(file, task)
    offset = 0
    if previous is not None and previous.generation == task.generation:
        offset = previous.resume
    reread = previous is not None and not offset
    file.seek(0)
    from_file = True
    chunks: Iterable[Chunk] = read_chunks(file, offset)
    counted_end = 0
    if previous is not None and reread:
        counted_end = _counted_end(previous, task.file)
        chunks = _cut_at(chunks, counted_end)
    content_hash = hashlib.sha256() if task.hash_content and not offset else None
    if content_hash is not None:
        chunks = _hash_chunks(chunks, content_hash)
    uncommitted: list[Partial] = []
    members = ArchiveMembers()
    for chunk, partial, is_partial_line in digester(task.file.path, chunks):
        from_file = not chunk.decompressed
        if chunk.offset < counted_end:
            _stats_of(partial).activity = b""
        if not offset and not chunk.offset:
            _refuse_foreign(chunk, _stats_of(partial))
        if is_partial_line and not task.is_final:
            break
        members.add(chunk, _stats_of(partial))
        if from_file and chunk.lines and not is_partial_line:
            offset = chunk.end
            yield _unfinished_result(task, partial, offset, fingerprint_of(file, offset, 0), reread)
        else:
            uncommitted.append(partial)
    # The last result has the file as the sweep found it, and is read to the end.
    resume = offset if from_file else 0
    row = FileRow(
        task.file,
        state="read",
        detail=members.detail(),
        resume=resume,
        fingerprint=fingerprint_of(file, resume, task.file.size),
        generation=task.generation,
    )
    partial = uncommitted[0] if len(uncommitted) == 1 else merge(uncommitted)
    sha256 = None if content_hash is None else content_hash.digest()
    yield FileRead(row, partial, reread, sha256=sha256)


def _with_advice(error: Incomplete, is_final: bool) -> Incomplete:
    """Add advice on a file that ends too early to its error."""
    code, detail = error.reason
    advice = "copy it again, whole" if is_final else "read when it has grown"
    return Incomplete(code, f"{detail}: {advice}")


def _previous_row(file: BinaryIO, task: Task) -> FileRow | None:
    """Return the task's previous row; None if there is none, or the content is another one."""
    row = task.previous
    return row if row is not None and has_content(file, row) else None


def _counted_end(previous: FileRow, file: SourceFile) -> int:
    """Return the byte up to which earlier reads have counted the activity of a file.

    A document or a compressed file that has grown is counted again from its start, since its new
    part cannot be told apart."""
    if previous.resume:
        return previous.resume
    return _WHOLE if covered_size(previous) == file.size else 0


def _cut_at(chunks: Iterable[Chunk], end: int) -> Iterator[Chunk]:
    """Split the chunk of lines that contains byte ``end``, up to which lines were read before.

    The activity before ``end`` has been counted already."""
    for chunk in chunks:
        if chunk.lines and not chunk.decompressed and chunk.offset < end < chunk.end:
            size = end - chunk.offset
            yield chunk._replace(data=chunk.data[:size])
            yield chunk._replace(data=chunk.data[size:], offset=end)
        else:
            yield chunk


def _hash_chunks(chunks: Iterable[Chunk], content_hash: hashlib._Hash) -> Iterator[Chunk]:
    for chunk in chunks:
        content_hash.update(chunk.data)
        yield chunk


def was_replaced(opened: BinaryIO, file: SourceFile) -> bool:
    """Tell whether the opened file is not the file that the sweep found at the path."""
    if not file.device:
        return False  # an object in a bucket
    return identity_of(opened) != file.identity


def _stats_of(partial: Partial) -> ChunkStats:
    (stats,) = partial.chunks.values()
    return stats


def _is_partial_line(chunk: Chunk, stats: ChunkStats) -> bool:
    """Tell whether a chunk is a line that is still being written, or pieces of one."""
    return stats.rejected.get("not-json", 0) > 0 and chunk.is_unfinished


def _refuse_foreign(chunk: Chunk, stats: ChunkStats) -> None:
    """Raise NotALog for a file whose first chunk holds no CloudTrail records.

    Such a file is skipped as a whole, rather than read as a log of rejected records.
    """
    if chunk.member:
        return
    if stats.seen == 1 and "digest" in stats.skipped:
        raise DigestFile(chunk)
    if stats.seen == 1 and "lake-sign" in stats.skipped:
        raise NotALog("lake-sign", "a CloudTrail Lake signature file (contains no events)")
    foreign = stats.rejected.get("not-cloudtrail", 0) + stats.rejected.get("not-json", 0)
    if not stats.seen or foreign < stats.seen:
        return
    if stats.rejected.get("not-json") == stats.seen:
        raise NotALog("not-json", "not JSON")
    raise NotALog("not-cloudtrail", "JSON without CloudTrail records")


def _unfinished_result(
    task: Task, partial: Partial, resume: int, fingerprint: bytes | None, reread: bool
) -> FileRead:
    """Return the result of the lines up to ``resume``."""
    generation = task.generation
    if reread and task.previous is not None:
        generation = task.previous.generation  # An interrupted reread must start over.
    row = FileRow(
        task.file,
        state="waiting",
        reason="reading",
        detail="being read",
        resume=resume,
        fingerprint=fingerprint,
        generation=generation,
    )
    return FileRead(row, partial, reread)


def unread_result(task: Task, state: FileState, error: Unreadable) -> FileRead:
    """Return the result for a file that was not read.

    It keeps the fingerprint of earlier content, which is recognized once the file is readable."""
    resume, fingerprint = 0, None
    if task.previous is not None:
        fingerprint = kept_fingerprint(task.previous)
        if task.previous.generation == task.generation:
            resume = task.previous.resume
    row = FileRow(
        task.file,
        state=state,
        reason=error.reason.code,
        detail=error.reason.detail,
        resume=resume,
        fingerprint=fingerprint,
        generation=task.generation,
    )
    return FileRead(row, Partial())


def out_of_scope_result(task: Task) -> FileRead:
    """Return the result for a file that the sweep excludes."""
    assert task.file.problem is not None
    state, reason, detail = task.file.problem
    task = task._replace(file=task.file._replace(problem=None))
    return unread_result(task, state, Unreadable(reason, detail))


def content_sha256(path: str) -> bytes | None:
    """Return the SHA-256 of a file's decompressed content; None if it cannot be read."""
    content_hash = hashlib.sha256()
    try:
        with open_file(path) as file:
            for chunk in read_chunks(file):
                content_hash.update(chunk.data)
    except (OSError, Unreadable):
        return None
    return content_hash.digest()
