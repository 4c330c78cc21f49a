"""A search for folders that look like a CloudTrail trail.

CloudTrail writes ``AWSLogs/[o-…/]ACCOUNT/CloudTrail/REGION/YYYY/MM/DD`` ("Finding your CloudTrail
log files", CloudTrail User Guide), so a synced bucket has these folders too. A trail's files can
also lie in any folder on their own.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from detector.cloudtrail.object_key import trail_file

MAX_DEPTH = 5
"""Maximum levels below a root that a search visits."""
MAX_SECONDS = 5.0
MAX_FOLDERS = 20_000
"""Maximum number of folders that a search visits in total."""
_MAX_ENTRIES = 2_000
"""Maximum number of entries read from one folder."""

_ACCOUNT = re.compile(r"\d{12}")
_ORGANIZATION = re.compile(r"o-[a-z0-9]+")
_IGNORED_NAMES = frozenset(
    ("node_modules", "__pycache__", "site-packages", "Library", "proc", "sys", "dev")
)


@dataclass(frozen=True)
class TrailFolder:
    """A folder that a hunt could start with.

    ``newest`` is the last day with files, ``YYYY-MM-DD`` or ``""``.
    """

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
    """Find the trail folders below the roots, nearest first, each once.

    Does not follow links or search inside trail folders, and skips folders that cannot be read.
    Ends when ``stop`` is set or a bound is reached.
    """
    until = time.monotonic() + seconds
    visited: set[str] = set()
    pending = deque((str(root), 0) for root in roots)
    while pending and not stop.is_set() and time.monotonic() < until and len(visited) < folders:
        path, level = pending.popleft()
        real_path = os.path.realpath(path)
        if real_path in visited:
            continue
        visited.add(real_path)
        subfolders, files = _list_folder(path)
        trail_folder = _trail_folder(path, subfolders, files)
        if trail_folder is not None:
            yield trail_folder
        elif level < depth:
            pending.extend(
                (os.path.join(path, name), level + 1)
                for name in subfolders
                if not name.startswith(".") and name not in _IGNORED_NAMES
            )


def _list_folder(path: str) -> tuple[list[str], list[str]]:
    """Return the names of a folder's subfolders and files."""
    folders, files = [], []
    try:
        with os.scandir(path) as entries:
            for entry in islice(entries, _MAX_ENTRIES):
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.name)
                elif entry.is_file(follow_symlinks=False):
                    files.append(entry.name)
    except OSError:
        pass  # The folder is unreadable, or gone by now.
    return sorted(folders), sorted(files)


def _trail_folder(path: str, subfolders: list[str], files: list[str]) -> TrailFolder | None:
    """Describe a folder if it holds a trail's files."""
    if os.path.basename(path) == "AWSLogs":
        return _delivery_folder(path, subfolders)
    trails = [trail for trail in map(trail_file, files) if trail is not None]
    if not trails:
        return None
    newest = max(trail.delivered for trail in trails)
    return TrailFolder(
        Path(path),
        accounts=len({trail.account for trail in trails}),
        regions=len({trail.region for trail in trails}),
        newest=time.strftime("%Y-%m-%d", time.gmtime(newest)),
    )


def _delivery_folder(path: str, subfolders: list[str]) -> TrailFolder | None:
    """Describe a folder that CloudTrail delivers to, directly or by organization."""
    accounts = _account_folders(path, subfolders)
    for name in filter(_ORGANIZATION.fullmatch, subfolders):
        organization = os.path.join(path, name)
        accounts += _account_folders(organization, _list_folder(organization)[0])
    trails = [os.path.join(account, "CloudTrail") for account in accounts]
    trails = [trail for trail in trails if os.path.isdir(trail)]
    if not trails:
        return None
    regions: list[str] = []
    for trail in trails:
        regions += [os.path.join(trail, name) for name in _list_folder(trail)[0]]
    return TrailFolder(
        Path(path),
        accounts=len({os.path.basename(os.path.dirname(trail)) for trail in trails}),
        regions=len({os.path.basename(region) for region in regions}),
        newest=max(map(_last_day, regions), default=""),
    )


def _account_folders(path: str, names: Sequence[str]) -> list[str]:
    return [os.path.join(path, name) for name in names if _ACCOUNT.fullmatch(name)]


def _last_day(region: str) -> str:
    """Return the last day for which a region's folder has a subfolder."""
    parts: list[str] = []
    for digits in (4, 2, 2):
        folders, _ = _list_folder(os.path.join(region, *parts))
        names = [name for name in folders if len(name) == digits and name.isdecimal()]
        if not names:
            return ""
        parts.append(names[-1])
    return "-".join(parts)
