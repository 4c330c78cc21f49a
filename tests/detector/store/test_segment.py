"""A packed segment answers what its rows do, and its columns are as narrow as their numbers."""

from __future__ import annotations

import pickle
from array import array
from uuid import UUID

import msgspec
import pytest
from isal import isal_zlib

from detector.detection.columns.event_columns import EventColumns
from detector.detection.event import (
    EVENT_TIME,
    EventCall,
    EventClient,
    KeptEvent,
    Match,
    Matches,
    Position,
    Series,
)
from detector.store.packing.body import Body
from detector.store.packing.column import Column
from detector.store.packing.packer import pack, pack_columns
from detector.store.packing.segment import (
    Packed,
    Segment,
    StoredRow,
    inputs_of,
    without_matches,
)
from detector.text.numbers import Numbers

ANA, BEN = EventClient(*"abcdefghi"), EventClient(*"ABCDEFGHI")
GET, PUT = EventCall("s3", "Get", ""), EventCall("s3", "Put", "denied")
ONE, TWO = Series("one", ("k",)), Series("two", ("k",))
ALONE: Matches = ((ONE, ("x", EVENT_TIME)),)
BOTH: Matches = ((ONE, ("y", 1)), (TWO, ("z",)))
STALE = ((-307, ALONE), (12, ((ONE, ("a", 2)),)), (605, ((TWO, ("w",)),)))


def kept(
    time: int,
    client: EventClient,
    call: EventCall,
    region: str,
    offset: int,
    index: int,
    matches: Matches = (),
    **other: object,
) -> KeptEvent:
    row = KeptEvent(time, client, call, region, "", None, Position("", offset, index), matches)
    return msgspec.structs.replace(row, **other)


def golden() -> list[StoredRow]:
    """Rows of two files: three have one time, one opened a session, others claim the last two."""
    rows = [
        (1, 0, kept(-9, ANA, GET, "eu", 0, 0, ALONE)),
        (1, 0, kept(8, ANA, PUT, "eu", 0, 300, ALONE, issued_key="ASIA1")),
        (2, 3, kept(10, BEN, GET, "us", 70_000, 2, BOTH)),
        (1, 0, kept(10, ANA, GET, "us", 70_000, 1, event_id="event-3")),
        (2, 3, kept(10, BEN, PUT, "eu", 0, 7, ALONE)),
        (2, 4, kept(601, ANA, GET, "eu", 0, 9, (*BOTH,), stale=STALE)),
        (2, 3, kept(700, BEN, GET, "us", 0, 8, stale=((705, ALONE),))),
    ]
    return [
        StoredRow(bytes([16 * number + 1]) * 16, row, file_id, generation)
        for number, (file_id, generation, row) in enumerate(rows)
    ]


@pytest.fixture(params=["as packed", "as stored"])
def segment(request: pytest.FixtureRequest) -> Segment:
    packed = pack(golden())
    if request.param == "as packed":
        return packed.segment()
    return Segment.unpack(packed.identities, packed.body())


def test_packed_rows_are_summed_up() -> None:
    packed = pack(golden())
    identities = b"".join(stored.identity for stored in golden())
    assert packed == Packed(-9, 700, 7, {"one": 8, "two": 3}, identities, packed.content)


def test_segment_answers_as_its_rows_do(segment: Segment) -> None:
    rows = golden()
    assert segment.rows() == rows
    assert (len(segment), list(segment.times)) == (7, [-9, 8, 10, 10, 10, 601, 700])
    for number, (identity, row, file_id, generation) in enumerate(rows):
        position = row.position
        assert segment.identity(number) == identity
        assert segment.stored(number) == (identity, row, file_id, generation)
        assert segment.client(number) == row.client
        assert segment.call(number) == row.call
        assert segment.region(number) == row.region
        assert segment.file_id(number) == file_id
        assert segment.place(number) == (file_id, position.offset, position.index)
        assert segment.opens_session(number) == (row.issued_key != "")
        assert segment.event_id(number) == (row.event_id or str(UUID(bytes=identity)))
        assert segment.matches(segment.match[number]) == row.matches
        assert segment.stale(number) == row.stale
        named = msgspec.structs.replace(position, source="a.json")
        assert segment.row(number, "a.json") == msgspec.structs.replace(row, position=named)
    assert segment.file_ids() == {1, 2}
    assert list(segment.stale_rows()) == [5, 6]


def test_common_parts_differ_where_rows_do_beside_time_and_place() -> None:
    rows = [
        kept(1, ANA, GET, "eu", 0, 0, ALONE),
        kept(2, BEN, GET, "eu", 0, 0, ALONE),
        kept(3, ANA, PUT, "eu", 0, 0, ALONE),
        kept(4, ANA, GET, "us", 0, 0, ALONE),
        kept(5, ANA, GET, "eu", 0, 0, BOTH),
        kept(6, ANA, GET, "eu", 0, 0, ALONE, issued_key="ASIA1"),
        kept(7, ANA, GET, "eu", 0, 0, ALONE, event_id="event-1"),
        kept(8, ANA, GET, "eu", 0, 0, ALONE, event_id="event-2"),
        kept(9, ANA, GET, "eu", 70_000, 9, ALONE),
    ]
    stored = [StoredRow(bytes([number]) * 16, row, 1, 0) for number, row in enumerate(rows)]
    parts = list(map(pack(stored).segment().common_parts, range(len(rows))))
    assert parts[0] == parts[-1]
    assert len(set(parts)) == len(rows) - 1


