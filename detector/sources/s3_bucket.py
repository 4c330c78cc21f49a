"""A bucket, or what is below a prefix of it: which trails there are, and what is new in each.

Keys are not listed in the order in which they arrive, and the label in a name may lie some minutes ahead of the
object's arrival, on tomorrow's date even. So a poll goes back by time, not to the last key, and leaves it to the state
to know what was read. Wider looks back come hourly, daily and weekly: CloudTrail redelivers for up to 30 days.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from detector.cloudtrail.object_key import DIGEST, TRAIL, trail_file, trail_prefix
from detector.sources.s3_objects import (
    bucket_store,
    list_level,
    list_objects,
    object_file,
    object_url,
    split_url,
)
from detector.sources.source import NoSource, SourceFile, Unavailable
from detector.sources.time_bounds import Bounds

POLL_SECONDS = 60.0
_DISCOVER_EVERY = 3600.0
_BACK = 2 * 3600
"""Seconds that every poll goes back by the label; the label is five minutes off at the most."""
_DAY = 86_400
_WIDER = ((7 * _DAY, 31), (_DAY, 2), (3600, 1))
"""(every so many seconds, so many days back), the rarest first."""
_SILENT = _DAY
_THREADS = 16
_ACCOUNT = re.compile(r"(?:^|/)AWSLogs/(?:o-[a-z0-9]+/)?\d{12}$")
_DATED = re.compile(r"(?:20\d\d|eventDay=\d{8}|year=\d{4}|dt=\d{4}-.*)$")


class PolledPrefix(NamedTuple):
    """A prefix that is polled. ``form`` is strftime's for the folders of a day below it; ``""``: it
    has none."""

    prefix: str
    form: str = ""
    level_only: bool = False
    """Only the objects right below it."""


class S3Bucket:
    """``s3://BUCKET/PREFIX``. What is out of ``bounds`` is not even listed."""

    def __init__(
        self,
        url: str,
        bounds: Bounds | None = None,
        clock: Callable[[], float] = time.time,
        poll: float = POLL_SECONDS,
    ) -> None:
        self.bucket, prefix = split_url(url)
        self._prefix = prefix.strip("/")
        self._bounds = bounds or Bounds(None, None)
        self._clock = clock
        self._poll = poll
        self._parts: list[PolledPrefix] = []
        self._discover_due = self._poll_due = 0.0
        self._looked: dict[tuple[str, int], float] = {}
        """When each part was last looked at, by days back."""
        self._newest: dict[str, float] = {}
        self._problems: list[str] = []
        self._listed: set[str] = set()
        if not self.bucket:
            raise NoSource(f"{url}: no bucket: write s3://BUCKET/PREFIX")
        bucket_store(self.bucket)  # what cannot be reached at all is said now

    def check(self) -> None:
        """Raises NoSource where the bucket cannot be listed at all."""
        try:
            list_level(self.bucket, self._prefix)
        except Unavailable as error:
            raise NoSource(f"{object_url(self.bucket, self._prefix)}: {error.strerror}") from None

    def sweep(self) -> Iterator[SourceFile]:
        now = self._clock()
        if now < self._poll_due:
            return
        self._poll_due = now + self._poll
        self._listed = set()
        if now >= self._discover_due:
            parts, problems = self._discover()
            yield from problems
            if parts or not problems:
                self._parts, self._discover_due = parts, now + _DISCOVER_EVERY
        with ThreadPoolExecutor(_THREADS, "list") as pool:
            due = [part for part in self._parts if self._is_due(part, now)]
            for listed in pool.map(lambda part: self._look(part, now), due):
                yield from listed

    def in_scope(self, path: str) -> bool:
        """Objects expire, and stay read; only a listing that failed and then succeeded is over."""
        return path in self._listed

    def committed(self, paths: Sequence[str]) -> None:
        """Nothing hangs on it."""

    def wait(self, stop: threading.Event, seconds: float) -> None:
        stop.wait(seconds)

    def problems(self) -> list[str]:
        problems, self._problems = self._problems, []
        return problems

    def ended(self) -> bool:
        return False

    def close(self) -> None:
        """Nothing is held."""

    def _discover(self) -> tuple[list[PolledPrefix], list[SourceFile]]:
        """The parts below the prefix: each trail's region, each other folder of days, and loose
        objects."""
        parts: list[PolledPrefix] = []
        problems: list[SourceFile] = []
        due = [self._prefix]
        with ThreadPoolExecutor(_THREADS, "discover") as pool:
            while due:
                deeper: list[str] = []
                for prefix, level in zip(due, pool.map(self._level, due), strict=True):
                    if isinstance(level, SourceFile):
                        problems.append(level)
                        continue
                    parts += level[0]
                    deeper += level[1]
                    self._listed.add(object_url(self.bucket, prefix + "/"))
                due = deeper
        return parts, problems

    def _level(self, prefix: str) -> tuple[list[PolledPrefix], list[str]] | SourceFile:
        """What to poll right here, and the folders to go down to."""
        if trail := trail_prefix(prefix):
            return [PolledPrefix(prefix, "" if trail.below else "%Y/%m/%d")], []
        try:
            folders, objects = list_level(self.bucket, prefix)
        except Unavailable as error:
            return self._unlisted(prefix, error)
        names = [folder.rpartition("/")[2] for folder in folders]
        if any(_DATED.match(name) for name in names):
            return [
                PolledPrefix(
                    prefix,
                    "eventDay=%Y%m%d"
                    if names[0].startswith("eventDay=")
                    else "%Y/%m/%d"
                    if names[0].isdecimal()
                    else "",
                )
            ], []
        if _ACCOUNT.search(prefix):  # other services' logs are next to the trail's
            folders = [
                folder
                for folder, name in zip(folders, names, strict=True)
                if name.startswith(TRAIL)
            ]
        return [PolledPrefix(prefix, level_only=True)] if objects else [], folders

    def _is_due(self, part: PolledPrefix, now: float) -> bool:
        """Silent regions are polled hourly."""
        last = self._looked.get((part.prefix, 0))
        newest = self._newest.get(part.prefix)
        silent = last is not None and part.form and (newest is None or now - newest > _SILENT)
        return last is None or not silent or now - last >= 3600

    def _look(self, part: PolledPrefix, now: float) -> list[SourceFile]:
        """The objects of a part that may be new."""
        after, before = self._span(part, now)
        result = []
        try:
            listed = (
                list_level(self.bucket, part.prefix)[1]
                if part.level_only
                else list_objects(self.bucket, part.prefix, after)
            )
            for key, size, etag in listed:
                if before is not None and key >= before:
                    break
                if size and not key.endswith("/"):
                    result.append(self._judged(object_file(self.bucket, key, size, etag), part))
        except Unavailable as error:
            return [*result, self._unlisted(part.prefix, error)]
        self._listed.add(object_url(self.bucket, part.prefix + "/"))
        for every, days in _WIDER:
            if after is None or after <= self._day(part, now - days * _DAY):
                self._looked[part.prefix, every] = now
        self._looked[part.prefix, 0] = now
        return result

    def _span(self, part: PolledPrefix, now: float) -> tuple[str | None, str | None]:
        """(list after this key, up to that key) for this look at a part."""
        if not part.form:
            return None, None
        oldest, latest = self._bounds.first_label, self._bounds.last_label
        before = None if latest is None else self._day(part, latest + _DAY)
        first = None if oldest is None else self._day(part, oldest)
        if (part.prefix, 0) not in self._looked:
            return first, before
        for every, days in _WIDER:
            if now - self._looked.get((part.prefix, every), 0.0) >= every:
                return max(first or "", self._day(part, now - days * _DAY)), before
        return max(first or "", self._label(part, now - _BACK)), before

    def _day(self, part: PolledPrefix, at: float) -> str:
        return f"{part.prefix}/{time.strftime(part.form, time.gmtime(at))}"

    def _label(self, part: PolledPrefix, at: float) -> str:
        """Sorts before every file of a trail labelled ``at`` or later; elsewhere, the day
        before."""
        trail = trail_prefix(part.prefix)
        if trail is None or trail.folder != TRAIL:
            return self._day(part, at - _DAY)
        label = time.strftime("%Y%m%dT%H%MZ", time.gmtime(at))
        return f"{self._day(part, at)}/{trail.account}_{TRAIL}_{trail.region}_{label}"

    def _judged(self, object_: SourceFile, part: PolledPrefix) -> SourceFile:
        file = trail_file(object_.path)
        if file is None:
            return object_
        self._newest[part.prefix] = max(self._newest.get(part.prefix, 0.0), file.delivered)
        if file.folder in (TRAIL, DIGEST):
            return object_
        return object_._replace(
            problem=(
                "skipped",
                "other-folder",
                f"{file.folder} holds no calls of the management plane",
            )
        )

    def _unlisted(self, prefix: str, error: Unavailable) -> SourceFile:
        """A prefix that could not be listed is found as one file that was not read, so that it is
        not overlooked."""
        path = object_url(self.bucket, prefix + "/")
        self._problems.append(f"{path}: {error.strerror}")
        self._discover_due = 0.0
        return SourceFile(path, 0, 0, 0, 0, (error.state, error.code, str(error.strerror)))
