"""User-defined names for accounts, networks, principals and tools.

Names are shown next to ids and can be used in filters; they never hide anything.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache

import msgspec

from detector.text.linear_regex import full_matcher, glob_regex

AddressRange = ipaddress.IPv4Network | ipaddress.IPv6Network


class KnownCaller(msgspec.Struct, frozen=True):
    """A principal or tool with a known owner.

    ``principal`` (an ARN) and ``user_agent`` are patterns with ``*`` and ``?``; a caller matches if
    all patterns that are set match."""

    name: str
    principal: str = ""
    user_agent: str = ""
    owner: str = ""
    ticket: str = ""

    def label(self) -> str:
        """Return the name with the owner and ticket, if set: ``scanner (sec-ops, CHG-9)``."""
        facts = ", ".join(fact for fact in (self.owner, self.ticket) if fact)
        return f"{self.name} ({facts})" if facts else self.name


class NamedNetwork(msgspec.Struct, frozen=True):
    """One of the user's own networks: an office, a VPN, a build system."""

    network: AddressRange
    name: str


class Inventory(msgspec.Struct, frozen=True):
    """All names: account names by id, networks, known callers."""

    accounts: Mapping[str, str] = {}
    networks: tuple[NamedNetwork, ...] = ()
    known: tuple[KnownCaller, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.accounts or self.networks or self.known)

    def account(self, account_id: str) -> str:
        """Return an account's name, or its id if it has none."""
        return self.accounts.get(account_id) or account_id

    def account_names(self, account_ids: Iterable[str]) -> list[str]:
        """Return the names of the given accounts that have one."""
        return [self.accounts[each] for each in account_ids if each in self.accounts]

    def network_names(self, addresses: Iterable[str]) -> list[str]:
        """Return the names of the networks that contain the addresses, the narrowest first."""
        if not self.networks:
            return []
        names = (name for address in addresses for name in self._networks_of(address))
        return list(dict.fromkeys(names))

    def callers(self, arns: Iterable[str], user_agents: Iterable[str]) -> list[KnownCaller]:
        """Return the known callers whose patterns match the principals and user agents."""
        if not self.known:
            return []
        principals, agents = tuple(arns), tuple(user_agents)
        return [
            caller
            for caller in self.known
            if _matches(caller.principal, principals) and _matches(caller.user_agent, agents)
        ]

    def _networks_of(self, address: str) -> Iterator[str]:
        parsed = _address(address)
        if parsed is None:
            return
        inside = [each for each in self.networks if parsed in each.network]
        inside.sort(key=lambda each: -each.network.prefixlen)
        yield from (each.name for each in inside)


@lru_cache(10_000)
def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


@lru_cache(1_000)
def _matcher(glob: str) -> Callable[[str], bool]:
    return full_matcher(glob_regex((letter, letter in "*?") for letter in glob))


def _matches(glob: str, values: tuple[str, ...]) -> bool:
    """Tell whether a pattern matches one of the values; an empty pattern always matches."""
    if not glob:
        return True
    return any(map(_matcher(glob), values))
