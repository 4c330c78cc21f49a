"""The members of an archive that could not be read.

A damaged member does not affect the other members; an archive without any readable member counts as
unreadable itself.
"""

from __future__ import annotations

from detector.detection.digest import ChunkStats
from detector.formats import Chunk, NotALog, Unreadable

_DETAIL_CAP = 500
"""The most characters of a detail, because member names may be arbitrarily long."""
_NAMED = 3
"""How many members the detail of a file names."""


class ArchiveMembers:
    """Collects which members of one archive could be read, as their chunks are digested."""

    def __init__(self) -> None:
        self._unread: list[tuple[str, Unreadable]] = []
        self._has_read = False

    def add(self, chunk: Chunk, stats: ChunkStats) -> None:
        """Record whether a chunk of a member could be read."""
        if not chunk.member:
            return
        problem = chunk.problem or _problem_of(stats)
        if problem is None:
            self._has_read = True
        elif not isinstance(problem, NotALog):
            self._unread.append((chunk.member, problem))

    def detail(self) -> str | None:
        """Return a text that names the members that were not read; None if all were read.

        Raises Unreadable if there are such members, and no member was read.
        """
        if not self._unread:
            return None
        named = [f"{member}: {problem.reason.detail}" for member, problem in self._unread[:_NAMED]]
        more = len(self._unread) - len(named)
        if more:
            named.append(f"and {more:,} more")
        text = "; ".join(named)[:_DETAIL_CAP]
        if not self._has_read:
            raise Unreadable(self._unread[0][1].reason.code, text)
        return f"members not read: {text}"


def _problem_of(stats: ChunkStats) -> Unreadable | None:
    """Return why a member's chunk was rejected as a whole; None if it was not."""
    if stats.seen == 1 and sum(stats.rejected.values()) == 1:
        (code,) = (code for code, count in stats.rejected.items() if count)
        return Unreadable(code, code)
    return None
