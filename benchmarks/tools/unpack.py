"""Decompression alone: the lower bound for any program that reads logs."""

from __future__ import annotations

from isal import igzip

from benchmarks.tools.answer import files

_BLOCK = 1 << 20

if __name__ == "__main__":
    block = bytearray(_BLOCK)
    for path in files():
        with igzip.open(path, "rb") as file:  # type: ignore[no-untyped-call]
            while file.readinto(block):
                pass
