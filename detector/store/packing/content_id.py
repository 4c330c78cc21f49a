"""The numbers of what is stored once, by content."""

from __future__ import annotations

import hashlib
import secrets

_KEY = secrets.token_bytes(16)
"""Of this process: nobody outside can choose two bodies that have one number."""
_POSITIVE = (1 << 63) - 1


def content_id(body: bytes) -> int:
    """Return the number of a body: 64 bits of a keyed hash, as SQLite has integers.

    Another process gives an equal body another number, and stores it once more."""
    return _number(body, _KEY)


def name_number(name: str) -> int:
    """Return the number under which the alerts of a name are found, in every process.

    It is negative where the name begins with a digit, as those of accounts do."""
    number = _number(name.encode(errors="surrogatepass"), b"") & _POSITIVE
    return ~number if "0" <= name[:1] <= "9" else number


def _number(body: bytes, key: bytes) -> int:
    digest = hashlib.blake2b(body, digest_size=8, key=key).digest()
    return int.from_bytes(digest, "big", signed=True)
