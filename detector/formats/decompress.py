"""Streams of decompressed bytes, with translated errors and a cap.

Each decompressor reads from one ``Content`` and returns another.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from types import ModuleType
from typing import Any, BinaryIO, NamedTuple

from isal import igzip, isal_zlib

from detector.formats.errors import Incomplete, Unreadable

BLOCK = 1 << 20
_SPOOL = 32 << 20
CONTENT_CAP = 256 << 20
RATIO_CAP = 200
"""A file may unpack to ``CONTENT_CAP`` bytes, or to this many times its size if that is more."""


@cache
def damage_errors() -> tuple[Any, ...]:
    """Return the errors that the libraries raise for damaged bytes."""
    import tarfile  # like zstd, only imported if needed
    import zipfile

    return (
        gzip.BadGzipFile,
        zlib.error,
        isal_zlib.error,
        lzma.LZMAError,
        _zstd().ZstdError,
        tarfile.TarError,
        zipfile.BadZipFile,
        struct.error,
        ValueError,
        ArithmeticError,
        LookupError,
        RuntimeError,
    )


def _zstd() -> ModuleType:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd


class Budget:
    """The number of bytes that may still be unpacked from one file.

    It covers all layers and members of the file.
    """

    def __init__(self, left: int) -> None:
        self.left = left

    @classmethod
    def of_file(cls, size: int) -> Budget:
        """Return the budget of a file of ``size`` bytes."""
        return cls(max(CONTENT_CAP, RATIO_CAP * size))

    def spend(self, count: int) -> None:
        self.left -= count
        if self.left < 0:
            raise Unreadable(
                "bomb", "unpacks to far more than a log does: unpack it yourself if you trust it"
            )


class Content(io.RawIOBase):
    """The content of a file or of a container.

    ``container`` names the container, ``""`` for the file itself; ``failed`` is set once reading
    has raised. Reading raises Incomplete if the bytes end too early, Unreadable if they are
    damaged.
    """

    def __init__(self, stream: Any, container: str = "", budget: Budget | None = None) -> None:
        self.stream = stream
        self.container = container
        self.failed = False
        self._budget = budget
        self._unread = b""
        # GzipFile.readinto makes a copy; that of its inner reader does not.
        reader = getattr(stream, "_buffer", stream) if container == "gzip" else stream
        self._readinto: Callable[[Any], int] = reader.readinto

    def readable(self) -> bool:
        return True

    def readinto(self, view: Any) -> int:
        if self._unread:
            part, self._unread = self._unread[: len(view)], self._unread[len(view) :]
            view[: len(part)] = part
            return len(part)
        try:
            count = self._readinto(view)
        except Exception as error:
            self.failed = True
            raise self.problem(error) from None
        if self._budget is not None:
            self._budget.spend(count)
        return count

    def unread(self, data: bytes) -> None:
        """Put back the bytes that were read last."""
        self._unread = data + self._unread

    def problem(self, error: Exception) -> Exception:
        """Translate an error of the library that reads this content; return others as they are."""
        if isinstance(error, Unreadable):
            return error
        if self.container == "gzip" and isinstance(
            error, EOFError | gzip.BadGzipFile | isal_zlib.error
        ):
            return _gzip_problem(self.stream.fileobj, error)
        if isinstance(error, EOFError) or "unexpected end" in str(error):
            return Incomplete(
                f"truncated-{self.container}", f"the {self.container} data ends too early"
            )
        if isinstance(error, RuntimeError) and "encrypted" in str(error):
            return Unreadable("encrypted", "encrypted: unpack it with its password")
        if isinstance(error, damage_errors()) or (
            isinstance(error, OSError) and error.errno is None
        ):
            return Unreadable(
                f"corrupt-{self.container}", f"damaged {self.container} data ({error})"
            )
        return error


class Member(NamedTuple):
    """A content inside a container.

    ``name`` is its name in an archive; ``""`` if the container always holds just one.
    """

    name: str
    content: Content


def _gzip_problem(file: BinaryIO, error: Exception) -> Unreadable:
    """Return the error for gzip data that is cut short or damaged.

    igzip reports trailing garbage as truncation; the standard library tells them apart.
    """
    damage = error
    try:
        file.seek(0)
        with gzip.GzipFile(fileobj=file) as content:
            while content.read(BLOCK):
                pass
    except EOFError:
        return Incomplete("truncated-gzip", "the gzip data ends too early")
    except (gzip.BadGzipFile, zlib.error) as gzip_error:
        damage = gzip_error
    except (OSError, Unreadable):  # A nested container cannot be read twice.
        if isinstance(error, EOFError):
            return Incomplete("truncated-gzip", "the gzip data ends too early")
    return Unreadable("corrupt-gzip", f"damaged gzip data ({damage})")


class GeneratedStream(io.RawIOBase):
    """A stream that concatenates generated parts."""

    def __init__(self, parts: Iterable[bytes]) -> None:
        self._parts: Iterator[bytes] = iter(parts)
        self._left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, view: Any) -> int:
        while not self._left:
            part = next(self._parts, None)
            if part is None:
                return 0
            self._left = memoryview(part)
        count = min(len(view), len(self._left))
        view[:count] = self._left[:count]
        self._left = self._left[count:]
        return count


def gunzip(stream: Any, budget: Budget | None) -> Content:
    return Content(igzip.open(stream, "rb"), "gzip", budget)  # type: ignore[no-untyped-call]


def gunzip_at_once(file: BinaryIO, size: int, limit: int = 0) -> bytes | None:
    """Decompress a small gzip file that is exactly one member; None for any other file.

    None also if it has more than ``limit`` decompressed bytes (0: no limit). The file must be at
    its start; its position is undefined afterwards."""
    if size > _SMALL:
        return None
    member = isal_zlib.decompressobj(_GZIP_MEMBER)
    try:
        content = member.decompress(file.read(), limit)
    except isal_zlib.error:  # type: ignore[misc]
        return None
    return content if member.eof and not member.unused_data else None


_GZIP_MEMBER = 31
"""zlib's ``wbits`` for the gzip format, with header and checksum."""
_SMALL = 32 << 10
"""Compressed bytes; they unpack to at most 33 MB, as deflate's ratio is about 1000 at best."""


def bunzip(stream: Any, budget: Budget | None) -> Content:
    return Content(bz2.open(stream, "rb"), "bzip2", budget)


def unxz(stream: Any, budget: Budget | None) -> Content:
    return Content(lzma.open(stream, "rb"), "xz", budget)


def unzstd(stream: Any, budget: Budget | None) -> Content:
    return Content(_zstd().open(stream, "rb"), "zstd", budget)


def seekable(content: Content) -> Any:
    """Return a content as a seekable file: the file itself, or a temporary copy."""
    if not content.container:
        return content.stream
    # Removed when it is garbage-collected.
    spool = tempfile.SpooledTemporaryFile(_SPOOL)  # noqa: SIM115
    while block := content.read(BLOCK):
        spool.write(block)
    spool.seek(0)
    return spool