def test_rows_are_found_by_identity_and_time(segment: Segment) -> None:
    for number, stored in enumerate(golden()):
        assert segment.find(stored.identity, stored.row.time) == number
    last = golden()[-1].identity
    for time in (-10, 8, 9, 10, 601, 701):
        assert segment.find(last, time) is None


def test_equal_parts_are_packed_once(segment: Segment) -> None:
    assert [len(each) for each in (segment.series, segment.numbered_matches)] == [2, 5]
    assert segment.row(0).matches is segment.row(4).matches
    assert segment.client(0) is segment.client(1)
    values = pack(golden()).content.parts.values
    assert len(values) == len({(type(each), each) for each in values})
    assert segment.parts == 7 // 4 + len(values)


@pytest.mark.parametrize("series", [ONE, TWO, Series("one", ("other",))])
@pytest.mark.parametrize("width", [1, 10, 1000])
def test_hits_between_are_those_that_each_row_is(
    segment: Segment, series: Series, width: int
) -> None:
    """Of a row that several records claim, those in the same bucket count."""
    rows = [stored.row for stored in golden()]
    hits = {number: inputs_of(row, series, width) for number, row in enumerate(rows)}
    for start in (-10, -9, 8, 10, 11, 601, 602, 701):
        for end in (-9, 9, 10, 11, 601, 700, 701):
            found = list(segment.hits_between(series, start, end, width))
            wanted = [
                number
                for number, row in enumerate(rows)
                if start <= row.time < end and hits[number] is not None
            ]
            assert found == wanted
    for number, stored in enumerate(golden()):
        hit = segment.hit(number, series, width)
        inputs = hits[number]
        assert hit == (inputs and (stored.row.time, stored.identity, inputs, stored.row))


@pytest.mark.parametrize(
    ("series", "width", "wanted"),
    [
        (ONE, 1, ("y", 1)),
        (ONE, 700, ("a", 2)),
        (TWO, 1, ("z",)),
        (TWO, 10, ("w",)),
        (Series("three", None), 10, None),
    ],
)
def test_smallest_inputs_of_a_bucket_stand(
    series: Series, width: int, wanted: tuple[object, ...] | None
) -> None:
    assert inputs_of(golden()[5].row, series, width) == wanted


def test_inputs_are_compared_as_they_are_packed() -> None:
    """Numbers and none of them, which Python does not compare; -1 is packed as a larger byte."""
    claimed = tuple((0, ((ONE, (each,)),)) for each in (None, -1, 1, "x"))
    row = kept(0, ANA, GET, "eu", 0, 0, ((ONE, (2,)),), stale=claimed)
    assert inputs_of(row, ONE, 60) == (1,)


def test_stale_hits_are_counted_in_order() -> None:
    """An event that is a hit only by another record stands between those that are by their own."""
    stale = ((2, ((ONE, ("x", EVENT_TIME)),)), (3, ((ONE, ("x", 1)),)))
    rows = [
        kept(1, ANA, GET, "eu", 0, 0, ALONE),
        kept(2, ANA, GET, "eu", 0, 1, stale=stale),
        kept(3, ANA, GET, "eu", 0, 2, ALONE),
    ]
    packed = pack([StoredRow(bytes([row.time] * 16), row, 1, 0) for row in rows])
    assert packed.hits == {"one": 4}
    segment = packed.segment()
    assert segment.numbers_of(ONE) == [0, 1, 2]
    assert list(segment.hits_between(ONE, 0, 9, 1)) == [0, 1, 2]


def test_rows_are_counted_by_file_and_given_to_another(segment: Segment) -> None:
    """Files have numbers until they are written; what is left is as it was."""
    assert pack(segment.rows()).counts() == {1: 3, 2: 4}
    placed = pack(segment.rows()).placed([70, 71, 72], 9)
    assert placed.counts() == {71: 3, 72: 4}
    assert placed.segment().rows() == [
        row._replace(file_id=70 + row.file_id, generation=9) for row in golden()
    ]


def test_packed_rows_travel_between_processes() -> None:
    packed = pack(golden())
    travelled = pickle.loads(pickle.dumps(packed))
    assert travelled.body() == packed.body()
    assert travelled._replace(content=packed.content) == packed
    assert travelled.segment().rows() == golden()


VALUES = [None, False, True, 0, 1, 0.0, 1.0, -1, "", "1", EVENT_TIME, ["a", None], [], 1 << 63]


