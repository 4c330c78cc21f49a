"""A file's bytes as a stream that fails in our words and ends at the cap.

Whatever undoes a compression or unpacks an archive reads from one ``Content`` and gives another.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

from isal import igzip, isal_zlib

from detector.formats.errors import Incomplete, Unreadable

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

BLOCK = 1 << 20
CONTENT_CAP = 256 << 20
RATIO_CAP = 200
"""A file may unpack to ``CONTENT_CAP`` bytes, or to this many times its own size where that is
more."""

DAMAGE: tuple[Any, ...] = (
    gzip.BadGzipFile,
    zlib.error,
    isal_zlib.error,
    lzma.LZMAError,
    zstd.ZstdError,
    tarfile.TarError,
    zipfile.BadZipFile,
    struct.error,
    ValueError,
    ArithmeticError,
    LookupError,
    RuntimeError,
)
"""What the libraries raise that undo a compression or unpack an archive, where its bytes are
damaged."""


class Budget:
    """What may still be unpacked of one file, over all its layers and members."""

    def __init__(self, left: int) -> None:
        self.left = left

    @classmethod
    def of_file(cls, size: int) -> Budget:
        """For a file of ``size`` bytes."""
        return cls(max(CONTENT_CAP, RATIO_CAP * size))

    def spend(self, count: int) -> None:
        self.left -= count
        if self.left < 0:
            raise Unreadable(
                "bomb", "unpacks to far more than a log does: unpack it yourself if you trust it"
            )


class Content(io.RawIOBase):
    """One layer. ``what`` names its container for messages; ``failed`` once it has raised.

    Raises Incomplete where the bytes end too early, Unreadable where they are damaged.
    """

    def __init__(self, stream: Any, what: str = "", budget: Budget | None = None) -> None:
        self.stream = stream
        self.what = what
        self.failed = False
        self._budget = budget
        self._back = b""

    def readable(self) -> bool:
        return True

    def readinto(self, view: Any) -> int:
        if self._back:
            part, self._back = self._back[: len(view)], self._back[len(view) :]
            view[: len(part)] = part
            return len(part)
        try:
            count: int = self.stream.readinto(view)
        except Exception as error:
            self.failed = True
            raise self.problem(error) from None
        if self._budget is not None:
            self._budget.spend(count)
        return count

    def unread(self, data: bytes) -> None:
        """Put back what was read last."""
        self._back = data + self._back

    def problem(self, error: Exception) -> Exception:
        """What an error of the library that reads this layer means."""
        if isinstance(error, Unreadable):
            return error
        if self.what == "gzip" and isinstance(error, EOFError | gzip.BadGzipFile | isal_zlib.error):
            return _gzip_problem(self.stream.fileobj, error)
        if isinstance(error, EOFError) or "unexpected end" in str(error):
            return Incomplete(f"truncated-{self.what}", f"the {self.what} data ends too early")
        if isinstance(error, RuntimeError) and "encrypted" in str(error):
            return Unreadable("encrypted", "encrypted: unpack it with its password")
        if isinstance(error, DAMAGE) or (isinstance(error, OSError) and error.errno is None):
            return Unreadable(f"corrupt-{self.what}", f"damaged {self.what} data ({error})")
        return error


def _gzip_problem(file: BinaryIO, error: Exception) -> Unreadable:
    """Cut short, or damaged? igzip takes garbage after the data for a cut; the standard library
    tells them apart."""
    damage = error
    try:
        file.seek(0)
        with gzip.GzipFile(fileobj=file) as content:
            while content.read(BLOCK):
                pass
    except EOFError:
        return Incomplete("truncated-gzip", "the gzip data ends too early")
    except (gzip.BadGzipFile, zlib.error) as found:
        damage = found
    except (OSError, Unreadable):  # a layer within another cannot be read twice
        if isinstance(error, EOFError):
            return Incomplete("truncated-gzip", "the gzip data ends too early")
    return Unreadable("corrupt-gzip", f"damaged gzip data ({damage})")


class Made(io.RawIOBase):
    """Bytes that are made as they are read: ``parts`` one after the other."""

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


def gunzip_file(file: BinaryIO, size: int, budget: Budget) -> Content:
    """The content of a file of ``size`` bytes: at once where that is little, however well it is
    packed."""
    if size <= _LITTLE:
        try:
            return Content(io.BytesIO(igzip.decompress(file.read())), "gzip", budget)  # type: ignore[no-untyped-call]
        except (*DAMAGE, EOFError):
            file.seek(0)  # what is wrong with it is told as it is read
    return gunzip(file, budget)


_LITTLE = 32 << 10
"""Bytes that unpack to 33 MB at most: deflate makes a thousandth of what it can."""


def bunzip(stream: Any, budget: Budget | None) -> Content:
    return Content(bz2.open(stream, "rb"), "bzip2", budget)


def unxz(stream: Any, budget: Budget | None) -> Content:
    return Content(lzma.open(stream, "rb"), "xz", budget)


def unzstd(stream: Any, budget: Budget | None) -> Content:
    return Content(zstd.open(stream, "rb"), "zstd", budget)
