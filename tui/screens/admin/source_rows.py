"""The rows of the sources screen: totals, problems, sources and regions.

Problems come first: a missing file that a digest names, a modified file, a feed without the events
that rules need, a file in quarantine, a region that has fallen silent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter

from textual.content import Content

from detector.detection.log_integrity import integrity_alert
from detector.filter import Field, Fields
from detector.filter.field_types import BYTES, Number, Text, Time
from detector.sources.accounting import Accounting
from detector.store import (
    Feed,
    Freshness,
    IntegrityFinding,
    QuarantinedFile,
    Store,
    Volume,
    WaitingFile,
    reference_time,
)
from detector.text.time import format_age, format_duration
from tui.keymap import key_of
from tui.presentation import format, safe, time_display
from tui.screens.admin.read_rates import Rate
from tui.screens.base.fact_list import Fact, Line, facts

About = IntegrityFinding | Feed | QuarantinedFile | WaitingFile | Volume | Freshness | None


@dataclass(frozen=True)
class SourceRow:
    """A row of the sources screen.

    ``about`` is None for the row of totals. ``newest`` is the latest label or event time, in epoch
    seconds.
    """

    key: str
    kind: str
    state: str
    what: str
    about: About = None
    files: int | None = None
    bytes: int | None = None
    newest: int | None = None

    @property
    def is_problem(self) -> bool:
        """Whether the state needs the analyst's attention."""
        return self.state in STATE_GLYPHS

    @property
    def reasons(self) -> Sequence[str]:
        """The reasons why a file is in quarantine or waiting."""
        if isinstance(self.about, QuarantinedFile):
            return self.about.reason, self.about.detail
        if isinstance(self.about, WaitingFile):
            return (self.about.detail,)
        return ()

    @property
    def short_name(self) -> str:
        """The last parts of a path, which are more telling than the first ones."""
        *_, folder, name = ["", *self.what.split("/")]
        if self.kind == "digest":
            return name.partition("_CloudTrail_")[2] or name
        if self.kind in ("all", "region") or len(self.what) < 17:
            return self.what
        return f"…/{folder}/{name}" if self.kind == "source" else f"…/{name}"


STATE_STYLE = {
    "modified": "$text-error bold",
    "missing": "$text-error bold",
    "blind": "$text-error",
    "error": "$text-warning",
    "silent": "$text-warning",
    "quiet": "$foreground-muted",
}
STATE_GLYPHS = {"modified": "◆", "missing": "▲", "blind": "▲", "error": "●", "silent": "●"}

_text = Text()

SOURCES: Fields[SourceRow] = Fields(
    "sources",
    (
        Field("newest", "latest label or event time", attrgetter("newest"), Time()),
        Field("kind", "digest, feed, file, wait, region or source", attrgetter("kind"), _text),
        Field("state", "state: silent, error, missing, …", attrgetter("state"), _text),
        Field("name", "the path, the bucket, the region and account", attrgetter("what"), _text),
        Field("reason", "why a file is quarantined or waiting", attrgetter("reasons"), _text),
        Field("files", "files", attrgetter("files"), Number()),
        Field("size", "size in bytes", attrgetter("bytes"), BYTES),
    ),
)


def source_rows(store: Store, source_label: str, now: float) -> list[SourceRow]:
    """Return all rows in display order. Raises StateError."""
    freshness = store.completeness.freshness()
    time = reference_time(freshness, now)
    is_archive = time != now
    regions = [_region_row(region, time, is_archive) for region in freshness]
    findings = sorted(store.completeness.findings(), key=lambda finding: finding.kind, reverse=True)
    return [
        SourceRow("all", "all", "", source_label),
        *map(_digest_row, findings),
        *(_feed_row(feed) for feed in store.completeness.feeds() if feed.blind),
        *map(_quarantine_row, store.quarantine.files()),
        *map(_waiting_row, store.files.waiting()),
        *(row for row in regions if row.is_problem),
        *map(_volume_row, store.completeness.volumes()),
        *(row for row in regions if not row.is_problem),
    ]


