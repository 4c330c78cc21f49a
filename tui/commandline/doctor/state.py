"""The state: where it is, whether it is private, on a disk that it can live on, and sound."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from detector.store import Damaged, StateError, Store, find_damage, schema_versions
from tui.commandline.doctor import Check
from tui.settings.session_file import SessionError, SessionFile

_NETWORKED = (
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "9p",
    "afs",
    "ceph",
    "glusterfs",
    "lustre",
    "davfs",
    "fuse.sshfs",
    "fuse.s3fs",
    "fuse.rclone",
)
"""File systems on which SQLite's write-ahead log does not work, as Linux calls them."""

_MOUNTS = Path("/proc/self/mountinfo")
_FREE = 100_000_000
"""Bytes that should be free beside the state."""


def state_checks(path: Path) -> Iterator[Check]:
    """What is so of the state at ``path``; the last of them is whether it is sound."""
    kind = file_system(path)
    if kind in _NETWORKED:
        yield Check(
            "disk",
            "problem",
            f"{path.parent} is on {kind}, a network",
            "the state needs a local disk: name one with --db FILE",
        )
    elif path.parent.exists():
        yield _room(path, kind)
    if not path.exists():
        yield Check("state", "ok", f"{path}: none yet, the first start makes it")
        return
    yield _private(path)
    yield from _session(path)
    yield from _sound(path)


def file_system(path: Path, mounts: Path = _MOUNTS) -> str:
    """What kind of file system ``path`` is on, or will be; "" where the system does not tell."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return ""
    real, best, kind = os.path.realpath(path), "", ""
    for line in lines:
        before, _, after = line.partition(" - ")  # proc(5): … mount point … - type source options
        point = before.split(" ")[4].encode("latin-1", "replace").decode("unicode_escape")
        if len(point) >= len(best) and (real == point or real.startswith(point.rstrip("/") + "/")):
            best, kind = point, after.split(" ")[0]
    return kind


def _room(path: Path, kind: str) -> Check:
    disk = os.statvfs(path.parent)
    free = disk.f_bavail * disk.f_frsize
    said = f"{free / 1e9:,.1f} GB free" + (f" ({kind})" if kind else "")
    if free < _FREE:
        return Check(
            "disk",
            "problem",
            said,
            f"make room in {path.parent}, or name another state with --db FILE",
        )
    return Check("disk", "ok", said)


def _private(path: Path) -> Check:
    about = path.stat()
    said = f"{path}, {about.st_size / 1e6:,.1f} MB"
    if about.st_uid != os.getuid():
        return Check(
            "state",
            "warning",
            f"{said}, owned by another user",
            "name a state of your own with --db FILE",
        )
    if about.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        return Check("state", "problem", f"{said}, others can read it", f"chmod 600 {path}")
    return Check("state", "ok", said)


def _session(path: Path) -> Iterator[Check]:
    try:
        SessionFile(path).read()
    except SessionError as error:
        yield Check("session", "warning", str(error), "the next start makes a new one")


def _sound(path: Path) -> Iterator[Check]:
    try:
        version, newest = schema_versions(path)
        found = find_damage(path) or _unreadable(path)
    except StateError as error:
        yield Check("soundness", "problem", str(error))
        return
    save = "--save NEW saves what you wrote into a new state; read the logs into that one"
    yield from (Check("soundness", "problem", f"damaged, {line}", save) for line in found)
    if not found:
        age = "" if version == newest else f" of {newest}, brought up to date by the next start"
        yield Check("soundness", "ok", f"sound, version {version}{age}")


def _unreadable(path: Path) -> list[str]:
    """Reads all that the screens show, which SQLite does not look into."""
    store = None
    try:
        store = Store.open(path)
        for reading in (
            store.alerts.all,
            store.triage.notes,
            store.suppressions.all,
            store.files.all,
            store.files.accounting,
        ):
            reading()
    except Damaged:
        return ["what is in it cannot be read back"]
    finally:
        if store is not None:
            store.close()
    return []
