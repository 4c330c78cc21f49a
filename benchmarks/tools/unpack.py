"""Unpacking alone, with isal or zlib, or plain reading."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path
from typing import Any

from isal import igzip

_OPENERS: dict[str, Any] = {"isal": igzip.open, "zlib": gzip.open, "plain": open}
_BLOCK = 1 << 20


def main(library: str, root: Path) -> None:
    block = bytearray(_BLOCK)
    opened = _OPENERS[library]
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        with opened(path, "rb") as file:
            while file.readinto(block):
                pass


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
