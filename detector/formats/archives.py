"""The members of zip and tar archives."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from detector.formats.decompress import Budget, Content, Member, damage_errors, seekable
from detector.formats.errors import Unreadable

MEMBERS_CAP = 1_000_000
_HEADER_CAP = 1 << 20


def open_zip(content: Content, budget: Budget) -> Iterator[Member]:
    """Yield the files in a zip archive. Raises Unreadable."""
    try:
        with zipfile.ZipFile(seekable(content)) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            if len(entries) > MEMBERS_CAP:
                raise Unreadable("too-many-members", f"over {MEMBERS_CAP:,} members: unpack it")
            for entry in entries:
                stream = _LazyStream(partial(archive.open, entry))
                yield Member(entry.filename, Content(stream, "zip", budget))
    except damage_errors() as error:
        content.failed = True
        raise Unreadable(
            "corrupt-zip", f"a damaged zip archive, or one cut short ({error})"
        ) from None


class _LazyStream(io.RawIOBase):
    """A stream that is only opened when it is first read.

    So a member that cannot be opened does not affect the others.
    """

    def __init__(self, opener: Callable[[], Any]) -> None:
        self._open = opener
        self._stream: Any = None

    def readinto(self, view: Any) -> int:
        if self._stream is None:
            self._stream = self._open()
        return int(self._stream.readinto(view))


class _CheckedTarInfo(tarfile.TarInfo):
    """A tar entry that refuses huge extended headers.

    tarfile would read them whole into memory.
    """

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _CheckedTarInfo:
        entry = super().frombuf(buf, encoding, errors)
        if entry.type in (b"x", b"g", b"X", b"L", b"K") and entry.size > _HEADER_CAP:
            raise Unreadable("corrupt-tar", "a tar archive with a header of absurd size")
        return entry


def open_tar(content: Content, budget: Budget) -> Iterator[Member]:
    """Yield the files in a tar archive. Raises Unreadable or Incomplete."""
    try:
        with tarfile.open(
            fileobj=content, mode="r|", tarinfo=_CheckedTarInfo, errorlevel=2
        ) as archive:
            for count, entry in enumerate(archive):
                if count >= MEMBERS_CAP:
                    raise Unreadable("too-many-members", f"over {MEMBERS_CAP:,} members: unpack it")
                stream = archive.extractfile(entry) if entry.isfile() else None
                if stream is not None:
                    # Only sparse files unpack to more bytes than they have in the archive.
                    member_budget = budget if entry.sparse else None
                    yield Member(entry.name, Content(stream, "tar", member_budget))
    except damage_errors() as error:
        content.failed = True
        raise Content(None, "tar").problem(error) from None
