"""Two rows of a list side by side, with what differs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass

from textual import on
from textual.binding import Binding
from textual.content import Content
from textual.widget import Widget

from detector.investigation.comparison import ComparedField, differing_first
from detector.store import StateError
from tui.concurrency.worker import work
from tui.model.comparison import Comparison
from tui.presentation import format, safe
from tui.presentation.copy_formats import CopyFormat, line_format
from tui.screens.base.copy_actions import CopyActions
from tui.screens.base.query_line import QueryLine
from tui.screens.base.screen import HuntScreen
from tui.screens.base.search import Search
from tui.widgets.columns import Column
from tui.widgets.line import CellContent
from tui.widgets.row_list import RowList

_SAME = "the same in both"


@dataclass(frozen=True)
class ComparedRow:
    """A field, one value of an unfolded field, or the heading above the equal fields."""

    field: ComparedField | None
    value: str | None = None

    @property
    def key(self) -> str:
        name = self.field.name if self.field else ""
        return name if self.value is None else f"{name}\0{self.value}"


def compared_rows(fields: Iterable[ComparedField], unfolded: Set[str]) -> Iterator[ComparedRow]:
    """Yield differing fields, a heading, then equal fields; unfolded fields with their values."""
    is_headed = False
    for field in differing_first(fields):
        if not field.differs and not is_headed:
            is_headed = True
            yield ComparedRow(None)
        yield ComparedRow(field)
        if field.name in unfolded:
            yield from (ComparedRow(field, value) for value in field.values)


class ComparisonScreen(HuntScreen):
    """A comparison; enter unfolds the values of a field."""

    AUTO_FOCUS = "RowList"

    BINDINGS = [*CopyActions.BINDINGS, *Search.BINDINGS]

    def __init__(self, comparison: Comparison) -> None:
        super().__init__()
        self.copying = CopyActions(self, self.copy_formats)
        self.search = Search(self, lambda: self._list)
        self._comparison = comparison
        self._fields: Sequence[ComparedField] = comparison.fields
        self._unfolded: set[str] = set()

    @property
    def _list(self) -> RowList[ComparedRow]:
        return self.query_one(RowList)

    def compose_body(self) -> Iterable[Widget]:
        left, right = map(safe.visible, self._comparison.titles)
        columns: tuple[Column[ComparedRow], ...] = (
            Column("mark", "", 1, _mark),
            Column("field", "field", 13, _name),
            Column("left", left, 20, lambda row: _side(row, left=True), flex=True),
            Column("right", right, 20, lambda row: _side(row, left=False), flex=True),
        )
        yield RowList(
            columns,
            key=lambda row: row.key,
            empty="",
            row_style=_row_style,
            heading=_heading,
            marking=False,
        )
        yield QueryLine(self.search.description)

    def screen_title(self) -> CellContent:
        return "Compare"

    def title_items(self) -> Sequence[CellContent]:
        known = [field for field in self._fields if field.values]
        differing = sum(field.differs for field in known)
        return (f"{differing} of {format.plural(len(known), 'field')} differ",)

    def label_of(self, binding: Binding) -> str:
        return "values" if binding.id == "list.open" else super().label_of(binding)

    def on_mount(self) -> None:
        super().on_mount()
        self._read_more()

    def show(self) -> None:
        self._list.show(list(compared_rows(self._fields, self._unfolded)))

    @work(exclusive=True, group="compare")
    async def _read_more(self) -> None:
        try:
            more = await asyncio.to_thread(self._comparison.read_more)
        except StateError as error:
            self.workspace.say(str(error), severity="error")
            return
        self._fields = [*self._fields, *more]
        self.show_if_in_front()

    @on(RowList.Opened)
    def _fold(self, event: RowList.Opened) -> None:
        field = event.row.field
        if field is not None:
            self._unfolded ^= {field.name}
            self.show()
            self._list.move_to(field.name)

    @on(RowList.NoMatch)
    def _no_match(self) -> None:
        self.query_one(QueryLine).complain("no match")

    @on(RowList.Matched)
    def _matched(self, event: RowList.Matched) -> None:
        self.search.show_position(event.position, event.total)

    def copy_formats(self) -> Sequence[CopyFormat]:
        """Return formats for the current row and for the whole comparison."""
        rows = self._list
        lines = list(map(rows.line, rows.rows))
        return [
            line_format(map(rows.line, rows.selection)),
            CopyFormat("a", f"all {len(lines)} lines", lambda: "\n".join(lines)),
        ]

    def action_back(self) -> None:
        if not self.search.clear():
            super().action_back()


def _heading(row: ComparedRow) -> Content | None:
    if row.field is None:
        return Content.styled(_SAME, "$foreground-muted")
    return None


def _row_style(row: ComparedRow) -> str:
    if row.field is None or not row.field.differs:
        return "$foreground-muted"
    return ""


def _mark(row: ComparedRow) -> Content:
    if row.field is None or row.value is not None or not row.field.differs:
        return Content("")
    return Content.styled("≠", "$text-warning")


def _name(row: ComparedRow) -> str:
    if row.field is None or row.value is not None:
        return ""
    return row.field.name


def _side(row: ComparedRow, *, left: bool) -> str:
    field = row.field
    if field is None:
        return ""
    values = field.left if left else field.right
    if row.value is not None:
        return row.value if row.value in values else ""
    only = field.only_left if left else field.only_right
    if not field.common or not field.differs:
        return ", ".join(values) or "–"
    in_both = f"{format.number(len(field.common))} in both"
    if not only:
        return in_both
    return f"only here: {', '.join(only)} · {in_both}"
