"""Rules' answers for a principal or a call: in one line, and condition by condition."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from detector.detection.event import Event
from detector.detection.record_search import Selector
from detector.ecs.fields import FieldTable
from detector.investigation.pivot import EventRow
from detector.rules.rule import Rule
from detector.sources.file_span import FileSpan
from detector.store import Store
from detector.text.abbreviations import short_arn
from detector.workbench.bench import Bench
from detector.workbench.explain import NearestWindow, callers_named, nearest_windows
from detector.workbench.report import (
    Explanation,
    explain_event,
    explain_principal,
    rows_of_files,
)
from detector.workbench.variant import VariantError
from tui.presentation import format

_EVER = 1 << 40


@dataclass(frozen=True)
class RuleAnswer:
    """How close a principal or a call came to an alert of a rule.

    ``window`` is the nearest window, None if there is none. ``unmet`` is the first condition that
    the call does not meet.
    """

    rule: Rule
    window: NearestWindow | None
    has_hits: bool
    alerts: int
    unmet: str = "no event passes its filter"

    @property
    def word(self) -> str:
        """``fired``, the share of the threshold reached, ``no``, or ``–`` without any hit."""
        if self.alerts:
            return "fired"
        if self.window is not None and self.window.share < 1:
            return f"{self.window.share:.0%}"
        return "no" if self.has_hits else "–"

    @property
    def sentence(self) -> str:
        if self.window is not None:
            return self.window.sentence
        if self.has_hits:
            return format.plural(self.alerts, "alert")
        return self.unmet

    @property
    def order(self) -> tuple[bool, float, str]:
        share = self.window.share if self.window else float(self.has_hits) / 2
        return not self.alerts, -share, self.rule.name


class Explained(Protocol):
    """The principal or call that rules are asked about."""

    @property
    def title(self) -> str:
        """A name for the title of the screen; it may quote a log."""

    def answer(self, bench: Bench, fields: Callable[[], FieldTable]) -> RuleAnswer:
        """Return how close the subject came to an alert. Raises VariantError, StateError."""

    def lines(self, bench: Bench, fields: Callable[[], FieldTable]) -> Sequence[str]:
        """Return the rule's conditions with their values. Raises VariantError, StateError."""


@dataclass(frozen=True)
class ExplainedPrincipal:
    """A principal: an ARN, a role, a session or a key."""

    name: str
    store: Store

    @property
    def title(self) -> str:
        return short_arn(self.name)

    def answer(self, bench: Bench, fields: Callable[[], FieldTable]) -> RuleAnswer:  # noqa: ARG002
        """Return how close the principal came to an alert."""
        held, rule = bench.held({}), bench.rule
        is_wanted = callers_named(self.name)
        windows = nearest_windows(held, rule, is_wanted)
        has_hits = any(
            is_wanted(caller) for _, hits in held.series_hits(rule) for caller in set(hits.callers)
        )
        alerts = [each for each in held.firings(rule) if self.name in held.facets(rule, each).names]
        return RuleAnswer(rule, windows[0] if windows else None, has_hits, len(alerts))

    def lines(self, bench: Bench, fields: Callable[[], FieldTable]) -> Sequence[str]:
        """Explain the principal; if none of its calls pass the filter, read them from the logs."""
        unread: list[str] = []
        read = rows_of_files(
            lambda selector: self.store.chunks.file_spans(0, _EVER, selector), unread.append
        )
        explained = explain_principal(bench, self.name, {}, fields(), read)
        return [*explained.lines, *(f"not read: {why}" for why in unread)]


class ExplainedCall:
    """A call, whose record is reread from its log at most once."""

    def __init__(self, event: Event) -> None:
        self.event = event
        self._rows: Sequence[EventRow] | None = None

    @property
    def title(self) -> str:
        return f"{self.event.action} {format.compact_range(self.event.time)}"

    def answer(self, bench: Bench, fields: Callable[[], FieldTable]) -> RuleAnswer:
        """Return whether the call passes, with its alerts and its nearest window."""
        rule, held, event = bench.rule, bench.held({}), self.event
        explained = self._explain(bench, fields)
        if explained.unmet:
            return RuleAnswer(rule, None, False, 0, f"not met: {explained.unmet}")
        alerts = [
            each
            for each in held.firings(rule)
            if each.first_event <= event.time <= each.last_event
            and event.arn in held.facets(rule, each).names
        ]
        windows = explained.windows
        return RuleAnswer(rule, windows[0] if windows else None, True, len(alerts))

    def lines(self, bench: Bench, fields: Callable[[], FieldTable]) -> Sequence[str]:
        """Explain the call."""
        return self._explain(bench, fields).lines

    def _explain(self, bench: Bench, fields: Callable[[], FieldTable]) -> Explanation:
        return explain_event(bench, self.event.event_id, {}, fields(), self._read)

    def _read(self, selector: Selector) -> Iterator[Sequence[EventRow]]:
        """Yield the call with its JSON. Raises VariantError if the record cannot be read."""
        if self._rows is None:
            event, position = self.event, self.event.position
            span = FileSpan(position.source, 0, event.time, event.time, offsets=(position.offset,))
            unread: list[str] = []
            batches = rows_of_files(lambda _: [span], unread.append)(selector)
            rows = [row for batch in batches for row in batch]
            if unread:
                raise VariantError(unread[0])
            self._rows = rows
        yield self._rows
