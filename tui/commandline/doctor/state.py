"""Checks of the state: disk, permissions, session, damage."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from detector.store import Damaged, StateError, Store, find_damage, schema_versions
from tui.commandline.doctor import Check
from tui.settings.session_file import SessionError, SessionFile

_NETWORK_FILE_SYSTEMS = {
    "nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "davfs",
    "fuse.sshfs", "fuse.s3fs", "fuse.rclone",
}  # fmt: skip
"""File systems, by Linux's names, on which SQLite's write-ahead log does not work."""

_MOUNTS = Path("/proc/self/mountinfo")
_MAX_WAITING = 20
"""Maximum number of waiting files to name."""
_MIN_FREE = 100_000_000
"""Free space in bytes that the state's disk should have."""


def state_checks(path: Path) -> Iterator[Check]:
    """Check the state at ``path``, for damage last."""
    kind = file_system(path)
    if kind in _NETWORK_FILE_SYSTEMS:
        yield Check(
            "disk",
            "problem",
            f"{path.parent} is on {kind}, a network",
            "the database needs a local disk: name one with --db FILE",
        )
    elif path.parent.exists():
        yield _free_space(path, kind)
    if not path.exists():
        yield Check("state", "ok", f"{path}: none yet, created when trailhound starts")
        return
    yield _permissions(path)
    yield from _session(path)
    yield from _damage(path)


def file_system(path: Path, mounts: Path = _MOUNTS) -> str:
    """Return the kind of file system of ``path``, or ""."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return ""
    real_path = os.path.realpath(path)
    longest, kind = "", ""
    for line in lines:
        # proc_pid_mountinfo(5): fourth field the mount point, after " - " the type
        mount, _, source = line.partition(" - ")
        point = mount.split(" ")[4].encode("latin-1", "replace").decode("unicode_escape")
        is_below = real_path == point or real_path.startswith(point.rstrip("/") + "/")
        if is_below and len(point) >= len(longest):
            longest, kind = point, source.split(" ")[0]
    return kind


def _free_space(path: Path, kind: str) -> Check:
    disk = os.statvfs(path.parent)
    free = disk.f_bavail * disk.f_frsize
    finding = f"{free / 1e9:,.1f} GB free" + (f" ({kind})" if kind else "")
    if free < _MIN_FREE:
        return Check(
            "disk",
            "problem",
            finding,
            f"free some space in {path.parent}, or name another database with --db FILE",
        )
    return Check("disk", "ok", finding)


def _permissions(path: Path) -> Check:
    status = path.stat()
    finding = f"{path}, {status.st_size / 1e6:,.1f} MB"
    if status.st_uid != os.getuid():
        return Check(
            "state",
            "warning",
            f"{finding}, owned by another user",
            "name your own database with --db FILE",
        )
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        return Check("state", "problem", f"{finding}, others can read it", f"chmod 600 {path}")
    return Check("state", "ok", finding)


def _session(path: Path) -> Iterator[Check]:
    try:
        SessionFile(path).read()
    except SessionError as error:
        yield Check("session", "warning", str(error), "the next start creates a new one")


def _damage(path: Path) -> Iterator[Check]:
    try:
        version, newest = schema_versions(path)
        damage = find_damage(path) or _unreadable_rows(path)
    except StateError as error:
        yield Check("soundness", "problem", str(error))
        return
    for line in damage:
        yield Check(
            "soundness",
            "problem",
            f"damaged, {line}",
            "--save NEW recovers your notes into a new database; rescan the logs into it",
        )
    if not damage:
        yield from _waiting(path)
        age = "" if version == newest else f" of {newest}, upgraded at the next start"
        yield Check("soundness", "ok", f"OK, version {version}{age}")


def _waiting(path: Path) -> Iterator[Check]:
    """Name the waiting files, with the reasons."""
    with contextlib.closing(Store.look(path)) as store:
        waiting = store.files.waiting()
    for file in waiting[:_MAX_WAITING]:
        yield Check(
            "waiting", "warning", f"{file.path}: {file.detail}", "it is read when it can be"
        )
    if len(waiting) > _MAX_WAITING:
        yield Check(
            "waiting",
            "warning",
            f"{len(waiting) - _MAX_WAITING:,} more files",
            "trailhound status --all lists them",
        )


def _unreadable_rows(path: Path) -> list[str]:
    """Decode all rows, which SQLite's own check does not do."""
    store = None
    try:
        store = Store.look(path)
        store.alerts.all()
        store.triage.notes()
        store.suppressions.all()
        store.files.all()
        store.files.accounting()
    except Damaged:
        return ["its contents cannot be restored"]
    finally:
        if store is not None:
            store.close()
    return []
