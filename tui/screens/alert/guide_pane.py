"""The questions of an alert's guide, with their answers."""

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
from detector.investigation.pivot import EventRow
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

ANSWER_COLUMNS: tuple[Column[Answer], ...] = (
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
    Column("detail", "answer", 24, lambda answer: answer.detail, drop_priority=2, flex=True),
)


class GuidePane(Vertical):
    """The list of questions, and the answer under the cursor.

    The store is queried at once. The logs, which the rule's own queries need, are read only after
    the pane has been shown.
    """

    class Answered(Message):
        """The store has answered.

        ``signals`` maps each flag of the alert to its events.
        """

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
        self._was_shown = asyncio.Event()

    def compose(self) -> ComposeResult:
        yield RowList(
            ANSWER_COLUMNS,
            key=lambda answer: answer.question,
            empty="Searching …",
            id="questions",
            marking=False,
        )
        yield Static("", id="answer")

    @work(exclusive=True, group="ask")
    async def ask(self, store: Store, alert: Alert, rule: Rule | None, flagging: Dispatch) -> None:
        """Answer the questions for an alert.

        ``flagging`` determines which events set a flag.
        """
        try:
            answers = await asyncio.to_thread(answer_questions, store, alert, rule, flagging)
            self._show(answers)
            self.post_message(self.Answered(alert, answers.signals))
            await self._was_shown.wait()
            await self._count(answers, store, alert, flagging)
        except StateError as error:
            self.post_message(self.Failed(str(error)))

    def start_counting(self) -> None:
        """Start reading the logs, since the pane is in front."""
        self._was_shown.set()

    async def _count(
        self, answers: GuideAnswers, store: Store, alert: Alert, flagging: Dispatch
    ) -> None:
        stop = threading.Event()
        try:
            for index, answer in enumerate(answers.own):
                counted = await asyncio.to_thread(
                    count_answer, store, alert, answer, flagging, stop
                )
                if counted is not None:
                    answers.own[index] = counted
                    self._show(answers)
        finally:
            stop.set()

    def _show(self, answers: GuideAnswers) -> None:
        by_question = {answer.question: answer for answer in (*answers.guide, *answers.own)}
        self.query_one("#questions", RowList).show(list(by_question.values()))

    def on_row_list_highlighted(self, event: RowList.Highlighted) -> None:
        answer: Answer | None = event.row
        if answer is None:
            self.query_one("#answer", Static).update("")
            return
        behind = (
            f"{key_of('list.open')} shows the calls behind it"
            if answer.pivot
            else "answered from the alert's own data"
        )
        self.query_one("#answer", Static).update(
            Content.assemble(
                safe.text(f"{answer.question} "),
                safe.text(answer.detail),
                (f"\n{behind}", "$foreground-muted"),
            )
        )


class GuideAnswers(NamedTuple):
    """The answers for one alert.

    ``own`` are the answers to the rule's own queries, not counted yet; ``signals`` maps each flag
    to its events.
    """

    guide: list[Answer]
    own: list[Answer]
    signals: dict[str, list[Event]]


def answer_questions(
    store: Store, alert: Alert, rule: Rule | None, flagging: Dispatch
) -> GuideAnswers:
    """Answer the questions as far as the store allows.

    Reads the store and one record, so it must not run on the event loop. Raises StateError.
    """
    signals, table = store.context.signals(alert.alert_id), field_table()
    principals = store.alerts.lineage(alert.alert_id)
    events = store.alerts.events(alert.alert_id)
    own_signals = guide.own_signals(events, flagging)
    answers = guide.guide_answers(alert, signals, principals, table, own_signals)
    own: list[Answer] = []
    if rule is not None and rule_guide.guide_queries(rule):
        try:
            record = decode(raw_record(events[0])) if events else None
        except (EvidenceGone, ValueError, RecursionError):
            # the record is gone or unparsable: values that the alert lacks stay unknown
            record = None
        own = rule_guide.rule_answers(rule, alert, table, record)
    return GuideAnswers(answers, own, signals)


def count_answer(
    store: Store, alert: Alert, answer: Answer, flagging: Dispatch, stop: threading.Event
) -> Answer | None:
    """Return the answer with its count from the logs.

    Returns None if ``stop`` was set before the end. Raises StateError.
    """
    if answer.pivot is None:
        return answer
    around = answer.pivot
    files = store.chunks.file_spans(around.start, around.end, around.selector)
    rows: list[EventRow] = []
    for batch in pivot.read_pivot(around, files, flagging, frozenset(alert.event_ids), stop):
        rows += batch.rows
    if stop.is_set():
        return None
    return guide.answer_from_rows(answer, rows)
