"""The functions on addresses and networks."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from detector.ecs.values import ip_order
from detector.esql.functions.registry import function

_MULTICAST_FLAGS = "0123456789abcdef"
_NAMED: Mapping[str, tuple[str, ...]] = {
    "loopback": ("127.0.0.0/8", "::1"),
    "link_local_unicast": ("169.254.0.0/16", "fe80::/10"),
    "interface_local_multicast": tuple(f"ff{flags}1::/16" for flags in _MULTICAST_FLAGS),
    "link_local_multicast": (
        "224.0.0.0/24",
        *(f"ff{flags}2::/16" for flags in _MULTICAST_FLAGS),
    ),
    "multicast": ("224.0.0.0/4", "ff00::/8"),
    "unspecified": ("0.0.0.0/32", "::"),
    "private": ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fd00::/8"),
}
"""Networks by name, as in Elasticsearch's network direction processor."""
_BROADCAST = "255.255.255.255"
_OF_NO_HOST = ("loopback", "unspecified", "link_local_unicast")
_COMPLEMENTS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("unicast", "global_unicast"), (*_OF_NO_HOST, "multicast")),
    "public": (*_OF_NO_HOST, "private", "interface_local_multicast", "link_local_multicast"),
}
"""By name, the named networks that exclude an address, in addition to the broadcast address."""


@lru_cache(1024)
def _network(block: str) -> Any:
    return ipaddress.ip_network(block, strict=False)


@lru_cache(1024)
def _bounds(block: str) -> tuple[bytes, bytes]:
    """Return the ``ip_order`` of the first and last address of a network. Raises ValueError."""
    network = _network(block)
    return ip_order(str(network[0])), ip_order(str(network[-1]))


def _is_in_any(address: str, bounds: Iterable[tuple[bytes, bytes]]) -> bool:
    """Tell whether an address is in one of the networks.

    An IPv4 address is in the IPv6 networks that contain its mapped form, as in Elasticsearch."""
    position = ip_order(address)
    return any(first <= position <= last for first, last in bounds)


@function("cidr_match(ip, keyword...) -> boolean", constant_checks={1: _bounds})
def cidr_match(address: str, *blocks: str) -> bool:
    """Tell whether an address is in one of the networks, given as CIDR blocks."""
    return _is_in_any(address, map(_bounds, blocks))


@function("ip_prefix(ip, integer, integer) -> ip")
def ip_prefix(address: str, bits4: int, bits6: int) -> str:
    """Truncate an address to the prefix length given for its IP version."""
    bits = bits4 if ipaddress.ip_address(address).version == 4 else bits6
    return str(_network(f"{address}/{bits}").network_address)


@lru_cache(1024)
def _network_test(name: str) -> Callable[[str], bool]:
    """Return a test for the addresses of a named network or block. Raises ValueError if invalid."""
    if name in _COMPLEMENTS:
        outside = [each for part in _COMPLEMENTS[name] for each in _NAMED[part]]
        is_of_none = _test_of((*outside, _BROADCAST))
        return lambda address: not is_of_none(address)
    return _test_of(_NAMED.get(name, (name,)))


def _test_of(blocks: Sequence[str]) -> Callable[[str], bool]:
    for block in blocks:
        length = block.partition("/")[2]
        if "/" in block and not (length.isascii() and length.isdecimal()):
            raise ValueError(f"a network such as 10.0.0.0/8 must stand here, not {block}")
    bounds = [*map(_bounds, blocks)]
    return lambda address: _is_in_any(address, bounds)


@function(
    "network_direction(ip, ip, keyword[]) -> keyword",
    "netdir",
    constant_checks={2: _network_test},
)
def network_direction(source: str, destination: str, networks: list[str]) -> str:
    """Tell whether a connection is ``internal``, ``outbound``, ``inbound`` or ``external``.

    ``networks`` are the internal ones: blocks, addresses, or names such as ``private``. The result
    is null if an invalid one has to be tested."""
    is_from_inside, is_to_inside = (
        any(_network_test(network)(end) for network in networks) for end in (source, destination)
    )
    if is_from_inside:
        return "internal" if is_to_inside else "outbound"
    return "inbound" if is_to_inside else "external"
