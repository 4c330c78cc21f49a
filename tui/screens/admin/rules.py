"""The rules: what each looks for and has found, which are off, and the files in error with their place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from pathlib import Path

from textual.content import Content

from detector.detection.alert import SEVERITIES
from detector.filter import Field, Fields
from detector.filter.field_types import Choice, Number, Text
from detector.rules.rule import Rule
from detector.rules.ruleset import RuleProblem
from detector.store import HistoryEntry, RuleCount
from detector.text.time import format_duration
from detector.text.visible import visible
from tui.keymap import LIVE, TRIAGE, key, key_of
from tui.model.repeat import Action
from tui.presentation import format, safe
from tui.presentation.copy_formats import CopyFormat, json_format, value_formats
from tui.screens.base.fact_list import Line, facts
from tui.screens.base.store_list import StoreListScreen
from tui.widgets.columns import Column

_SHAPES = {
    "window": "window",
    "lookback": "look-back",
    "filter": "each event",
    "terms": "first time",
}
_NOTHING = RuleCount()
_QUERY = 100_000
"""Characters of a query that are copied."""


@dataclass(frozen=True)
class RuleRow:
    """A rule and what it has found; or a file in error, and the line of it that is wrong."""

    rule: Rule | None = None
    on: bool = True
    count: RuleCount = _NOTHING
    signals: int = 0
    seconds: float | None = None
    history: tuple[HistoryEntry, ...] = ()
    problem: RuleProblem | None = None
    excerpt: str = ""

    @property
    def key(self) -> str:
        return self.rule.rule_id if self.rule else f"file {self.path}"

    @property
    def path(self) -> Path:
        assert self.rule or self.problem
        return self.rule.path if self.rule else self.problem.path  # type: ignore[union-attr]

    @property
    def state(self) -> str:
        return "error" if self.problem else "on" if self.on else "off"

    @property
    def name(self) -> str:
        return self.rule.name if self.rule else self.path.name

    @property
    def severity(self) -> str:
        return self.rule.severity if self.rule else ""

    @property
    def flag(self) -> str:
        return self.rule.flag or "" if self.rule else ""

    @property
    def tags(self) -> Sequence[str]:
        return self.rule.tags if self.rule else ()

    @property
    def id(self) -> str:
        return self.rule.rule_id if self.rule else ""

    @property
    def file(self) -> str:
        return str(self.path)

    @property
    def shape(self) -> str:
        if self.rule is None:
            return ""
        return _SHAPES.get(self.rule.query.shape, self.rule.query.shape)

    @property
    def window(self) -> str:
        if self.rule is None:
            return ""
        return format_duration(self.rule.window) if self.rule.window else "–"

    @property
    def hits(self) -> int:
        """Events that it counted; for a rule that only flags, those that speak of alerts."""
        return self.count.hits if self.rule and self.rule.alerts else self.signals


_text = Text()

RULES: Fields[RuleRow] = Fields(
    "rules",
    (
        Field("name", "its name; of a file in error, the file's", attrgetter("name"), _text),
        Field(
            "state",
            "whether it is searched by",
            attrgetter("state"),
            Choice(("on", "off", "error")),
        ),
        Field(
            "severity",
            "how bad its alerts are",
            attrgetter("severity"),
            Choice(SEVERITIES, ordered=True),
        ),
        Field(
            "shape",
            "how it looks at events: window, look-back, each event, first time",
            attrgetter("shape"),
            _text,
        ),
        Field("hits", "how many events it counted", attrgetter("hits"), Number()),
        Field("alerts", "how many alerts it gave", attrgetter("count.alerts"), Number()),
        Field("flag", "the flag that it sets", attrgetter("flag"), _text),
        Field("tag", "a tag of it", attrgetter("tags"), _text),
        Field("id", "its rule_id", attrgetter("id"), _text),
        Field("file", "where it is written", attrgetter("file"), _text),
    ),
)


class RulesScreen(StoreListScreen[RuleRow]):
    BINDINGS = [
        key(
            "rule.switch",
            "x",
            "switch",
            "on or off",
            "Switch the rule off, or on again; what it found stays",
            TRIAGE,
            show=True,
        ),
        key("rules.reload", "R", "reload", "reload", "Load the rule files again", LIVE, show=True),
    ]

    area = "rules"
    fields = RULES
    noun = "rule"
    empty = "No rule is loaded.\n--rules FILE names some."

    def screen_title(self) -> str:
        return "trailhound › Rules"

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
            Column("name", "rule", 16, lambda row: row.name, drop_priority=1, flex=True),
            Column("shape", "shape", 10, lambda row: row.shape, drop_priority=6),
            Column("window", "window", 7, lambda row: row.window, align="right", drop_priority=5),
            Column(
                "hits",
                "hits",
                7,
                lambda row: format.number(row.hits) if row.rule else "",
                align="right",
                drop_priority=4,
            ),
            Column("alerts", "alerts", 6, _alerts, align="right", drop_priority=2),
        )

    def row_id(self, row: RuleRow) -> str:
        return row.key

    def row_style(self, row: RuleRow) -> str:
        return "$foreground-muted" if row.state == "off" else ""

    def load_rows(self) -> Sequence[RuleRow]:
        store, rules = self.workspace.store, self.workspace.rules
        off, counts, flags = store.rules.disabled(), store.rules.counts(), store.rules.flag_counts()
        spent = self.workspace.rule_seconds()
        broken = [RuleRow(problem=problem, excerpt=_line(problem)) for problem in rules.problems]
        loaded = [
            RuleRow(
                rule,
                rule.rule_id not in off,
                counts.get(rule.rule_id, _NOTHING),
                flags.get(rule.flag or "", 0),
                spent.get(rule.rule_id),
                tuple(store.history.entries(rule.rule_id)),
            )
            for rule in rules
        ]
        return [*broken, *sorted(loaded, key=_order)]

    def details(self, row: RuleRow) -> list[Line]:
        return list(_problem_lines(row.problem, row.excerpt) if row.problem else _rule_lines(row))

    def copy_formats_of(self, rows: Sequence[RuleRow]) -> Sequence[CopyFormat]:
        rules = [row.rule for row in rows if row.rule]
        told = [
            {
                "state": row.state,
                "file": str(row.path),
                "rule_id": row.rule and row.rule.rule_id,
                "name": row.name,
                "severity": row.rule and row.rule.severity,
                "finds": row.rule and row.rule.meaning,
                "query": row.rule and row.rule.query_text,
                "error": row.problem and row.problem.message,
            }
            for row in rows
        ]
        return [
            json_format(told),
            *value_formats("n", "rule id", (rule.rule_id for rule in rules)),
            *value_formats("f", "file", (str(row.path) for row in rows)),
            *(
                [
                    CopyFormat(
                        "s",
                        "query",
                        lambda: "\n\n".join(
                            visible(rule.query_text, _QUERY, lines=True) for rule in rules
                        ),
                    )
                ]
                if rules
                else []
            ),
        ]

    def action_reload(self) -> None:
        self.workspace.reload_rules(requested=True)

    async def action_switch(self) -> None:
        first = next((row for row in self.targets() if row.rule), None)
        if first is not None:
            word = "off" if first.on else "on"
            await self.row_actions.run(
                Action(f"switch {word}", partial(self._switch, not first.on))
            )

    async def _switch(self, on: bool, rows: Sequence[RuleRow]) -> str | None:
        meant = [row for row in rows if row.rule]
        if not meant:
            return None
        await self.workspace.decisions.switch_rules([row.key for row in meant], on)
        await self.reload()
        what = meant[0].name if len(meant) == 1 else format.plural(len(meant), "rule")
        return (
            f"On: {what}; what was read is searched again"
            if on
            else f"Off: {what}; what was found stays, and nothing new is looked for"
        )


def _order(row: RuleRow) -> tuple[bool, int, str]:
    """Those that give alerts, the gravest first; then those that only flag."""
    assert row.rule
    return not row.rule.alerts, -SEVERITIES.index(row.rule.severity), row.name


_STATE_STYLE = {"on": "", "off": "$foreground-muted", "error": "$text-error bold"}


def _state(row: RuleRow) -> Content:
    return Content.styled(row.state, _STATE_STYLE[row.state])


def _alerts(row: RuleRow) -> str:
    return format.number(row.count.alerts) if row.rule and row.rule.alerts else ""


def _rule_lines(row: RuleRow) -> Iterator[Line]:
    rule = row.rule
    assert rule
    yield safe.text(rule.name, "bold")
    yield from facts(
        (
            "state",
            "on"
            if row.on
            else f"off: it is not searched by; {key_of('rule.switch')} switches it on",
        ),
        (
            "severity",
            f"{rule.severity} {rule.risk_score}"
            + (", building block" if rule.building_block else ""),
        ),
        ("finds", rule.meaning),
        (
            "shape",
            f"{row.shape} ({', '.join(dict.fromkeys(filter(None, (rule.type, rule.language))))})",
        ),
        ("window", row.window),
        ("flag", rule.flag or ""),
        ("hits", format.number(row.hits) + ("" if rule.alerts else " events near alerts")),
        (
            "alerts",
            format.number(row.count.alerts)
            if rule.alerts
            else "none of its own: it flags those near",
        ),
        (
            "time",
            "" if row.seconds is None else f"{row.seconds:.3f} s of searching since it was loaded",
        ),
        ("tags", ", ".join(rule.tags)),
        ("id", rule.rule_id),
        ("file", str(rule.path)),
    )
    if rule.description:
        yield Content("")
        yield safe.text(rule.description, lines=True)
    if row.history:
        yield Content("")
        yield from (
            safe.text(
                f"{format.full_time(entry.time)}  {entry.author}  {entry.kind}", "$foreground-muted"
            )
            for entry in row.history
        )


def _problem_lines(problem: RuleProblem, excerpt: str) -> Iterator[Line]:
    yield safe.text(problem.path.name, "bold")
    yield from facts(
        ("state", "error: not searched by; the other rules are"),
        ("why", problem.message),
        ("where", f"line {problem.line}, column {problem.column}"),
        ("file", str(problem.path)),
    )
    if excerpt:
        place = problem.column - 1
        before, at, after = (
            excerpt[:place].lstrip(),
            excerpt[place : place + 1],
            excerpt[place + 1 :],
        )
        yield Content("")
        yield Content.assemble(
            (f"{problem.line} │ ", "$foreground-muted"),
            safe.text(before),
            safe.text(at or " ", "reverse $text-error"),
            safe.text(after),
        )
    yield Content("")
    yield Content.styled("It is read again when the file is saved.", "$foreground-muted")


def _line(problem: RuleProblem) -> str:
    """The line that is wrong, as the file has it now."""
    try:
        lines = problem.path.read_text(encoding="utf-8-sig", errors="replace").split("\n")
    except OSError:
        return ""
    return lines[problem.line - 1] if 0 < problem.line <= len(lines) else ""
