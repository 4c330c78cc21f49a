"""The numbers of rows that are identified by their content."""

from __future__ import annotations

import hashlib
import secrets

_KEY = secrets.token_bytes(16)
"""The hash key of this process, so that an outsider cannot craft two bodies with one number."""
_POSITIVE = (1 << 63) - 1


def content_id(body: bytes) -> int:
    """Return the number of a body: a keyed 64-bit hash, as large as an SQLite integer.

    Another process gives an equal body another number, and stores it again."""
    return _number(body, _KEY)


def name_number(name: str) -> int:
    """Return the number under which the alerts of a name are indexed, the same in every process.

    It is negative if the name begins with a digit, as account ids do."""
    number = _number(name.encode(errors="surrogatepass"), b"") & _POSITIVE
    return ~number if "0" <= name[:1] <= "9" else number


def _number(body: bytes, key: bytes) -> int:
    digest = hashlib.blake2b(body, digest_size=8, key=key).digest()
    return int.from_bytes(digest, "big", signed=True)
