"""``network_direction`` and its named networks, against the bytes of the addresses."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.esql.errors import EsqlError
from tests.detector.esql.test_expressions import evaluate


def is_loopback(b):
    return b[0] == 127 if len(b) == 4 else b == bytes(15) + b"\x01"


def is_link_local(b):
    return b[:2] == b"\xa9\xfe" if len(b) == 4 else b[0] == 0xFE and b[1] & 0xC0 == 0x80


def is_multicast(b):
    return b[0] & 0xF0 == 0xE0 if len(b) == 4 else b[0] == 0xFF


def is_node_multicast(b):
    return len(b) == 16 and b[0] == 0xFF and b[1] & 0x0F == 1


def is_link_multicast(b):
    return b[:3] == b"\xe0\x00\x00" if len(b) == 4 else b[0] == 0xFF and b[1] & 0x0F == 2


def is_unspecified(b):
    return not any(b)


def is_private(b):
    if len(b) == 16:
        return b[0] == 0xFD
    return b[0] == 10 or b[:2] == b"\xc0\xa8" or (b[0] == 172 and b[1] & 0xF0 == 16)


def is_broadcast(b):
    return b == b"\xff" * 4


def is_unicast(b):
    others = (is_broadcast, is_unspecified, is_loopback, is_multicast, is_link_local)
    return not any(each(b) for each in others)


def is_public(b):
    others = (is_private, is_loopback, is_unspecified, is_link_local, is_link_multicast)
    return not any(each(b) for each in (*others, is_node_multicast, is_broadcast))


NAMED = {
    "loopback": is_loopback,
    "global_unicast": is_unicast,
    "unicast": is_unicast,
    "link_local_unicast": is_link_local,
    "interface_local_multicast": is_node_multicast,
    "link_local_multicast": is_link_multicast,
    "multicast": is_multicast,
    "unspecified": is_unspecified,
    "private": is_private,
    "public": is_public,
}
EDGES = """
0.0.0.0 0.0.0.1 9.255.255.255 10.0.0.0 10.255.255.255 11.0.0.0 126.255.255.255 127.0.0.1
127.255.255.255 128.0.0.0 169.253.255.255 169.254.0.0 169.255.0.0 172.15.255.255 172.16.0.0
172.31.255.255 172.32.0.0 192.168.0.0 192.169.0.0 223.255.255.255 224.0.0.0 224.0.0.255
224.0.1.0 239.255.255.255 240.0.0.0 255.255.255.255 8.8.8.8 :: ::1 ::2 fc00::1 fd00::1 fdff::1
fe00::1 fe7f::1 fe80::1 febf::1 fec0::1 ff01::1 ff02::1 ff11::1 ffe2::1 ff05::1 2001:db8::1
::ffff:0:0 ::ffff:10.0.0.1 ::ffff:127.0.0.1 ::fffe:0:0
"""
ADDRESSES = st.sampled_from(EDGES.split()) | st.ip_addresses().map(str)
NETWORKS = st.sampled_from([*NAMED, "10.0.0.0/8", "8.8.8.8", "::/0", "2001:db8::/32"])


def is_inside(address, networks):
    parsed = ipaddress.ip_address(address)
    # As Java reads addresses: a mapped IPv4 address is one of IPv4.
    parsed = getattr(parsed, "ipv4_mapped", None) or parsed
    mapped = parsed.packed if parsed.version == 6 else bytes(10) + b"\xff\xff" + parsed.packed
    for network in networks:
        if network in NAMED:
            if NAMED[network](parsed.packed):
                return True
        else:
            block = ipaddress.ip_network(network)
            bits = block.prefixlen + (96 if block.version == 4 else 0)
            first = block.network_address.packed
            start = first if block.version == 6 else bytes(10) + b"\xff\xff" + first
            if int.from_bytes(mapped) >> (128 - bits) == int.from_bytes(start) >> (128 - bits):
                return True
    return False


@given(ADDRESSES, ADDRESSES, st.lists(NETWORKS, min_size=1, max_size=3, unique=True))
def test_direction_matches_oracle(source, destination, networks):
    listed = ", ".join(f'"{each}"' for each in networks)
    value, type = evaluate(f'network_direction("{source}"::ip, "{destination}"::ip, [{listed}])')
    mapped = [is_inside(address, networks) for address in (source, destination)]
    expected = {
        (True, True): "internal",
        (True, False): "outbound",
        (False, True): "inbound",
        (False, False): "external",
    }
    assert (value, type) == (expected[tuple(mapped)], "keyword")


@pytest.mark.parametrize(
    "call, value",
    [
        ('network_direction(ip, "8.8.8.8"::ip, "private")', "outbound"),
        ('netdir("8.8.8.8"::ip, ip, "10.0.0.0/8")', "inbound"),
        ("network_direction(noip, ip, mv)", None),
        ("network_direction(ip, ips, mv)", None),
        ("network_direction(ip, ip, n)", None),
        ("network_direction(ip, ip, mv)", None),
        ('network_direction(ip, ip, ["private", "no network"])', "internal"),
        ('network_direction(ip, "8.8.8.8"::ip, ["private", "no network"])', None),
        ('network_direction(ip, ip, ["10.0.0.0/255.0.0.0", "private"])', None),
    ],
)
def test_nulls_and_what_is_no_network(call, value):
    assert evaluate(call) == (value, "keyword")


def test_constant_that_is_no_network_is_refused():
    for network in ("10.0.0.0/255.0.0.0", "Private", "10.0.0.0/33"):
        with pytest.raises(EsqlError, match="network_direction: "):
            evaluate(f'network_direction(ip, ip, "{network}")')
