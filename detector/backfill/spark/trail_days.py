"""A trail's days as patterns of the folders that an engine reads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from detector.backfill.spans import Span, days_of
from detector.backfill.spark.engine_protocol import FolderSize
from detector.backfill.spark.run import DayPlan
from detector.backfill.spark.urls import escape_pattern
from detector.backfill.trail_location import TrailLocation
from detector.cloudtrail.object_key import TRAIL, trail_prefix

_FILE_COST = 32 << 10
"""The cost of opening a file, in bytes that could be read in that time."""


def plan_by_pattern(location: TrailLocation, span: Span) -> list[DayPlan]:
    """Plan a span's days by patterns, which the engine expands by listing."""
    root, regions = escape_pattern(location.url), _choice(location.regions)
    accounts = [_choice(location.accounts)]
    if location.organization is None:
        # The trail may be an organization's although its folder is not named.
        accounts.append(f"o-*/{accounts[0]}")
    return [
        DayPlan(day, [f"{root}{each}/{TRAIL}/{regions}/{day}" for each in accounts])
        for day in days_of(span)
    ]


def plan_by_inventory(
    location: TrailLocation, span: Span, folders: Iterable[FolderSize]
) -> list[DayPlan]:
    """Plan a span's days from an inventory's folders, so that nothing else is listed."""
    by_day: dict[str, list[FolderSize]] = {day: [] for day in days_of(span)}
    above = location.root[: location.root.rindex("AWSLogs/")]
    root = location.root
    if not location.bucket:  # on disk, the bucket's keys are below some folder
        root = root.removeprefix(above)
    for each in folders:
        prefix = trail_prefix(each.folder)
        if prefix is None or not each.folder.startswith(root) or prefix.folder != TRAIL:
            continue
        day = prefix.below.strip("/")
        is_wanted = _is_among(prefix.account, location.accounts) and _is_among(
            prefix.region, location.regions
        )
        if is_wanted and day in by_day:
            by_day[day].append(each)
    base = location.url.removesuffix(location.root)
    if not location.bucket:
        base = above
    return [
        DayPlan(
            day,
            sorted(escape_pattern(f"{base}{each.folder}") for each in found),
            sum(each.bytes + each.files * _FILE_COST for each in found) + 1.0,
        )
        for day, found in by_day.items()
    ]


def _choice(names: Sequence[str]) -> str:
    """Return a pattern for any of the names; without names, for any name."""
    if not names:
        return "*"
    return names[0] if len(names) == 1 else f"{{{','.join(names)}}}"


def _is_among(name: str, names: Sequence[str]) -> bool:
    return not names or name in names
