"""Files under temporary names, which are read once they stop changing.

Copying tools write under a temporary name, which they change at the end. Some write a file at
several offsets at once, so its beginning may have holes. But the name alone proves nothing: logs
are rotated to names with any suffix, and copies get interrupted. So such a file waits while it
changes and is then read, whatever it is called.
"""

from __future__ import annotations

import os
import time

from detector.text.late_pattern import late_pattern

SETTLE_SECONDS = 2.0
"""A file unchanged for this many seconds is no longer being written."""

_TEMPORARY = late_pattern(
    r"\.(?:gz|json|jsonl|ndjson)\.(?!\d+$)[A-Fa-f0-9]{8}$"  # aws s3 cp and sync: NAME.gz.1a2B3c4D
    r"|\.(?:gz|json|jsonl|ndjson)\d{6,10}$"  # s5cmd: NAME.json.gz123456789
    r"|\.partial$"  # rclone
    r"|^\.s3cmd\..*\.tmp$"  # s3cmd
    r"|^\..*\.(?!\d+$|[a-z]+$)[A-Za-z0-9]{6}$"  # rsync: .NAME.json.gz.1a2B3c
    r"|\.(?:tmp|part|crdownload|filepart)$"
)


_LASTING = (".gz", ".json", ".jsonl", ".ndjson")
"""Suffixes of logs, which temporary names have only if they begin with a dot."""


def is_temporary(name: str) -> bool:
    """Tell whether a copying tool may write under this name."""
    if name.endswith(_LASTING) and not name.startswith("."):
        return False
    return _TEMPORARY.search(name) is not None


class Settling:
    """The files under temporary names that were still changing when last examined."""

    def __init__(self) -> None:
        self._looks: dict[str, tuple[tuple[int, int, int], float]] = {}
        """Each file's last seen state, and since when it has been in it (monotonic clock)."""

    def paths(self) -> list[str]:
        """Return the paths of the files that are waiting."""
        return list(self._looks)

    def forget(self, path: str) -> None:
        """Forget a file that is gone."""
        self._looks.pop(path, None)

    def is_changing(self, path: str, status: os.stat_result) -> bool:
        """Tell whether a file has a temporary name and is still changing."""
        if not is_temporary(os.path.basename(path)):
            return False
        changed_ns = max(status.st_mtime_ns, status.st_ctime_ns)
        if time.time_ns() - changed_ns > SETTLE_SECONDS * 1e9:
            self.forget(path)
            return False
        # The file system's clock may be ahead, so two examinations are compared as well.
        now = time.monotonic()
        state = (status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        previous, since = self._looks.get(path, (None, now))
        if state != previous:
            self._looks[path] = state, now
            return True
        return now - since < SETTLE_SECONDS
