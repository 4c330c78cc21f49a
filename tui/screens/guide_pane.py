"""The guide, run: each question of an alert's guide with its answer, its count, and the pivot behind it."""

from __future__ import annotations

from collections.abc import Iterable

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from detector import guide, investigate
from detector.alert import Alert, Event
from detector.ecs import fields
from detector.evidence import EvidenceGone, raw_record
from detector.guide import Answer
from detector.record import decode
from detector.rules import Rule
from detector.store import Store
from tui import format, safe
from tui.widgets.columns import Column
from tui.widgets.row_list import RowList

_VERDICT_STYLE = {"yes": "$text-warning bold", "no": "$foreground-muted", "unknown": "$foreground-muted"}

COLUMNS: tuple[Column[Answer], ...] = (
    Column("question", "question", 43, lambda answer: answer.question, survive=0),
    Column("verdict", "", 3, lambda answer: safe.text(
        {"unknown": "?"}.get(answer.verdict, answer.verdict), _VERDICT_STYLE[answer.verdict]), survive=1),
    Column("count", "count", 5, lambda answer: "" if answer.count is None else format.count(answer.count),
           align="right", survive=3),
    Column("detail", "what was found", 24, lambda answer: answer.detail, survive=2, flex=True),
)


class GuidePane(Vertical):
    """The list of questions, and under it the answer under the cursor, whole."""

    def compose(self) -> ComposeResult:
        yield RowList(COLUMNS, key=lambda answer: answer.question, empty="Asking …", id="questions")
        yield Static("", id="answer")

    def show(self, answers: Iterable[Answer]) -> None:
        self.query_one("#questions", RowList).show(list({answer.question: answer for answer in answers}.values()))

    def on_row_list_highlighted(self, event: RowList.Highlighted) -> None:
        answer: Answer | None = event.row
        if answer is None:
            self.query_one("#answer", Static).update("")
            return
        behind = "enter shows the calls behind it" if answer.pivot else "answered from the alert itself"
        self.query_one("#answer", Static).update(Content.assemble(
            safe.text(f"{answer.question} "), safe.text(answer.detail), (f"\n{behind}", "$foreground-muted")))


def run(store: Store, alert: Alert, rule: Rule | None) -> tuple[list[Answer], dict[str, list[Event]]]:
    """The answers to the guide's questions, then those of the rule's own queries; and the events behind each flag.

    Reads the state and one record: not for the event loop. Raises StateError.
    """
    signals, table = store.signals(alert.alert_id), fields()
    found = guide.answers(alert, signals, store.lineage(alert.alert_id), table)
    if rule is not None and investigate.investigations(rule):
        events = store.events(alert.alert_id)
        try:
            record = decode(raw_record(events[0])) if events else None
        except (EvidenceGone, ValueError, RecursionError):
            record = None  # gone, or in another form; what the alert itself does not name is then said to be missing
        found += investigate.answers(rule, alert, table, record)
    return found, signals
