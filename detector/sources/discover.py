"""Where CloudTrail's files may lie on this machine: folders that look like a trail's, found within bounds.

``AWSLogs/[o-…/]ACCOUNT/CloudTrail/REGION/YYYY/MM/DD`` is what CloudTrail writes ("Finding your CloudTrail log files",
CloudTrail User Guide), so a synced bucket has it too; files of a trail can also lie in any folder by themselves.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from detector.cloudtrail.object_key import trail_file

MAX_DEPTH = 5
MAX_SECONDS = 5.0
MAX_FOLDERS = 20_000
"""Bounds of a search: levels below a root, and how long and how many folders in all."""

_ENTRIES = 2_000
"""Entries of one folder that are looked at."""

_ACCOUNT = re.compile(r"\d{12}")
_ORGANIZATION = re.compile(r"o-[a-z0-9]+")
_NEVER = frozenset(
    ("node_modules", "__pycache__", "site-packages", "Library", "proc", "sys", "dev")
)


@dataclass(frozen=True)
class TrailFolder:
    """A folder that a hunt could begin with. ``newest`` is the last day that it has files of,
    ``YYYY-MM-DD``, or ""."""

    path: Path
    accounts: int
    regions: int
    newest: str


def find_trails(
    roots: Iterable[Path],
    stop: threading.Event,
    *,
    depth: int = MAX_DEPTH,
    seconds: float = MAX_SECONDS,
    folders: int = MAX_FOLDERS,
) -> Iterator[TrailFolder]:
    """What is below the roots, the nearest first, each once. Links are not followed, nor is what is
    found looked into further; what cannot be read is passed over. It ends when ``stop`` is set or a
    bound is reached."""
    until, seen = time.monotonic() + seconds, set[str]()
    waiting = deque((str(root), 0) for root in roots)
    while waiting and not stop.is_set() and time.monotonic() < until and len(seen) < folders:
        path, level = waiting.popleft()
        if (real := os.path.realpath(path)) in seen:
            continue
        seen.add(real)
        below, files = _inside(path)
        if (found := _trail(path, below, files)) is not None:
            yield found
        elif level < depth:
            waiting.extend(
                (os.path.join(path, name), level + 1)
                for name in below
                if not name.startswith(".") and name not in _NEVER
            )


def _inside(path: str) -> tuple[list[str], list[str]]:
    """The folders and the files in a folder."""
    below, files = [], []
    try:
        with os.scandir(path) as entries:
            for entry in islice(entries, _ENTRIES):
                if entry.is_dir(follow_symlinks=False):
                    below.append(entry.name)
                elif entry.is_file(follow_symlinks=False):
                    files.append(entry.name)
    except OSError:
        pass  # it may not be read, or went meanwhile
    return sorted(below), sorted(files)


def _trail(path: str, below: list[str], files: list[str]) -> TrailFolder | None:
    if os.path.basename(path) == "AWSLogs":
        return _delivered(path, below)
    trails = [trail for trail in map(trail_file, files) if trail is not None]
    if not trails:
        return None
    newest = time.strftime("%Y-%m-%d", time.gmtime(max(trail.delivered for trail in trails)))
    return TrailFolder(
        Path(path),
        len({trail.account for trail in trails}),
        len({trail.region for trail in trails}),
        newest,
    )


def _delivered(path: str, below: list[str]) -> TrailFolder | None:
    """``path`` is where CloudTrail delivers to, directly or by organization."""
    accounts = [os.path.join(path, name) for name in below if _ACCOUNT.fullmatch(name)]
    for name in filter(_ORGANIZATION.fullmatch, below):
        within = os.path.join(path, name)
        accounts += [
            os.path.join(within, account)
            for account in _inside(within)[0]
            if _ACCOUNT.fullmatch(account)
        ]
    trails = [
        trail for account in accounts if os.path.isdir(trail := os.path.join(account, "CloudTrail"))
    ]
    if not trails:
        return None
    regions = {trail: _inside(trail)[0] for trail in trails}
    days = (
        _last_day(os.path.join(trail, region)) for trail, held in regions.items() for region in held
    )
    return TrailFolder(
        Path(path),
        len({os.path.basename(os.path.dirname(trail)) for trail in trails}),
        len({region for held in regions.values() for region in held}),
        max(days, default=""),
    )


def _last_day(region: str) -> str:
    """The last day that a region's folder has a folder of."""
    day: list[str] = []
    for digits in (4, 2, 2):
        names = [
            name
            for name in _inside(os.path.join(region, *day))[0]
            if len(name) == digits and name.isdecimal()
        ]
        if not names:
            return ""
        day.append(names[-1])
    return "-".join(day)
