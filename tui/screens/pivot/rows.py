"""Lines of a pivot, and the pivots that can be opened from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from typing import Any

from textual.content import Content

from detector.cloudtrail.record import decode
from detector.detection.event import Event
from detector.detection.principal import PrincipalNames, RelatedPrincipals
from detector.detection.record_search import Selector
from detector.ecs.fields import field_table
from detector.investigation.guide import group_by_question
from detector.investigation.pivot import EventRow, Pivot, Progress, count_actions
from detector.investigation.selectors import field_equals, value_text
from tui.keymap import key_of
from tui.presentation import format, safe
from tui.presentation.calls import event_key


@dataclass(frozen=True)
class QuestionLine:
    """A heading line above events: a guide question, an indicator or a run of calls."""

    question: str
    rows: int
    summary: str
    is_folded: bool
    title: str = ""
    """The text shown instead of ``question``; used for a run of calls."""
    run: tuple[EventRow, ...] = ()
    """The calls of a run, in the order of the list."""


PivotLine = QuestionLine | EventRow


def line_key(line: PivotLine) -> str:
    """Return the key of a line in the list."""
    return f"\0{line.question}" if isinstance(line, QuestionLine) else event_key(line.event)


def events_of(lines: Iterable[PivotLine]) -> Iterator[EventRow]:
    """Yield the events of lines, including those of runs."""
    for line in lines:
        if isinstance(line, QuestionLine):
            yield from line.run
        else:
            yield line


def heading(line: PivotLine) -> Content | None:
    """Return the text of a heading line; None for an event."""
    if not isinstance(line, QuestionLine):
        return None
    return Content.assemble(
        safe.text(f"{'▸' if line.is_folded else '▾'} {line.title or line.question}", "bold"),
        f"  {format.number(line.rows)}",
        safe.text(f"  {line.summary}", "$foreground-muted"),
    )


@dataclass(frozen=True)
class PivotOrder:
    """How the events of a pivot are laid out: by time, in runs, or under questions.

    ``toggled`` are the runs that are opened, and the questions that are folded.
    """

    grouped: bool = False
    folds: bool = True
    toggled: frozenset[str] = frozenset()


@dataclass(frozen=True)
class PivotLines:
    """Lines in display order, with their keys.

    ``matching`` of ``total`` rows match the filter.
    """

    lines: Sequence[PivotLine]
    keys: Sequence[str]
    matching: int
    total: int


def under_questions(rows: Iterable[EventRow], folded: Set[str]) -> Iterator[PivotLine]:
    """Yield the rows under the questions of the guide.

    The rows of ``folded`` questions are left out.
    """
    for question, answers in group_by_question(rows):
        yield QuestionLine(question, len(answers), count_actions(answers), question in folded)
        if question not in folded:
            yield from answers


FurtherPivot = tuple[str, Selector]
"""A title, which quotes the log, and the selector of the pivot's events."""


def next_pivots(event: Event, raw: bytes) -> list[FurtherPivot]:
    """Return the pivots that an event offers.

    They are its principal, role and key, then each field value of its record. ``raw`` is the
    record, empty if it is gone.
    """
    names = (
        ("principal", event.arn, PrincipalNames(arns=[event.arn])),
        ("role", event.role_arn, PrincipalNames(roles=[event.role_arn])),
        ("access key", event.access_key, PrincipalNames(keys=[event.access_key])),
    )
    pivots: list[FurtherPivot] = [
        (f"{kind} {value}", RelatedPrincipals(keys)) for kind, value, keys in names if value
    ]
    try:
        record = decode(raw)
    except (ValueError, RecursionError):
        return pivots  # the record is gone or not in CloudTrail's own format
    for name, field in field_table().items():
        if name.startswith(_REDUNDANT) or name.endswith(".text"):
            continue
        try:
            value = field.read(record)
        except RecursionError:
            continue  # nested too deep for a selector
        pivots += [
            (f"{name} {text}", field_equals(field, text))
            for text in map(value_text, _listed(value))
        ]
    order = {name: rank for rank, name in enumerate(_FIRST)}
    return sorted(pivots, key=lambda pivot: order.get(pivot[0].split(" ", 1)[0], len(order)))


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


_FIRST = (
    "principal",
    "role",
    "access",
    "source.address",
    "event.action",
    "user_agent.original",
    "cloud.region",
)
_REDUNDANT = (
    "aws.cloudtrail.flattened.",
    "@timestamp",
    "event.ingested",
    "event.created",
    "event.original",
)
"""Fields that repeat another field, or whose values are unique to each record."""


HALF_WIDTHS = (
    60,
    300,
    900,
    1800,
    3600,
    2 * 3600,
    6 * 3600,
    12 * 3600,
    86_400,
    3 * 86_400,
    7 * 86_400,
    30 * 86_400,
)
"""The half-widths to which a pivot can be widened or narrowed, in seconds to either side."""


def half_width(pivot: Pivot) -> int:
    """Return the larger distance from the pivot's center to one of its ends, in seconds."""
    return max(pivot.around - pivot.start, pivot.end - 1 - pivot.around)


def resized(pivot: Pivot, step: int) -> Pivot | None:
    """Return the pivot one step wider (1) or narrower (-1).

    Returns None if there is no further step.
    """
    current = half_width(pivot)
    if step > 0:
        wider = [span for span in HALF_WIDTHS if span > current * 1.1]
        if wider:
            return pivot.within(wider[0])
        return None
    narrower = [span for span in HALF_WIDTHS if span < current * 0.9]
    if narrower:
        return pivot.within(narrower[-1])
    return None


def progress_line(progress: Progress, rows: int, state: str, cells: int) -> Content:
    """Return the progress of the search; ``state`` is ``reading``, ``done`` or ``stopped``."""
    size = f"{_megabytes(progress.bytes_done)} of {_megabytes(progress.bytes)} MB"
    files = f"{format.number(progress.files_done)} of {format.plural(progress.files, 'file')}"
    unread = ""
    if progress.unread:
        unread = f" · {format.plural(len(progress.unread), 'file')} not read: {progress.unread[0]}"
    if state == "done":
        return Content.assemble(
            f"{format.plural(rows, 'call')} in {format.plural(progress.files, 'file')}, "
            f"{_megabytes(progress.bytes)} MB",
            safe.text(unread, "$text-warning"),
        )
    if state == "stopped":
        return Content.assemble(
            (f"stopped at {progress.share:.0%}", "$text-warning"),
            f": {format.plural(rows, 'call')} so far · {key_of('pivot.narrower')} and "
            f"{key_of('pivot.wider')} read again",
        )
    bar = max(8, min(40, cells - 56))
    full = int(progress.share * bar)
    return Content.assemble(
        ("━" * full, "$accent"),
        ("─" * (bar - full), "$foreground-muted"),
        f"  {size} · {files} · {format.plural(rows, 'call')} · ",
        (f"{key_of('back')} stops", "$foreground-muted"),
    )


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f}" if size >= 1e5 or not size else f"{size / 1e6:.3f}"
