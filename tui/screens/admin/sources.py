"""The sources: what was read, from where and how fresh it is; what is missing, changed, blind or in quarantine."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial

from textual.content import Content

from detector.sources.open_file import requests_made
from detector.store import QuarantinedFile, Volume
from detector.text.time import format_age, format_time
from tui.keymap import TRIAGE, key
from tui.model.repeat import Action
from tui.presentation import format
from tui.presentation.copy_formats import CopyFormat, json_format, value_formats
from tui.screens.admin.read_rates import Rates
from tui.screens.admin.source_rows import (
    GLYPHS,
    SOURCES,
    STATE_STYLE,
    SourceRow,
    accounting_lines,
    problem_lines,
    rows,
    size,
    whole,
)
from tui.screens.base.fact_list import Line, facts
from tui.screens.base.store_list import StoreListScreen
from tui.widgets.columns import Column


class SourcesScreen(StoreListScreen[SourceRow]):
    BINDINGS = [
        key(
            "source.retry",
            "R",
            "retry",
            "read again",
            "Read the file of the quarantine again",
            TRIAGE,
            show=True,
        ),
        key(
            "source.ignore",
            "x",
            "ignore",
            "ignore",
            "Count the file of the quarantine as skipped from now on",
            TRIAGE,
            show=True,
        ),
    ]

    area = "sources"
    fields = SOURCES
    noun = "file"

    def __init__(self) -> None:
        super().__init__()
        self._rates = Rates()

    def screen_title(self) -> str:
        return "trailhound › Sources"

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
                lambda row: row.short,
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
                lambda row: "" if row.bytes is None else size(row.bytes),
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
        return "" if row.newest is None else format_age(self.workspace.now() - row.newest)

    def _rate(self, row: SourceRow) -> str:
        rate = self._rates.of(row.what, self.workspace.now()) if row.kind == "source" else None
        return "" if rate is None else f"{size(round(rate.bytes))}/s"

    def row_id(self, row: SourceRow) -> str:
        return row.key

    def load_rows(self) -> Sequence[SourceRow]:
        found = rows(self.workspace.store, self.workspace.source_label, self.workspace.now())
        self._rates.look(
            (row.about for row in found if isinstance(row.about, Volume)), self.workspace.now()
        )
        return found

    def details(self, row: SourceRow) -> list[Line]:
        if row.kind == "all":
            return list(self._everything())
        return list(
            whole(row, self.workspace.now(), self._rates.of(row.what, self.workspace.now()))
        )

    def _everything(self) -> Iterator[Line]:
        view_model, rules = self.workspace.view_model, self.workspace.rules
        path = self.workspace.store.path
        yield from facts(
            ("reads", self.workspace.source_label),
            ("state", str(path) if path else "temporary: it goes when you leave"),
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
        told = [
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
        return [json_format(told), *value_formats("f", "source", (row.what for row in rows))]

    async def action_retry(self) -> None:
        await self.row_actions.run(
            Action(
                "read again",
                partial(
                    self._requalify,
                    self.workspace.decisions.retry,
                    "Read again with the next sweep",
                ),
            )
        )

    async def action_ignore(self) -> None:
        await self.row_actions.run(
            Action(
                "ignore",
                partial(
                    self._requalify,
                    self.workspace.decisions.ignore,
                    "Counted as skipped from now on, unless it changes",
                ),
            )
        )

    async def _requalify(
        self,
        decide: Callable[[Sequence[str]], Awaitable[None]],
        said: str,
        rows: Sequence[SourceRow],
    ) -> str | None:
        paths = [row.about.path for row in rows if isinstance(row.about, QuarantinedFile)]
        if not paths:
            self.workspace.say(
                "This is no file of the quarantine: those say “error”", severity="warning"
            )
            return None
        await decide(paths)
        await self.reload()
        return f"{said}: {paths[0] if len(paths) == 1 else format.plural(len(paths), 'file')}"


def _state(row: SourceRow) -> Content:
    shown = "everything" if row.kind == "all" else f"{GLYPHS.get(row.state, ' ')} {row.state}"
    return Content.styled(shown, STATE_STYLE.get(row.state, ""))
