"""The rows and lines of the workbench."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from textual.content import Content

from detector.text.abbreviations import short_arn
from detector.text.time import format_exact, format_time
from detector.workbench.backtest import Backtest, ChangedPrincipal, Side
from detector.workbench.bench import Bench
from detector.workbench.parameters import RuleParameter
from tui.presentation import format, safe
from tui.widgets.columns import Column

_SIGNS = {
    "comes": ("+", "$text-success bold"),
    "goes": ("−", "$text-error bold"),
    "stays": ("", ""),
}


def row_key(row: ChangedPrincipal) -> str:
    """Return the key that identifies a row."""
    return f"{row.change}\0{row.principal}\0{row.suppressed}"


CHANGE_COLUMNS: tuple[Column[ChangedPrincipal], ...] = (
    Column("change", "", 1, lambda row: Content.styled(*_SIGNS[row.change]), drop_priority=0),
    Column(
        "principal",
        "principal",
        20,
        lambda row: caller_label(row.principal),
        drop_priority=0,
        flex=True,
        shorten=lambda row, cells: format.elide(caller_label(row.principal), cells),
    ),
    Column(
        "alerts",
        "alerts",
        6,
        lambda row: format.number(row.alerts),
        align="right",
        drop_priority=1,
    ),
    Column("extent", "largest alert", 34, lambda row: row.extent, drop_priority=2),
    Column("known", "known", 12, lambda row: _known(row), drop_priority=3),
)


def caller_label(principal: str) -> str:
    """Return a principal's name as lists show it."""
    return short_arn(principal) or "(no ARN)"


def _known(row: ChangedPrincipal) -> str:
    if row.suppressed:
        return "suppressed"
    return "known benign" if row.known_benign else ""


def parameter_line(bench: Bench, values: Mapping[str, int], current: int) -> Content:
    """Return the parameters with their values; the current one is in brackets."""
    parts: list[Content] = []
    for index, each in enumerate(bench.maker.parameters.found):
        value = values.get(each.name, each.value)
        text = f"{each.label}"
        if value != each.value:
            text += f" → {_value(each, value)}"
        style = "bold" if value != each.value else ""
        if index == current:
            part = Content.assemble(
                ("‹", "$accent bold"), safe.text(text, "bold"), ("›", "$accent bold")
            )
        else:
            part = safe.text(f" {text} ", style)
        parts.append(part)
    return Content("  ").join(parts)


def _value(parameter: RuleParameter, value: int) -> str:
    return format_exact(value) if parameter.kind == "duration" else format.number(value)


def result_lines(result: Backtest) -> Iterator[Content]:
    """Yield lines on what fires now and with the variant, and the precision of both."""
    comes, goes = result.count("comes"), result.count("goes")
    yield safe.text(f"fires now  {_side(result.now)}")
    yield Content.assemble(
        safe.text(f"with this  {_side(result.then)}   "),
        (f"+ {format.number(comes)}", "$text-success bold"),
        ("  ", ""),
        (f"− {format.number(goes)}", "$text-error bold"),
        safe.text(f"  {format.number(result.count('stays'))} stay", "$foreground-muted"),
    )
    yield safe.text(
        f"precision by verdicts: {result.now.precision.text} → {result.then.precision.text}",
        "$foreground-muted",
    )


def _side(side: Side) -> str:
    return f"{format.plural(side.alerts, 'alert')}, {format.plural(side.principals, 'principal')}"


def held_text(bench: Bench, hits: int, span: tuple[int, int] | None) -> str:
    """Return the number of hits and the days over which the rule is compared."""
    if span is None:
        return "no event passes its filter"
    first, last = (format_time(time)[:10] for time in span)
    days = f"{first} to {last}" if first != last else first
    text = f"{format.plural(hits, 'hit')}, {days}"
    evicted = bench.evicted_until()
    if evicted is not None:
        text += f"; windows without an alert before {format_time(evicted)[:10]} were purged"
    return text
