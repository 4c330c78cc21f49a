"""What the sources screen lists: what was read as a whole, what is wrong, where files came from, and each region.

What is wrong comes before what is well: a file that a digest names and nobody has, a file that was changed, a feed that
cannot hold what is hunted for, a file in quarantine, a region that has fallen silent.
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
    reference_time,
)
from detector.text.time import format_age, format_duration
from tui.keymap import key_of
from tui.presentation import format, safe, time_display
from tui.screens.admin.read_rates import Rate
from tui.screens.base.fact_list import Fact, Line, facts

About = IntegrityFinding | Feed | QuarantinedFile | Volume | Freshness | None


@dataclass(frozen=True)
class SourceRow:
    """``about`` None: everything together. ``newest`` is the newest label or event time, in epoch
    seconds."""

    key: str
    kind: str
    state: str
    what: str
    about: About = None
    files: int | None = None
    bytes: int | None = None
    newest: int | None = None

    @property
    def wrong(self) -> bool:
        return self.state in GLYPHS

    @property
    def reasons(self) -> Sequence[str]:
        return (
            (self.about.reason, self.about.detail)
            if isinstance(self.about, QuarantinedFile)
            else ()
        )

    @property
    def short(self) -> str:
        """The end of a path, which tells more than its beginning."""
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
GLYPHS = {"modified": "◆", "missing": "▲", "blind": "▲", "error": "●", "silent": "●"}

_text = Text()

SOURCES: Fields[SourceRow] = Fields(
    "sources",
    (
        Field("newest", "the newest label or event time", attrgetter("newest"), Time()),
        Field("kind", "digest, feed, file, region, source", attrgetter("kind"), _text),
        Field("state", "what is said of it: silent, error, missing", attrgetter("state"), _text),
        Field("name", "the path, the bucket, the region and account", attrgetter("what"), _text),
        Field("reason", "why a file is in quarantine", attrgetter("reasons"), _text),
        Field("files", "how many files", attrgetter("files"), Number()),
        Field("size", "how many bytes", attrgetter("bytes"), BYTES),
    ),
)


def rows(store: Store, where: str, now: float) -> list[SourceRow]:
    """All rows, in the order of the screen. Raises StateError."""
    places = store.completeness.freshness()
    at = reference_time(places, now)
    regions = [_region(place, at) for place in places]
    return [
        SourceRow("all", "all", "", where),
        *(
            SourceRow(
                f"{found.kind} {found.name}", "digest", found.kind, found.path or found.key, found
            )
            for found in sorted(
                store.completeness.findings(), key=lambda found: found.kind, reverse=True
            )
        ),
        *(
            SourceRow(f"feed {feed.path}", "feed", "blind", feed.path, feed)
            for feed in store.completeness.feeds()
            if feed.blind
        ),
        *(
            SourceRow(f"file {file.path}", "file", "error", file.path, file, bytes=file.size)
            for file in store.quarantine.files()
        ),
        *(row for row in regions if row.wrong),
        *(
            SourceRow(
                f"source {volume.origin}",
                "source",
                "reading" if volume.waiting else "read",
                volume.origin,
                volume,
                volume.files,
                volume.bytes,
                volume.newest,
            )
            for volume in store.completeness.volumes()
        ),
        *(row for row in regions if not row.wrong),
    ]


def _region(place: Freshness, now: float) -> SourceRow:
    state = "fresh" if not place.late(now) else "quiet" if place.vouched(now) else "silent"
    what = f"{place.region} {place.account}"
    return SourceRow(
        f"region {what}", "region", state, what, place, place.files, place.bytes, place.newest
    )


def size(number: int) -> str:
    """``812 B``, ``4.2 kB``, ``1.3 GB``."""
    scaled = float(number)
    for unit in ("B", "kB", "MB", "GB"):
        if scaled < 1000:
            return (
                f"{scaled:.0f} {unit}" if unit == "B" or scaled >= 100 else f"{scaled:.1f} {unit}"
            )
        scaled /= 1000
    return f"{scaled:,.1f} TB"


def whole(row: SourceRow, now: float, rate: Rate | None = None) -> Iterator[Line]:
    """All there is to say of a row about one thing."""
    about = row.about
    yield safe.text(row.short, "bold")
    match about:
        case IntegrityFinding():
            yield from _finding(about)
        case Feed():
            yield from facts(
                ("state", "blind"),
                ("records", format.number(about.records)),
                ("read-only", "none, so no DescribeInstances"),
                ("why", str(about)),
            )
        case QuarantinedFile():
            yield from facts(
                ("state", "in quarantine: not read"),
                ("reason", about.reason),
                ("why", about.detail),
                ("size", size(about.size)),
                ("file", about.path),
            )
            yield Content("")
            yield Content.styled(
                f"{key_of('source.retry')} reads it again with the next sweep; "
                f"{key_of('source.ignore')} counts it as skipped from now on.",
                "$foreground-muted",
            )
        case Volume():
            yield from facts(
                ("place", about.origin),
                ("files", format.number(about.files)),
                ("waiting", format.number(about.waiting)),
                (
                    "errors",
                    f"{format.number(about.failed)} in quarantine" if about.failed else "none",
                ),
                ("bytes", size(about.bytes)),
                ("records", format.number(about.records)),
                (
                    "rate",
                    ""
                    if rate is None
                    else f"{size(round(rate.bytes))} and {rate.records:,.0f} records a second, "
                    "over the last minute",
                ),
                ("newest", _time(about.newest, now)),
            )
        case Freshness():
            yield from _freshness(about, row.state, now)


def _finding(finding: IntegrityFinding) -> Iterator[Line]:
    alert = integrity_alert(finding)
    yield from facts(
        ("alert", f"{alert.rule.name}, {alert.rule.severity} {alert.rule.risk_score}"),
        ("why", str(finding)),
        ("account", finding.account),
        ("region", finding.region),
        (
            "events",
            format.time_range(finding.oldest, finding.newest)
            if finding.oldest and finding.newest
            else "",
        ),
        ("key", finding.key),
        ("file", finding.path or "not found"),
        ("digest", finding.digest),
        ("alert id", alert.alert_id),
    )


_VERDICTS = {
    "fresh": "as usual",
    "quiet": "quiet: its digests still come, and say that nothing else was delivered",
    "silent": "silent: nothing proves that nothing happened; it may be that nothing arrives here any more. Look at the "
    "trail, and whether its digest files can be read too",
}


def _freshness(place: Freshness, state: str, now: float) -> Iterator[Line]:
    yield from facts(
        ("state", _VERDICTS[state]),
        ("newest", _time(place.newest, now)),
        (
            "cadence",
            "too few deliveries to tell"
            if place.cadence is None
            else f"every {format_duration(place.cadence)}",
        ),
        ("silent", f"for {format_duration(place.silent(now))}"),
        ("digest", "none" if place.digested is None else _time(place.digested, now)),
        ("files", format.number(place.files)),
        ("bytes", size(place.bytes)),
        ("records", format.number(place.records)),
        ("errors", f"{format.number(place.failed)} in quarantine" if place.failed else "none"),
    )


def _time(at: int | None, now: float) -> str:
    if at is None:
        return "no record has a time"
    return format.full_time(at) + (
        "" if time_display.mode == "relative" else f", {format_age(now - at)} ago"
    )


def accounting_lines(accounting: Accounting) -> Iterator[Line]:
    """The sums, each part by its reason."""
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
        {"kept": accounting.records_kept, "duplicate": accounting.records_duplicate},
    )
    yield from _reasons("skipped", accounting.records_skipped)
    yield from _reasons("rejected", accounting.records_rejected)
    if accounting.late_dropped:
        yield _line("late, unmerged", accounting.late_dropped)


def problem_lines(problems: Sequence[str]) -> Iterator[Line]:
    yield Content.styled("problems", "$foreground-muted")
    yield from (safe.text(f"  {problem}") for problem in reversed(problems))
    if not problems:
        yield Content("  none since trailhound was opened")


def _sum(name: str, total: int, parts: Mapping[str, int]) -> Iterator[Line]:
    yield Fact(name, f"{total:,} found")
    yield from (_line(part, number) for part, number in parts.items())


def _reasons(part: str, reasons: Mapping[str, int]) -> Iterator[Line]:
    yield from (_line(f"{part}: {reason}", number) for reason, number in sorted(reasons.items()))


def _line(label: str, number: int) -> Line:
    return Fact(f"{number:>9,}", label)
