"""Rows and columns of an alert's panes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass
from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING

from textual.content import Content

from detector.detection.alert import Alert
from detector.detection.event import Event
from detector.ecs.values import Value
from tui.presentation import format, safe, time_display
from tui.presentation.calls import call_outcome
from tui.screens.alert.call_runs import CallRuns
from tui.widgets.columns import Column, derived_column

if TYPE_CHECKING:
    from detector.rules.rule import Rule


def record_position(event: Event) -> str:
    """Return the file name and index of the record.

    The part of the name up to the region is left out, since other columns show it.
    """
    name = event.position.source.rsplit("/", 1)[-1]
    return f"{name.split(f'_{event.region}_')[-1]} #{event.position.index}"


def call_columns(
    start: Callable[[], float],
    places: format.Places,
    object_of: Callable[[Event], str],
    runs: Callable[[], CallRuns],
) -> tuple[Column[Event], ...]:
    """Return the columns of an alert's calls.

    ``start`` returns the epoch second of the first call; ``places`` maps addresses to places;
    ``object_of`` returns the object of a call; ``runs`` returns the runs of equal calls.
    """
    return (
        Column(
            "time",
            lambda: "after" if time_display.mode == "relative" else "time",
            8,
            lambda event: format.clock_time(event.time, start()),
            drop_priority=0,
        ),
        Column("region", "region", 14, lambda event: runs().region(event), drop_priority=2),
        Column(
            "action", "call", 18, lambda event: runs().action(event), drop_priority=1, flex=True
        ),
        Column("object", "object", 18, object_of, drop_priority=4, flex=True),
        derived_column(
            "outcome", "outcome", 9, attrgetter("error_code"), call_outcome, drop_priority=3
        ),
        Column(
            "source",
            "source",
            format.address_width(places),
            lambda event: places.with_place(event.source_address),
            drop_priority=5,
        ),
        Column(
            "agent",
            "agent",
            14,
            lambda event: event.user_agent,
            drop_priority=6,
            flex=True,
            shorten=lambda event, _: format.agent(event.user_agent),
        ),
        Column("place", "record", 24, record_position, drop_priority=7, flex=True),
    )


@dataclass(frozen=True)
class FieldRow:
    """A field, or one line of an unfolded field's values.

    ``line`` is the index of the line from 0, or None for the field itself.
    """

    name: str
    value: str
    count: int
    line: int | None = None

    @property
    def key(self) -> str:
        return self.name if self.line is None else f"{self.name}\0{self.line}"


def field_rows(
    alert: Alert, rule: Rule | None, unfolded: Set[str], cells: int
) -> Iterator[FieldRow]:
    """Yield the rows of an alert's fields.

    The parts of the risk come first, then the rule's investigation fields in the rule's order, then
    the other columns of its query. An unfolded field shows its full name, with its values below,
    wrapped to ``cells``.
    """
    known = {**alert.key, **alert.columns, _RISK: format.risk_sum(alert)}
    asked = rule.investigation_fields.field_names if rule else ()
    for name in dict.fromkeys([_RISK, *asked, *alert.key, *alert.columns]):
        values = _values(known.get(name))
        if name in unfolded:
            yield FieldRow(name, name, len(values))
            lines = chain.from_iterable(_wrapped(value, cells) for value in values)
            yield from (FieldRow(name, line, 0, index) for index, line in enumerate(lines))
        else:
            yield FieldRow(name, ", ".join(values) or "–", len(values))


_RISK = "risk"
_LIMIT = 5_000
"""Maximum number of characters shown of an unfolded value; a cut one ends in a note."""


def _wrapped(value: str, cells: int) -> list[str]:
    return [line.plain for line in safe.text(value, limit=_LIMIT).fold(max(cells, 2))]


def _values(value: Value) -> list[str]:
    if value is None:
        return []
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]


def field_columns(cells: Callable[[], int]) -> tuple[Column[FieldRow], ...]:
    """Return the columns of the fields.

    ``cells`` returns the width of a field's name.
    """
    return (
        Column("name", "field", 30, lambda row: _name(row, cells()), drop_priority=0, flex=True),
        Column(
            "count",
            "#",
            3,
            lambda row: str(row.count) if row.count > 1 else "",
            align="right",
            drop_priority=2,
        ),
        Column("value", "value", 30, lambda row: row.value, drop_priority=1, flex=True),
    )


def _name(row: FieldRow, cells: int) -> Content:
    """Return a field's name, shortened in the middle if needed.

    Many names have the same beginning and differ only at the end.
    """
    if row.line is not None:
        return Content("")
    name = safe.visible(row.name)
    if len(name) > cells > 2:
        name = f"{name[: cells // 3]}…{name[len(name) - (cells - cells // 3 - 1) :]}"
    return Content.styled(name, "$foreground-muted")
