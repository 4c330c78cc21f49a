"""What is so now on every screen: is it live; and what became of every file and record."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from textual.content import Content
from textual.widget import Widget

from detector.sources.accounting import Accounting
from detector.text.time import DAY, format_lag
from tui.presentation import time_display

LiveState = Literal["live", "reading", "paused", "read-only", "stopped"]

_STATES: dict[LiveState, tuple[str, str]] = {
    "live": ("●", "$text-success"),
    "reading": ("◌", "$text-accent"),
    "paused": ("‖", "$text-warning"),
    "read-only": ("○", "$text-warning"),
    "stopped": ("×", "$text-error"),
}


def live_state(state: LiveState, newest: int | None, now: float) -> Content:
    """``● live  newest 12:38:05Z (3 m behind)``. ``newest`` is the newest event time read; both in
    epoch seconds."""
    glyph, style = _STATES[state]
    said = Content.styled(f"{glyph} {state}", style)
    if newest is None:
        return said
    behind = max(0, int(now - newest))
    if time_display.mode == "relative":
        return Content.assemble(said, (f"  newest {format_lag(behind)} ago", "$foreground-muted"))
    at = time_display.datetime_at(newest)
    stamp = f"{at:%H:%M:%S}" if behind < DAY else f"{at:%Y-%m-%dT%H:%M:%S}"
    return Content.assemble(
        said,
        (
            f"  newest {stamp}{time_display.zone_suffix(at)} ({format_lag(behind)} behind)",
            "$foreground-muted",
        ),
    )


class AccountingLine(Widget):
    """``files 9 = 7 read + 2 waiting · records 12 = 11 kept + 1 rejected``: sums that add up, or no
    sum at all.

    Terms that are nought are left out. As the width shrinks: shorter words; then the totals with
    what needs a look; then the totals. A number is never rounded."""

    DEFAULT_CSS = "AccountingLine { height: 1; color: $foreground-muted; }"

    def __init__(self) -> None:
        super().__init__()
        self._accounting: Accounting | None = None

    def show(self, accounting: Accounting | None) -> None:
        """None: nothing has been read yet."""
        self._accounting = accounting
        self.refresh()

    def render(self) -> Content:
        if self._accounting is None:
            return Content("")
        cells = self.size.width
        for form in _forms(self._accounting):
            if form.cell_length <= cells:
                return form
        return form.truncate(cells, ellipsis=True)


_WARN = "$text-warning"

SumTerm = tuple[int, str, str, str]
"""How many, the word, the short word, the style."""


def _forms(accounting: Accounting) -> Iterator[Content]:
    """The accounting in ever fewer cells."""
    files: list[SumTerm] = [
        (accounting.files_read, "read", "read", ""),
        (accounting.files_waiting, "waiting", "wait", ""),
        (sum(accounting.files_skipped.values()), "skipped", "skip", ""),
        (sum(accounting.files_quarantined.values()), "quarantined", "quar", _WARN),
    ]
    records: list[SumTerm] = [
        (accounting.records_kept, "kept", "kept", ""),
        (accounting.records_duplicate, "duplicate", "dup", ""),
        (sum(accounting.records_skipped.values()), "skipped", "skip", ""),
        (sum(accounting.records_rejected.values()), "rejected", "rej", _WARN),
    ]
    late: list[SumTerm] = [(accounting.late_dropped, "late, unmerged", "late", _WARN)]
    totals = (
        ("files", accounting.files_found, files),
        ("records", accounting.records_seen, records),
    )
    for short in (False, True):
        sums = [_sum(name, total, _terms(terms, short)) for name, total, terms in totals]
        yield _joined([*sums, *_terms(late, short)])
    trouble = [_terms([term for term in terms if term[3]], False) for _, _, terms in totals]
    plain = [_sum(name, total, []) for name, total, _ in totals]
    yield _joined([plain[0], *trouble[0], plain[1], *trouble[1], *_terms(late, True)])
    yield _joined(plain)


def _terms(terms: list[SumTerm], short: bool) -> list[Content]:
    return [
        Content.styled(f"{number:,} {brief if short else word}", style)
        for number, word, brief, style in terms
        if number
    ]


def _sum(name: str, total: int, terms: list[Content]) -> Content:
    if not terms:
        return Content(f"{name} {total:,}")
    return Content.assemble(f"{name} {total:,} = ", Content(" + ").join(terms))


def _joined(parts: list[Content]) -> Content:
    return Content(" · ").join(parts)
