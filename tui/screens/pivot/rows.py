"""The lines of a pivot: its events, the questions that they stand under, and what can be asked further of each."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, cast

from textual.content import Content

from detector.cloudtrail.record import decode
from detector.detection.event import Event
from detector.detection.principal import PrincipalNames, RelatedPrincipals
from detector.detection.record_search import Selector
from detector.ecs.fields import field_table
from detector.investigation.guide import by_question
from detector.investigation.pivot import Pivot, Progress, Row, counted
from detector.investigation.selectors import field_is, shown
from detector.text.abbreviations import short_arn
from tui.concurrency.job import Job, sort_in_pieces
from tui.keymap import key_of
from tui.presentation import format, safe, time_display
from tui.presentation.calls import call_outcome, event_key
from tui.widgets.columns import Column
from tui.widgets.line import CellContent


@dataclass(frozen=True)
class Head:
    """A question over the events that answer it; ``folded``: they are not shown."""

    question: str
    rows: int
    counted: str
    folded: bool


Line = Head | Row


def line_key(line: Line) -> str:
    return f"\0{line.question}" if isinstance(line, Head) else event_key(line.event)


def heading(line: Line) -> Content | None:
    """How a question is written over its events; None for an event."""
    if not isinstance(line, Head):
        return None
    return Content.assemble(
        (f"{'▸' if line.folded else '▾'} {line.question}", "bold"),
        f"  {format.number(line.rows)}",
        safe.text(f"  {line.counted}", "$foreground-muted"),
    )


@dataclass(frozen=True)
class Lines:
    """``lines`` in display order with their ``keys``; the filter let ``matching`` of ``of`` rows
    through."""

    lines: Sequence[Line]
    keys: Sequence[str]
    matching: int
    of: int


def arrange(
    found: Mapping[str, Row],
    keep: Callable[[Row], bool] | None,
    grouped: bool,
    folded: Set[str],
    job: Job,
) -> Lines:
    """The rows that ``keep`` lets through, in order of time or under the guide's questions. Raises
    Cancelled."""
    keys = list(found)
    if keep is not None:
        keys = [key for key in job.each(keys) if keep(found[key])]
    matching = len(keys)
    keys = sort_in_pieces(keys, lambda key: found[key].moment, job)
    lines: list[Line] = [found[key] for key in keys]
    if grouped:
        lines = list(under_questions(cast("list[Row]", lines), folded))
        keys = [line_key(line) for line in job.each(lines)]
    return Lines(lines, keys, matching, len(found))


def under_questions(rows: Iterable[Row], folded: Set[str]) -> Iterator[Line]:
    """The rows, which are in order of time, under the guide's questions."""
    for question, held in by_question(rows):
        yield Head(question, len(held), counted(held), question in folded)
        if question not in folded:
            yield from held


def _column(
    key: str,
    title: str | Callable[[], str],
    width: int,
    of: Callable[[Row], Any],
    said: Callable[[Any], CellContent] = str,
    **given: Any,
) -> Column[Line]:
    """A column that says what ``of`` reads of an event; of a question nothing."""
    return Column(
        key,
        title,
        width,
        lambda line: "" if isinstance(line, Head) else said(of(line)),
        of=cast("Callable[[Line], Hashable]", of),
        **given,
    )


def _marks(of: tuple[Sequence[str], bool]) -> Content:
    flags, own = of
    words = safe.text(format.flag_words(flags), "$text-warning")
    return Content.assemble(("own ", "$text-accent") if own else "", words)


COLUMNS: tuple[Column[Line], ...] = (
    _column(
        "time",
        time_display.column_title,
        14,
        attrgetter("event.time"),
        format.date_time,
        drop_priority=0,
    ),
    _column("flags", "flags", 9, attrgetter("flags", "own"), _marks, drop_priority=2, field="flag"),
    _column(
        "action", "call", 18, attrgetter("event.action"), drop_priority=1, flex=True, field="call"
    ),
    _column(
        "outcome", "outcome", 12, attrgetter("event.error_code"), call_outcome, drop_priority=3
    ),
    _column("region", "region", 14, attrgetter("event.region"), drop_priority=4),
    _column("source", "source", 15, attrgetter("event.source_address"), drop_priority=5),
    _column(
        "principal",
        "principal",
        16,
        attrgetter("event.arn"),
        lambda arn: short_arn(arn) or "no ARN",
        drop_priority=6,
        flex=True,
    ),
    _column("agent", "agent", 14, attrgetter("event.user_agent"), drop_priority=7, flex=True),
)


def further(event: Event, raw: bytes) -> list[tuple[str, Selector]]:
    """What can be asked from an event: its principal, role and key, then each field that its record
    has a value of.

    Each with its title, which quotes the log. ``raw`` is the record, empty where it is gone.
    """
    names = (
        ("principal", event.arn, PrincipalNames(arns=[event.arn])),
        ("role", event.role_arn, PrincipalNames(roles=[event.role_arn])),
        ("access key", event.access_key, PrincipalNames(keys=[event.access_key])),
    )
    found: list[tuple[str, Selector]] = [
        (f"{what} {value}", RelatedPrincipals(named)) for what, value, named in names if value
    ]
    try:
        record = decode(raw)
    except (ValueError, RecursionError):
        return found  # it came in another form than CloudTrail's own
    for name, field in field_table().items():
        try:
            value = None if name.startswith(_SAME) or name.endswith(".text") else field.read(record)
        except RecursionError:
            continue  # nested too deep to be asked for
        held = value if isinstance(value, list) else [] if value is None else [value]
        found += [(f"{name} {shown(each)}", field_is(field, shown(each))) for each in held]
    order = {name: place for place, name in enumerate(_FIRST)}
    return sorted(found, key=lambda asked: order.get(asked[0].split(" ", 1)[0], len(order)))


_FIRST = (
    "principal",
    "role",
    "access",
    "source.address",
    "event.action",
    "user_agent.original",
    "cloud.region",
)
_SAME = (
    "aws.cloudtrail.flattened.",
    "@timestamp",
    "event.ingested",
    "event.created",
    "event.original",
)
"""Fields that say what another says, or that no two records share."""


SPANS = (
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
"""Seconds to either side that a pivot is widened and narrowed to."""


def reach(pivot: Pivot) -> int:
    """How far it goes to the farther side, in seconds."""
    return max(pivot.around - pivot.start, pivot.end - 1 - pivot.around)


def resized(pivot: Pivot, step: int) -> Pivot | None:
    """The pivot one step wider (1) or narrower (-1); None where it goes no further."""
    now = reach(pivot)
    spans = (
        [span for span in SPANS if span > now * 1.1]
        if step > 0
        else [span for span in SPANS if span < now * 0.9]
    )
    return pivot.within(spans[0 if step > 0 else -1]) if spans else None


def progress_line(progress: Progress, rows: int, state: str, cells: int) -> Content:
    """How far the reading has come; ``state`` is ``reading``, ``done`` or ``stopped``."""
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
