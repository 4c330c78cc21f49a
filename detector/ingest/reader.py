"""One file -> what it came to: read from where it was left, digested, and judged.

A document or a compressed file is taken whole or not at all. Plain lines are taken chunk by chunk, each with the
place where reading goes on.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO, NamedTuple

from detector.cloudtrail.digest_file import digest_of
from detector.detection.digest import ChunkStats, Partial, digest, merge
from detector.detection.signature_cache import SignatureCache
from detector.formats import Chunk, Incomplete, NotALog, Unreadable, read_chunks
from detector.rules.dispatch import Dispatch
from detector.sources.accounting import FileState
from detector.sources.open_file import open_file
from detector.sources.source import SourceFile, Unavailable
from detector.store.file_table import FileRead, FileRow

_HEAD, _TAIL = 1024, 64


class Task(NamedTuple):
    """A file to read. ``previous`` is how it was left, ``generation`` that of the rules; ``is_final``: it
    will not grow."""

    file: SourceFile
    previous: FileRow | None
    generation: int
    is_final: bool
    hash_content: bool = False
    """Whether its content is to be hashed: where there are digest files to compare with."""


class FetchedTask(NamedTuple):
    """A task with the object that was fetched for it, or why that failed. None: any process can
    open the file."""

    task: Task
    content: bytes | Unavailable | None = None

    def open(self, path: str) -> BinaryIO:
        """Raises OSError."""
        if isinstance(self.content, Unavailable):
            raise self.content
        return open_file(path) if self.content is None else io.BytesIO(self.content)


class DigestFile(NotALog):
    """A digest holds no events, but says which log files there must be."""

    def __init__(self, chunk: Chunk) -> None:
        super().__init__("digest", "a CloudTrail digest file, which holds no events")
        self.digest = digest_of(chunk.data)
        self.sha256 = hashlib.sha256(chunk.data).digest()


class DigestedChunk(NamedTuple):
    """A chunk, whose data may have gone since, and what it holds."""

    chunk: Chunk
    partial: Partial
    is_partial_line: bool = False
    """It is the beginning of a line whose end has not been written yet."""


ChunkDigester = Callable[[str, Iterable[Chunk]], Iterator[DigestedChunk]]
"""Digests the chunks of a source one after the other, wherever that is done."""


class LocalDigester:
    """Digests chunks in this process by the rules of ``dispatch``."""

    def __init__(self, dispatch: Dispatch) -> None:
        self._dispatch = dispatch
        self._cache = SignatureCache()
        self.rule_seconds: dict[str, float] = defaultdict(float)
        """Seconds that each rule has taken of the records that got to it."""

    def __call__(self, source: str, chunks: Iterable[Chunk]) -> Iterator[DigestedChunk]:
        """Digest the chunks of one source in order."""
        for chunk in chunks:
            partial = self.digest(source, chunk)
            yield DigestedChunk(chunk, partial, _is_torn(chunk, _tally(partial)))

    def digest(self, source: str, chunk: Chunk) -> Partial:
        """Digest one chunk. Raises Incomplete or Unreadable."""
        partial, rule_seconds = digest(source, chunk, self._dispatch, self._cache)
        for rule_id, seconds in rule_seconds.items():
            self.rule_seconds[rule_id] += seconds
        return partial

    def drain_rule_seconds(self) -> dict[str, float]:
        """Return the seconds since the last call, and begin anew."""
        drained = dict(self.rule_seconds)
        self.rule_seconds.clear()
        return drained


def read(
    task: Task, digested: ChunkDigester, opened: Callable[[str], BinaryIO] = open_file
) -> Iterator[FileRead]:
    """Read one file on. Several results where it is large and of plain lines; none where it has
    gone away.

    Nothing is raised: what cannot be read is a result with its reason.
    """
    try:
        with opened(task.file.path) as file:
            if _is_another(file, task.file):
                return  # put in its place since the sweep, which finds both again
            yield from _read(file, task, digested)
    except Unavailable as error:
        state = "quarantined" if task.is_final and error.state == "waiting" else error.state
        yield unread_result(task, state, Unreadable(error.code, str(error.strerror)))
    except FileNotFoundError:
        return  # renamed or removed since the sweep, which finds it again if it is still there
    except DigestFile as error:
        result = unread_result(task, "skipped", error)
        result.digest, result.sha256 = error.digest, error.sha256
        yield result
    except NotALog as error:
        yield unread_result(task, "skipped", error)
    except Incomplete as error:
        yield unread_result(task, "quarantined" if task.is_final else "waiting", error)
    except Unreadable as error:
        yield unread_result(task, "quarantined", error)
    except OSError as error:
        yield unread_result(
            task,
            "quarantined" if task.is_final else "waiting",
            Unreadable("unreadable", f"{error.strerror}: allow reading it"),
        )


def _read(file: BinaryIO, task: Task, digested: ChunkDigester) -> Iterator[FileRead]:
    held = task.previous
    if held is not None and held.fingerprint != fingerprint_of(file, held.resume or held.size):
        held = None  # it begins otherwise than what was read then: another file
    offset = held.resume if held is not None and held.generation == task.generation else 0
    again = held is not None and not offset
    file.seek(0)
    plain = True
    them: Iterable[Chunk] = read_chunks(file, offset)
    content = hashlib.sha256() if task.hash_content and not offset else None
    if content is not None:
        them = _hashed(them, content)
    whole: list[Partial] = []
    for chunk, partial, torn in digested(task.file.path, them):
        plain = not chunk.decompressed
        if not offset and not chunk.offset:
            _refuse_foreign(chunk, _tally(partial))
        if torn and not task.is_final:
            break
        if plain and chunk.lines and not torn:
            yield _result(
                task, partial, chunk.end, fingerprint_of(file, chunk.end), again, done=False
            )
            offset = chunk.end
        else:
            whole.append(partial)
    # The last word: the file as it was when it was found, read to its end.
    resume = offset if plain else 0
    last = _result(
        task,
        whole[0] if len(whole) == 1 else merge(whole),
        resume,
        fingerprint_of(file, resume or task.file.size),
        again,
        done=True,
    )
    last.sha256 = content.digest() if content is not None else None
    yield last


def _hashed(them: Iterable[Chunk], content: hashlib._Hash) -> Iterator[Chunk]:
    for chunk in them:
        content.update(chunk.data)
        yield chunk


def _is_another(file: BinaryIO, found: SourceFile) -> bool:
    """Whether the name has passed to another file: what it holds must not be taken for what was
    found."""
    if not found.device:
        return False  # an object of a bucket
    status = os.fstat(file.fileno())
    return (status.st_dev, status.st_ino) != (found.device, found.inode)


def _tally(partial: Partial) -> ChunkStats:
    (tally,) = partial.chunks.values()
    return tally


def _is_torn(chunk: Chunk, tally: ChunkStats) -> bool:
    """Whether the chunk is the beginning of a line whose end has not been written yet."""
    return chunk.lines and bytes(chunk.data[-1:]) != b"\n" and tally.rejected.get("not-json", 0) > 0


def _refuse_foreign(chunk: Chunk, tally: ChunkStats) -> None:
    """A file that begins with nothing of CloudTrail's is no log, rather than a log of rejected
    records."""
    if chunk.member:
        return
    if tally.seen == 1 and "digest" in tally.skipped:
        raise DigestFile(chunk)
    if tally.seen == 1 and "lake-sign" in tally.skipped:
        raise NotALog("lake-sign", "a sign file of CloudTrail Lake, which holds no events")
    strange = tally.rejected.get("not-cloudtrail", 0) + tally.rejected.get("not-json", 0)
    if not tally.seen or strange < tally.seen:
        return
    if tally.rejected.get("not-json") == tally.seen:
        raise NotALog("not-json", "not JSON")
    raise NotALog("not-cloudtrail", "JSON, but no CloudTrail records")


def fingerprint_of(file: BinaryIO, end: int) -> bytes | None:
    """What recognizes the content before byte ``end``: its beginning and its last bytes, hashed."""
    if not end:
        return None
    place = file.tell()  # the chunks are still being read from there
    file.seek(0)
    head = file.read(min(_HEAD, end))
    file.seek(max(0, end - _TAIL))
    tail = file.read(min(_TAIL, end))
    file.seek(place)
    return hashlib.blake2b(head + tail, digest_size=16).digest()


def _result(
    task: Task, partial: Partial, resume: int, mark: bytes | None, again: bool, done: bool
) -> FileRead:
    found = task.file
    row = FileRow(
        found.path,
        found.device,
        found.inode,
        found.size,
        found.mtime_ns,
        "read" if done else "waiting",
        None if done else "reading",
        None if done else "being read",
        resume,
        mark,
        # A re-read that is broken off starts again.
        task.generation if done or not again or task.previous is None else task.previous.generation,
    )
    return FileRead(row, partial, again)


def hash_content(path: str) -> bytes | None:
    """SHA-256 of a file's unpacked content; None where it cannot be read."""
    content = hashlib.sha256()
    try:
        with open_file(path) as file:
            for chunk in read_chunks(file):
                content.update(chunk.data)
    except (OSError, Unreadable):
        return None
    return content.digest()


def unread_result(task: Task, state: FileState, error: Unreadable) -> FileRead:
    """The result for a file that was not read."""
    found, held = task.file, task.previous
    row = FileRow(
        found.path,
        found.device,
        found.inode,
        found.size,
        found.mtime_ns,
        state,
        *error.reason,
        held.resume if held else 0,
        held.fingerprint if held else None,
        task.generation,
    )
    return FileRead(row, Partial.empty())
