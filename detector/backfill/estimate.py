"""Estimates of the files and bytes in a trail's days, and of Athena's price for reading them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from detector.backfill.selection import RecordSelection
from detector.backfill.spans import Span, days_of
from detector.backfill.trail_location import TrailLocation
from detector.sources.s3_objects import list_objects
from detector.text.plural import plural

SAMPLED_FOLDERS = 400
"""Maximum day folders to list; if there are more, a sample is extrapolated."""
_THREADS = 16

_DOLLARS_A_TERABYTE = 5.0
"""Athena's price for scanned bytes in us-east-1 (Amazon Athena pricing)."""
_DOLLARS_A_GET, _DOLLARS_A_LIST = 0.0004 / 1000, 0.005 / 1000
"""S3's prices in us-east-1 for standard storage (Amazon S3 pricing)."""

Sizes = Callable[[str, str], Iterable[int]]
"""``sizes(bucket, prefix)`` returns the sizes in bytes of the objects below a prefix."""


class Estimate(NamedTuple):
    """The files and compressed bytes of ``folders`` day folders; ``listed`` of them were listed."""

    files: int
    bytes: int
    folders: int
    listed: int

    @property
    def dollars(self) -> float:
        """The price of reading everything once with Athena and S3, in US dollars in us-east-1."""
        requests = (
            self.files * _DOLLARS_A_GET + (self.folders + self.files / 1000) * _DOLLARS_A_LIST
        )
        return self.bytes / 1e12 * _DOLLARS_A_TERABYTE + requests

    def __str__(self) -> str:
        text = (
            f"{self.files:,} files, {self.bytes / 1e9:,.2f} GB compressed, "
            f"about ${self.dollars:,.2f} (Athena $5 a TB, S3 requests, us-east-1)"
        )
        if self.listed == self.folders:
            return text
        return (
            f"about {text}; estimated from {self.listed:,} of {plural(self.folders, 'day folder')}"
        )


def estimate_bytes(
    location: TrailLocation, selection: RecordSelection, span: Span, sizes: Sizes | None = None
) -> Estimate:
    """Estimate a selection by listing the span's day folders, or a sample. Raises Unavailable."""
    sizes = sizes or _object_sizes
    days = days_of(span)
    regions = [
        location.region_prefix(account, region)
        for account in selection.accounts
        for region in selection.regions
    ]
    count = len(regions) * len(days)
    chosen: Sequence[int] = range(count)
    if count > SAMPLED_FOLDERS:
        # A fixed seed, so that the same question gives the same answer; no need for secrecy.
        chosen = sorted(random.Random(count).sample(range(count), SAMPLED_FOLDERS))  # noqa: S311
    prefixes = [f"{regions[index // len(days)]}{days[index % len(days)]}" for index in chosen]

    def measure(prefix: str) -> tuple[int, int]:
        files = total = 0
        for size in sizes(location.bucket, prefix):
            files += 1
            total += size
        return files, total

    with ThreadPoolExecutor(_THREADS) as pool:
        measured = list(pool.map(measure, prefixes))
    scale = count / max(1, len(prefixes))
    files = sum(each for each, _ in measured) * scale
    total = sum(each for _, each in measured) * scale
    return Estimate(round(files), round(total), count, len(prefixes))


def _object_sizes(bucket: str, prefix: str) -> Iterable[int]:
    return (size for _, size, _ in list_objects(bucket, prefix))


_SPAN_DAYS = (31, 7, 1)
"""Possible numbers of days per query.

There are few choices, so that a second run cuts the same spans even if files arrived since."""
_MAX_BYTES_A_QUERY, _MAX_FILES_A_QUERY = 500e9, 1_000_000
"""Limits of one query: Athena ends a query after 30 minutes, unless the quota is raised."""


def days_a_query(estimate: Estimate | None, span: Span) -> int:
    """Return how many days one query reads, to stay within Athena's time limit."""
    if estimate is None:
        return _SPAN_DAYS[1]
    share = max(estimate.bytes / _MAX_BYTES_A_QUERY, estimate.files / _MAX_FILES_A_QUERY)
    most = len(days_of(span)) / max(share, 1e-9)
    return next((days for days in _SPAN_DAYS if days <= most), _SPAN_DAYS[-1])
