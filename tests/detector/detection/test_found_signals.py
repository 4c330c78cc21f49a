"""Signals as columns, against a list of them."""

from __future__ import annotations

import pickle

from hypothesis import given
from hypothesis import strategies as st

from detector.detection.event import EventCall, EventClient, KeptEvent, Position
from detector.detection.signals.found_signals import Signal, Signals
from detector.ingest.pickle_stream import StreamPickler, StreamUnpickler

CALL = EventCall("ec2.amazonaws.com", "StopInstances", "")
clients = st.builds(
    lambda arn, key: EventClient("1", "IAMUser", arn, key, "", "1", "", "", ""),
    st.sampled_from(["arn:a", "arn:b"]),
    st.sampled_from(["", "AKIA1"]),
)
kinds = st.builds(
    KeptEvent,
    time=st.integers(0, 3),
    client=clients,
    call=st.just(CALL),
    region=st.just("eu-west-1"),
    issued_key=st.sampled_from(["", "", "ASIA1"]),
    event_id=st.sampled_from([None, "odd"]),
    position=st.builds(
        Position, st.sampled_from("ab"), st.sampled_from([0, 100]), st.integers(0, 2)
    ),
)
single = st.builds(
    Signal,
    st.integers(0, 3).map(lambda number: bytes([number]) * 16),
    kinds,
    st.sampled_from([(), ("denied",), ("denied", "snapshot")]),
)
lists = st.lists(single, max_size=8)


@given(lists, lists, st.sets(st.sampled_from("ab")))
def test_signals_are_those_that_were_added(
    one: list[Signal], other: list[Signal], paths: set[str]
) -> None:
    """Some come from another process; records that claim one identity are all there."""
    signals = Signals.of(one)
    signals.add_all(pickle.loads(pickle.dumps(Signals.of(other))))
    found = one + other
    assert list(signals) == found
    assert list(signals.flagged()) == [each for each in found if each.flags]
    outside = [each for each in found if each.row.position.source not in paths]
    assert list(signals.outside(paths)) == outside
    assert signals.opened_sessions() == [
        each.row.event(each.identity) for each in found if each.row.issued_key
    ]
    names = {
        (each.row.client.arn, each.row.client.access_key, each.row.issued_key) for each in found
    }
    assert signals.names() == {"" for _ in found} | {name for each in names for name in each}


@given(kinds, st.lists(st.sampled_from([("denied",), ("snapshot",)]), max_size=4))
def test_one_event_may_raise_different_flags(
    event: KeptEvent, flags: list[tuple[str, ...]]
) -> None:
    signals = Signals()
    for number, raised in enumerate(flags):
        signals.add(event, raised, ("a", 0), bytes([number]) * 16, [5], [number])
    assert [each.flags for each in signals] == flags
    assert [each.row.time for each in signals] == [5] * len(flags)


@given(kinds, st.integers(1, 4))
def test_signals_of_one_event_and_its_flags_are_of_one_kind(event: KeptEvent, count: int) -> None:
    signals = Signals()
    for number in range(count):
        signals.add(event, ("denied",), ("a", 0), bytes([number]) * 16, [5], [number])
    assert list(signals.kinds()) == [(event, ("denied",))]


def test_a_kind_that_is_sent_once_has_the_flags_of_each_file() -> None:
    """A process searches file after file, and what raises flags may differ by the record."""
    client = EventClient("1", "IAMUser", "arn:a", "", "", "1", "", "", "")
    kind = KeptEvent(0, client, CALL, "eu-west-1", "", None, Position("a", 0, 0))
    sender, receiver, found = StreamPickler(), StreamUnpickler(), Signals()
    expected = [("denied",), ("denied", "snapshot"), ("denied",), ("snapshot",)]
    for number, flags in enumerate(expected):
        signals = Signals()
        # Two of them claim one identity.
        for index in range(2):
            signals.add(kind, flags, ("a", number), bytes([number]) * 16, [number], [index])
        found.add_all(receiver.loads(sender.dumps(signals)))
    places = [(each.row.position.offset, each.row.position.index) for each in found]
    assert places == [(number, index) for number in range(4) for index in range(2)]
    assert [each.flags for each in found] == [flags for flags in expected for _ in range(2)]
