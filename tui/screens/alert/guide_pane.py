"""The guide, run: each question of an alert's guide with its answer, its count, and the pivot behind it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from detector.cloudtrail.record import decode
from detector.detection.alert import Alert
from detector.detection.event import Event
from detector.ecs.fields import field_table
from detector.investigation import guide, pivot, rule_guide
from detector.investigation.guide import Answer
from detector.investigation.raw_record import EvidenceGone, raw_record
from detector.rules.dispatch import Dispatch
from detector.rules.rule import Rule
from detector.store import StateError, Store
from tui.concurrency.worker import work
from tui.keymap import key_of
from tui.presentation import format, safe
from tui.widgets.columns import Column
from tui.widgets.row_list import RowList

_VERDICT_STYLE = {
    "yes": "$text-warning bold",
    "no": "$foreground-muted",
    "unknown": "$foreground-muted",
}

COLUMNS: tuple[Column[Answer], ...] = (
    Column("question", "question", 43, lambda answer: answer.question, drop_priority=0),
    Column(
        "verdict",
        "",
        3,
        lambda answer: safe.text(
            {"unknown": "?"}.get(answer.verdict, answer.verdict), _VERDICT_STYLE[answer.verdict]
        ),
        drop_priority=1,
    ),
    Column(
        "count",
        "count",
        5,
        lambda answer: "" if answer.count is None else format.number(answer.count),
        align="right",
        drop_priority=3,
    ),
    Column(
        "detail", "what was found", 24, lambda answer: answer.detail, drop_priority=2, flex=True
    ),
)


class GuidePane(Vertical):
    """The list of questions, and under it the answer under the cursor, whole.

    What the state tells is asked at once; the logs are read for the rule's own queries when the
    pane is looked at."""

    class Asked(Message):
        """The state has answered: ``signals`` are the events behind each flag of ``alert``."""

        def __init__(self, alert: Alert, signals: Mapping[str, Sequence[Event]]) -> None:
            super().__init__()
            self.alert = alert
            self.signals = signals

    class Failed(Message):
        def __init__(self, reason: str) -> None:
            super().__init__()
            self.reason = reason

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._looked_at = asyncio.Event()

    def compose(self) -> ComposeResult:
        yield RowList(
            COLUMNS,
            key=lambda answer: answer.question,
            empty="Asking …",
            id="questions",
            marking=False,
        )
        yield Static("", id="answer")

    @work(exclusive=True, group="ask")
    async def ask(self, store: Store, alert: Alert, rule: Rule | None, flagging: Dispatch) -> None:
        """Answer the questions for ``alert``; ``flagging`` tells what counts as a flag."""
        try:
            asked = await asyncio.to_thread(run, store, alert, rule)
            self._show(asked)
            self.post_message(self.Asked(alert, asked.signals))
            await self._looked_at.wait()
            await self._count(asked, store, alert, flagging)
        except StateError as error:
            self.post_message(self.Failed(str(error)))

    def look(self) -> None:
        """The pane is in front."""
        self._looked_at.set()

    async def _count(self, asked: Run, store: Store, alert: Alert, flagging: Dispatch) -> None:
        stop = threading.Event()
        try:
            for place, answer in enumerate(asked.own):
                if counted := await asyncio.to_thread(count, store, alert, answer, flagging, stop):
                    asked.own[place] = counted
                    self._show(asked)
        finally:
            stop.set()

    def _show(self, asked: Run) -> None:
        answers = {answer.question: answer for answer in (*asked.answers, *asked.own)}
        self.query_one("#questions", RowList).show(list(answers.values()))

    def on_row_list_highlighted(self, event: RowList.Highlighted) -> None:
        answer: Answer | None = event.row
        if answer is None:
            self.query_one("#answer", Static).update("")
            return
        behind = (
            f"{key_of('list.open')} shows the calls behind it"
            if answer.pivot
            else "answered from the alert itself"
        )
        self.query_one("#answer", Static).update(
            Content.assemble(
                safe.text(f"{answer.question} "),
                safe.text(answer.detail),
                (f"\n{behind}", "$foreground-muted"),
            )
        )


class Run(NamedTuple):
    """The answers to the guide's questions; those to the rule's own queries, not counted yet; the
    events behind each flag."""

    answers: list[Answer]
    own: list[Answer]
    signals: dict[str, list[Event]]


def run(store: Store, alert: Alert, rule: Rule | None) -> Run:
    """The guide of an alert, as far as the state tells.

    Reads the state and one record: not for the event loop. Raises StateError.
    """
    signals, table = store.context.signals(alert.alert_id), field_table()
    found = Run(
        guide.guide_answers(alert, signals, store.alerts.lineage(alert.alert_id), table),
        [],
        signals,
    )
    if rule is not None and rule_guide.guide_queries(rule):
        events = store.alerts.events(alert.alert_id)
        try:
            record = decode(raw_record(events[0])) if events else None
        except (EvidenceGone, ValueError, RecursionError):
            record = None  # gone, or in another form; what the alert itself does not name is then said to be missing
        found.own.extend(rule_guide.rule_answers(rule, alert, table, record))
    return found


def count(
    store: Store, alert: Alert, answer: Answer, flagging: Dispatch, stop: threading.Event
) -> Answer | None:
    """The answer with its count, from the logs; None where ``stop`` came first. Raises
    StateError."""
    if answer.pivot is None:
        return answer
    wanted = answer.pivot
    files = store.chunks.file_spans(wanted.start, wanted.end, wanted.selector)
    rows = [
        row
        for batch in pivot.read_pivot(wanted, files, flagging, frozenset(alert.event_ids), stop)
        for row in batch.rows
    ]
    return None if stop.is_set() else guide.answer_from_rows(answer, rows)
