"""Events as columns are what they would be one by one, by identity."""

from __future__ import annotations

import copy
import pickle
from collections import Counter
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.detection.columns import identity_set
from detector.detection.columns.event_columns import EventColumns
from detector.detection.columns.identity_set import IdentitySet
from detector.detection.event import EventCall, EventClient, KeptEvent, Position, Series
from detector.detection.event import unite_events as unite
from detector.formats.native.columns import identities_in

ONE, TWO = Series("one", ("k",)), Series("two", ("k",))
kinds = st.builds(
    KeptEvent,
    st.just(0),
    st.just(EventClient(*"abcdefghi")),
    st.sampled_from([EventCall("s3", "Get", ""), EventCall("s3", "Put", "denied")]),
    st.sampled_from(["eu", "us"]),
    st.sampled_from(["", "ASIA1"]),
    st.sampled_from([None, "event-1"]),
    st.just(Position("", 0, 0)),
    st.sampled_from([(), ((ONE, (1,)),), ((ONE, (2,)), (TWO, ()))]),
    st.sampled_from([(), ((9, ((TWO, (1,)),)),)]),
)
names = st.integers(0, 9).map(lambda number: bytes([number]) * 16)
places = st.builds(
    Position, st.sampled_from("ab"), st.sampled_from([0, 1 << 40]), st.integers(0, 3)
)
events = st.tuples(names, st.tuples(st.integers(-3, 3), places))
runs = st.lists(st.tuples(kinds, st.lists(events, max_size=4)), max_size=8)
Runs = list[tuple[KeptEvent, list[tuple[bytes, tuple[int, Position]]]]]


def columns_of(content: Runs) -> EventColumns:
    """Return events, added by their kinds."""
    columns = EventColumns()
    for kind, them in content:
        for name, (time, place) in them:
            chunk = columns.chunk_number(place.source, place.offset)
            columns.add_alike(kind, chunk, name, [time], [place.index])
    return columns


def events_of(content: Runs) -> dict[bytes, KeptEvent]:
    """Return the same, added one by one."""
    found: dict[bytes, KeptEvent] = {}
    for kind, them in content:
        for name, (time, place) in them:
            event = kind.placed(time, place)
            found[name] = unite(name, found[name], event) if name in found else event
    return found


def sent(columns: EventColumns) -> EventColumns:
    arrived: EventColumns = pickle.loads(pickle.dumps(columns))
    return arrived


@given(runs, st.sampled_from([lambda columns: columns, sent, copy.deepcopy]))
def test_columns_hold_what_was_added(
    content: Runs, bring: Callable[[EventColumns], EventColumns]
) -> None:
    columns, expected = bring(columns_of(content)), events_of(content)
    assert columns.added == sum(len(them) for _, them in content)
    assert dict(columns) == expected
    assert (columns == expected, len(columns)) == (True, len(expected))
    assert identities_in(bytes(columns.identities)) == columns.names() == list(expected)
    assert columns.counts() == Counter(event.position.source for event in expected.values())
    assert columns.times_by_identity() == {name: each.time for name, each in expected.items()}
    assert all(name in columns for name in expected)
    assert columns.get(bytes(16)[:8]) is None


@given(runs, runs)
def test_union_is_that_of_the_events(one: Runs, other: Runs) -> None:
    columns = columns_of(one)
    columns.add_all(columns_of(other))
    expected = events_of(one)
    for name, event in events_of(other).items():
        expected[name] = unite(name, expected[name], event) if name in expected else event
    assert dict(columns) == expected == dict(EventColumns(expected))


@given(runs, names, kinds)
def test_events_are_left_out_and_replaced(content: Runs, name: bytes, kind: KeptEvent) -> None:
    columns, expected = columns_of(content), events_of(content)
    left = {each: event for each, event in expected.items() if each != name}
    assert dict(columns.without({name})) == left
    regions = columns.with_kinds(lambda event: msgspec.structs.replace(event, region="x"))
    assert dict(regions) == {
        each: msgspec.structs.replace(event, region="x") for each, event in expected.items()
    }
    if name in expected:
        columns[name] = expected[name] = kind.placed(5, Position("c", 0, 0))
    assert dict(columns) == expected


