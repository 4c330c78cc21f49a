"""Raw records: their own bytes, from every container, or one line when they are gone."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from detector.formats import chunks
from detector.investigation.raw_record import EvidenceGone, raw_record
from detector.store import Store
from tests.detector.trail import ANA, REGIONS, call, document, lines, scan, write

ODD = (
    b'{ "eventID":"odd", "eventTime" : "2026-03-01T10:00:09Z","eventName":"DescribeInstances",'
    b' "n": 1.50e+2, "eventSource":"ec2.amazonaws.com","userIdentity":{"arn":"%s"},'
    b'"awsRegion":"us-west-2","userAgent":"caf\xc3\xa9 \\u00e9 \\/ %s" , "dup":1,"dup":2 }'
)
RECORDS = [call(0, region) for region in REGIONS[:12]]


def rows(agent: bytes = b"") -> list[bytes]:
    """Records as bytes, one of them laid out as nobody would."""
    return [*(json.dumps(record).encode() for record in RECORDS), ODD % (ANA.encode(), agent)]


CONTAINERS = {
    "trail": lambda raw: b'{"Records":[' + b",".join(raw) + b"]}",
    "trail, spaced": lambda raw: (
        b'\xef\xbb\xbf \r\n{ "x" : [1], "Records" : [ \n' + b" ,\r\n ".join(raw) + b" \n] }\n"
    ),
    "array": lambda raw: b"[" + b", ".join(raw) + b"]",
    "lines": lambda raw: b"\n".join(raw) + b"\n",
    "lines, CRLF": lambda raw: b"\xef\xbb\xbf" + b"\r\n\r\n".join(raw),
    "trails, one a line": lambda raw: b"".join(b'{"Records": [ ' + each + b" ]}\n" for each in raw),
}


def events(folder: Path) -> dict[str, bytes]:
    """The raw record of each event of the alert."""
    store = Store.open(None)
    (alert,) = scan(folder, store=store).alerts
    found = {event.event_id: raw_record(event) for event in store.alerts.events(alert.alert_id)}
    store.close()
    return found


@pytest.mark.parametrize("agent", [b"", b"\xff\xfe not UTF-8", b"\\ud800 lone", b"tab\there"])
@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("container", CONTAINERS)
def test_raw_record_returns_original_bytes(
    container: str, compressed: bool, agent: bytes, tmp_path: Path
) -> None:
    raw = rows(agent)
    content = CONTAINERS[container](raw)
    write(tmp_path, "log", gzip.compress(content) if compressed else content)
    found = events(tmp_path)
    assert len(found) == 13
    assert sorted(found.values()) == sorted(raw)
    assert found["odd"] == raw[-1]


def test_single_record_document(tmp_path: Path) -> None:
    for number, raw in enumerate(rows()):
        write(tmp_path, f"{number}.json", raw + b"\n")
    assert sorted(events(tmp_path).values()) == sorted(rows())


def test_record_without_event_id(tmp_path: Path) -> None:
    records = [
        {name: value for name, value in record.items() if name != "eventID"} for record in RECORDS
    ]
    write(tmp_path, "log.json", document(records, indent=3))
    assert sorted(json.dumps(json.loads(raw)) for raw in events(tmp_path).values()) == sorted(
        map(json.dumps, records)
    )


def test_record_in_a_later_chunk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for limit, size in (("BLOCK", 1000), ("SNIFF", 3000), ("LINES_CHUNK", 1500)):
        monkeypatch.setattr(chunks, limit, size)
    write(tmp_path, "plain.jsonl", b"\n".join(rows()[:6]))
    write(tmp_path, "packed.jsonl.gz", gzip.compress(b"\n".join(rows()[6:])))
    assert sorted(events(tmp_path).values()) == sorted(rows())


@pytest.fixture
def event_in_file(tmp_path: Path) -> tuple[Path, object]:
    path = write(tmp_path, "log.json", lines(RECORDS))
    store = Store.open(None)
    (alert,) = scan(tmp_path, store=store).alerts
    event = store.alerts.events(alert.alert_id)[3]
    store.close()
    return path, event


CHANGES = {
    "deleted": lambda path: path.unlink(),
    "emptied": lambda path: path.write_bytes(b""),
    "other records": lambda path: path.write_bytes(
        lines(call(0, region, event_id=region) for region in REGIONS)
    ),
    "fewer records": lambda path: path.write_bytes(lines(RECORDS[:2])),
    "not a log any more": lambda path: path.write_bytes(b"\x00" * 5000),
    "damaged": lambda path: path.write_bytes(gzip.compress(lines(RECORDS))[:60]),
    "other JSON": lambda path: path.write_bytes(b'{"a": 1}'),
    "nested": lambda path: path.write_bytes(b"[" * 100_000),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
}


@pytest.mark.parametrize("change", CHANGES)
def test_missing_record_is_one_line(change: str, event_in_file: tuple[Path, object]) -> None:
    path, event = event_in_file
    CHANGES[change](path)  # type: ignore[no-untyped-call]
    with pytest.raises(EvidenceGone) as raised:
        raw_record(event)  # type: ignore[arg-type]
    assert str(raised.value).startswith(f"{path}: ")
    assert "\n" not in str(raised.value)


def test_grown_file_still_has_record(event_in_file: tuple[Path, object]) -> None:
    path, event = event_in_file
    with path.open("ab") as file:
        file.write(lines([call(60)]))
    assert raw_record(event) == json.dumps(RECORDS[3]).encode()  # type: ignore[arg-type]


def test_unreadable_file_is_named(
    event_in_file: tuple[Path, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, event = event_in_file

    def forbidden(*_: object, **__: object) -> object:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("os.open", forbidden)
    with pytest.raises(EvidenceGone, match="Permission denied: allow reading it"):
        raw_record(event)  # type: ignore[arg-type]
