"""Looks up the autonomous systems of addresses in the user's ASN database (.mmdb)."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from detector.ecs.address_database import AddressDatabase, AddressDatabaseError


class Network(NamedTuple):
    """An autonomous system; fields that the database lacks are None."""

    number: int | None
    organization: str | None


class AsnLookup:
    """Looks up addresses in one database.

    It is pickled as its path, so that each process opens the file itself."""

    def __init__(self, path: Path) -> None:
        database = AddressDatabase(path, "an ASN database")
        fields = _fields_of(database.type)
        if not fields:
            raise AddressDatabaseError(
                f"{path}: holds {database.type}, which names no AS; "
                "use a GeoLite2-ASN, DB-IP ASN or IPinfo database"
            )
        self.path = path
        self.fingerprint = database.fingerprint
        self._database = database
        self._fields = fields
        self.lookup: Callable[[str | None], Network] = lru_cache(1 << 16)(self._lookup)

    def __reduce__(self) -> tuple[Any, ...]:
        return AsnLookup, (self.path,)

    def _lookup(self, address: str | None) -> Network:
        """Return the network of a public address; all None for any other text."""
        entry = self._database.entry(address)
        number, name = (entry.get(field) for field in self._fields)
        organization = name if isinstance(name, str) and name else None
        return Network(_number(number), organization)


def open_asn(path: Path) -> AsnLookup:
    """Open an ASN database. Raises AddressDatabaseError."""
    return AsnLookup(path)


def _fields_of(kind: str) -> tuple[str, str] | None:
    """Return the names of the fields that hold the AS number and name in a type of database.

    MaxMind and DB-IP share their names; IPinfo has its own. None if the type has no AS."""
    if "ipinfo" in kind.lower():
        return "asn", "as_name"
    if "asn" in kind.lower() or "isp" in kind.lower() or "enterprise" in kind.lower():
        return "autonomous_system_number", "autonomous_system_organization"
    return None


def _number(value: Any) -> int | None:
    """Parse an AS number: MaxMind stores an integer, IPinfo a text such as ``AS15169``."""
    digits = str(value).upper().removeprefix("AS")
    if not digits.isdecimal():
        return None
    return int(digits)
