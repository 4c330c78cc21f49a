"""User-supplied IP address databases in MaxMind's format (.mmdb)."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Any


class AddressDatabaseError(Exception):
    """An unusable database; the message is one line that says what to do."""


class AddressDatabase:
    """An open database that looks up the entry of a public address."""

    def __init__(self, path: Path, what: str) -> None:
        """Open a database; error messages use ``what`` to name the expected kind.

        Raises AddressDatabaseError."""
        import maxminddb  # slow to import, and few users name a database

        self.path = path
        self._broken = maxminddb.InvalidDatabaseError
        try:
            self._reader = maxminddb.open_database(path)
            self.type = self._reader.metadata().database_type
        except OSError as error:
            raise AddressDatabaseError(f"{path}: {error.strerror}: name {what} (.mmdb)") from None
        except (ValueError, self._broken):
            raise AddressDatabaseError(f"{path}: not an .mmdb database: name {what}") from None

    @property
    def fingerprint(self) -> str:
        """The type and build time of the database; changes with each edition."""
        return f"{self.type}:{self._reader.metadata().build_epoch}"

    def entry(self, address: str | None) -> dict[str, Any]:
        """Return the entry of a public address; an empty dict for any other text."""
        try:
            if address is None or not ipaddress.ip_address(address).is_global:
                return {}
            entry = self._reader.get(address)
        except (ValueError, self._broken):
            return {}
        if not isinstance(entry, dict):
            return {}
        return entry
