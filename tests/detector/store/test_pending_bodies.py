"""What waits to be added to the days of principals is packed, and read in its older form too."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.store.activity import pending_bodies
from detector.store.activity.pending_bodies import pack_bodies, unpack_bodies


@given(st.lists(st.binary(max_size=40), max_size=9))
def test_bodies_are_unpacked_as_they_were_packed(bodies: list[bytes]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pending_bodies, "_BODIES", 4)
        rows = list(pack_bodies(bodies))
    assert len(rows) == -(-len(bodies) // 4)
    assert [body for row in rows for body in unpack_bodies(row)] == bodies


def test_chunk_of_an_older_version_is_a_row_of_its_own() -> None:
    body = msgspec.msgpack.encode([["a"], 1])
    assert unpack_bodies(body) == [body]


def test_damaged_row_is_refused() -> None:
    (row,) = pack_bodies([b"abc" * 20])
    for damaged in (row[:-6], row[:3] + b"\xff" * 9):
        with pytest.raises(msgspec.MsgspecError):
            unpack_bodies(damaged)
