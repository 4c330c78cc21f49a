"""Files on disk: found by a sweep, woken by the system's change events.

The sweep (``os.scandir``) is the truth. Change events get lost without an error under load, so they only say that
it may be worth sweeping now.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from detector.accounting import FileState

_BEING_WRITTEN = re.compile(
    r"\.(?:gz|json|jsonl|ndjson)\.[A-Za-z0-9]{8}$"  # aws s3 cp and sync: NAME.json.gz.1a2B3c4D
    r"|\.(?:gz|json|jsonl|ndjson)\d+$"              # s5cmd: NAME.json.gz123456789
    r"|\.partial$"                                  # rclone
    r"|^\.s3cmd\..*\.tmp$"                          # s3cmd
    r"|^\..*\.[A-Za-z0-9]{6}$"                      # rsync: .NAME.json.gz.1a2B3c
    r"|\.(?:tmp|part|crdownload|filepart)$"
)
"""Names under which copying tools write before they rename; the final name is read when it appears."""


class Found(NamedTuple):
    """A file as the sweep sees it. ``problem`` tells why it cannot be read or is not read (yet)."""

    path: str
    device: int
    inode: int
    size: int
    mtime_ns: int
    problem: tuple[FileState, str, str] | None = None
    """(state, reason, detail), as the file's row in the store will say."""


def being_written(name: str) -> bool:
    """Whether a copying tool still writes under this name."""
    return _BEING_WRITTEN.search(name) is not None


class Directory:
    """Some files and folders. A root that does not exist yet may appear later."""

    def __init__(self, roots: Sequence[Path]) -> None:
        self.roots = [Path(root).absolute() for root in roots]

    def sweep(self) -> Iterator[Found]:
        """Every regular file below the roots, each once, whatever links lead to it.

        A folder that may not be listed is found as one quarantined file, so that it is not overlooked.
        """
        folders: set[tuple[int, int]] = set()
        files: set[tuple[int, int]] = set()
        due = [str(root) for root in reversed(self.roots)]
        while due:
            path = due.pop()
            try:
                status = os.stat(path)
                identity = (status.st_dev, status.st_ino)
                if stat.S_ISREG(status.st_mode):
                    yield Found(path, *identity, status.st_size, status.st_mtime_ns, _problem(path, identity in files))
                    files.add(identity)
                elif stat.S_ISDIR(status.st_mode) and identity not in folders:
                    folders.add(identity)
                    with os.scandir(path) as entries:
                        due += sorted((entry.path for entry in entries), reverse=True)
            except PermissionError as error:
                yield Found(path, 0, 0, 0, 0, ("quarantined", "unreadable", f"{error.strerror}: allow reading it"))
            except OSError:
                continue  # it went away, or is a link that leads nowhere: there is nothing to read

    def covers(self, path: str) -> bool:
        """Whether the sweep would find a file at this path."""
        return any(Path(path).is_relative_to(root) for root in self.roots)

    def wait(self, stop: threading.Event, seconds: float) -> None:
        """Return when something may have changed, after ``seconds`` at the latest, or when ``stop`` is set."""
        watched = [root for root in self.roots if root.exists()]
        if not watched:
            stop.wait(seconds)
            return
        from watchfiles import watch  # it costs 40 ms, and a scan never waits

        with contextlib.suppress(OSError, RuntimeError):  # out of watches, or a root went away: the sweep still comes
            for _ in watch(*watched, stop_event=stop, rust_timeout=int(seconds * 1000), yield_on_timeout=True,
                           debounce=200, step=50, watch_filter=None, raise_interrupt=False,
                           ignore_permission_denied=True):
                return
        if not stop.is_set():
            stop.wait(seconds)


def _problem(path: str, known: bool) -> tuple[FileState, str, str] | None:
    if being_written(os.path.basename(path)):
        return "waiting", "being-written", "still being written under a temporary name"
    return ("skipped", "link", "another name of a file that is read already") if known else None