def _digest_row(finding: IntegrityFinding) -> SourceRow:
    key = f"{finding.kind} {finding.name}"
    return SourceRow(key, "digest", finding.kind, finding.path or finding.key, finding)


def _feed_row(feed: Feed) -> SourceRow:
    return SourceRow(f"feed {feed.path}", "feed", "blind", feed.path, feed)


def _quarantine_row(file: QuarantinedFile) -> SourceRow:
    return SourceRow(f"file {file.path}", "file", "error", file.path, file, bytes=file.size)


def _waiting_row(file: WaitingFile) -> SourceRow:
    return SourceRow(f"wait {file.path}", "wait", "waiting", file.path, file, bytes=file.size)


def _volume_row(volume: Volume) -> SourceRow:
    return SourceRow(
        f"source {volume.origin}",
        "source",
        "reading" if volume.waiting else "read",
        volume.origin,
        volume,
        volume.files,
        volume.bytes,
        volume.newest,
    )


def _region_row(region: Freshness, now: float, is_archive: bool) -> SourceRow:
    state = "archive" if is_archive else "fresh"
    if region.late(now):
        state = "quiet" if region.vouched(now) else "silent"
    name = f"{region.region} {region.account}"
    return SourceRow(
        f"region {name}", "region", state, name, region, region.files, region.bytes, region.newest
    )


def byte_size(number: int) -> str:
    """Format a number of bytes: ``812 B``, ``4.2 kB``, ``1.3 GB``."""
    scaled = float(number)
    for unit in ("B", "kB", "MB", "GB"):
        if scaled < 1000:
            decimals = 0 if unit == "B" or scaled >= 100 else 1
            return f"{scaled:.{decimals}f} {unit}"
        scaled /= 1000
    return f"{scaled:,.1f} TB"


def detail_lines(row: SourceRow, now: float, rate: Rate | None = None) -> Iterator[Line]:
    """Yield the detail lines that are shown next to the list for a row other than the totals."""
    about = row.about
    yield safe.text(row.short_name, "bold")
    match about:
        case IntegrityFinding():
            yield from _finding_lines(about)
        case Feed():
            yield from _feed_lines(about)
        case QuarantinedFile():
            yield from _quarantine_lines(about)
        case WaitingFile():
            yield from _waiting_lines(about)
        case Volume():
            yield from _volume_lines(about, now, rate)
        case Freshness():
            yield from _freshness_lines(about, row.state, now)


def _feed_lines(feed: Feed) -> Iterator[Line]:
    return facts(
        ("state", "blind"),
        ("records", format.number(feed.records)),
        ("read-only", "none, so no DescribeInstances"),
        ("why", str(feed)),
    )


def _quarantine_lines(file: QuarantinedFile) -> Iterator[Line]:
    yield from facts(
        ("state", "quarantined: not read"),
        ("reason", file.reason),
        ("why", file.detail),
        ("size", byte_size(file.size)),
        ("file", file.path),
    )
    yield Content("")
    yield Content.styled(
        f"{key_of('source.retry')} retries it with the next rescan; "
        f"{key_of('source.ignore')} ignores it (counted as skipped).",
        "$foreground-muted",
    )


def _waiting_lines(file: WaitingFile) -> Iterator[Line]:
    return facts(
        ("state", "waiting: not read to its end yet"),
        ("why", file.detail),
        ("size", byte_size(file.size)),
        ("file", file.path),
    )


def _volume_lines(volume: Volume, now: float, rate: Rate | None) -> Iterator[Line]:
    return facts(
        ("place", volume.origin),
        ("files", format.number(volume.files)),
        ("waiting", format.number(volume.waiting)),
        ("errors", _in_quarantine(volume.failed)),
        ("bytes", byte_size(volume.bytes)),
        ("records", format.number(volume.records)),
        ("rate", _rate(rate)),
        ("latest", _time(volume.newest, now)),
    )


