"""A record that a container's runtime cut into several lines is one record."""

from __future__ import annotations

import gzip
import itertools
import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.formats import chunks, pieces
from detector.store import Store
from tests.detector.formats.sweeps import RECORDS, expected, read, users
from tests.detector.trail import sweep, watch, write


def cut(text: str, size: int) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]


def kubernetes(text: str, size: int, stream: str = "stdout") -> list[str]:
    *parts, last = cut(text, size)
    stamp = f"2026-03-01T11:30:00.123456789Z {stream}"
    return [*(f"{stamp} P {part}" for part in parts), f"{stamp} F {last}"]


def docker(text: str, size: int, stream: str = "stdout") -> list[str]:
    times = itertools.count()
    return [
        json.dumps({"log": part, "stream": stream, "time": f"2026-03-01T11:30:{next(times):02}Z"})
        for part in cut(text + "\n", size)
    ]


def fluentd(text: str, size: int, stream: str = "stdout") -> list[str]:
    parts = cut(text, size)
    return [
        json.dumps(
            {
                "log": part,
                "source": stream,
                "partial_message": "true",
                "partial_id": text[-40:],
                "partial_last": str(number == len(parts)).lower(),
            }
        )
        for number, part in enumerate(parts, start=1)
    ]


WRITERS: dict[str, Callable[..., list[str]]] = {
    "Kubernetes": kubernetes,
    "Docker": docker,
    "fluentd": fluentd,
}
TEXTS = [json.dumps(record) for record in RECORDS]


def joined(rows: list[str]) -> bytes:
    return "".join(f"{row}\n" for row in rows).encode()


@pytest.mark.parametrize("writer", WRITERS)
@given(st.integers(90, 2000), st.booleans())
def test_pieces_of_any_size_are_joined(writer: str, size: int, is_packed: bool) -> None:
    for records in (RECORDS, users()):
        rows = [row for record in records for row in WRITERS[writer](json.dumps(record), size)]
        data = joined(rows)
        assert read(gzip.compress(data) if is_packed else data) == expected(records)


@pytest.mark.parametrize("writer", WRITERS)
def test_pieces_of_streams_may_lie_between_each_other(writer: str) -> None:
    rows: list[str] = []
    for one, other in zip(TEXTS[::2], TEXTS[1::2], strict=True):
        columns = (WRITERS[writer](one, 300), WRITERS[writer](other, 350, "stderr"))
        rows += [row for pair in itertools.zip_longest(*columns) for row in pair if row]
    events, reasons = read(joined(rows))
    assert (sorted(events), reasons) == (sorted(expected().events), {})


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("lost", ["the last", "a middle one"])
def test_lost_piece_costs_its_record_only(writer: str, lost: str) -> None:
    rows = [
        WRITERS[writer](text, 200 if number == 4 else 9999) for number, text in enumerate(TEXTS)
    ]
    del rows[4][-1 if lost == "the last" else 2]
    events, reasons = read(joined([row for record in rows for row in record]))
    assert events == expected([*RECORDS[:4], *RECORDS[5:]]).events
    assert reasons == {"not-json": 1}


def test_whole_records_without_line_ends_are_not_joined() -> None:
    rows = [json.dumps({"date": 1.7e9, "log": text}) for text in TEXTS]
    rows[3] = json.dumps({"date": 1.7e9, "log": TEXTS[3][:400]})
    events, reasons = read(joined(rows))
    assert events == expected([*RECORDS[:3], *RECORDS[4:]]).events
    assert sum(reasons.values()) == 1


@pytest.mark.parametrize("writer", WRITERS)
def test_record_over_the_end_of_a_chunk_is_whole(
    writer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit, size in (("BLOCK", 500), ("SNIFF", 3000), ("LINES_CHUNK", 1500)):
        monkeypatch.setattr(chunks, limit, size)
    rows = [row for text in TEXTS for row in WRITERS[writer](text, 180)]
    assert read(joined(rows)) == expected()


def test_pieces_without_end_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "LINES_CHUNK", 5000)
    monkeypatch.setattr(chunks, "LINE_CAP", 50_000)
    monkeypatch.setattr(pieces, "PIECES_CAP", 20_000)
    endless = [json.dumps({"log": '{"eventName": "' + "x" * 500, "stream": "stdout"})] * 300
    rows = [*endless, *(row for text in TEXTS for row in docker(text, 9999))]
    events, reasons = read(joined(rows))
    assert events == expected().events
    assert set(reasons) == {"not-json"}


@pytest.mark.parametrize("writer", ["Kubernetes", "Docker"])
def test_record_is_read_live_when_its_last_piece_has_come(writer: str, tmp_path: Path) -> None:
    rows = [row for record in sweep(10) for row in WRITERS[writer](json.dumps(record), 150)]
    ends = [0, 1, 2, 3, 17, 18, len(rows) - 1, len(rows)]
    log = write(tmp_path / "logs", "app.log", b"")

    def append(first: int, last: int) -> None:
        with log.open("ab") as file:
            file.write(joined(rows[first:last]))

    steps = [lambda part=part: append(*part) for part in itertools.pairwise(ends)]
    with closing(Store.open(tmp_path / "hunt.db")) as store:
        run = watch(store, log.parent, *steps)
    assert [len(alert.event_ids) for alert in run.alerts] == [10]
    assert run.accounting.records_seen == 10 and not run.accounting.records_rejected
