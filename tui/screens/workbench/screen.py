"""The workbench, which shows what a rule would find with other thresholds or windows."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from textual import on
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from detector.ingest.pipeline import Update
from detector.rules.rule import Rule
from detector.rules.rule_file import RuleError
from detector.sources.open import open_sources
from detector.sources.source import NoSource, Source
from detector.store import StateError
from detector.workbench.backtest import Backtest, ChangedPrincipal
from detector.workbench.bench import Bench, LogScan, state_judgements
from detector.workbench.settings import moved
from detector.workbench.variant import VariantError
from tui.concurrency.worker import work
from tui.keymap import FIND, LIVE, OUT, explain_key, key
from tui.presentation import safe
from tui.screens.base.screen import HuntScreen, breadcrumbs
from tui.screens.workbench.rows import (
    CHANGE_COLUMNS,
    held_text,
    parameter_line,
    result_lines,
    row_key,
)
from tui.widgets.line import CellContent
from tui.widgets.row_list import RowList


class _ReadingEnded(VariantError):
    """The screen was left, or the values changed so that other hits are needed."""


class WorkbenchScreen(HuntScreen):
    """A rule compared with a variant; the cursor keys change the variant's values."""

    BINDINGS = [
        key("bench.less", "left,h", "change(-1)", "less", "Lower the value", FIND, show=True),
        key("bench.more", "right,l", "change(1)", "more", "Raise the value", FIND, show=True),
        key(
            "bench.parameter",
            "tab",
            "choose(1)",
            "next value",
            "Choose the next threshold or window",
            FIND,
            show=True,
        ),
        key(
            "bench.parameter-before",
            "shift+tab",
            "choose(-1)",
            "value before",
            "Choose the threshold or window before",
            FIND,
        ),
        key("bench.reset", "0", "reset", "reset", "Back to the rule's own values", FIND),
        key(
            "bench.read",
            "R",
            "read_logs",
            "read logs",
            "Read the logs again for this variant, which has another filter",
            LIVE,
        ),
        key(
            "bench.save",
            "s",
            "save",
            "save",
            "Save as a rule of yours, with a name and a reason",
            OUT,
            show=True,
        ),
        explain_key(),
    ]

    AUTO_FOCUS = "RowList"

    def __init__(self, trail: Sequence[str], rule: Rule) -> None:
        super().__init__()
        self._trail = trail
        self._rule = rule
        self._bench: Bench | None = None
        self._values: dict[str, int] = {}
        self._current = 0
        self._is_computing = False
        self._may_read: set[frozenset[tuple[str, int]]] = set()
        self._reading: frozenset[tuple[str, int]] | None = None
        """The values for which logs are being read."""
        self._is_left = False

    def screen_title(self) -> CellContent:
        return breadcrumbs((*self._trail, self._rule.name, "Workbench"), self.size.width)

    def compose_body(self) -> Iterable[Widget]:
        yield Static("", id="bench-parameters", classes="line")
        yield Static("Loading…", id="bench-result")
        yield RowList(CHANGE_COLUMNS, key=row_key, empty="", marking=False)

    def on_mount(self) -> None:
        super().on_mount()
        self._open()

    def on_unmount(self) -> None:
        self._is_left = True
        super().on_unmount()

    @work(group="bench")
    async def _open(self) -> None:
        try:
            self._bench = await asyncio.to_thread(self._make_bench)
        except (VariantError, RuleError, StateError) as error:
            self.query_one("#bench-result", Static).update(safe.text(str(error)))
            return
        self._show_parameters()
        self._compute()

    def _make_bench(self) -> Bench:
        workspace = self.workspace
        store = workspace.store
        names = [row.path for row in store.files.all() if row.state == "read"]

        def open_source() -> Source:
            try:
                return open_sources(names, False)
            except NoSource as error:
                raise VariantError(f"the logs cannot be read again: {error}") from None

        scan = LogScan(open_source, self._report_reading) if names else None
        bench = Bench(workspace.rules, self._rule, state_judgements(store), store, scan)
        if bench.is_held({}):
            bench.held({})
        return bench

    def _report_reading(self, update: Update) -> None:
        """Show the progress of the reading; raise _ReadingEnded if it is no longer needed."""
        if self._is_left or self.workspace.closing.is_set():
            raise _ReadingEnded
        if self._bench is not None and self._reading_key(self._bench) != self._reading:
            raise _ReadingEnded
        sums = update.accounting
        progress = f"reading: {sums.files_read:,} files, {sums.records_seen:,} records"
        self.app.call_from_thread(self._show_result, [safe.text(progress)])

    # --- values

    def action_choose(self, step: int) -> None:
        if self._bench is not None and self._bench.maker.parameters.found:
            self._current = (self._current + step) % len(self._bench.maker.parameters.found)
            self._show_parameters()

    def action_change(self, step: int) -> None:
        if self._bench is None or not self._bench.maker.parameters.found:
            return
        parameter = self._bench.maker.parameters.found[self._current]
        value = self._values.get(parameter.name, parameter.value)
        self._values[parameter.name] = moved(parameter, value, step)
        self._show_parameters()
        self._compute()

    def action_reset(self) -> None:
        if self._bench is None:
            return
        self._values = {}
        self._show_parameters()
        self._compute()

    def action_read_logs(self) -> None:
        if self._bench is None:
            return
        if self._bench.is_held(self._values):
            self.workspace.say("Nothing to read: this answer is complete")
            return
        self._may_read.add(self._reading_key(self._bench))
        self._compute()

    def _reading_key(self, bench: Bench) -> frozenset[tuple[str, int]]:
        return frozenset(bench.maker.reading_values(self._values).items())

    def _show_parameters(self) -> None:
        bench = self._bench
        assert bench is not None
        line = self.query_one("#bench-parameters", Static)
        if bench.maker.parameters.found:
            line.update(parameter_line(bench, self._values, self._current))
        else:
            line.update("This rule has no threshold and no window.")

    # --- the answer

    def _compute(self) -> None:
        """Start a backtest of the current values; a running one goes on with the latest values."""
        if not self._is_computing and self._bench is not None:
            self._is_computing = True
            self._answer(self._bench)

    @work(group="bench")
    async def _answer(self, bench: Bench) -> None:
        try:
            answered: dict[str, int] | None = None
            while answered != self._values:
                answered = dict(self._values)
                await self._answer_for(bench, answered)
        finally:
            self._is_computing = False

    async def _answer_for(self, bench: Bench, values: dict[str, int]) -> None:
        """Show the backtest of the values, or why there is none."""
        self._reading = self._reading_key(bench)
        if not bench.is_held(values) and self._reading not in self._may_read:
            self._show_unanswered(safe.text(self._reading_question()))
            return
        try:
            result = await asyncio.to_thread(bench.backtest, values)
        except _ReadingEnded:
            self._may_read.discard(self._reading)
        except (VariantError, StateError) as error:
            self._show_unanswered(safe.text(str(error), "$text-error"))
        else:
            if values == self._values:
                self._show_backtest(bench, result)

    def _reading_question(self) -> str:
        why = "the database holds no hits of the rule as it is"
        assert self._bench is not None
        if self._reading_key(self._bench):
            why = "this variant has another filter"
        return f"{why}: R reads the logs again for it"

    def _show_result(self, lines: Sequence[Content]) -> None:
        self.query_one("#bench-result", Static).update(Content("\n").join(lines))

    def _show_unanswered(self, line: Content) -> None:
        """Show why there is no answer; clear rows of other values, which would mislead."""
        self._show_result([line])
        rows = self.query_one(RowList)
        rows.empty = ""
        rows.show([])

    def _show_backtest(self, bench: Bench, result: Backtest) -> None:
        held = bench.held(self._values)
        note = safe.text(held_text(bench, held.hits, held.span), "$foreground-muted")
        self._show_result([*result_lines(result), note])
        rows = self.query_one(RowList)
        rows.empty = "It finds nothing, and neither does the variant."
        rows.show(result.rows)

    # --- actions on the answer

    def action_save(self) -> None:
        if self._bench is None:
            return
        if not self._bench.maker.reading_values(self._values) and not self._changed():
            self.workspace.say("Nothing to save: change a value first")
            return
        self.workspace.routes.save_variant(self._bench.maker, dict(self._values))

    def _changed(self) -> bool:
        assert self._bench is not None
        found = {each.name: each.value for each in self._bench.maker.parameters.found}
        return any(found[name] != value for name, value in self._values.items())

    @property
    def _row(self) -> ChangedPrincipal | None:
        row: ChangedPrincipal | None = self.query_one(RowList).cursor_row
        return row

    def action_explain(self) -> None:
        row = self._row
        if row is not None and not row.principal:
            self.workspace.say("These alerts name no principal", severity="warning")
        elif row is not None:
            trail = (*self._trail, "Workbench")
            self.workspace.routes.open_explanation(trail, row.principal, self._rule.rule_id)

    @on(RowList.Opened)
    def _open_row(self) -> None:
        """Open the row's newest alert that still exists; without one, open the explanation."""
        row = self._row
        if row is None:
            return
        known = [
            each.alert_id
            for each in row.firings
            if self.workspace.view_model.current(each.alert_id) is not None
        ]
        if known:
            self.workspace.routes.open_alert(known[-1], known)
        else:
            self.action_explain()
