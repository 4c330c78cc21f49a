"""Texts of the hunt screens: a hunt, its queries, findings and log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from textual.content import Content

from detector.delivery.hunt_export import LANGUAGE_NAMES, hunt_edits
from detector.store import HistoryEntry
from detector.triage.hunt_record import HuntFinding, HuntQuery, HuntRecord, HuntRun
from tui.presentation import format, safe
from tui.screens.base.fact_list import Indented, Line, facts
from tui.widgets.columns import Column


class HuntItem(NamedTuple):
    """A line of a hunt: the hunt itself, one of its queries, one of its findings."""

    part: str
    hunt: HuntRecord
    query: HuntQuery | None = None
    finding: HuntFinding | None = None

    @property
    def kind(self) -> str:
        if self.query is not None:
            return "query"
        return self.finding.kind if self.finding is not None else "hunt"

    @property
    def name(self) -> str:
        if self.query is not None:
            return self.query.name
        return self.finding.title if self.finding is not None else self.hunt.name

    @property
    def says(self) -> str:
        """The state of the item in a few words."""
        if self.query is not None:
            return run_phrase(self.hunt.run_of(self.query.query_id))
        if self.finding is not None:
            return self.finding.summary
        return self.hunt.state


def items_of(hunt: HuntRecord) -> list[HuntItem]:
    """Return the lines of a hunt: the hunt itself, its queries, its findings."""
    return [
        HuntItem("hunt", hunt),
        *(HuntItem(query.part, hunt, query=query) for query in hunt.queries),
        *(HuntItem(finding.part, hunt, finding=finding) for finding in hunt.findings),
    ]


ITEM_COLUMNS: tuple[Column[HuntItem], ...] = (
    Column("kind", "what", 9, lambda item: item.kind, drop_priority=0),
    Column("name", "name", 14, lambda item: item.name, drop_priority=0, flex=True),
    Column("says", "", 16, lambda item: item.says, drop_priority=2, flex=True),
)


def run_phrase(run: HuntRun | None) -> str:
    """Return the result of a query's latest run in words."""
    return "not run yet" if run is None else run.phrase


def last_run_phrase(hunt: HuntRecord) -> str:
    """Return the result of the latest run among a hunt's queries in words."""
    if not hunt.runs:
        return "–"
    return run_phrase(max(hunt.runs, key=lambda run: run.time))


def hunt_lines(hunt: HuntRecord) -> list[Line]:
    """Return the detail lines of a hunt, without its log."""
    lines: list[Line] = [
        safe.text(hunt.name, "bold"),
        *facts(
            ("state", hunt.state),
            ("hypothesis", hunt.texts.get("hypothesis", "")),
            ("scope", hunt.scope.phrase),
            ("conclusion", hunt.texts.get("conclusion", "")),
            ("begun", f"{format.full_time(hunt.created)} {hunt.author}"),
            ("changed", f"{format.full_time(hunt.changed)} {hunt.changed_by}"),
        ),
    ]
    for query in hunt.queries:
        phrase = run_phrase(hunt.run_of(query.query_id))
        lines += facts(("query", f"{query.name}: {phrase}"))
    for finding in hunt.findings:
        lines += facts((finding.kind, f"{finding.title}: {finding.summary}"))
    return lines


def log_lines(entries: Sequence[HistoryEntry]) -> Iterator[Line]:
    """Yield the log of a hunt, latest first."""
    yield Content("")
    yield Content.styled("log", "$foreground-muted")
    for each in reversed(hunt_edits(entries)):
        yield Indented(0, f"{format.date_time(each.time)}  {each.author}  {each.kind}")
        yield from (Indented(2, detail) for detail in each.details)


def query_lines(query: HuntQuery, run: HuntRun | None) -> list[Line]:
    """Return a query with its last run and its text."""
    ran = ""
    if run is not None:
        ran = f"{run_phrase(run)}, {format.full_time(run.time)} {run.author}"
    return [
        safe.text(query.name, "bold"),
        *facts(("language", LANGUAGE_NAMES[query.language]), ("last run", ran or "none yet")),
        Content(""),
        safe.text(query.text, limit=len(query.text), lines=True),
    ]


def finding_lines(finding: HuntFinding) -> list[Line]:
    """Return the detail lines of a finding, as known when it was attached."""
    time = "" if finding.time is None else format.full_time(finding.time)
    event = finding.event
    caller = event.arn if event is not None else ""
    key = event.access_key if event is not None else ""
    agent = event.user_agent if event is not None else ""
    return [
        safe.text(finding.title, "bold"),
        *facts(
            ("kind", finding.kind),
            ("time", time),
            ("what", finding.summary),
            ("id", finding.subject),
            ("caller", caller),
            ("key", key),
            ("agent", agent),
            ("attached", f"{format.full_time(finding.added)} {finding.author}"),
        ),
    ]
