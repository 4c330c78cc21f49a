"""The ways in which copying tools make a file appear."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

Write = Callable[[Path, bytes], None]

_LONG_AGO = (1_700_000_000, 1_700_000_000)
"""Some tools give a file the time of its object, which is older than the file."""


def _renamed(temporary: str, aged: bool = False) -> Write:
    def write(path: Path, data: bytes) -> None:
        under = path.with_name(temporary.format(path.name))
        under.write_bytes(data)
        if aged:
            os.utime(under, _LONG_AGO)
        under.rename(path)

    return write


def _in_place(path: Path, data: bytes) -> None:
    with open(path, "wb", buffering=0) as file:
        file.write(data[:30])
        file.write(data[30:])


WRITERS: dict[str, Write] = {
    "aws s3 sync": _renamed("{}.1a2B3c4D", aged=True),
    "s5cmd": _renamed("{}123456"),
    "rclone": _renamed("{}.abcd.partial", aged=True),
    "s3cmd": _renamed(".s3cmd.{}.tmp"),
    "rsync": _renamed(".{}.1a2B3c", aged=True),
    "cp": _in_place,
}
