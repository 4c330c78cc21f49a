"""A stream of pickles from one process to another, with a shared memo.

An object that was part of an earlier value is not sent again, because most callers and rules of a
batch of files also occur in the batch before. Therefore an object that was sent must not be changed
and sent again.
"""

from __future__ import annotations

import io
import pickle
from typing import Any

_KEPT_BYTES = 2 << 20
"""Pickled bytes after which both ends clear their memo, which takes some six times as much."""
_GOES_ON, _BEGINS = b"\0", b"\1"


class StreamPickler:
    """The sending end."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._out = io.BytesIO()
        self._pickler = pickle.Pickler(self._out, pickle.HIGHEST_PROTOCOL)
        self._sent = 0

    def dumps(self, value: object) -> bytes:
        """Pickle a value. Raises what pickling raises; later values are not affected."""
        if self._sent > _KEPT_BYTES:
            self._begin()
        self._out.seek(0)
        self._out.truncate()
        self._out.write(_GOES_ON if self._sent else _BEGINS)
        try:
            self._pickler.dump(value)
        except BaseException:
            self._begin()
            raise
        self._sent += self._out.tell()
        return self._out.getvalue()


class StreamUnpickler:
    """The receiving end, which must get all values, in order."""

    def __init__(self) -> None:
        self._in = _Input()
        self._unpickler = pickle.Unpickler(self._in)  # noqa: S301 - of our own process

    def loads(self, data: bytes) -> Any:
        """Unpickle a value."""
        if data[:1] == _BEGINS:
            self._unpickler = pickle.Unpickler(self._in)  # noqa: S301 - of our own process
        self._in.file = io.BytesIO(data)
        self._in.file.seek(1)
        return self._unpickler.load()


class _Input:
    """The file that the unpickler reads from; the underlying file is replaced for each value."""

    def __init__(self) -> None:
        self.file = io.BytesIO()

    def read(self, size: int) -> bytes:
        return self.file.read(size)

    def readline(self) -> bytes:
        return self.file.readline()
