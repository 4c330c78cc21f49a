"""The files that name accounts, networks, principals and tools, and the current inventory.

A file is the output of ``aws organizations list-accounts``, or TOML::

    [accounts]
    111122223333 = "Production"

    [networks]
    office = ["203.0.113.0/24", "2001:db8::/32"]

    [[known]]
    name = "posture scanner"
    principal = "arn:aws:sts::*:assumed-role/prowler/*"
    owner = "sec-ops"
    ticket = "CHG-9"

If a file is invalid, the previous names stay in force and the error names the file.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec
import tomli

from detector.inventory.inventory import Inventory, KnownCaller, NamedNetwork

_MAX_BYTES = 16 << 20


class InventoryError(Exception):
    """An unusable file; the message is one line that says what to do."""


class _Tables(msgspec.Struct, forbid_unknown_fields=True):
    """The tables of a TOML file."""

    accounts: dict[str, str] = {}
    networks: dict[str, list[str]] = {}
    known: list[KnownCaller] = []


class _Account(msgspec.Struct, rename="pascal"):
    id: str
    name: str


class _Organization(msgspec.Struct, rename="pascal"):
    """The output of ``aws organizations list-accounts``."""

    accounts: list[_Account]


def read_inventory(paths: Iterable[Path]) -> Inventory:
    """Read inventory files; later files override account names of earlier ones.

    Raises InventoryError."""
    accounts: dict[str, str] = {}
    networks: list[NamedNetwork] = []
    known: list[KnownCaller] = []
    for path in paths:
        try:
            tables = _read(path)
            networks += _networks(tables.networks)
        except OSError as error:
            raise InventoryError(
                f"{path}: {error.strerror}: check its name in the configuration"
            ) from None
        except (ValueError, RecursionError) as error:
            raise InventoryError(f"{path}: {error}: correct the file") from None
        accounts |= tables.accounts
        known += tables.known
    return Inventory(accounts, tuple(networks), tuple(known))


def _read(path: Path) -> _Tables:
    with path.open("rb") as file:
        content = file.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise ValueError(f"over {_MAX_BYTES >> 20} MiB")
    if content.lstrip()[:1] == b"{":
        listed = msgspec.json.decode(content, type=_Organization)
        return _Tables({account.id: account.name for account in listed.accounts})
    tables = msgspec.convert(tomli.loads(content.decode("utf-8-sig")), _Tables)
    for account in tables.accounts:
        if not (account.isdecimal() and len(account) == 12):
            raise ValueError(f"accounts: {account!r} is no account id of 12 digits")
    for caller in tables.known:
        if not (caller.principal or caller.user_agent):
            raise ValueError(f"known: {caller.name!r} has neither principal nor user_agent")
    return tables


def _networks(table: Mapping[str, Sequence[str]]) -> Iterable[NamedNetwork]:
    """Parse networks. Raises ValueError for a text that is not a network."""
    for name, texts in table.items():
        for text in texts:
            yield NamedNetwork(ipaddress.ip_network(text, strict=False), name)


_Stamp = tuple[tuple[int, int, int] | None, ...]


class InventoryFiles:
    """The names in a set of files, which are read again when one of them changes."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = tuple(paths)
        self._stamp: _Stamp = ()
        self._inventory = Inventory()

    def load(self) -> Inventory:
        """Return the names currently in the files.

        Raises InventoryError, but only once for each state of the files; after that, the previous
        names are returned."""
        stamp = tuple(map(_stamp_of, self._paths))
        if stamp != self._stamp:
            self._stamp = stamp
            self._inventory = read_inventory(self._paths)
        return self._inventory


def _stamp_of(path: Path) -> tuple[int, int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


_current = Inventory()


def current_inventory() -> Inventory:
    """Return the inventory in force in this process."""
    return _current


def use_inventory(inventory: Inventory) -> None:
    """Set the inventory that this process uses, for example in filters and exports."""
    global _current
    _current = inventory
