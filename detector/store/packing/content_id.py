"""The numbers of what is stored once, by content."""

from __future__ import annotations

import hashlib


def content_id(body: bytes) -> int:
    """Return the number of a body: 64 bits of a hash, as SQLite has integers."""
    digest = hashlib.blake2b(body, digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
