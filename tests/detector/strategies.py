"""Hypothesis strategies: records, and the ways in which they reach a disk."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from hypothesis import strategies as st

from tests.detector.trail import ACCOUNT, ANA, REGIONS, Raw, call, lines, members

PRINCIPALS = (ANA, f"arn:aws:sts::{ACCOUNT}:assumed-role/inventory/nightly", None, "", "none")
EDGES = (0, 1, 14, 29, 30, 31, 44, 59, 60)


# records


class Trail(list[Raw]):
    """Records that are told in few words when a test fails."""

    def __repr__(self) -> str:
        return "\n".join(
            f"{record.get('eventID')!r} {record.get('eventTime')} {record.get('awsRegion')} "
            f"{record['userIdentity'].get('arn')!r} {record['eventName']}"
            for record in self
        )


@st.composite
def bursts(draw: st.DrawFn) -> list[Raw]:
    """One principal's calls to many regions, near the edges of windows: often just enough for an
    alert, often not."""
    arn = draw(st.sampled_from(PRINCIPALS))
    begin = draw(st.sampled_from(EDGES))
    pace = draw(st.sampled_from([0, 1, 2, 3, 4, 7]))
    count = draw(st.integers(8, len(REGIONS)))
    changed = draw(
        st.sampled_from(
            [
                {},
                {},
                {"errorCode": "Client.UnauthorizedOperation"},
                {"sourceIPAddress": "ec2.amazonaws.com"},
                {"sourceIPAddress": "2001:DB8::1"},
                {"recipientAccountId": "444455556666"},
                {"eventCategory": "Data"},
                {"userAgent": "Boto3/1.39"},
            ]
        )
    )
    late = draw(
        st.dictionaries(
            st.integers(0, count - 1), st.sampled_from([-30, -1, 1, 29, 30, 31]), max_size=3
        )
    )
    return [
        call(60 + begin + place * pace + late.get(place, 0), region, arn=arn, **changed)
        for place, region in enumerate(REGIONS[:count])
    ]


NOT_COUNTED: tuple[dict[str, Any], ...] = (
    {"eventName": "DescribeRegions"},
    {"eventSource": "sts.amazonaws.com"},
    {"eventCategory": "Insight"},
    {"eventCategory": "NetworkActivity"},
    {"eventName": "describeinstances"},
)
BROKEN_TIMES = ("", "yesterday", "2026-02-30T10:00:00Z", "2026-03-01", "10:00:00Z")
OTHER_TIMES = ("2026-03-01T10:01:29.999Z", "2026-03-01T11:01:30+01:00", "2026-03-01T10:01:31")


@st.composite
def oddities(draw: st.DrawFn) -> Raw:
    """A record that does not count, or does so in an unusual way."""
    record = call(
        draw(st.integers(60, 125)),
        draw(st.sampled_from(REGIONS)),
        arn=draw(st.sampled_from(PRINCIPALS)),
    )
    kind = draw(
        st.sampled_from(
            ["other", "no-time", "broken-time", "other-time", "no-id", "empty-id", "no-region"]
        )
    )
    if kind == "other":
        record.update(draw(st.sampled_from(NOT_COUNTED)))
    elif kind == "broken-time":
        record["eventTime"] = draw(st.sampled_from(BROKEN_TIMES))
    elif kind == "other-time":
        record["eventTime"] = draw(st.sampled_from(OTHER_TIMES))
    elif kind == "empty-id":
        record["eventID"] = ""
    else:
        del record[{"no-time": "eventTime", "no-id": "eventID", "no-region": "awsRegion"}[kind]]
    return record


@st.composite
def trails(draw: st.DrawFn) -> Trail:
    """Records in any order, some of them several times; a few have lost their eventID."""
    records = [
        record for burst in draw(st.lists(bursts(), min_size=1, max_size=4)) for record in burst
    ]
    for place in draw(st.sets(st.integers(0, len(records) - 1), max_size=3)):
        records[place] = {
            name: value for name, value in records[place].items() if name != "eventID"
        }
    # Bursts may meet at one second in one region; then they are two events, unlike the copies
    # below.
    records = [
        {**record, "eventID": f"{place}:{record['eventID']}"} if "eventID" in record else record
        for place, record in enumerate(records)
    ]
    records += [
        {**record, "eventID": f"odd-{place}"} if record.get("eventID") else record
        for place, record in enumerate(draw(st.lists(oddities(), max_size=4)))
    ]
    records += [
        dict(reversed(record.items()))
        for record in draw(st.lists(st.sampled_from(records), max_size=6))
    ]
    return Trail(draw(st.permutations(records)))


# the ways to disk


def _lined(records: Sequence[Raw], opening: bytes, ending: bytes) -> bytes:
    return opening + b",\n".join(json.dumps(record).encode() for record in records) + ending


LAYOUTS: dict[str, Callable[[Sequence[Raw]], bytes]] = {
    "trail": lambda records: json.dumps({"Records": records}, separators=(",", ":")).encode(),
    "trail, pretty": lambda records: json.dumps({"Records": records}, indent=2).encode(),
    "trail, a record a line": lambda records: _lined(records, b'{"Records": [\n', b"\n]}\n"),
    "array": lambda records: json.dumps(records, ensure_ascii=False).encode(),
    "array, pretty": lambda records: json.dumps(records, indent=1).encode() + b"\n",
    "array, a record a line": lambda records: _lined(records, b"[\n", b"\n]\n"),
    "lines": lines,
    "lines, blank ones between": lambda records: b"\n \n".join(
        json.dumps(record).encode() for record in records
    ),
    "a trail a line": lambda records: b"".join(
        json.dumps({"Records": [record]}).encode() + b"\n" for record in records
    ),
}
SINGLE = ("single", "single, pretty")


class File(NamedTuple):
    name: str
    content: bytes
    how: str

    def __repr__(self) -> str:
        return f"{self.name}: {self.how}, {len(self.content)} bytes"


@st.composite
def files(draw: st.DrawFn, records: Sequence[Raw]) -> list[File]:
    """The records as files: split anyhow, each part in a layout and container of its own."""
    cuts = sorted(draw(st.lists(st.integers(0, len(records)), max_size=4)))
    parts = [records[a:b] for a, b in zip([0, *cuts], [*cuts, len(records)], strict=True) if a < b]
    made = []
    for number, part in enumerate(parts):
        layout = draw(st.sampled_from(["lines", *LAYOUTS, *SINGLE, "lines"]))
        if layout in SINGLE:
            contents = [
                json.dumps(record, indent=4 if layout == "single, pretty" else None).encode()
                for record in part
            ]
        else:
            contents = [LAYOUTS[layout](part)]
        for place, content in enumerate(contents):
            name = f"{draw(st.sampled_from(['', 'eu/2026/', 'us/']))}{number}-{place}.json"
            made.append(draw(packed(name, content, layout)))
    return made


@st.composite
def packed(draw: st.DrawFn, name: str, content: bytes, how: str) -> File:
    if draw(st.booleans()):
        content, how = content.replace(b"\n", b"\r\n"), how + ", CRLF"
    if draw(st.integers(0, 3)) == 0:
        content, how = b"\xef\xbb\xbf" + content, how + ", BOM"
    match draw(st.sampled_from(["plain", "plain", "gzip", "members"])):
        case "gzip":
            return File(name + ".gz", gzip.compress(content, 1, mtime=0), how + ", gzip")
        case "members":
            return File(
                name + ".gz", members(content, draw(st.integers(100, 2000))), how + ", gzip members"
            )
    return File(name, content, how)


@st.composite
def cuts(draw: st.DrawFn, content: bytes) -> list[bytes]:
    """``content`` in up to three pieces, as it is written: cut anywhere, or where something seems
    complete."""
    complete = [found.end() for found in _COMPLETE.finditer(content)]
    places = st.integers(0, len(content))
    if complete:
        places |= st.sampled_from(complete) | st.sampled_from(complete[:2])
    ends = sorted(draw(st.lists(places, max_size=2)))
    return [
        content[begin:end] for begin, end in zip([0, *ends], [*ends, len(content)], strict=True)
    ]


_COMPLETE = re.compile(rb"\}(?=,?\r?\n|$)|\n")
