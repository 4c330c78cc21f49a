"""A network is its own number in the days of principals, those of older states too."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.detection.activity.activity import MORE, DayActivity, ValueCount
from detector.detection.activity.actor import Actor
from detector.detection.baseline import network_of
from detector.store import Store, schema
from detector.store.migrations.network_numbers import NETWORK_NUMBERS
from detector.store.packing.network_numbers import network_number, numbered_network
from detector.store.packing.stored_day import decode_day

addresses = st.ip_addresses().map(str)


@given(addresses)
def test_networks_of_addresses_have_numbers(address: str) -> None:
    network = network_of(address)
    assert network is not None
    number = network_number(network)
    assert number is not None
    assert number < 0
    assert numbered_network(number) == network


@given(
    st.text(max_size=20)
    | st.builds("{}/{}".format, addresses, st.sampled_from(["", "8", "24", "48", "٢٤"]))
    | st.sampled_from(["ec2.amazonaws.com", MORE, "fe80::%eth0/48", "\0/24", "\ud800/48"])
)
def test_a_number_stands_for_one_text(network: str) -> None:
    number = network_number(network)
    assert number is None or numbered_network(number) == network


@given(st.integers(-(1 << 63), (1 << 63) - 1))
def test_number_that_no_network_has_is_damaged(number: int) -> None:
    if -(1 << 24) - (1 << 48) <= number < 0:
        assert network_number(numbered_network(number)) == number
    else:
        with pytest.raises(msgspec.MsgspecError):
            numbered_network(number)


def test_networks_of_an_older_state_get_their_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "hunt.db"
    version = schema.MIGRATIONS.index(NETWORK_NUMBERS)
    with closing(sqlite3.connect(path, isolation_level=None)) as db, monkeypatch.context() as older:
        older.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:version])
        older.setattr(schema, "SCHEMA_VERSION", version)
        schema.migrate(db)
        db.execute("INSERT INTO principal VALUES (1, 'user', 'ana', 9)")
        db.execute(
            "INSERT INTO activity_value VALUES (1, 'network', '198.51.100.0/24'), "
            "(2, 'network', '2001:db8::/48'), (3, 'network', 'ec2.amazonaws.com'), "
            "(4, 'network', ''), (5, 'region', 'eu-west-1'), (6, 'session', 'opened')"
        )
        values = [each for number in range(1, 6) for each in (number, 1, 0, 0, 0, 0)]
        body = msgspec.msgpack.encode([5, 0, 0, 0, 0, 9, 1, values])
        db.execute("INSERT INTO principal_day VALUES (1, 0, ?)", (body,))
    with closing(Store.open(path)) as store:
        networks = ["198.51.100.0/24", "2001:db8::/48", "ec2.amazonaws.com", MORE]
        of_kinds = {
            "network": {network: ValueCount(1) for network in networks},
            "region": {"eu-west-1": ValueCount(1)},
        }
        (day,) = store.activity.read(0, 1).days.values()
        assert day == DayActivity(5, 0, 0, 0, 0, 9, 1, of_kinds)
        left = store.database.rows("SELECT value_id FROM activity_value ORDER BY value_id")
        assert left == [(3,), (4,), (5,), (6,)]
        (stored,) = store.database.rows("SELECT body FROM principal_day")
        assert min(decode_day(*stored).value_ids()) < -(1 << 24)  # that of IPv6


@pytest.mark.parametrize("network", ["198.51.100.0/24", "2001:db8:1::/48", "ec2.amazonaws.com"])
def test_principals_are_found_by_networks_with_and_without_numbers(
    tmp_path: Path, network: str
) -> None:
    with closing(Store.open(tmp_path / "hunt.db")) as store:
        with store.database.transaction() as db:
            db.execute("INSERT INTO principal VALUES (1, 'user', 'ana', 9), (2, 'user', 'ben', 9)")
            number = network_number(network)
            if number is None:
                number = 1
                db.execute("INSERT INTO activity_value VALUES (1, 'network', ?)", (network,))
            db.execute("INSERT INTO activity_value VALUES (2, 'region', ?)", (network,))
            for principal_id, value_id in ((1, number), (2, 2)):
                body = msgspec.msgpack.encode([1, 0, 0, 0, 0, 9, 1, [value_id, 1, 0, 0, 0, 0]])
                db.execute("INSERT INTO principal_day VALUES (?, 0, ?)", (principal_id, body))
        found = store.activity.principals_with("network", network.__eq__, 0, 1)
        assert found == {Actor("user", "ana")}
        found = store.activity.principals_with("region", network.__eq__, 0, 1)
        assert found == {Actor("user", "ben")}
