"""The outbox: notices kept on disk, next to the state, until their sink has taken them.

Each notice is a file of its own, written atomically. The folder holds at most ``limit`` notices;
the oldest beyond that, and notices that a sink rejects for good, move to ``dead.jsonl`` with a
warning. ``told.json`` records what was queued for each sink, so that a restart does not send
everything again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from detector.delivery.sinks.notice import Notice
from detector.text import private_files

QUEUE_LIMIT = 1_000
"""Maximum number of waiting notices."""
_MAX_TOLD = 50_000
_MAX_DEAD_BYTES = 16 << 20


class QueuedNotice(msgspec.Struct, frozen=True):
    """A notice that waits for a sink; ``number`` determines the order."""

    number: int
    sink_id: str
    notice: Notice


class _DeadLetter(msgspec.Struct):
    sink: str
    reason: str
    notice: Notice


class Outbox:
    """The waiting notices; only one thread may write at a time. Methods raise OSError."""

    def __init__(self, folder: Path, warn: Callable[[str], None], limit: int = QUEUE_LIMIT) -> None:
        self._folder = folder
        self._warn = warn
        self._limit = limit
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._queue = {queued.number: queued for queued in self._stored()}
        self._next = max(self._queue, default=0) + 1
        self._told: dict[str, dict[str, str]] = self._read_told()

    def __len__(self) -> int:
        return len(self._queue)

    def waiting(self, sink_id: str) -> list[QueuedNotice]:
        """Return the notices waiting for a sink, oldest first."""
        return [each for _, each in sorted(self._queue.items()) if each.sink_id == sink_id]

    def sink_ids(self) -> set[str]:
        """Return the ids of the sinks with waiting notices."""
        return {each.sink_id for each in self._queue.values()}

    def told(self, sink_id: str, subject_id: str) -> str | None:
        """Return the key of the last notice queued for an alert or watch, or None."""
        return self._told.get(sink_id, {}).get(subject_id)

    def put(self, sink_id: str, subject_id: str, notice: Notice) -> None:
        """Keep a notice until its sink takes it; when the queue is full, bury the oldest one."""
        if len(self._queue) >= self._limit:
            self.bury(self._queue[min(self._queue)], "the queue is full")
        queued = QueuedNotice(self._next, sink_id, notice)
        self._next += 1
        private_files.write_new(self._path(queued), msgspec.json.encode(queued))
        self._queue[queued.number] = queued
        told = self._told.setdefault(sink_id, {})
        told.pop(subject_id, None)
        told[subject_id] = notice.key
        while len(told) > _MAX_TOLD:
            del told[next(iter(told))]

    def save(self) -> None:
        """Write ``told.json``; call once per batch of ``put`` calls."""
        private_files.replace_file(self._folder / "told.json", msgspec.json.encode(self._told))

    def remove(self, queued: QueuedNotice) -> None:
        """Delete a notice that its sink has taken."""
        self._queue.pop(queued.number, None)
        self._path(queued).unlink(missing_ok=True)

    def bury(self, queued: QueuedNotice, reason: str) -> None:
        """Move a notice that is given up to ``dead.jsonl``, and warn."""
        path = self._folder / "dead.jsonl"
        letter = msgspec.json.encode(_DeadLetter(queued.sink_id, reason, queued.notice))
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        with open(os.open(path, flags, 0o600), "ab") as file:
            is_kept = file.tell() < _MAX_DEAD_BYTES
            if is_kept:
                file.write(letter + b"\n")
        where = f"kept in {path}" if is_kept else f"dropped: {path} is full"
        about = "watch" if queued.notice.watch else "alert"
        self._warn(f"not sent: {about} {queued.notice.subject_id}: {reason}; {where}")
        self.remove(queued)

    def _path(self, queued: QueuedNotice) -> Path:
        return self._folder / f"{queued.number:012}.json"

    def _stored(self) -> Iterator[QueuedNotice]:
        for path in sorted(self._folder.glob("[0-9]*.json")):
            try:
                yield msgspec.json.decode(path.read_bytes(), type=QueuedNotice)
            except ValueError:
                self._warn(f"{path}: no notice of trailhound, left as it is")

    def _read_told(self) -> dict[str, dict[str, str]]:
        try:
            content = (self._folder / "told.json").read_bytes()
            return msgspec.json.decode(content, type=dict[str, dict[str, str]])
        except FileNotFoundError:
            return {}
        except ValueError:
            self._warn(f"{self._folder}/told.json is damaged: alerts may be sent again")
            return {}
