"""The sources: what was read, and what could not be read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence

from textual import on
from textual.binding import Binding
from textual.content import Content

from detector.sources.open_file import requests_made
from detector.store import QuarantinedFile, Volume
from detector.text.time import format_age, format_time
from tui.keymap import TRIAGE, key
from tui.model.repeat import Action
from tui.presentation import format
from tui.presentation.copy_formats import CopyFormat, json_format, value_formats
from tui.screens.admin.read_rates import ReadRates
from tui.screens.admin.source_rows import (
    SOURCES,
    STATE_GLYPHS,
    STATE_STYLE,
    SourceRow,
    accounting_lines,
    byte_size,
    detail_lines,
    problem_lines,
    source_rows,
)
from tui.screens.base.fact_list import Line, facts
from tui.screens.base.store_list import StoreListScreen
from tui.widgets.columns import Column
from tui.widgets.row_list import RowList


class SourcesScreen(StoreListScreen[SourceRow]):
    """The list of sources, problems and regions."""

    BINDINGS = [
        key(
            "source.retry",
            "R",
            "retry",
            "retry",
            "Retry the quarantined file",
            TRIAGE,
            show=True,
        ),
        key(
            "source.ignore",
            "x",
            "ignore",
            "ignore",
            "Ignore this file",
            TRIAGE,
            show=True,
        ),
    ]

    area = "sources"
    export_title, export_noun = "sources", "row"
    fields = SOURCES
    noun = "file"

    def __init__(self) -> None:
        super().__init__()
        self._rates = ReadRates()

    def applies(self, binding: Binding) -> bool:
        """Return whether a key has something to act on: decisions need a quarantined file."""
        if binding.group is not TRIAGE:
            return True
        return any(isinstance(row.about, QuarantinedFile) for row in self.targets())

    @on(RowList.Highlighted)
    def _show_applicable_keys(self) -> None:
        self.refresh_bindings()

    def columns(self) -> tuple[Column[SourceRow], ...]:
        return (
            Column("state", "state", 10, _state, drop_priority=0),
            Column(
                "kind",
                "kind",
                6,
                lambda row: "" if row.kind == "all" else row.kind,
                drop_priority=2,
            ),
            Column(
                "what",
                "source",
                22,
                lambda row: row.short_name,
                drop_priority=1,
                flex=True,
                field="name",
            ),
            Column(
                "files",
                "files",
                8,
                lambda row: "" if row.files is None else format.number(row.files),
                align="right",
                drop_priority=4,
            ),
            Column(
                "bytes",
                "size",
                8,
                lambda row: "" if row.bytes is None else byte_size(row.bytes),
                align="right",
                drop_priority=5,
                field="size",
            ),
            Column("rate", "rate", 8, self._rate, align="right", drop_priority=7),
            Column(
                "newest",
                "newest",
                14,
                lambda row: "" if row.newest is None else format.date_time(row.newest),
                drop_priority=6,
            ),
            Column("lag", "lag", 5, self._lag, align="right", drop_priority=3, field="newest"),
        )

    def _lag(self, row: SourceRow) -> str:
        if row.newest is None:
            return ""
        return format_age(self.workspace.now() - row.newest)

    def _rate(self, row: SourceRow) -> str:
        if row.kind != "source":
            return ""
        rate = self._rates.rate(row.what, self.workspace.now())
        if rate is None:
            return ""
        return f"{byte_size(round(rate.bytes))}/s"

    def row_id(self, row: SourceRow) -> str:
        return row.key

    def load_rows(self) -> Sequence[SourceRow]:
        now = self.workspace.now()
        rows = source_rows(self.workspace.store, self.workspace.source_label, now)
        self._rates.sample((row.about for row in rows if isinstance(row.about, Volume)), now)
        return rows

    def details(self, row: SourceRow) -> list[Line]:
        if row.kind == "all":
            return list(self._total_lines())
        now = self.workspace.now()
        return list(detail_lines(row, now, self._rates.rate(row.what, now)))

    def _total_lines(self) -> Iterator[Line]:
        view_model, rules = self.workspace.view_model, self.workspace.rules
        path = self.workspace.store.path
        yield from facts(
            ("reads", self.workspace.source_label),
            ("database", str(path) if path else "temporary: deleted when you quit"),
            ("rules", format.plural(len(rules), "rule")),
            ("buckets", requests_made()),
            ("stopped", view_model.error),
        )
        if view_model.accounting is not None:
            yield Content("")
            yield from accounting_lines(view_model.accounting)
        yield Content("")
        yield from problem_lines([*map(str, rules.problems), *view_model.problems])

    def copy_formats_of(self, rows: Sequence[SourceRow]) -> Sequence[CopyFormat]:
        records = [
            {
                "kind": row.kind,
                "state": row.state,
                "source": row.what,
                "files": row.files,
                "bytes": row.bytes,
                "newest": None if row.newest is None else format_time(row.newest),
            }
            for row in rows
        ]
        return [json_format(records), *value_formats("f", "source", (row.what for row in rows))]

    async def action_retry(self) -> None:
        done = "Retried with the next rescan"
        await self._requalify("retry", self.workspace.decisions.retry, done)

    async def action_ignore(self) -> None:
        done = "Ignored unless it changes (counted as skipped)"
        await self._requalify("ignore", self.workspace.decisions.ignore, done)

    async def _requalify(
        self, label: str, decide: Callable[[Sequence[str]], Awaitable[None]], done: str
    ) -> None:
        """Apply ``decide`` to the quarantined targets; ``done`` begins the report."""

        async def run(rows: Sequence[SourceRow]) -> str | None:
            paths = [row.about.path for row in rows if isinstance(row.about, QuarantinedFile)]
            if not paths:
                self.workspace.say(
                    "Not quarantined – only “error” rows can be retried", severity="warning"
                )
                return None
            await decide(paths)
            await self.reload()
            return f"{done}: {paths[0] if len(paths) == 1 else format.plural(len(paths), 'file')}"

        await self.row_actions.run(Action(label, run))


def _state(row: SourceRow) -> Content:
    if row.kind == "all":
        return Content("everything")
    glyph = STATE_GLYPHS.get(row.state, " ")
    return Content.styled(f"{glyph} {row.state}", STATE_STYLE.get(row.state, ""))
