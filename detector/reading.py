"""One file -> what it came to: read from where it was left, digested, and judged.

A document or a compressed file is taken whole or not at all. Plain lines are taken chunk by chunk, each with the
place where reading goes on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from detector.accounting import FileState
from detector.formats import Chunk, Incomplete, NotALog, Unreadable, chunks
from detector.partial import Partial, Tally, digest, merge
from detector.rules.dispatch import Dispatch
from detector.sources.directory import Found
from detector.store.ingest import FileRead, FileRow

_HEAD, _TAIL = 1024, 64


class Task(NamedTuple):
    """A file to read. ``held`` is how it was left, ``generation`` that of the rules; ``final``: it will not grow."""

    found: Found
    held: FileRow | None
    generation: int
    final: bool


def read(task: Task, dispatch: Dispatch) -> Iterator[FileRead]:
    """Read one file on. Several results where it is large and of plain lines; none where it has gone away.

    Nothing is raised: what cannot be read is a result with its reason.
    """
    try:
        with open(task.found.path, "rb") as file:
            yield from _read(file, task, dispatch)
    except FileNotFoundError:
        return  # renamed or removed since the sweep, which finds it again if it is still there
    except NotALog as error:
        yield unread(task, "skipped", error)
    except Incomplete as error:
        yield unread(task, "quarantined" if task.final else "waiting", error)
    except Unreadable as error:
        yield unread(task, "quarantined", error)
    except OSError as error:
        yield unread(task, "quarantined" if task.final else "waiting",
                      Unreadable("unreadable", f"{error.strerror}: allow reading it"))


def _read(file: BinaryIO, task: Task, dispatch: Dispatch) -> Iterator[FileRead]:
    held = task.held
    again = held is not None and held.generation != task.generation
    offset = held.resume if held and not again and held.print == _print(file, held.resume) else 0
    file.seek(0)
    plain = file.read(2) != b"\x1f\x8b"
    file.seek(0)
    whole: list[Partial] = []
    for chunk in chunks(file, offset):
        partial = digest(task.found.path, chunk, dispatch)
        if not offset and not chunk.offset:
            _refuse_foreign(chunk, _tally(partial))
        if _is_torn(chunk, _tally(partial)) and not task.final:
            break
        if plain and chunk.lines:
            yield _result(task, partial, chunk.end, _print(file, chunk.end), again, done=False)
            offset = chunk.end
        else:
            whole.append(partial)
    # The last word: the file as it was when it was found, read to its end.
    resume = offset if plain else 0
    yield _result(task, merge(whole), resume, _print(file, resume), again, done=True)


def _tally(partial: Partial) -> Tally:
    (tally,) = partial.chunks.values()
    return tally


def _is_torn(chunk: Chunk, tally: Tally) -> bool:
    """Whether the chunk is the beginning of a line whose end has not been written yet."""
    return chunk.lines and not chunk.data.endswith(b"\n") and tally.rejected.get("not-json", 0) > 0


def _refuse_foreign(chunk: Chunk, tally: Tally) -> None:
    """A file that begins with nothing of CloudTrail's is no log, rather than a log of rejected records."""
    strange = tally.rejected.get("not-cloudtrail", 0) + tally.rejected.get("not-json", 0)
    if not tally.seen or strange < tally.seen:
        return
    if b'"digestStartTime"' in chunk.data[:4096]:
        raise NotALog("digest", "a CloudTrail digest file, which holds no events")
    raise NotALog("not-cloudtrail", "JSON, but no CloudTrail records")


def _print(file: BinaryIO, end: int) -> bytes | None:
    """What recognizes the content before byte ``end``: its beginning and its last bytes, hashed."""
    if not end:
        return None
    file.seek(0)
    head = file.read(min(_HEAD, end))
    file.seek(max(0, end - _TAIL))
    return hashlib.blake2b(head + file.read(min(_TAIL, end)), digest_size=16).digest()


def _result(task: Task, partial: Partial, resume: int, mark: bytes | None, again: bool, done: bool) -> FileRead:
    found = task.found
    row = FileRow(
        found.path, found.device, found.inode, found.size, found.mtime_ns, "read" if done else "waiting",
        None if done else "reading", None if done else "being read", resume, mark,
        # A re-read that is broken off starts again.
        task.generation if done or not again or task.held is None else task.held.generation)
    return FileRead(row, partial, again)


def unread(task: Task, state: FileState, error: Unreadable) -> FileRead:
    """The result for a file that was not read."""
    found, held = task.found, task.held
    row = FileRow(found.path, found.device, found.inode, found.size, found.mtime_ns, state, *error.reason,
                  held.resume if held else 0, held.print if held else None, task.generation)
    return FileRead(row, Partial({}, {}, {}))