def test_values_of_each_type_are_kept_as_they_are() -> None:
    """Python takes some of them for equal, and cannot hash others; a rule's keys have one type."""
    keys = [(value,) for value in VALUES if not isinstance(value, list)]
    series = [Series(f"rule {number}", key) for number, key in enumerate(keys)]
    series += [Series("one", ()), Series("one", None), Series("one", ("a", "b"))]
    matches = [(each, tuple(VALUES[:number])) for number, each in enumerate(series)]
    rows = [
        StoredRow(bytes([time] * 16), kept(time, ANA, GET, "eu", 0, 0, (match,)), 1, 0)
        for time, match in enumerate(matches)
    ]
    packed = pack(rows)
    for segment in (packed.segment(), Segment.unpack(packed.identities, packed.body())):
        found = [segment.row(number).matches for number in range(len(rows))]
        assert list(map(repr, found)) == [repr((match,)) for match in matches]


def test_rows_have_the_parts_of_many_kinds() -> None:
    """Events of more kinds than a segment has rows share tables; each segment has its own parts."""
    events = [
        kept(time, ANA._replace(arn=f"arn:{time % 700}"), GET, f"r-{time % 9}", 0, time, match)
        for time, match in enumerate([ALONE, BOTH, ()] * 3000)
    ]
    columns = EventColumns({time.to_bytes(16): event for time, event in enumerate(events)})
    segments = list(pack_columns(columns, {"": 7}, 3))
    assert len(segments) == 2
    rows = [stored for packed in segments for stored in packed.segment().rows()]
    assert rows == [StoredRow(time.to_bytes(16), event, 7, 3) for time, event in enumerate(events)]
    assert sum(packed.hits["one"] for packed in segments) == 6000


def test_segments_of_the_first_form_are_read() -> None:
    packed = pack(golden())
    assert Segment.unpack(packed.identities, first_form(golden())).rows() == golden()
    assert Body.unpack(first_form(golden())) == packed.content


def first_form(rows: list[StoredRow]) -> bytes:
    """Return the body of a segment as the first versions stored it."""
    events = [stored.row for stored in rows]
    clients, calls = Numbers[EventClient](), Numbers[EventCall]()
    regions, series, matches = Numbers[str](), Numbers[Series](), Numbers[Matches]()
    chunks = Numbers[tuple[int, int, int]]()

    def numbered(these: Matches) -> list[object]:
        return [(series[each], inputs) for each, inputs in these]

    columns = [
        Column.of(array("i", numbers))
        for numbers in (
            [event.time - events[0].time for event in events],
            [clients[event.client] for event in events],
            [calls[event.call] for event in events],
            [regions[event.region] for event in events],
            [
                chunks[stored.file_id, stored.row.position.offset, stored.generation]
                for stored in rows
            ],
            [event.position.index for event in events],
            [matches[event.matches] for event in events],
        )
    ]
    time, client, call, region, chunk, index, match = columns
    packed_matches = list(map(numbered, matches))
    stale = {
        row: [(time, numbered(these)) for time, these in event.stale]
        for row, event in enumerate(events)
        if event.stale
    }
    parts = [events[0].time, time, list(clients), client, list(calls), call, list(regions), region]
    parts += [{row: event.issued_key for row, event in enumerate(events) if event.issued_key}]
    parts += [{row: event.event_id for row, event in enumerate(events) if event.event_id}]
    parts += [list(chunks), chunk, index, list(series), packed_matches, match, stale]
    return isal_zlib.compress(msgspec.msgpack.encode(parts), 1)


@pytest.mark.parametrize(
    ("highest", "type_code"),
    [
        (0, "B"),
        ((1 << 8) - 1, "B"),
        (1 << 8, "H"),
        ((1 << 16) - 1, "H"),
        (1 << 16, "I"),
        ((1 << 32) - 1, "I"),
        (1 << 32, "Q"),
        ((1 << 64) - 1, "Q"),
    ],
)
def test_column_is_as_narrow_as_its_highest_number(highest: int, type_code: str) -> None:
    column = Column.of(array("Q", [0, highest, 1]))
    assert column == (type_code, array(type_code, [0, highest, 1]).tobytes())
    assert list(column.numbers()) == [0, highest, 1]


def test_damage_is_told_in_the_words_of_the_unpacker() -> None:
    with pytest.raises(isal_zlib.error) as wanted:
        isal_zlib.decompress(b"no segment")
    with pytest.raises(msgspec.MsgspecError) as told:
        Segment.unpack(bytes(16), b"no segment")
    assert str(told.value) == str(wanted.value)


@pytest.mark.parametrize("dropped", [[], [(601, ONE)], [(601, TWO), (12, ONE)], [(605, TWO)]])
def test_matches_are_dropped_by_their_time(dropped: list[tuple[int, Series]]) -> None:
    """A claim of which no match is left goes; everything else of the row stays."""
    row = golden()[5].row

    def is_dropped(time: int, match: Match) -> bool:
        return (time, match[0]) in dropped

    left = without_matches(row, is_dropped)
    claims = [
        (time, tuple(match for match in matches if (time, match[0]) not in dropped))
        for time, matches in ((601, row.matches), *row.stale)
    ]
    assert left == msgspec.structs.replace(
        row, matches=claims[0][1], stale=tuple(claim for claim in claims[1:] if claim[1])
    )
