"""Announce that a watched indicator was seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from detector.delivery.watch_export import seen_again
from detector.triage.watch import WatchRow
from tui.keymap import key_of


class WatchNotice:
    """Announces each new sighting of a watch once; ``say`` receives the line."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._looked_at: Sequence[WatchRow] | None = None
        self._told: dict[str, int] = {}
        """The ``new`` count of each watch at the last look, by watch id."""

    def look(self, rows: Sequence[WatchRow]) -> None:
        """Announce what is new in ``rows``; skip the list that was looked at last."""
        if rows is self._looked_at:
            return
        self._looked_at = rows
        fresh = [row for row in rows if row.new > self._told.get(row.watch.watch_id, 0)]
        self._told = {row.watch.watch_id: row.new for row in rows}
        if fresh:
            more = f" (and {len(fresh) - 1:,} more)" if len(fresh) > 1 else ""
            self._say(f"Seen: {seen_again(fresh[0])}{more}; {key_of('area.watches')} shows it")
