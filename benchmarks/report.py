"""Reports of benchmarks: table, remarks, and budgets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple


class Budget(NamedTuple):
    """One budget of the design; ``met`` is None if it was not measured."""

    what: str
    limit: str
    measured: str
    met: bool | None
    before: str = ""
    """The value of an earlier version in the same run."""


def at_least(
    what: str, limit: float, value: float, form: str = "{:.2f}×", before: float | None = None
) -> Budget:
    return Budget(
        what, "≥ " + form.format(limit), form.format(value), value >= limit, _or_none(form, before)
    )


def at_most(
    what: str, limit: float, value: float, form: str = "{:.2f}×", before: float | None = None
) -> Budget:
    return Budget(
        what, "≤ " + form.format(limit), form.format(value), value <= limit, _or_none(form, before)
    )


def _or_none(form: str, value: float | None) -> str:
    return "" if value is None else form.format(value)


def unmeasured(what: str, why: str) -> Budget:
    return Budget(what, "", why, None)


@dataclass(frozen=True)
class Report:
    """A benchmark's table and remarks.

    ``rows`` begin with the column headings; the first column is text, the others are right-aligned
    numbers.
    """

    title: str
    rows: Sequence[Sequence[str]]
    remarks: Sequence[str] = ()
    budgets: Sequence[Budget] = field(default=())

    def __str__(self) -> str:
        return "\n".join(
            ["", self.title, "", *table(self.rows), *(["", *self.remarks] if self.remarks else [])]
        )


def budget_table(budgets: Sequence[Budget]) -> str:
    """Return the budgets as a Markdown table."""
    says = {True: "kept", False: "missed", None: "not measured"}
    rows = [("", "before", "now", "budget", ""), ("---", "--:", "--:", "--:", "---")]
    rows += [(b.what, b.before, b.measured, b.limit, says[b.met]) for b in budgets]
    return "\n".join(["", *(f"| {' | '.join(row)} |" for row in rows)])


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            [
                row[0].ljust(widths[0]),
                *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)),
            ]
        ).rstrip()
        for row in rows
    ]
