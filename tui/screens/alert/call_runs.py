"""Runs of equal calls in an alert."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from detector.detection.event import Event

_FEWEST = 3
"""Minimum number of consecutive equal calls that are folded into one row."""


class CallRuns:
    """The calls of an alert; consecutive calls that differ only in region share one row.

    The first call of such a run represents it. Without ``folds``, each call has its own row.
    """

    def __init__(self, events: Sequence[Event], *, folds: bool) -> None:
        self.shown: list[Event] = []
        """The calls that have a row, in order."""
        self._runs: dict[Event, Sequence[Event]] = {}
        self._first: dict[Event, Event] = {}
        for _, group in groupby(events, _without_region):
            run = list(group)
            if folds and len(run) >= _FEWEST:
                self.shown.append(run[0])
                self._runs[run[0]] = run
                self._first |= dict.fromkeys(run, run[0])
            else:
                self.shown += run

    def row_of(self, call: Event) -> Event:
        """Return the call that represents the row of ``call``."""
        return self._first.get(call, call)

    def action(self, call: Event) -> str:
        """Return the action of a row; for a run, for example ``34▸ DescribeInstances``."""
        if call in self._runs:
            return f"{len(self._runs[call]):,}▸ {call.action}"
        return call.action

    def region(self, call: Event) -> str:
        """Return the region of a row; for a run of several regions, for example ``17 regions``."""
        regions = _regions(self._runs.get(call, (call,)))
        if len(regions) > 1:
            return f"{len(regions)} regions"
        return call.region


def _regions(run: Iterable[Event]) -> set[str]:
    return {call.region for call in run}


def _without_region(call: Event) -> tuple[str, ...]:
    return (
        call.arn,
        call.access_key,
        call.provider,
        call.action,
        call.error_code,
        call.source_address,
        call.user_agent,
    )
