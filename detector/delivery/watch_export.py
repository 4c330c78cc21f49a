"""The watch export, and the message that a watched indicator was seen again."""

from __future__ import annotations

from operator import attrgetter

from detector.delivery.list_export import ExportColumn, ListExport
from detector.text.abbreviations import short_arn
from detector.text.plural import plural
from detector.text.time import format_time
from detector.triage.watch import WatchRow


def seen_again(row: WatchRow) -> str:
    """Return one line on a watch's new sightings; it quotes the log unescaped."""
    latest = row.latest
    assert latest is not None
    label = f" ({row.watch.label})" if row.watch.label else ""
    error = f" {latest.error}" if latest.error else ""
    return (
        f"{short_arn(row.watch.indicator.text)}{label}: {plural(row.new, 'new event')}, "
        f"last {format_time(latest.time)} {short_arn(latest.caller)} {latest.action}{error} "
        f"{latest.region} from {latest.address}"
    )


def _first(row: WatchRow) -> int | None:
    return row.first or None


def _last(row: WatchRow) -> int | None:
    return row.latest.time if row.latest else None


def _caller(row: WatchRow) -> str:
    return row.latest.caller if row.latest else ""


def _call(row: WatchRow) -> str:
    return row.latest.action if row.latest else ""


def _address(row: WatchRow) -> str:
    return row.latest.address if row.latest else ""


_Column = ExportColumn[WatchRow]

WATCH_EXPORT: ListExport[WatchRow] = ListExport(
    "Watches",
    "watch",
    (
        _Column("watch_id", "", "text", attrgetter("watch.watch_id")),
        _Column("state", "State", "text", attrgetter("state")),
        _Column("kind", "Kind", "text", attrgetter("watch.indicator.kind")),
        _Column("indicator", "Indicator", "code", attrgetter("watch.indicator.text")),
        _Column("label", "Label", "text", attrgetter("watch.label")),
        _Column("sightings", "Sightings", "number", attrgetter("sightings")),
        _Column("new", "New", "number", attrgetter("new")),
        _Column("first", "First (UTC)", "time", _first),
        _Column("last", "Last (UTC)", "time", _last),
        _Column("last_caller", "Last caller", "code", _caller),
        _Column("last_call", "Last call", "text", _call),
        _Column("last_source_ip", "Last source", "code", _address),
        _Column("author", "Author", "text", attrgetter("watch.author")),
        _Column("created", "Created (UTC)", "time", attrgetter("watch.created")),
    ),
    WatchRow.as_json,
)
