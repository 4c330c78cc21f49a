"""Every format is read whole; whatever is not has a reason."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest

from detector.formats import chunks, decompress
from detector.formats.chunks import read_chunks
from detector.store import Store
from tests.detector.trail import REGIONS, call, document, lines, members, scan, sweep, write

SWEEP = sweep(10)
TRAIL = document(SWEEP)
LINES = lines(SWEEP)
BOM = b"\xef\xbb\xbf"

FORMS = {
    "trail": TRAIL,
    "trail, pretty": document(SWEEP, indent=2),
    "trail, a record a line": b'{"Records": [\n' + b",\n".join(LINES.split(b"\n")[:10]) + b"\n]}",
    "trail, a record alone a line": b'{"Records":\n[\n'
    + b"\n,\n".join(LINES.split(b"\n")[:10])
    + b"\n]\n}\n",
    "trail, other members first": b'{"note": [1, {}], "Records": '
    + json.dumps(SWEEP).encode()
    + b', "n": 1}',
    "array": json.dumps(SWEEP).encode(),
    "array, pretty": json.dumps(SWEEP, indent=4).encode(),
    "array, a record a line": b"[\n" + b",\n".join(LINES.split(b"\n")[:10]) + b"\n]\n",
    "lines": LINES,
    "lines, the last one not ended": LINES.rstrip(),
    "lines, blank ones between": LINES.replace(b"\n", b"\n\n \n"),
    "trails, one a line": b"".join(document([record]) + b"\n" for record in SWEEP),
    "arrays, one a line": b"".join(json.dumps([record]).encode() + b"\n" for record in SWEEP),
    "blanks around": b"\n \t\r\n" + TRAIL + b"\n\n",
}
PACKED: dict[str, Any] = {
    "plain": lambda content: content,
    "BOM": lambda content: BOM + content,
    "CRLF": lambda content: content.replace(b"\n", b"\r\n"),
    "gzip": gzip.compress,
    "gzip members": lambda content: members(content, 700),
    "gzip, zeros behind": lambda content: gzip.compress(content) + bytes(512),
    "gzip, BOM, CRLF": lambda content: gzip.compress(BOM + content.replace(b"\n", b"\r\n")),
}


@pytest.mark.parametrize("container", PACKED)
@pytest.mark.parametrize("form", FORMS)
def test_scan_reads_whole_file_of_format(form: str, container: str, tmp_path: Path) -> None:
    write(tmp_path, "log", PACKED[container](FORMS[form]))  # the content tells, not the name
    run = scan(tmp_path)
    assert [sorted(alert.event_ids) for alert in run.alerts] == [
        sorted(record["eventID"] for record in SWEEP)
    ]
    assert (run.accounting.files_read, run.accounting.records_seen, run.problems) == (1, 10, [])


def test_single_object_is_record(tmp_path: Path) -> None:
    for number, record in enumerate(SWEEP):
        write(tmp_path, f"{number}.json", json.dumps(record, indent=number % 2 or None).encode())
    run = scan(tmp_path)
    assert (len(run.alerts), run.accounting.records_seen, run.accounting.files_read) == (1, 10, 10)


@pytest.mark.parametrize(
    "content",
    [b'{"Records": []}', b"[]", gzip.compress(b'{"Records":[]}\n')],
    ids=["document", "array", "gzip"],
)
def test_file_without_records_is_read(content: bytes, tmp_path: Path) -> None:
    write(tmp_path, "quiet.json", content)
    run = scan(tmp_path)
    assert (run.accounting.files_read, run.accounting.records_seen, run.problems) == (1, 0, [])


# whole files

DAMAGED = bytearray(gzip.compress(TRAIL))
DAMAGED[len(DAMAGED) // 2] ^= 0xFF
WRONG_SUM = gzip.compress(TRAIL)[:-8] + bytes(4) + gzip.compress(TRAIL)[-4:]

FILES: dict[str, tuple[bytes, str, str]] = {
    "empty": (b"", "skipped", "empty"),
    "blank": (b" \n\t\r\n", "skipped", "empty"),
    "only a BOM": (BOM, "skipped", "empty"),
    "gzip of nothing": (gzip.compress(b""), "skipped", "empty"),
    "text": (b"hello\nworld\n", "skipped", "not-json"),
    "binary": (bytes(range(256)) * 40, "skipped", "not-json"),
    "zeros": (bytes(100_000), "skipped", "not-json"),
    "HTML": (b"<html><body>403</body></html>", "skipped", "not-json"),
    "a number": (b"42", "skipped", "not-json"),
    "a string": (b'"Records"', "skipped", "not-json"),
    "gzip of text": (gzip.compress(b"hello"), "skipped", "not-json"),
    "other JSON": (b'{"answer": 42}', "skipped", "not-cloudtrail"),
    "an empty object": (b"{}", "skipped", "not-cloudtrail"),
    "other JSON Lines": (b'{"a": 1}\n{"a": 2}\n', "skipped", "not-cloudtrail"),
    "an array of numbers": (b"[1, 2, 3]", "skipped", "not-cloudtrail"),
    "Records that are none": (b'{"Records": "none"}', "skipped", "not-cloudtrail"),
    "Records null": (b'{"Records": null}', "skipped", "not-cloudtrail"),
    "a trail cut short": (TRAIL[:-40], "quarantined", "truncated-json"),
    "a trail cut within a string": (
        TRAIL[: TRAIL.rindex(b"eventCategory") + 5],
        "quarantined",
        "truncated-json",
    ),
    "a trail with a fault": (
        TRAIL.replace(b'"awsRegion"', b'"awsRegion":', 1),
        "quarantined",
        "corrupt-json",
    ),
    "a trail and more": (TRAIL + b" x", "quarantined", "corrupt-json"),
    "gzip cut short": (gzip.compress(TRAIL)[:-20], "quarantined", "truncated-gzip"),
    "gzip cut in its header": (gzip.compress(TRAIL)[:6], "quarantined", "truncated-gzip"),
    "a second member cut short": (
        members(TRAIL, len(TRAIL) // 2 + 1)[:-9],
        "quarantined",
        "truncated-gzip",
    ),
    "gzip of a trail cut short": (gzip.compress(TRAIL[:-40]), "quarantined", "truncated-json"),
    "damaged gzip": (bytes(DAMAGED), "quarantined", "corrupt-gzip"),
    "gzip with a wrong sum": (WRONG_SUM, "quarantined", "corrupt-gzip"),
    "gzip with garbage behind": (
        gzip.compress(TRAIL) + b"garbage, not zeros",
        "quarantined",
        "corrupt-gzip",
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_foreign_file_is_reported_once_with_reason(name: str, tmp_path: Path) -> None:
    content, state, reason = FILES[name]
    path = write(tmp_path, "b", content)
    write(tmp_path, "a.json", SWEEP)
    write(tmp_path, "c.json", sweep(10, 60))
    store = Store.open(None)
    run = scan(tmp_path, store=store)
    sums = run.accounting
    counted = {"skipped": sums.files_skipped, "quarantined": sums.files_quarantined}
    assert counted == {"skipped": {}, "quarantined": {}, state: {reason: 1}}
    assert [problem.startswith(f"{state}: {path}: ") for problem in run.problems] == [True]
    assert "\n" not in run.problems[0]
    assert (sums.files_read, sums.records_seen, len(run.alerts)) == (2, 20, 2)
    rescan = scan(tmp_path, store=store)
    assert (rescan.problems, rescan.accounting) == ([], sums)
    store.close()


DIGEST = {"awsAccountId": "111122223333", "digestStartTime": "2026-03-01T09:00:00Z", "logFiles": []}


def test_digest_file_is_skipped_as_digest(tmp_path: Path) -> None:
    write(tmp_path, "digest.json.gz", gzip.compress(json.dumps(DIGEST).encode()))
    assert scan(tmp_path).accounting.files_skipped == {"digest": 1}


# single records

REJECTED = {
    "null": (b"null", "rejected", "not-cloudtrail"),
    "a number": (b"7", "rejected", "not-cloudtrail"),
    "a list": (b"[]", "rejected", "not-cloudtrail"),
    "an empty object": (b"{}", "rejected", "not-cloudtrail"),
    "another object": (b'{"a": {"eventName": "DescribeInstances"}}', "rejected", "not-cloudtrail"),
    "no time": (json.dumps(call(eventTime=None)).encode(), "rejected", "no-event-time"),
    "an empty time": (json.dumps(call(eventTime="")).encode(), "rejected", "no-event-time"),
    "no such day": (
        json.dumps(call(eventTime="2026-02-30T10:00:00Z")).encode(),
        "rejected",
        "no-event-time",
    ),
    "a time in words": (
        json.dumps(call(eventTime="yesterday")).encode(),
        "rejected",
        "no-event-time",
    ),
    "a time as a small number": (
        json.dumps(call(eventTime=1772)).encode(),
        "rejected",
        "no-event-time",
    ),
    "a time as an object": (json.dumps(call(eventTime={})).encode(), "rejected", "no-event-time"),
    "a time of 10 KB": (
        json.dumps(call(eventTime="2026-03-01T10:00:00Z" * 500)).encode(),
        "rejected",
        "no-event-time",
    ),
    "before all time": (
        json.dumps(call(eventTime="0001-01-01T00:00:00+14:00")).encode(),
        "rejected",
        "no-event-time",
    ),
    "after all time": (
        json.dumps(call(eventTime="9999-12-31T23:59:59Z")).encode(),
        "rejected",
        "no-event-time",
    ),
    "an insight": (
        json.dumps(call(eventCategory="Insight", eventName=None)).encode(),
        "skipped",
        "insight",
    ),
    "network activity": (
        json.dumps(call(eventCategory="NetworkActivity")).encode(),
        "skipped",
        "network-activity",
    ),
    "an aggregate": (
        json.dumps(call(eventCategory="Aggregated", eventTime=None)).encode(),
        "skipped",
        "aggregated",
    ),
    "a bucket's notification": (
        b'{"eventVersion":"2.1","eventSource":"aws:s3","awsRegion":"us-east-1",'
        b'"eventTime":"2026-03-01T10:00:00.000Z","eventName":"ObjectCreated:Put"}',
        "skipped",
        "s3-notification",
    ),
}
DEEP = (
    b'{"eventSource":"ec2.amazonaws.com","eventName":"DescribeInstances","eventTime":"2026-03-01T10:00:00Z",'
    b'"requestParameters":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
)


ODD = [
    (name, where)
    for name in [*REJECTED, "nested too deep"]
    for where in ("trail", "array", "lines")
]


@pytest.mark.parametrize(("name", "where"), [*ODD, ("not JSON", "lines")])
def test_odd_record_costs_itself_only(name: str, where: str, tmp_path: Path) -> None:
    odd, kind, reason = {
        **REJECTED,
        "nested too deep": (DEEP, "rejected", "nested-too-deep"),
        "not JSON": (b'{"eventTime": ', "rejected", "not-json"),
    }[name]
    rows = [json.dumps(record).encode() for record in SWEEP]
    rows.insert(5, odd)
    content = {
        "trail": b'{"Records":[%s]}' % b",".join(rows),
        "array": b"[%s]" % b",".join(rows),
        "lines": b"\n".join(rows),
    }[where]
    write(tmp_path, "log.json", content)
    run = scan(tmp_path)
    sums = run.accounting
    assert {"rejected": sums.records_rejected, "skipped": sums.records_skipped} == {
        "rejected": {},
        "skipped": {},
        kind: {reason: 1},
    }
    assert (sums.files_read, sums.records_seen, sums.records_read) == (1, 11, 10)
    assert [len(alert.event_ids) for alert in run.alerts] == [10]


UNUSUAL = {
    "a lone surrogate": b'"userAgent": "a\\ud800b"',
    "surrogates the wrong way round": b'"userAgent": "\\udc00\\ud800"',
    "bytes that are no UTF-8": b'"userAgent": "\xff\xfe"',
    "raw controls": b'"userAgent": "a\x00\x1b[31m\x7fb"',
    "NaN": b'"requestParameters": {"a": NaN, "b": -Infinity}',
    "a number out of range": b'"requestParameters": {"a": 1e999}',
    "an integer of 5,000 digits": b'"requestParameters": {"a": ' + b"1" * 5000 + b"}",
    "wrong types": b'"userAgent": {"a": 1}, "awsRegion": 7, "userIdentity": [], "readOnly": "true"',
    "wrong types and a long integer": b'"userAgent": 5, "requestParameters": {"a": '
    + b"1" * 5000
    + b"}",
    "null everywhere": b'"userAgent": null, "userIdentity": null, "sourceIPAddress": null, '
    b'"requestParameters": null',
    "a name twice": b'"userAgent": "one", "userAgent": "two"',
    "deep, not too deep": b'"requestParameters": ' + b"[" * 300 + b"]" * 300,
    "a user agent of 250 KB": b'"userAgent": "' + b"A" * 250_000 + b'"',
}


@pytest.mark.parametrize("identified", [True, False])
@pytest.mark.parametrize("where", ["trail", "lines"])
@pytest.mark.parametrize("name", UNUSUAL)
def test_unusual_record_is_kept(name: str, where: str, identified: bool, tmp_path: Path) -> None:
    odd = call(0, REGIONS[9], eventID="odd" if identified else None)
    raw = json.dumps(odd).encode()[:-1] + b", " + UNUSUAL[name] + b"}"
    rows = [*(json.dumps(record).encode() for record in sweep(9)), raw]
    write(
        tmp_path,
        "log.json",
        b'{"Records":[%s]}' % b",".join(rows) if where == "trail" else b"\n".join(rows),
    )
    run = scan(tmp_path)
    assert (run.accounting.records_seen, run.accounting.records_read, run.problems) == (10, 10, [])
    keyed = [alert for alert in run.alerts if alert.principal]
    assert len(keyed) == (1 if name not in ("wrong types", "null everywhere") else 0)
    json.dumps(run.facts).encode()  # what is printed can be printed


def test_nesting_depth_raises_nothing(tmp_path: Path) -> None:
    """Keep or reject a deep record, but raise nothing.

    Where the decoders' stack ends depends on who called them.
    """
    for depth in range(960, 1010, 3):
        rows = [json.dumps(record).encode() for record in SWEEP]
        rows.append(
            json.dumps(call(5)).encode()[:-1]
            + b', "requestParameters": '
            + b"[" * depth
            + b"]" * depth
            + b"}"
        )
        write(tmp_path, "lines.json", b"\n".join(rows))
        write(tmp_path, "trail.json", b'{"Records":[%s]}' % b",".join(rows))
        run = scan(tmp_path)
        assert run.accounting.records_seen == 22
        assert set(run.accounting.records_rejected) <= {"nested-too-deep"}
        regions = 10 + (run.accounting.records_read > 20)  # where one copy of it is kept
        assert [alert.columns["Esql.cloud_region_count_distinct"] for alert in run.alerts] == [
            regions
        ]


# limits


def test_document_over_cap_is_quarantined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for limit, size in (("BLOCK", 1000), ("SNIFF", 10_000), ("DOCUMENT_CAP", 100_000)):
        monkeypatch.setattr(chunks, limit, size)
    write(tmp_path, "big.json", document(call(seconds) for seconds in range(200)))
    write(tmp_path, "big.json.gz", gzip.compress(document(call(seconds) for seconds in range(200))))
    write(tmp_path, "small.json", SWEEP)
    run = scan(tmp_path)
    assert run.accounting.files_quarantined == {"too-large": 2}
    assert len(run.alerts) == 1


def test_line_over_cap_is_quarantined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for limit in ("BLOCK", "SNIFF", "LINES_CHUNK"):
        monkeypatch.setattr(chunks, limit, 1000)
    monkeypatch.setattr(chunks, "LINE_CAP", 50_000)
    write(tmp_path, "long.jsonl", LINES + json.dumps(call(userAgent="A" * 200_000)).encode())
    write(tmp_path, "small.json", SWEEP)
    run = scan(tmp_path)
    assert run.accounting.files_quarantined == {"too-large": 1}
    assert len(run.alerts) == 1


def test_any_number_of_lines_is_read_as_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit, size in (
        ("BLOCK", 1000),
        ("SNIFF", 3000),
        ("LINES_CHUNK", 1500),
        ("DOCUMENT_CAP", 5000),
    ):
        monkeypatch.setattr(chunks, limit, size)
    many = [call(seconds, REGIONS[seconds % 14]) for seconds in range(300)]
    write(tmp_path, "plain.jsonl", lines(many))
    write(tmp_path, "packed.jsonl.gz", gzip.compress(lines(many)))
    run = scan(tmp_path)
    assert (
        run.accounting.files_read,
        run.accounting.records_seen,
        run.accounting.records_duplicate,
    ) == (2, 600, 300)
    assert sum(alert.columns["Esql.event_count"] for alert in run.alerts) == 300  # type: ignore[misc]


@pytest.mark.parametrize("end", [b"", b"\n", b" "])
def test_small_gzip_document_is_the_chunk_that_a_large_one_is(
    end: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = document(call(seconds) for seconds in range(5)) + end
    packed = gzip.compress(text)
    (at_once,) = read_chunks(io.BytesIO(packed))
    monkeypatch.setattr(decompress, "_SMALL", 0)
    (streamed,) = read_chunks(io.BytesIO(packed))
    assert at_once == streamed
    assert (at_once.data, at_once.decompressed) == (text, True)
    assert not at_once.data.readonly  # or the native cut would decline it
