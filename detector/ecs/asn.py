"""Autonomous systems of addresses, from the user's ASN database (.mmdb)."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple


class Network(NamedTuple):
    """An autonomous system; None where the database does not say."""

    number: int | None
    organization: str | None


_UNKNOWN = Network(None, None)


class AsnError(Exception):
    """An unusable database; the message is one line with what to do."""


class AsnLookup:
    """Look-ups in one database.

    It pickles as its path, so that each process opens the file itself."""

    def __init__(self, path: Path) -> None:
        import maxminddb  # slow to import, and few users name a database

        self.path = path
        self._broken = maxminddb.InvalidDatabaseError
        try:
            self._reader = maxminddb.open_database(path)
            kind = self._reader.metadata().database_type
        except (OSError, ValueError, self._broken) as error:
            raise AsnError(
                f"{path}: no readable .mmdb database ({error}); name an ASN database"
            ) from None
        fields = _fields_of(kind)
        if not fields:
            raise AsnError(
                f"{path}: holds {kind}, which names no AS; "
                "use a GeoLite2-ASN, DB-IP ASN or IPinfo database"
            )
        self._fields = fields
        self.lookup: Callable[[str | None], Network] = lru_cache(1 << 16)(self._lookup)

    def __reduce__(self) -> tuple[Any, ...]:
        return AsnLookup, (self.path,)

    @property
    def fingerprint(self) -> str:
        """A text that changes with the edition of the database."""
        meta = self._reader.metadata()
        return f"{meta.database_type}:{meta.build_epoch}"

    def _lookup(self, address: str | None) -> Network:
        """Return the network of a public address; unknown for other texts."""
        try:
            if address is None or not ipaddress.ip_address(address).is_global:
                return _UNKNOWN
            entry = self._reader.get(address)
        except (ValueError, self._broken):
            return _UNKNOWN
        if not isinstance(entry, dict):
            return _UNKNOWN
        number, name = (entry.get(field) for field in self._fields)
        return Network(_number(number), name if isinstance(name, str) and name else None)


def open_asn(path: Path) -> AsnLookup:
    """Open an ASN database. Raises AsnError."""
    return AsnLookup(path)


def _fields_of(kind: str) -> tuple[str, str] | None:
    """Return the fields of number and name in a kind of database.

    MaxMind and DB-IP share theirs; IPinfo has its own."""
    if "ipinfo" in kind.lower():
        return "asn", "as_name"
    if "asn" in kind.lower() or "isp" in kind.lower() or "enterprise" in kind.lower():
        return "autonomous_system_number", "autonomous_system_organization"
    return None


def _number(value: Any) -> int | None:
    """Parse MaxMind's number or IPinfo's text, ``AS15169``."""
    digits = str(value).upper().removeprefix("AS")
    if not digits.isdecimal():
        return None
    return int(digits)
