"""Write small databases of addresses in MaxMind's format, by its specification."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_RECORD = 24  # bits
_NO_DATA = None
_UINT16, _UINT32, _UINT64 = 5, 6, 9
_METADATA_TYPES = {"node_count": _UINT32, "build_epoch": _UINT64}


def write_database(path: Path, type: str, entries: Mapping[str, Mapping[str, Any]]) -> Path:
    """Write a database of IPv6, in which IPv4 is below ``::/96``; ``entries`` by network."""
    nodes: list[list[Any]] = [[_NO_DATA, _NO_DATA]]
    data = b""
    for network, entry in entries.items():
        _insert(nodes, _prefix(network), len(data))
        data += _encoded(dict(entry))
    tree = b"".join(_record(nodes, node[0]) + _record(nodes, node[1]) for node in nodes)
    metadata = {
        "binary_format_major_version": 2,
        "binary_format_minor_version": 0,
        "build_epoch": 1_770_000_000,
        "database_type": type,
        "description": {"en": "for tests"},
        "ip_version": 6,
        "languages": ["en"],
        "node_count": len(nodes),
        "record_size": _RECORD,
    }
    end = b"\xab\xcd\xefMaxMind.com" + _control(7, len(metadata))
    for key, value in metadata.items():
        end += _encoded(key) + _encoded(value, _METADATA_TYPES.get(key, _UINT16))
    path.write_bytes(tree + b"\0" * 16 + data + end)
    return path


def _prefix(network: str) -> str:
    parsed = ipaddress.ip_network(network)
    bits = f"{int(parsed.network_address):0{parsed.max_prefixlen}b}"[: parsed.prefixlen]
    return "0" * 96 + bits if parsed.version == 4 else bits


def _insert(nodes: list[list[Any]], bits: str, offset: int) -> None:
    """Lead the bits of a network to its entry, ``("data", offset)``."""
    node = 0
    for bit in map(int, bits[:-1]):
        if not isinstance(nodes[node][bit], int):
            nodes.append([_NO_DATA, _NO_DATA])
            nodes[node][bit] = len(nodes) - 1
        node = nodes[node][bit]
    nodes[node][int(bits[-1])] = ("data", offset)


def _record(nodes: list[list[Any]], target: Any) -> bytes:
    number = len(nodes)  # nothing there
    if isinstance(target, int):
        number = target
    elif target is not None:
        number = len(nodes) + 16 + target[1]
    return number.to_bytes(_RECORD // 8, "big")


def _encoded(value: Any, integer: int = _UINT64) -> bytes:
    match value:
        case dict():
            pairs = b"".join(_encoded(key) + _encoded(item) for key, item in value.items())
            return _control(7, len(value)) + pairs
        case list():
            return _control(11, len(value)) + b"".join(map(_encoded, value))
        case str():
            return _control(2, len(value.encode())) + value.encode()
        case float():
            return _control(3, 8) + struct.pack(">d", value)
        case int():
            content = value.to_bytes((value.bit_length() + 7) // 8, "big")
            return _control(integer, len(content)) + content
    raise TypeError(value)


def _control(type: int, size: int) -> bytes:
    """Write the control byte of a value, for sizes of up to 284."""
    extra = b""
    if size >= 29:
        size, extra = 29, bytes([size - 29])
    if type > 7:
        return bytes([size, type - 7]) + extra
    return bytes([type << 5 | size]) + extra
