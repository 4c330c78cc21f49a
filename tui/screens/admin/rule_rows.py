"""The rows of the rules screen: rules and files in error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

from textual.content import Content

from detector.detection.alert import SEVERITIES
from detector.filter import Field, Fields
from detector.filter.field_types import Choice, Number, Text
from detector.rules.rule import Rule
from detector.rules.rule_file import RuleError, read_file_text
from detector.rules.ruleset import RuleProblem, RuleSet
from detector.store import HistoryEntry, RuleCount, Store
from detector.text.time import format_duration
from detector.workbench.performance import RulePerformance
from tui.keymap import key_of
from tui.presentation import format, safe
from tui.screens.base.fact_list import Line, facts

_SHAPES = {
    "window": "window",
    "lookback": "lookback",
    "filter": "single event",
    "terms": "new terms",
    "sequence": "sequence",
}
"""The screen's names for the shapes of queries."""

_NO_COUNT = RuleCount()


@dataclass(frozen=True)
class RuleRow:
    """A rule and its results, or a rule file that failed to load.

    ``signals`` is the number of events that have the rule's flag, ``seconds`` the rule's CPU time,
    ``performance`` the outcome of its alerts, ``excerpt`` the erroneous line of the file.
    """

    rule: Rule | None = None
    on: bool = True
    count: RuleCount = _NO_COUNT
    signals: int = 0
    seconds: float | None = None
    performance: RulePerformance | None = None
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
        if self.problem:
            return "error"
        return "on" if self.on else "off"

    @property
    def name(self) -> str:
        if self.rule:
            return self.rule.name
        return self.path.name

    @property
    def severity(self) -> str:
        if self.rule:
            return self.rule.severity
        return ""

    @property
    def flag(self) -> str:
        if self.rule:
            return self.rule.flag or ""
        return ""

    @property
    def tags(self) -> Sequence[str]:
        return self.rule.tags if self.rule else ()

    @property
    def id(self) -> str:
        if self.rule:
            return self.rule.rule_id
        return ""

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
        if not self.rule.window:
            return "–"
        return format_duration(self.rule.window)

    @property
    def hits(self) -> int:
        """Number of events that the rule counted, or flagged if it gives no alerts."""
        if self.rule and self.rule.alerts:
            return self.count.hits
        return self.signals

    @property
    def precision(self) -> int | None:
        """Percentage of the deciding verdicts that are suspicious or escalated, or None."""
        share = self.performance.precision.share if self.performance else None
        return None if share is None else round(share * 100)

    @property
    def verdicts(self) -> int:
        return sum(self.performance.verdicts.values()) if self.performance else 0

    @property
    def hidden(self) -> int:
        """Number of the rule's alerts that suppressions hide."""
        return self.performance.suppressed if self.performance else 0


_TEXT = Text()

RULES: Fields[RuleRow] = Fields(
    "rules",
    (
        Field("name", "rule name, or the file's if it failed to load", attrgetter("name"), _TEXT),
        Field(
            "state",
            "enabled, disabled or error",
            attrgetter("state"),
            Choice(("on", "off", "error")),
        ),
        Field(
            "severity",
            "severity",
            attrgetter("severity"),
            Choice(SEVERITIES, ordered=True),
        ),
        Field(
            "shape",
            "type: window, lookback, single event, new terms",
            attrgetter("shape"),
            _TEXT,
        ),
        Field("hits", "matching events", attrgetter("hits"), Number()),
        Field("alerts", "alerts", attrgetter("count.alerts"), Number()),
        Field(
            "precision",
            "percent of the verdicts that are suspicious or escalated",
            attrgetter("precision"),
            Number(),
        ),
        Field("verdicts", "alerts with a verdict", attrgetter("verdicts"), Number()),
        Field("hidden", "alerts that suppressions hide", attrgetter("hidden"), Number()),
        Field("flag", "the flag it sets", attrgetter("flag"), _TEXT),
        Field("tag", "tag", attrgetter("tags"), _TEXT),
        Field("id", "rule_id", attrgetter("id"), _TEXT),
        Field("file", "file path", attrgetter("file"), _TEXT),
    ),
)


def rule_rows(
    store: Store,
    rules: RuleSet,
    rule_seconds: Mapping[str, float],
    performances: Mapping[str, RulePerformance],
) -> list[RuleRow]:
    """Return all rows in display order. Raises StateError."""
    disabled, counts = store.rules.disabled(), store.rules.counts()
    flag_counts = store.rules.flag_counts()
    broken = [RuleRow(problem=problem, excerpt=_excerpt(problem)) for problem in rules.problems]
    loaded = [
        RuleRow(
            rule,
            rule.rule_id not in disabled,
            counts.get(rule.rule_id, _NO_COUNT),
            flag_counts.get(rule.flag or "", 0),
            rule_seconds.get(rule.rule_id),
            performances.get(rule.rule_id),
            tuple(store.history.entries(rule.rule_id)),
        )
        for rule in rules
    ]
    return [*broken, *sorted(loaded, key=_order)]


