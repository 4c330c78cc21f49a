"""A source of the objects in a bucket or below a prefix.

Keys do not sort in order of arrival, and the label in a name may be some minutes ahead of the
object's arrival, even on the next day's date. So each poll goes back by a time, not to the last
key, and the state knows what was already read. Wider polls follow hourly, daily and weekly:
CloudTrail redelivers for up to 30 days.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, NamedTuple

from detector.cloudtrail.object_key import DIGEST, TRAIL, trail_file, trail_prefix
from detector.sources.s3_objects import (
    bucket_store,
    head_object,
    list_level,
    list_objects,
    list_raw_objects,
    object_file,
    object_url,
    split_url,
)
from detector.sources.s3_raw_keys import Listed, is_path
from detector.sources.source import NoSource, SourceFile, Unavailable
from detector.sources.time_bounds import Bounds

POLL_SECONDS = 60.0
_DISCOVER_EVERY = 3600.0
_BACK_SECONDS = 2 * 3600
"""Seconds that every poll goes back by label; labels are at most five minutes off."""
_DAY = 86_400
_WIDER_POLLS = ((7 * _DAY, 31), (_DAY, 2), (3600, 1))
"""(interval in seconds, days to go back), least frequent first."""
_SILENT_AFTER = _DAY
_THREADS = 16
_ACCOUNT = re.compile(r"(?:^|/)AWSLogs/(?:o-[a-z0-9]+/)?\d{12}$")
_PADDED_DAY = re.compile(r"/?(?:\d{4}/\d\d/\d\d|eventDay=\d{8})/")
_DATED = re.compile(r"(?:20\d\d|eventDay=\d{8}|year=\d{4}|dt=\d{4}-.*)$")


class PolledPrefix(NamedTuple):
    """A prefix that is polled.

    ``day_format`` is the strftime format of the day folders below it; ``""``: there are none.
    """

    prefix: str
    day_format: str = ""
    extent: Literal["below", "level", "raw", "object"] = "below"
    """What is polled.

    ``below``: everything below the prefix; ``level``: the objects directly below it; ``raw``: all
    keys that begin with it, for a prefix that is not a path; ``object``: the object with this key.
    """


class S3Bucket:
    """A source of the objects at ``s3://BUCKET/PREFIX``.

    Objects outside ``bounds`` are not even listed.
    """

    def __init__(
        self,
        url: str,
        bounds: Bounds | None = None,
        clock: Callable[[], float] = time.time,
        poll: float = POLL_SECONDS,
    ) -> None:
        self.bucket, named = split_url(url)
        self._named = named
        self._prefix = named.removesuffix("/")
        self._bounds = bounds or Bounds(None, None)
        self._clock = clock
        self._poll = poll
        self._polled: list[PolledPrefix] = []
        self._discover_due = self._poll_due = 0.0
        self._polled_at: dict[tuple[PolledPrefix, int], float] = {}
        """The time of the last poll, by polled prefix and interval (0: any interval)."""
        self._newest: dict[str, float] = {}
        """The latest delivery time, by prefix."""
        self._problems: list[str] = []
        self._listed: set[str] = set()
        self._is_told = False
        """Whether it was already reported that the name does not exist."""
        if not self.bucket:
            raise NoSource(f"{url}: no bucket: write s3://BUCKET/PREFIX")
        bucket_store(self.bucket)  # Raises NoSource if the bucket cannot be reached.

    def check(self) -> None:
        """Raise NoSource if nothing has this name, or it cannot be listed at all."""
        polled, below, problem = self._start()
        if problem is not None and not polled:
            raise NoSource(_problem_line(problem))
        if self._named and not polled and not below:
            raise NoSource(self._names_nothing())

    def sweep(self) -> Iterator[SourceFile]:
        now = self._clock()
        if now < self._poll_due:
            return
        self._poll_due = now + self._poll
        self._listed = set()
        if now >= self._discover_due:
            polled, problems = self._discover()
            yield from problems
            if polled or not problems:
                self._polled = polled
            if polled and not problems:
                self._discover_due = now + _DISCOVER_EVERY
        with ThreadPoolExecutor(_THREADS, "list") as pool:
            due = [polled for polled in self._polled if self._is_due(polled, now)]
            for files in pool.map(lambda polled: self._poll_prefix(polled, now), due):
                yield from files

    def in_scope(self, path: str) -> bool:
        """Tell whether a path is a prefix that was listed.

        Expired objects still count as read; only a failed listing is cleared, once it succeeds.
        """
        return path in self._listed

    def committed(self, paths: Sequence[str]) -> None:
        """Do nothing: objects stay where they are."""

    def wait(self, stop: threading.Event, seconds: float) -> None:
        stop.wait(seconds)

    def problems(self) -> list[str]:
        problems, self._problems = self._problems, []
        return problems

    def ended(self) -> bool:
        return False

    def close(self) -> None:
        """Do nothing: there is nothing to release."""

    def _discover(self) -> tuple[list[PolledPrefix], list[SourceFile]]:
        """Find the prefixes to poll, and those that cannot be listed.

        Prefixes to poll are each trail's regions, other folders of days, and levels with loose
        objects.
        """
        polled, due, problem = self._start()
        problems = [] if problem is None else [self._note(problem)]
        if self._named and not polled and not due and not problems and not self._is_told:
            self._problems.append(self._names_nothing())
            self._is_told = True
        with ThreadPoolExecutor(_THREADS, "discover") as pool:
            while due:
                deeper: list[str] = []
                for prefix, level in zip(due, pool.map(self._level, due), strict=True):
                    if isinstance(level, SourceFile):
                        problems.append(self._note(level))
                        continue
                    polled += level[0]
                    deeper += level[1]
                    self._listed.add(self._folder_url(prefix))
                due = deeper
        return polled, problems

    def _start(self) -> tuple[list[PolledPrefix], list[str], SourceFile | None]:
        """Return what to poll of the name itself, the prefixes to descend to, and any problem.

        The name may be an object's, a folder's, or both.
        """
        polled, problem = self._named_object()
        if not is_path(self._prefix or "-"):
            prefix = f"{self._prefix}/"
            return [*polled, PolledPrefix(prefix, extent="raw")], [], problem
        if trail_prefix(self._prefix) and self._is_empty(self._prefix):
            return polled, [], problem
        level = self._level(self._prefix)
        if isinstance(level, SourceFile):
            return polled, [], None if polled else level
        self._listed.add(self._folder_url(self._prefix))
        if any(level):
            problem = None  # The name is a folder's.
        return [*polled, *level[0]], level[1], problem

    def _named_object(self) -> tuple[list[PolledPrefix], SourceFile | None]:
        """Return the named object to poll, and the problem that kept it from being examined."""
        if not self._named or self._named.endswith("/"):
            return [], None
        (file,) = self._poll_object(self._named)
        if file.problem is None:
            return [PolledPrefix(self._named, extent="object")], None
        return [], None if file.problem[1] == "gone" else file

    def _is_empty(self, prefix: str) -> bool:
        try:
            return not any(list_level(self.bucket, prefix))
        except Unavailable:
            return False  # The poll reports why.

    def _names_nothing(self) -> str:
        """Say that nothing has the name, and suggest similar names."""
        parent, _, beginning = self._prefix.rpartition("/")
        line = f"{object_url(self.bucket, self._named)}: no object and no folder has this name"
        try:
            level = list_level(self.bucket, parent)
        except Unavailable:
            return f"{line}: check it"
        names = [*level.folders, *(key for key, _, _ in level.objects)]
        like = [each for each in names if each.rpartition("/")[2].startswith(beginning)]
        if not like:
            return f"{line}: check it; patterns are for files on disk"
        return f"{line}: is it {', '.join(object_url(self.bucket, each) for each in like[:3])}?"

    def _level(self, prefix: str) -> tuple[list[PolledPrefix], list[str]] | SourceFile:
        """Return what to poll at a prefix, and the prefixes to descend to."""
        trail = trail_prefix(prefix)
        if trail:
            return [PolledPrefix(prefix, "" if trail.below else "%Y/%m/%d")], []
        try:
            folders, objects, raw_prefixes = list_level(self.bucket, prefix)
        except Unavailable as error:
            return self._unlisted(prefix, error)
        polled = [PolledPrefix(raw, extent="raw") for raw in raw_prefixes]
        name_of = {folder: folder.rpartition("/")[2] for folder in folders}
        dated = [name for name in name_of.values() if _DATED.match(name)]
        if dated:
            days = PolledPrefix(prefix, _day_format(dated))
            if not days.day_format:  # Everything below is polled.
                return [*polled, days], []
            polled.append(days)
            folders = [folder for folder in folders if name_of[folder] not in dated]
        if _ACCOUNT.search(prefix):  # Other services' logs are next to the trail's.
            folders = [folder for folder in folders if name_of[folder].startswith(TRAIL)]
        if objects:
            polled.append(PolledPrefix(prefix, extent="level"))
        return polled, folders

    def _is_due(self, polled: PolledPrefix, now: float) -> bool:
        """Tell whether to poll a prefix now; a trail's silent regions are polled hourly."""
        last_poll = self._polled_at.get((polled, 0))
        if last_poll is None or not polled.day_format or not trail_prefix(polled.prefix):
            return True
        newest = self._newest.get(polled.prefix)
        is_silent = newest is None or now - newest > _SILENT_AFTER
        return not is_silent or now - last_poll >= 3600

    def _poll_prefix(self, polled: PolledPrefix, now: float) -> list[SourceFile]:
        """List the objects of a prefix that may be new."""
        if polled.extent == "object":
            return self._poll_object(polled.prefix)
        after, before = self._key_range(polled, now)
        files: list[SourceFile] = []
        try:
            for key, size, etag in self._list(polled, after):
                if before is not None and key >= before:
                    if trail_prefix(polled.prefix):
                        break
                    if _PADDED_DAY.match(key, len(polled.prefix)):
                        continue  # Other names may sort among the days.
                if size:
                    file = object_file(self.bucket, key, size, etag)
                    files.append(self._mark_foreign(file, polled))
        except Unavailable as error:
            return [*files, self._note(self._unlisted(polled.prefix, error))]
        self._listed.add(self._folder_url(polled.prefix))
        for interval, days in _WIDER_POLLS:
            if after is None or after <= self._day_key(polled, now - days * _DAY):
                self._polled_at[polled, interval] = now
        self._polled_at[polled, 0] = now
        return files

    def _list(self, polled: PolledPrefix, after: str | None) -> Iterable[Listed]:
        match polled.extent:
            case "level":
                return list_level(self.bucket, polled.prefix).objects
            case "raw":
                return list_raw_objects(self.bucket, polled.prefix)
            case _:
                return list_objects(self.bucket, polled.prefix, after)

    def _key_range(self, polled: PolledPrefix, now: float) -> tuple[str | None, str | None]:
        """Return the key to list after, and the key to stop before."""
        if not polled.day_format:
            return None, None
        first_label, last_label = self._bounds.first_label, self._bounds.last_label
        before = None if last_label is None else self._day_key(polled, last_label + _DAY)
        first = None if first_label is None else self._day_key(polled, first_label)
        if (polled, 0) not in self._polled_at:
            return first, before
        for interval, days in _WIDER_POLLS:
            if now - self._polled_at.get((polled, interval), 0.0) >= interval:
                return max(first or "", self._day_key(polled, now - days * _DAY)), before
        return max(first or "", self._label_key(polled, now - _BACK_SECONDS)), before

    def _day_key(self, polled: PolledPrefix, time_: float) -> str:
        return f"{polled.prefix}/{time.strftime(polled.day_format, time.gmtime(time_))}"

    def _label_key(self, polled: PolledPrefix, time_: float) -> str:
        """Return a key that sorts before all files labelled ``time_`` or later.

        For files that are not a trail's, the key is that of the day before.
        """
        trail = trail_prefix(polled.prefix)
        if trail is None or trail.folder != TRAIL:
            return self._day_key(polled, time_ - _DAY)
        label = time.strftime("%Y%m%dT%H%MZ", time.gmtime(time_))
        day = self._day_key(polled, time_)
        return f"{day}/{trail.account}_{TRAIL}_{trail.region}_{label}"

    def _mark_foreign(self, file: SourceFile, polled: PolledPrefix) -> SourceFile:
        """Record a file's delivery time; mark another service's file as skipped."""
        trail = trail_file(file.path)
        if trail is None:
            return file
        newest = self._newest.get(polled.prefix, 0.0)
        self._newest[polled.prefix] = max(newest, trail.delivered)
        if trail.folder in (TRAIL, DIGEST):
            return file
        detail = f"{trail.folder} contains no management events"
        return file._replace(problem=("skipped", "other-folder", detail))

    def _poll_object(self, key: str) -> list[SourceFile]:
        """Examine the one object that was named."""
        try:
            return [head_object(self.bucket, key)]
        except Unavailable as error:
            file = SourceFile(object_url(self.bucket, key), 0, 0, 0, 0)
            return [file._replace(problem=(error.state, error.code, str(error.strerror)))]

    def _unlisted(self, prefix: str, error: Unavailable) -> SourceFile:
        """Return an unlisted prefix as one unread file, so that it is not overlooked."""
        path = self._folder_url(prefix)
        return SourceFile(path, 0, 0, 0, 0, (error.state, error.code, str(error.strerror)))

    def _folder_url(self, prefix: str) -> str:
        return object_url(self.bucket, f"{prefix}/" if prefix else "")

    def _note(self, unlisted: SourceFile) -> SourceFile:
        """Record that a prefix could not be listed, and make discovery due again."""
        self._problems.append(_problem_line(unlisted))
        self._discover_due = 0.0
        return unlisted


def _problem_line(file: SourceFile) -> str:
    assert file.problem is not None
    return f"{file.path}: {file.problem[2]}"


def _day_format(names: Sequence[str]) -> str:
    """Return the format of day folders with these names; ``""`` if none fits all."""
    if all(name.startswith("eventDay=") for name in names):
        return "eventDay=%Y%m%d"
    if all(name.isdecimal() for name in names):
        return "%Y/%m/%d"
    return ""