@given(runs, st.data())
def test_selected_rows_are_united_too(content: Runs, data: st.DataObject) -> None:
    """Records that claim one identity have a row each until then."""
    columns, left = columns_of(content), []
    is_selected = []
    for kind, them in content:
        chosen = [data.draw(st.booleans()) for _ in them]
        is_selected += chosen
        left.append((kind, [each for each, is_left in zip(them, chosen, strict=True) if is_left]))
    selected, expected = columns.selected(is_selected), events_of(left)
    assert selected.added == sum(is_selected)
    assert selected.times_by_identity() == {name: each.time for name, each in expected.items()}
    assert dict(selected) == expected
    columns.unite()
    assert dict(columns.selected([True] * len(columns))) == events_of(content)


def test_events_of_a_kind_share_it() -> None:
    kind = KeptEvent(
        0, EventClient(*"abcdefghi"), EventCall("s3", "Get", ""), "eu", "", None, Position("", 0, 0)
    )
    columns = columns_of([(kind, [(bytes([n]) * 16, (n, Position("a", 0, n))) for n in range(9)])])
    twice = EventColumns()
    for _ in range(2):
        twice.add_all(columns)
    assert twice.kinds == [kind]
    assert len(twice) == 9
    assert twice.kinds == [kind]
    for some in (columns.without({bytes(16)}), columns.with_kinds(lambda each: each)):
        some.add_all(columns)
        assert (some.kinds, len(some)) == ([kind], 9)


def test_copies_of_a_kind_stay_of_it() -> None:
    """Whichever of them stands."""
    kind = KeptEvent(
        0, EventClient(*"abcdefghi"), EventCall("s3", "Get", ""), "eu", "", None, Position("", 0, 0)
    )
    copies = [(bytes(16), (7, Position("a", 0, number))) for number in (2, 1, 3)]
    columns = columns_of([(kind, copies)])
    assert dict(columns) == {bytes(16): kind.placed(7, Position("a", 0, 1))}
    assert columns.kinds == [kind]


@given(st.sets(st.binary(min_size=16, max_size=16), max_size=400), st.binary(min_size=16))
def test_identity_set_knows_what_was_added(identities: set[bytes], other: bytes) -> None:
    """Also where it has grown."""
    known = IdentitySet()
    halves = b"".join(sorted(identities)[::2]), b"".join(sorted(identities)[1::2])
    assert sum(map(known.add_all, halves)) == len({each[:8] for each in identities})
    assert not known.add_all(b"")
    assert all(identity in known for identity in identities)
    assert all(known.has_any(other[:16] + identity) for identity in identities)
    assert list(known.among(b"".join(identities))) == list(range(len(identities)))
    for absent in (other[:16], other[:16] * 2, *(other[:8] + each[:8] for each in identities)):
        assert known.has_any(absent) == (other[:16] in known)
    assert not known.has_any(b"")
    assert other[:8] in {identity[:8] for identity in identities} or other[:16] not in known


def test_marks_of_each_set_have_places_of_its_own() -> None:
    """A writer of logs who knew them could choose identities that all have one place."""
    factors = {IdentitySet()._table.factor for _ in range(40)}
    assert len(factors) == 40
    assert all(factor % 2 and factor < 1 << 64 for factor in factors)


@pytest.mark.parametrize(
    ("added", "bits"), [([48], 6), ([49], 7), ([48, 48], 7), ([48, 49], 8), ([0], 6), ([192], 8)]
)
def test_a_quarter_of_the_marks_is_free(added: list[int], bits: int) -> None:
    known, first = IdentitySet(), 1
    for count in added:
        names = range(first, first + count)
        known.add_all(b"".join(number.to_bytes(16, "little") for number in names))
        first += count
    assert (identity_set._BITS, known._table.bits) == (6, bits)
    table = known._table
    known.add_all(b"")
    assert known._table is table
