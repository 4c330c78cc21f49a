"""The numbers of networks, which are computed from the network and need no table.

Principals have more networks than other values, and most networks are seen for a few days only.
"""

from __future__ import annotations

import socket

import msgspec

_IPV4_COUNT = 1 << 24
"""The number of IPv4 networks (/24); IPv6 networks (/48) are numbered after them."""


def network_number(network: str) -> int | None:
    """Return the number of a network, which is negative.

    None if ``detector.detection.baseline.network_of`` does not return this text for any address."""
    address, _, length = network.partition("/")
    try:
        if length == "24":
            index = int.from_bytes(socket.inet_pton(socket.AF_INET, address)[:3])
        else:
            index = int.from_bytes(socket.inet_pton(socket.AF_INET6, address)[:6]) + _IPV4_COUNT
    except (OSError, ValueError):
        return None
    number = -1 - index
    return number if numbered_network(number) == network else None


def numbered_network(number: int) -> str:
    """Return the network with a number. Raises msgspec.MsgspecError if there is none."""
    index = -1 - number
    try:
        if index < _IPV4_COUNT:
            return socket.inet_ntop(socket.AF_INET, (index << 8).to_bytes(4)) + "/24"
        start = (index - _IPV4_COUNT).to_bytes(6).ljust(16, b"\0")
    except OverflowError as error:
        raise msgspec.DecodeError(str(error)) from None
    return socket.inet_ntop(socket.AF_INET6, start) + "/48"
