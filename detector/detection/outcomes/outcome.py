"""The outcomes of rules for records that are alike, and the views that they are cached by."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from detector.detection.event import KeptEvent, Matches
from detector.rules.rule import Rule


class RuleOutcome(NamedTuple):
    """The outcome of rules for records that agree in all fields that the rules read.

    ``event`` is the records' event without time, id and position; None if no rule can match.
    ``own`` lists the inputs that each record fills in: index of the match, index of the input,
    attribute."""

    matches: Matches
    event: KeptEvent | None
    own: tuple[tuple[int, int, str], ...] = ()

    def event_in(self, region: str) -> KeptEvent | None:
        """Return the event in another region; only valid if the rules do not read the region."""
        if self.event is None or self.event.region == region:
            return self.event
        return self.event.made_in(region)

    @property
    def size(self) -> int:
        """The approximate size in bytes."""
        return 64 * sum([len(inputs) for _, inputs in self.matches])


class ViewVerdict(msgspec.Struct, gc=False):
    """The outcomes of rules for the records of a view.

    ``reads`` are the attributes that rules read beyond the view; ``outcomes`` are by their values.
    ``settled`` is the outcome of all records, if nothing more of them has to be read. ``timed`` are
    the rules that depend on an event's time; they are evaluated for each record."""

    view: Any
    rules: list[Rule]
    timed: list[Rule]
    reads: tuple[str, ...] = ()
    outcomes: dict[tuple[object, ...], RuleOutcome] = {}
    settled: RuleOutcome | None = None


NO_HITS = ViewVerdict(None, [], [], settled=RuleOutcome((), None))
"""The verdict on records whose caller no rule can match."""


def view_size(view: tuple[bytes, Any, bool]) -> int:
    """Return the approximate size of a view in bytes."""
    caller, message, _ = view
    return len(caller) + (len(message) if message else 0)