def _order(row: RuleRow) -> tuple[bool, int, str]:
    """Return a sort key: alerting rules first, by severity, then rules that only flag."""
    assert row.rule
    return not row.rule.alerts, -SEVERITIES.index(row.rule.severity), row.name


def detail_lines(row: RuleRow) -> Iterator[Line]:
    """Yield the detail lines that are shown next to the list for a row."""
    if row.problem:
        return _problem_lines(row.problem, row.excerpt)
    return _rule_lines(row)


def _rule_lines(row: RuleRow) -> Iterator[Line]:
    rule = row.rule
    assert rule
    yield safe.text(rule.name, "bold")
    yield from facts(
        ("state", _state_text(row)),
        ("severity", _severity_text(rule)),
        ("finds", rule.meaning),
        ("shape", f"{row.shape} ({', '.join(_type_and_language(rule))})"),
        ("window", row.window),
        ("flag", rule.flag or ""),
        ("hits", format.number(row.hits) + ("" if rule.alerts else " flagged events")),
        ("alerts", _alerts_text(row)),
        *_performance_facts(row.performance),
        ("time", _seconds_text(row)),
        ("tags", ", ".join(rule.tags)),
        ("id", rule.rule_id),
        ("file", str(rule.path)),
    )
    if rule.description:
        yield Content("")
        yield safe.text(rule.description, lines=True)
    if row.history:
        yield Content("")
    for entry in row.history:
        text = f"{format.full_time(entry.time)}  {entry.author}  {entry.kind}"
        yield safe.text(text, "$foreground-muted")


def _state_text(row: RuleRow) -> str:
    if row.on:
        return "on"
    return f"disabled; {key_of('rule.switch')} enables it"


def _severity_text(rule: Rule) -> str:
    text = f"{rule.severity} {rule.risk_score}"
    if rule.building_block:
        return f"{text}, building block"
    return text


def _type_and_language(rule: Rule) -> list[str]:
    return list(dict.fromkeys(filter(None, (rule.type, rule.language))))


def _alerts_text(row: RuleRow) -> str:
    if row.rule and row.rule.alerts:
        return format.number(row.count.alerts)
    return "no alerts of its own; flags nearby alerts"


def _performance_facts(performance: RulePerformance | None) -> Iterator[tuple[str, str]]:
    """Yield facts on the outcome of a rule's alerts; nothing if ``performance`` is None."""
    if performance is None:
        return
    counts = performance.verdicts.items()
    yield "principals", format.number(performance.principals)
    yield "hint", performance.hint
    if performance.suppressed:
        yield "hidden", f"{format.number(performance.suppressed)} by suppressions"
    yield "verdicts", ", ".join(f"{format.number(count)} {verdict}" for verdict, count in counts)
    yield "precision", performance.precision.text
    if performance.seconds_to_verdict is not None:
        wait = format_duration(performance.seconds_to_verdict)
        yield "decided", f"{wait} after the last event (median)"


def _seconds_text(row: RuleRow) -> str:
    if row.seconds is None:
        return ""
    return f"{row.seconds * 1000:,.0f} ms CPU since load"


def _problem_lines(problem: RuleProblem, excerpt: str) -> Iterator[Line]:
    where = ""
    if problem.line:
        where = f"line {problem.line}, column {problem.column}"
    yield safe.text(problem.path.name, "bold")
    yield from facts(
        ("state", "failed to load (other rules run)"),
        ("why", problem.message),
        ("where", where),
        ("file", str(problem.path)),
    )
    if excerpt:
        offset = problem.column - 1
        before, wrong, after = excerpt[:offset], excerpt[offset : offset + 1], excerpt[offset + 1 :]
        yield Content("")
        yield Content.assemble(
            (f"{problem.line} │ ", "$foreground-muted"),
            safe.text(before.lstrip()),
            safe.text(wrong or " ", "reverse $text-error"),
            safe.text(after),
        )
    yield Content("")
    yield Content.styled("It reloads when the file is saved.", "$foreground-muted")


def _excerpt(problem: RuleProblem) -> str:
    """Return the erroneous line from the current file, ``""`` if it cannot be read."""
    if not problem.line:
        return ""
    try:
        lines = read_file_text(problem.path).split("\n")
    except RuleError:
        return ""
    if not 0 < problem.line <= len(lines):
        return ""
    return lines[problem.line - 1]
