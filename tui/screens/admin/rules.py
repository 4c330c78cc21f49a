"""The rules: what each finds, and which are disabled."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from textual.content import Content

from detector.detection.alert import Alert
from detector.rules.rule import Rule
from detector.text.visible import visible
from detector.triage.note import Note
from detector.workbench.performance import rule_performance
from tui.keymap import LIVE, TRIAGE, key, workbench_key
from tui.model.repeat import Action
from tui.presentation import format
from tui.presentation.copy_formats import CopyFormat, json_format, value_formats
from tui.screens.admin.rule_rows import RULES, RuleRow, detail_lines, rule_rows
from tui.screens.base.fact_list import Line
from tui.screens.base.store_list import StoreListScreen
from tui.widgets.columns import Column

_MAX_QUERY = 100_000
"""Maximum number of characters of a query that are copied."""

_STATE_STYLE = {"on": "", "off": "$foreground-muted", "error": "$text-error bold"}


class RulesScreen(StoreListScreen[RuleRow]):
    """The list of rules, in which rules are enabled and disabled."""

    BINDINGS = [
        key(
            "rule.switch",
            "x",
            "switch",
            "enable/disable",
            "Enable/disable rule (existing alerts stay)",
            TRIAGE,
            show=True,
        ),
        workbench_key(),
        key("rules.reload", "R", "reload", "reload", "Reload the rule files", LIVE, show=True),
    ]

    area = "rules"
    export_title, export_noun = "rules", "rule"
    fields = RULES
    noun = "rule"
    empty = "No rules loaded.\nAdd some with --rules FILE."

    def __init__(self) -> None:
        super().__init__()
        self._judged: tuple[list[Alert], list[Note]] = ([], [])
        """The alerts and notes at the start of loading, for the loading thread."""

    def columns(self) -> tuple[Column[RuleRow], ...]:
        return (
            Column("state", "state", 5, _state, drop_priority=0),
            Column(
                "severity",
                "sev",
                10,
                lambda row: format.severity_label(row.rule.severity) if row.rule else "",
                drop_priority=3,
            ),
            Column(
                "name",
                "rule",
                16,
                lambda row: row.name,
                drop_priority=1,
                flex=True,
                shorten=lambda row, cells: format.elide(row.name, cells),
            ),
            Column("shape", "shape", 12, lambda row: row.shape, drop_priority=6),
            Column("window", "window", 7, lambda row: row.window, align="right", drop_priority=6),
            Column(
                "hits",
                "hits",
                7,
                lambda row: format.number(row.hits) if row.rule else "",
                align="right",
                drop_priority=5,
            ),
            Column("alerts", "alerts", 6, _alerts, align="right", drop_priority=2),
            Column("precision", "precision", 9, _precision, align="right", drop_priority=4),
            Column(
                "verdicts",
                "verdicts",
                8,
                lambda row: _positive(row.verdicts),
                align="right",
                drop_priority=5,
            ),
            Column(
                "hidden",
                "hidden",
                6,
                lambda row: _positive(row.hidden),
                align="right",
                drop_priority=5,
            ),
        )

    def row_id(self, row: RuleRow) -> str:
        return row.key

    def row_style(self, row: RuleRow) -> str:
        if row.state == "off":
            return "$foreground-muted"
        return ""

    async def reload(self) -> None:
        view_model = self.workspace.view_model
        self._judged = list(view_model.alerts.values()), list(view_model.notes)
        await super().reload()

    def load_rows(self) -> Sequence[RuleRow]:
        workspace = self.workspace
        performances = rule_performance(*self._judged)
        return rule_rows(workspace.store, workspace.rules, workspace.rule_seconds(), performances)

    def details(self, row: RuleRow) -> list[Line]:
        return list(detail_lines(row))

    def copy_formats_of(self, rows: Sequence[RuleRow]) -> Sequence[CopyFormat]:
        rules = [row.rule for row in rows if row.rule]
        formats = [
            json_format([_json_fields(row) for row in rows]),
            *value_formats("n", "rule ID", (rule.rule_id for rule in rules)),
            *value_formats("f", "file", (str(row.path) for row in rows)),
        ]
        if rules:
            formats.append(CopyFormat("s", "query", lambda: _query_texts(rules)))
        return formats

    def action_reload(self) -> None:
        self.workspace.reload_rules(requested=True)

    def action_workbench(self) -> None:
        row = self.row_list.cursor_row
        if row is None or row.rule is None or not row.rule.alerts:
            self.workspace.say("The workbench takes rules that give alerts", severity="warning")
            return
        self.workspace.routes.open_workbench(("Rules",), row.rule)

    async def action_switch(self) -> None:
        first = next((row for row in self.targets() if row.rule), None)
        if first is not None:
            word = "off" if first.on else "on"
            await self.row_actions.run(
                Action(f"switch {word}", partial(self._switch, not first.on))
            )

    async def _switch(self, on: bool, rows: Sequence[RuleRow]) -> str | None:
        rules = [row for row in rows if row.rule]
        if not rules:
            return None
        await self.workspace.decisions.switch_rules([row.key for row in rules], on)
        await self.reload()
        what = rules[0].name if len(rules) == 1 else format.plural(len(rules), "rule")
        if on:
            return f"Enabled: {what}; past events are searched again"
        return f"Disabled: {what}; existing alerts stay"


def _json_fields(row: RuleRow) -> dict[str, object]:
    return {
        "state": row.state,
        "file": str(row.path),
        "rule_id": row.rule and row.rule.rule_id,
        "name": row.name,
        "severity": row.rule and row.rule.severity,
        "finds": row.rule and row.rule.meaning,
        "query": row.rule and row.rule.query_text,
        "hits": row.hits,
        "alerts": row.count.alerts,
        "cpu_seconds": row.seconds,
        "performance": row.performance and row.performance.as_json(),
        "error": row.problem and row.problem.message,
    }


def _query_texts(rules: Sequence[Rule]) -> str:
    return "\n\n".join(visible(rule.query_text, _MAX_QUERY, lines=True) for rule in rules)


def _state(row: RuleRow) -> Content:
    return Content.styled(row.state, _STATE_STYLE[row.state])


def _alerts(row: RuleRow) -> str:
    if row.rule and row.rule.alerts:
        return format.number(row.count.alerts)
    return ""


def _precision(row: RuleRow) -> str:
    if row.precision is None:
        return ""
    return f"{row.precision}%"


def _positive(count: int) -> str:
    return format.number(count) if count else ""
