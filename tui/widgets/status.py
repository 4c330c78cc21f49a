"""The status of the hunt: live state and accounting."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from textual.content import Content
from textual.widget import Widget

from detector.sources.accounting import Accounting
from detector.text.time import DAY, format_lag
from tui.presentation import time_display

LiveState = Literal[
    "live", "archive", "reading", "paused", "following", "no source", "read-only", "stopped"
]

_STATES: dict[LiveState, tuple[str, str]] = {
    "live": ("●", "$text-success"),
    "archive": ("▪", "$foreground-muted"),
    "reading": ("◌", "$text-accent"),
    "paused": ("‖", "$text-warning"),
    "following": ("○", "$text-accent"),
    "no source": ("○", "$foreground-muted"),
    "read-only": ("○", "$text-warning"),
    "stopped": ("×", "$text-error"),
}

ARCHIVE_AGE = DAY
"""Data whose latest event is at least this many seconds old is an archive, not live."""


def live_items(state: LiveState, newest: int | None, now: float) -> list[Content]:
    """Return ``● live`` and ``latest 12:38:05Z (3 m ago)``.

    ``newest`` is the time of the latest event read; both times are in epoch seconds. A live source
    with only old events is shown as an archive.
    """
    if state == "live" and newest is not None and now - newest >= ARCHIVE_AGE:
        state = "archive"
    glyph, style = _STATES[state]
    items = [Content.styled(f"{glyph} {state}", style)]
    if newest is not None:
        items.append(Content.styled(f"latest {_newest_phrase(newest, now)}", "$foreground-muted"))
    return items


def _newest_phrase(newest: int, now: float) -> str:
    lag = max(0, int(now - newest))
    if time_display.mode == "relative":
        return f"{format_lag(lag)} ago"
    moment = time_display.datetime_at(newest)
    zone = time_display.zone_suffix(moment)
    if lag < ARCHIVE_AGE:
        return f"{moment:%H:%M:%S}{zone} ({format_lag(lag)} ago)"
    return f"{moment:%Y-%m-%d %H:%M}{zone}"


class AccountingLine(Widget):
    """Format terms: ``files 9 = 7 read + 2 waiting · records 4``.

    Terms always add up to the total, or no terms are shown at all. Terms of 0 are left out. As the
    width shrinks, the line uses shorter words; then the totals and the terms that need attention;
    then only the totals. Numbers are never rounded.
    """

    DEFAULT_CSS = "AccountingLine { height: 1; color: $foreground-muted; }"

    def __init__(self) -> None:
        super().__init__()
        self._accounting: Accounting | None = None

    def show(self, accounting: Accounting | None) -> None:
        """Show an accounting; None means that nothing has been read yet."""
        self._accounting = accounting
        self.refresh()

    def render(self) -> Content:
        if self._accounting is None:
            return Content("")
        cells = self.size.width
        for line in _accounting_forms(self._accounting):
            if line.cell_length <= cells:
                return line
        return line.truncate(cells, ellipsis=True)


_ATTENTION = "$text-warning"


class SumTerm(NamedTuple):
    """One term of a sum."""

    number: int
    word: str
    short_word: str
    style: str = ""


def _accounting_forms(accounting: Accounting) -> Iterator[Content]:
    """Return the forms of the accounting, each narrower than the one before."""
    files = [
        SumTerm(accounting.files_read, "read", "read"),
        SumTerm(accounting.files_waiting, "waiting", "wait"),
        SumTerm(sum(accounting.files_skipped.values()), "skipped", "skip"),
        SumTerm(sum(accounting.files_quarantined.values()), "quarantined", "quar", _ATTENTION),
    ]
    records = [
        SumTerm(accounting.records_read, "read", "read"),
        SumTerm(sum(accounting.records_skipped.values()), "skipped", "skip"),
        SumTerm(sum(accounting.records_rejected.values()), "rejected", "rej", _ATTENTION),
    ]
    hits = [
        SumTerm(accounting.records_counted, "counted", "cnt"),
        SumTerm(accounting.records_duplicate, "duplicate", "dup"),
    ]
    late = [SumTerm(accounting.late_dropped, "late, unmerged", "late", _ATTENTION)]
    for short in (False, True):
        file_sum = _sum("files", accounting.files_found, _term_contents(files, short))
        record_sum = _sum("records", accounting.records_seen, _term_contents(records, short))
        sums = [file_sum, record_sum]
        if accounting.hits:
            sums.append(_sum("hits", accounting.hits, _term_contents(hits, short)))
        yield _joined([*sums, *_term_contents(late, short)])
    yield _joined([file_sum, record_sum, *_term_contents([hits[1], *late], True)])
    file_total = _sum("files", accounting.files_found, [])
    record_total = _sum("records", accounting.records_seen, [])
    yield _joined(
        [
            file_total,
            *_term_contents([term for term in files if term.style], False),
            record_total,
            *_term_contents([term for term in records if term.style], False),
            *_term_contents(late, True),
        ]
    )
    yield _joined([file_total, record_total])


def _term_contents(terms: list[SumTerm], short: bool) -> list[Content]:
    return [
        Content.styled(f"{term.number:,} {term.short_word if short else term.word}", term.style)
        for term in terms
        if term.number
    ]


def _sum(name: str, total: int, terms: list[Content]) -> Content:
    if not terms:
        return Content(f"{name} {total:,}")
    return Content.assemble(f"{name} {total:,} = ", Content(" + ").join(terms))


def _joined(parts: list[Content]) -> Content:
    return Content(" · ").join(parts)
