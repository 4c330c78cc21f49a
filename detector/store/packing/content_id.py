"""The numbers of what is stored once, by content."""

from __future__ import annotations

import hashlib

_POSITIVE = (1 << 63) - 1


def content_id(body: bytes) -> int:
    """Return the number of a body: 64 bits of a hash, as SQLite has integers."""
    digest = hashlib.blake2b(body, digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def name_number(name: str) -> int:
    """Return the number under which the alerts of a name are found.

    It is negative where the name begins with a digit, as those of accounts do."""
    number = content_id(name.encode(errors="surrogatepass")) & _POSITIVE
    return ~number if "0" <= name[:1] <= "9" else number
