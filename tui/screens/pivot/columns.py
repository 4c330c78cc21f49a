"""The columns of events in a pivot and on the Events screen."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import Any, cast

from textual.content import Content

from detector.investigation.pivot import EventRow
from detector.text.abbreviations import short_arn
from tui.presentation import format, safe, time_display
from tui.presentation.calls import call_outcome, short_outcome
from tui.presentation.region_names import short_region
from tui.screens.pivot.rows import PivotLine, QuestionLine
from tui.widgets.columns import OPTIONAL, Column
from tui.widgets.line import CellContent


def pivot_columns(places: format.Places) -> tuple[Column[PivotLine], ...]:
    """Return the columns of a pivot; ``places`` maps addresses to places.

    A pivot is about one principal, so it shows the object in place of principal and agent.
    """
    columns = _by_key(places)
    columns["principal"] = replace(columns["principal"], drop_priority=OPTIONAL, wish=12)
    columns["agent"] = replace(columns["agent"], drop_priority=OPTIONAL)
    order = ("time", "flags", "action", "object", "outcome", "region", "source", "principal")
    return tuple(columns[key] for key in (*order, "agent"))


def event_columns(places: format.Places) -> tuple[Column[PivotLine], ...]:
    """Return the columns of the Events screen; ``places`` maps addresses to places."""
    columns = _by_key(places)
    order = ("time", "principal", "action", "object", "region", "outcome", "source", "agent")
    return tuple(columns[key] for key in order)


def _by_key(places: format.Places) -> dict[str, Column[PivotLine]]:
    columns = (
        _column(
            "time",
            time_display.column_title,
            14,
            attrgetter("event.time"),
            format.date_time,
            drop_priority=0,
        ),
        _column(
            "flags", "flags", 9, attrgetter("flags", "own"), _flags, drop_priority=2, field="flag"
        ),
        _column(
            "principal",
            "principal",
            12,
            attrgetter("event.arn", "event.source_address"),
            lambda caller: short_arn(caller[0]) or f"no ARN, {caller[1]}",
            drop_priority=2,
            flex=True,
            wish=24,
            shorten=_of_event(
                lambda row, cells: format.elide(
                    short_arn(row.event.arn) or row.event.source_address, cells
                )
            ),
        ),
        _column(
            "action",
            "call",
            16,
            attrgetter("event.action"),
            drop_priority=1,
            flex=True,
            wish=24,
            field="call",
            shorten=_of_event(lambda row, cells: format.elide(row.event.action, cells)),
        ),
        _column("object", "object", 8, attrgetter("acted_on"), drop_priority=3, flex=True, wish=28),
        _column(
            "region",
            "region",
            9,
            attrgetter("event.region"),
            drop_priority=5,
            wish=14,
            shorten=_of_event(lambda row, _: short_region(row.event.region)),
        ),
        _column(
            "outcome",
            "outcome",
            7,
            attrgetter("event.error_code"),
            call_outcome,
            drop_priority=4,
            wish=12,
            shorten=_of_event(lambda row, cells: short_outcome(row.event.error_code, cells)),
        ),
        _column(
            "source",
            "source",
            format.address_width(places),
            attrgetter("event.source_address"),
            places.with_place,
            drop_priority=6,
        ),
        _column(
            "agent",
            "agent",
            12,
            attrgetter("event.user_agent"),
            format.agent,
            drop_priority=6,
        ),
    )
    return {column.key: column for column in columns}


def _column(
    key: str,
    title: str | Callable[[], str],
    width: int,
    read: Callable[[EventRow], Any],
    write: Callable[[Any], CellContent] = str,
    **options: Any,
) -> Column[PivotLine]:
    """Make a column of events, blank in heading lines.

    ``read`` returns the value from an event; ``write`` formats the value.
    """

    def cell(line: PivotLine) -> CellContent:
        if isinstance(line, QuestionLine):
            return ""
        return write(read(line))

    return Column(
        key, title, width, cell, depends_on=cast("Callable[[PivotLine], Hashable]", read), **options
    )


def _of_event(
    shorten: Callable[[EventRow, int], CellContent],
) -> Callable[[PivotLine, int], CellContent]:
    """Adapt ``shorten`` to any line; heading lines stay blank."""

    def of_line(line: PivotLine, cells: int) -> CellContent:
        return "" if isinstance(line, QuestionLine) else shorten(line, cells)

    return of_line


def _flags(flags_and_own: tuple[Sequence[str], bool]) -> Content:
    flags, own = flags_and_own
    words = safe.text(format.flag_words(flags), "$text-warning")
    return Content.assemble(("own ", "$text-accent") if own else "", words)
