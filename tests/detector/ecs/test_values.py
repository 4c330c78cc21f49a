"""Values as texts of a log have them."""

import ipaddress

from hypothesis import example, given
from hypothesis import strategies as st

from detector.ecs.values import ip_from_text

groups = st.lists(st.sampled_from(["0", "0", "1", "db8", "FF", "0db8", "", "1.2.3.4"]), max_size=8)
addresses = st.one_of(
    st.ip_addresses().map(str),
    groups.map(":".join),
    st.text("0123456789.:af/% \0٣", max_size=16),
)


@given(addresses)
@example("1.2.3")
@example("01.2.3.4")
@example("1.2.3.4 ")
@example("1.2.3.4\0")
@example("1.2.3.٤")
@example("1.2.3.\ud800")
@example("::ffff:1.2.3.4")
@example("0:0:0:0:0:0:0:1")
@example("::1.2.3.4")
@example("1:0:0:2:0:0:0:3")
@example("2001:db8:0:1:1:1:1:1")
@example("fe80::1%eth0")
def test_an_address_has_one_text(text: str) -> None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        assert ip_from_text(text) is None
        return
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    assert ip_from_text(text) == str(mapped or address)
