"""What rules say of alike records, and what that is remembered by."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from detector.detection.event import KeptEvent, Matches
from detector.rules.rule import Rule


class RuleOutcome(NamedTuple):
    """What rules say of records that agree in all that the rules read of them.

    ``event`` is theirs but for time, id and position; None where no rule may match. ``own`` are the
    inputs of matches that are each record's own: the match's index, the input's, the attribute."""

    matches: Matches
    event: KeptEvent | None
    own: tuple[tuple[int, int, str], ...] = ()

    def event_in(self, region: str) -> KeptEvent | None:
        """Return the event of such records in a region, of rules that do not read it otherwise."""
        if self.event is None or self.event.region == region:
            return self.event
        return self.event.made_in(region)

    @property
    def size(self) -> int:
        """About how many bytes it takes."""
        return 64 * sum([len(inputs) for _, inputs in self.matches])


class ViewVerdict(msgspec.Struct, gc=False):
    """What rules say of the records of a view.

    ``outcomes`` are by the values of the attributes ``reads``, which rules read beyond the view.
    ``settled`` is that of all records, where nothing more of them has to be read. ``timed`` are the
    rules that depend on an event's time: they are asked for each record."""

    view: Any
    rules: list[Rule]
    timed: list[Rule]
    reads: tuple[str, ...] = ()
    outcomes: dict[tuple[object, ...], RuleOutcome] = {}
    settled: RuleOutcome | None = None


NO_HITS = ViewVerdict(None, [], [], settled=RuleOutcome((), None))
"""That on records whose caller no rule wants."""


def view_size(view: tuple[bytes, Any, bool]) -> int:
    """Return about how many bytes a view takes."""
    caller, message, _ = view
    return len(caller) + (len(message) if message else 0)
