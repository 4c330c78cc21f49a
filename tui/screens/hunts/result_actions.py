"""Actions on the rows of a query: open their events, export, copy."""

from __future__ import annotations

from collections.abc import Sequence

from detector.detection.indicator import IndicatorList
from tui.keymap import OPEN, OUT, key
from tui.model.export_choices import column_choice
from tui.presentation import safe
from tui.presentation.copy_formats import CopyFormat, json_format, line_format
from tui.screens.base.menu import Menu
from tui.screens.base.screen import ScreenPart
from tui.screens.hunts.results import ResultLine, indicators_in
from tui.widgets.row_list import RowList

_OPTION_CELLS = 60


class ResultActions(ScreenPart):
    """The keys for the rows that a query has returned."""

    BINDINGS = [
        key(
            "query.events",
            "p",
            "events",
            "events",
            "The events of a value of this row, from the logs",
            OPEN,
            show=True,
        ),
        key("rows.export", "w", "export", "export", "Export the rows", OUT, show=True),
    ]

    @property
    def line(self) -> ResultLine | None:
        """The row under the cursor."""
        line: ResultLine | None = self.screen.query_one(RowList).cursor_row
        return line

    def action_events(self) -> None:
        """Ask for which of the row's principals, keys, addresses or events to show the events."""
        line = self.line
        found = list(indicators_in(line.row)) if line is not None else []
        if not found:
            self.workspace.say("This row names no principal, key, address or event")
            return

        def chosen(number: str | None) -> None:
            if number is not None:
                wanted = IndicatorList((found[int(number)][1],))
                self.workspace.routes.open_indicators(wanted)

        if len(found) == 1:
            chosen("0")
            return
        options = [
            (str(index), safe.clip(safe.visible(name), _OPTION_CELLS))
            for index, (name, _) in enumerate(found)
        ]
        self.screen.app.push_screen(Menu("Events of", options, "0"), chosen)

    def action_export(self) -> None:
        """Ask for the file to which to write the rows."""
        rows = self.screen.query_one(RowList)
        if not rows.rows:
            self.workspace.say("Nothing to export")
            return
        choices = {"all": list(rows.rows)}
        new = [line for line in rows.rows if line.new]
        if new:
            choices["new"] = new
        export = column_choice(rows.columns, "rows", "row")
        self.workspace.routes.export_rows(export, choices)

    def copy_formats(self) -> Sequence[CopyFormat]:
        """Return the formats in which the row can be copied."""
        line = self.line
        if line is None:
            return []
        return [
            line_format([self.screen.query_one(RowList).line(line)]),
            json_format([line.row]),
        ]