def _rate(rate: Rate | None) -> str:
    if rate is None:
        return ""
    return (
        f"{byte_size(round(rate.bytes))} and {rate.records:,.0f} records a second, "
        "over the last minute"
    )


def _in_quarantine(files: int) -> str:
    return f"{format.number(files)} in quarantine" if files else "none"


def _finding_lines(finding: IntegrityFinding) -> Iterator[Line]:
    alert = integrity_alert(finding)
    events = ""
    if finding.oldest and finding.newest:
        events = format.time_range(finding.oldest, finding.newest)
    yield from facts(
        ("alert", f"{alert.rule.name}, {alert.rule.severity} {alert.rule.risk_score}"),
        ("why", str(finding)),
        ("account", finding.account),
        ("region", finding.region),
        ("events", events),
        ("key", finding.key),
        ("file", finding.path or "not found"),
        ("digest", finding.digest),
        ("alert ID", alert.alert_id),
    )


_STATE_TEXTS = {
    "fresh": "up to date",
    "archive": "archive: the latest event is more than a day old",
    "quiet": "quiet: digests still arrive and show that nothing else was delivered",
    "silent": "silent: no deliveries and no digests – logging may have stopped. "
    "Check the trail and digest access.",
}


def _freshness_lines(region: Freshness, state: str, now: float) -> Iterator[Line]:
    cadence = "too few deliveries to judge"
    if region.cadence is not None:
        cadence = f"every {format_duration(region.cadence)}"
    return facts(
        ("state", _STATE_TEXTS[state]),
        ("latest", _time(region.newest, now)),
        ("cadence", cadence),
        ("silent", f"for {format_duration(region.silent(now))}"),
        ("digest", "none" if region.digested is None else _time(region.digested, now)),
        ("files", format.number(region.files)),
        ("bytes", byte_size(region.bytes)),
        ("records", format.number(region.records)),
        ("errors", _in_quarantine(region.failed)),
    )


def _time(time: int | None, now: float) -> str:
    if time is None:
        return "no record with a time"
    if time_display.mode == "relative":
        return format.full_time(time)
    return f"{format.full_time(time)}, {format_age(now - time)} ago"


def accounting_lines(accounting: Accounting) -> Iterator[Line]:
    """Yield the totals of files and records, broken down by reason."""
    yield from _sum(
        "files",
        accounting.files_found,
        {"read": accounting.files_read, "waiting": accounting.files_waiting},
    )
    yield from _reasons("skipped", accounting.files_skipped)
    yield from _reasons("quarantined", accounting.files_quarantined)
    yield Content("")
    yield from _sum(
        "records",
        accounting.records_seen,
        {"read": accounting.records_read},
    )
    yield from _reasons("skipped", accounting.records_skipped)
    yield from _reasons("rejected", accounting.records_rejected)
    yield _line("hits counted", accounting.records_counted)
    yield _line("hits duplicate", accounting.records_duplicate)
    if accounting.late_dropped:
        yield _line("late, unmerged", accounting.late_dropped)


def problem_lines(problems: Sequence[str]) -> Iterator[Line]:
    """Yield the problems since the app was opened, newest first."""
    yield Content.styled("problems", "$foreground-muted")
    yield from (safe.text(f"  {problem}") for problem in reversed(problems))
    if not problems:
        yield Content("  none since start")


def _sum(name: str, total: int, parts: Mapping[str, int]) -> Iterator[Line]:
    yield Fact(name, f"{total:,} found")
    yield from (_line(part, number) for part, number in parts.items())


def _reasons(part: str, reasons: Mapping[str, int]) -> Iterator[Line]:
    yield from (_line(f"{part}: {reason}", number) for reason, number in sorted(reasons.items()))


def _line(label: str, number: int) -> Line:
    return Fact(f"{number:>9,}", label)
