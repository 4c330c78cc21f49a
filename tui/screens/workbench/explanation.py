"""Why rules fired or did not fire for a principal or a call; the closest rules come first."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Sequence

from textual import on
from textual.containers import Horizontal
from textual.widget import Widget

from detector.ecs.asn import open_asn
from detector.ecs.fields import FieldTable, field_table
from detector.ecs.geo import open_geo
from detector.rules.rule import Rule
from detector.rules.rule_file import RuleError
from detector.store import StateError
from detector.workbench.backtest import Judgements
from detector.workbench.bench import Bench
from detector.workbench.variant import VariantError
from tui.concurrency.worker import work
from tui.keymap import workbench_key
from tui.presentation import format
from tui.screens.base.fact_list import FactList, Indented
from tui.screens.base.screen import HuntScreen, breadcrumbs
from tui.screens.base.text_pane import Reader
from tui.screens.workbench.answers import Explained, RuleAnswer
from tui.widgets.columns import Column
from tui.widgets.line import CellContent
from tui.widgets.row_list import RowList

RULE_ANSWER_COLUMNS: tuple[Column[RuleAnswer], ...] = (
    Column("word", "near", 5, lambda row: row.word, align="right", drop_priority=0),
    Column(
        "rule",
        "rule",
        20,
        lambda row: row.rule.name,
        drop_priority=0,
        flex=True,
        shorten=lambda row, cells: format.elide(row.rule.name, cells),
    ),
    Column("sentence", "what it met", 44, lambda row: row.sentence, drop_priority=2),
)


def _rule_id(row: RuleAnswer) -> str:
    return row.rule.rule_id


def _indented(line: str) -> Indented:
    text = line.lstrip(" ")
    return Indented(len(line) - len(text), text)


MOST_BENCHES = 4
"""The number of benches that are cached; each holds all hits of its rule."""


class ExplanationScreen(HuntScreen):
    """Each rule's answer for a principal or a call, starting with the rule ``rule_id``."""

    BINDINGS = [
        workbench_key(),
    ]

    AUTO_FOCUS = "RowList"

    def __init__(self, trail: Sequence[str], explained: Explained, rule_id: str = "") -> None:
        super().__init__()
        self._trail = trail
        self._explained = explained
        self._rule_id = rule_id
        self._benches: dict[str, Bench] = {}
        """The recently used benches, the latest last; shared between threads."""
        self._lock = threading.Lock()
        self._fields: FieldTable | None = None
        self._placed = ""
        """The id of the rule on which the screen last put the cursor."""

    def screen_title(self) -> CellContent:
        return breadcrumbs((*self._trail, self._explained.title, "Explain"), self.size.width)

    def compose_body(self) -> Iterable[Widget]:
        with Horizontal(classes="halves"):
            yield RowList(RULE_ANSWER_COLUMNS, key=_rule_id, empty="Loading…", marking=False)
            with Reader(classes="half"):
                yield FactList(id="entry")

    def on_mount(self) -> None:
        super().on_mount()
        self._load()

    @work(group="explain")
    async def _load(self) -> None:
        """Ask each rule, ``rule_id`` first, and show each answer as soon as it arrives."""
        found: list[RuleAnswer] = []
        rules = [rule for rule in self.workspace.rules if rule.alerts]
        rules.sort(key=lambda rule: rule.rule_id != self._rule_id)
        rows = self.query_one(RowList)
        for rule in rules:
            try:
                answer = await asyncio.to_thread(self._ask, rule)
            except (VariantError, RuleError, StateError):
                continue  # for example, the rule has not searched the logs yet
            found.append(answer)
            self._show(sorted(found, key=lambda each: each.order))
        rows.empty = "No rule that gives alerts has searched the logs yet."
        rows.show(rows.rows)
        self._explain_row()

    def _show(self, answers: Sequence[RuleAnswer]) -> None:
        """Show answers; until the analyst moves it, keep the cursor on ``rule_id`` or the first."""
        rows = self.query_one(RowList)
        cursor: RuleAnswer | None = rows.cursor_row
        is_moved = cursor is not None and cursor.rule.rule_id != self._placed
        rows.show(answers)
        if not is_moved:
            ids = [each.rule.rule_id for each in answers]
            self._placed = self._rule_id if self._rule_id in ids else ids[0]
            rows.move_to(self._placed)

    def _ask(self, rule: Rule) -> RuleAnswer:
        return self._explained.answer(self._bench_of(rule), self._field_table)

    def _bench_of(self, rule: Rule) -> Bench:
        """Return the bench of a rule; the most recently used benches are cached."""
        with self._lock:
            bench = self._benches.pop(rule.rule_id, None)
            if bench is None:
                bench = Bench(self.workspace.rules, rule, Judgements(), self.workspace.store, None)
            self._benches[rule.rule_id] = bench
            while len(self._benches) > MOST_BENCHES:
                del self._benches[next(iter(self._benches))]
        return bench

    @on(RowList.Highlighted)
    def _explain_row(self) -> None:
        row: RuleAnswer | None = self.query_one(RowList).cursor_row
        if row is not None:
            self._explain(row)

    @work(exclusive=True, group="explain-row")
    async def _explain(self, row: RuleAnswer) -> None:
        try:
            lines = await asyncio.to_thread(self._lines, row.rule)
        except (VariantError, RuleError, StateError) as error:
            lines = [str(error)]
        self.query_one(FactList).show(list(map(_indented, lines)))

    def _lines(self, rule: Rule) -> Sequence[str]:
        return self._explained.lines(self._bench_of(rule), self._field_table)

    def _field_table(self) -> FieldTable:
        if self._fields is None:
            spec = self.workspace.rules.spec()
            asn = open_asn(spec.asn) if spec.asn else None
            geo = open_geo(spec.geo) if spec.geo else None
            self._fields = field_table(asn, geo)
        return self._fields

    @on(RowList.Opened)
    def _focus_details(self) -> None:
        self.query_one(Reader).focus()

    def action_workbench(self) -> None:
        row: RuleAnswer | None = self.query_one(RowList).cursor_row
        if row is not None:
            self.workspace.routes.open_workbench(self._trail, row.rule)
