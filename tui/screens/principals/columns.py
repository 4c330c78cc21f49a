"""The columns and sort orders of the list of principals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from textual.content import Content

from detector.filter.quoting import format_term
from detector.filter.schemas import EVENTS
from detector.investigation.principals import PrincipalRow
from detector.text.abbreviations import short_arn
from detector.triage.note import Note
from tui.presentation import format, safe
from tui.presentation.severity import severity_content
from tui.widgets.columns import Column
from tui.widgets.line import CellContent


def principal_label(row: PrincipalRow) -> str:
    """Return a principal's label, for example ``role/app (40 sessions)``."""
    name = short_arn(row.name) or "unknown principal"
    if row.kind in ("service", "account", "external"):
        name = f"{row.kind} {row.name}"
    if row.sessions > 1:
        return f"{name} ({row.sessions:,} sessions)"
    return name


def _risk(row: PrincipalRow) -> CellContent:
    if not row.risk.severity:
        return safe.text("·", "$foreground-muted")
    return severity_content(row.risk.severity)


def _count(key: str, title: str, width: int, read: Callable[[PrincipalRow], int], drop: int) -> Any:
    def cell(row: PrincipalRow) -> CellContent:
        value = read(row)
        if not value:
            return safe.text("·", "$foreground-muted")
        return format.number(value)

    return Column(key, title, width, cell, align="right", drop_priority=drop)


PRINCIPAL_COLUMNS: tuple[Column[PrincipalRow], ...] = (
    _count("risk", "risk", 4, lambda row: max(0, row.risk.total), 1),
    Column("severity", "", 10, _risk, drop_priority=11),
    Column(
        "principal",
        "principal",
        18,
        principal_label,
        drop_priority=0,
        flex=True,
        shorten=lambda row, cells: format.elide(principal_label(row), cells),
        wish=20,
    ),
    Column("account", "account", 12, lambda row: row.account or "–", drop_priority=3),
    Column(
        "first", "first seen", 11, lambda row: format.date_minute(row.first_seen), drop_priority=9
    ),
    Column("last", "last call", 11, lambda row: format.date_minute(row.last), drop_priority=5),
    _count("calls", "calls", 7, lambda row: row.calls, 2),
    _count("denied", "denied", 6, lambda row: row.denied, 4),
    _count("regions", "reg", 3, lambda row: len(row.regions), 6),
    _count("networks", "net", 3, lambda row: len(row.networks), 10),
    _count("uncommon", "uncommon", 8, lambda row: len(row.uncommon), 7),
    Column("rhythm", "rhythm", 9, lambda row: row.rhythm or "–", drop_priority=8),
    _count("alerts", "alerts", 6, lambda row: len(row.alerts), 12),
)

PRINCIPAL_ORDERS: dict[str, tuple[str, Callable[[PrincipalRow], Any]]] = {
    "risk": ("risk, then rarity", lambda row: (-row.risk.total, -len(row.uncommon), -row.last)),
    "uncommon": ("rarity", lambda row: (-len(row.uncommon), -row.risk.total, -row.last)),
    "first": ("first seen, newest first", lambda row: (-row.first_seen, row.name)),
    "last": ("last call, latest first", lambda row: (-row.last, row.name)),
    "denied": ("denied calls", lambda row: (-row.denied, -row.calls)),
    "calls": ("calls", lambda row: (-row.calls, row.name)),
    "regions": ("regions", lambda row: (-len(row.regions), -row.calls)),
    "networks": ("networks", lambda row: (-len(row.networks), -row.calls)),
    "principal": ("name", lambda row: (row.kind, row.name)),
}
"""The list's sort orders by column: a description and the sort key."""


def watched_values(row: PrincipalRow) -> Iterator[str]:
    """Yield the values of a principal to watch for: itself, its keys, its networks."""
    if row.name.startswith("arn:") or row.kind == "account":
        yield row.name
    yield from row.keys
    yield from row.networks


_WITH_ARN = ("user", "root", "role", "federated")


def note_summaries(row: PrincipalRow, notes: Iterable[Note]) -> Iterator[Content]:
    """Yield a line for each note on a principal or on one of its alerts."""
    for note in notes:
        is_own = not note.alert_id and note.context.principal == row.name
        if is_own or note.alert_id in row.alerts:
            yield safe.text(
                f"{format.date_minute(note.created)} {note.author}: {note.body.verdict} "
                f"{note.body.text}"
            )


def events_filter(row: PrincipalRow) -> str:
    """Return the filter that selects the events of a principal."""
    field = EVENTS.get("principal")
    assert field is not None
    if row.kind == "account":
        return f'caller={row.name} principal:""'
    if row.kind == "service":
        return f'source={row.name} principal:""'
    if row.kind not in _WITH_ARN:
        return 'principal:""'
    if row.kind == "role":
        return format_term(field, [short_arn(row.name) + "/"], True).replace("=", ":", 1)
    return format_term(field, [row.name], True)
