"""Files made to do harm.

Each is named once with its reason, costs a bounded amount, and hides nothing else.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import tempfile
import tracemalloc
import zlib
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.detection.digest import digest
from detector.detection.record_search import SearchRequest, scan_file
from detector.detection.signature_cache import SignatureCache
from detector.ecs.fields import field_table
from detector.formats import Unreadable, chunks, read_chunks
from detector.investigation.selectors import Condition, FieldSelector
from detector.rules.dispatch import Dispatch
from detector.rules.ruleset import load
from tests.detector.trail import REFERENCE, call, document, lines, rules, scan, sweep, write
from tests.hostile.payloads import PAYLOADS
from tui.commandline.main import main

TRAIL = document(sweep(10))
MIB = 1 << 20


def packed_zeros(size: int, around: bytes = b"") -> bytes:
    """Compress ``around`` and ``size`` spaces, without holding them."""
    packer = zlib.compressobj(9, wbits=31)
    return (
        packer.compress(around)
        + b"".join(packer.compress(b" " * MIB) for _ in range(size // MIB))
        + packer.flush()
    )


HOSTILE = {
    "empty.json": (b"", "empty"),
    "binary.json.gz": (bytes(range(256)) * 100, "not-json"),
    "truncated.json.gz": (gzip.compress(TRAIL)[:-10], "truncated-gzip"),
    "corrupt.json.gz": (gzip.compress(TRAIL)[:-8] + b"\0" * 8, "corrupt-gzip"),
    "half.json": (TRAIL[: len(TRAIL) // 2], "truncated-json"),
    "broken.json": (TRAIL.replace(b":", b"::", 1), "corrupt-json"),
    "other.json": (b'{"hello": "world"}', "not-cloudtrail"),
    "text.log": (b"not a log\n" * 100, "not-json"),
}


def test_scan_names_each_hostile_file_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, (content, _) in HOSTILE.items():
        write(tmp_path, name, content)
    write(tmp_path, "zz-last.json", sweep(10))
    assert main(["scan", str(tmp_path), "--format", "jsonl", "--jobs", "1"]) == 0
    out, err = capsys.readouterr()
    alerts = [
        alert for alert in map(json.loads, out.splitlines()) if alert["rule"]["id"] == REFERENCE
    ]
    assert [len(alert["event_ids"]) for alert in alerts] == [10]
    err_lines = err.splitlines()
    for name, (_, reason) in HOSTILE.items():
        assert len([line for line in err_lines if f"/{name}: " in line]) == 1, name
        assert f"{reason} {Counter(why for _, why in HOSTILE.values())[reason]}" in err
    assert "files 9 found = 1 read + 0 waiting" in err


@pytest.mark.parametrize(
    "name",
    [
        "\x1b[31mred.json",
        "[bold]x[/].json",
        "two\nlines.json",
        os.fsdecode(b"\xff\xfe.json"),
        "\u202egpj.json",
        "=cmd.json",
        "a" * 240 + ".json",
        " .json",
        "-rf",
    ],
)
def test_file_names_are_escaped(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, name, b"not a log")
    assert main(["scan", str(tmp_path)]) == 0
    err = capsys.readouterr().err
    (line,) = (line for line in err.splitlines() if line.startswith("skipped: "))
    assert line.isprintable()
    assert "\u202e" not in line


def test_attacker_strings_are_escaped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    payloads = {name: value for name, value in PAYLOADS.items() if not name.startswith("huge")}
    for name, value in payloads.items():
        write(
            tmp_path,
            f"{name}.json",
            [
                {
                    **call(
                        0,
                        f"r{number}-{value}",
                        arn=f"arn:aws:iam::111122223333:user/{name}-{value}",
                    ),
                    "userAgent": value,
                    "sourceIPAddress": value,
                    "errorCode": value,
                    "eventID": f"{name}-{number}{value}",
                    "recipientAccountId": f"{name}{value}",
                }
                for number in range(10)
            ],
        )
    for form in ("table", "jsonl"):
        assert main(["scan", str(tmp_path), "--format", form]) == 0
        out, err = capsys.readouterr()
        assert [
            line for line in (out + err).split("\n") if form == "table" and not line.isprintable()
        ] == []
        assert "\x1b" not in out + err
        assert [name for name in payloads if f"user/{name}-" not in out] == []


# how much they cost

BOMBS = {
    "spaces": packed_zeros(96 * MIB),
    "spaces in a document": packed_zeros(96 * MIB, b'{"Records": ['),
    "spaces behind a record": packed_zeros(96 * MIB, TRAIL),
    "spaces between lines": packed_zeros(96 * MIB, lines(sweep(10))),
    "one long string": gzip.compress(b'{"Records": [{"eventName": "' + b"A" * (64 * MIB), 1),
    "zeros": gzip.compress(bytes(64 * MIB), 1),
    "members": gzip.compress(b" " * MIB, 1) * 96,
}


@pytest.mark.parametrize("name", BOMBS)
def test_bomb_costs_little_memory(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit, size in (
        ("SNIFF", MIB),
        ("LINES_CHUNK", MIB),
        ("LINE_CAP", 4 * MIB),
        ("DOCUMENT_CAP", 4 * MIB),
    ):
        monkeypatch.setattr(chunks, limit, size)
    monkeypatch.setattr(chunks, "_free", [], raising=False)  # memory that is kept between files
    write(tmp_path, "bomb.json.gz", BOMBS[name])
    write(tmp_path, "good.json", sweep(10, 60))
    rules()
    tracemalloc.start()
    try:
        run = scan(tmp_path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 24 * MIB
    assert any(alert.first_event == 1_772_359_260 for alert in run.alerts)
    reasons = {**run.accounting.files_quarantined, **run.accounting.files_skipped}
    if name != "spaces between lines":
        assert reasons
        assert set(reasons) <= {"too-large", "empty", "not-json", "bomb"}


def test_many_hits_in_window_are_one_alert(tmp_path: Path) -> None:
    write(
        tmp_path,
        "a.jsonl",
        lines(call(0, f"region-{number % 400}", event_id=str(number)) for number in range(5000)),
    )
    (alert,) = scan(tmp_path).alerts
    assert (alert.event_count, alert.columns["Esql.cloud_region_count_distinct"]) == (5000, 400)


DATES = '''
[rule]
rule_id = "dates"
name = "dates"
type = "esql"
language = "esql"
query = """
from logs-aws.cloudtrail-* metadata _id
| where aws.cloudtrail.user_identity.session_context.creation_date is not null
    and event.action == "DescribeInstances"
| keep aws.cloudtrail.user_identity.session_context.creation_date
"""
'''


@pytest.mark.parametrize(
    "date", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "0000-00-00T00:00:00Z"]
)
def test_date_outside_calendar_is_rejected(date: str, tmp_path: Path) -> None:
    by = load([write(tmp_path, "rule.toml", DATES.encode())], builtin=False)
    record = call()
    for number, text in enumerate((date, "2026-03-01T09:00:00Z")):
        record["userIdentity"]["sessionContext"] = {"attributes": {"creationDate": text}}
        write(tmp_path / "logs", f"{number}.json", [{**record, "eventID": str(number)}])
    assert [alert.event_ids for alert in scan(tmp_path / "logs", by=by).alerts] == [["1"]]


def test_deeply_nested_record_costs_itself_only(tmp_path: Path) -> None:
    """Look at a deeply nested record by rule, signal and pivot.

    The call itself still counts where nothing within it is asked for.
    """
    near = [
        call(
            100,
            event_id=f"{depth}",
            eventSource="s3.amazonaws.com",
            eventName="GetObject",
            additionalEventData=str(depth),
        )
        for depth in (990, 3000)
    ]
    made = [json.dumps(record) for record in [*sweep(10), *near]]
    for depth in (990, 3000):
        made = [
            text.replace(
                f'"additionalEventData": "{depth}"',
                '"additionalEventData": ' + '{"a":' * depth + "1" + "}" * depth,
            )
            for text in made
        ]
    write(tmp_path, "a.json", ('{"Records":[' + ",".join(made) + "]}").encode())
    run = scan(tmp_path, by=load())
    assert [alert.event_count for alert in run.alerts if alert.rule.id == REFERENCE] == [10]
    assert (run.accounting.records_seen, run.accounting.files_read) == (12, 1)
    anything = FieldSelector(
        ((Condition(field_table()["aws.cloudtrail.additional_eventdata"], None),),)
    )
    watch = SearchRequest("it", anything, 0, 1 << 40)
    with (tmp_path / "a.json").open("rb") as file:
        assert list(scan_file(str(tmp_path / "a.json"), file, watch, None)) == [[]]


# anything at all


def digested(content: bytes) -> None:
    """Read a file, which may raise ``Unreadable`` only."""
    dispatch, cache = Dispatch(rules()), SignatureCache()
    try:
        for chunk in read_chunks(io.BytesIO(content)):
            digest("file", chunk, dispatch, cache)
    except Unreadable as error:
        assert error.reason.code
        assert "\n" not in error.reason.detail


@settings(max_examples=300)
@given(
    st.binary(max_size=200)
    | st.text(max_size=100).map(lambda text: text.encode("utf-8", "surrogatepass"))
)
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    digested(content)
    digested(b'{"Records": [' + content)
    digested(gzip.compress(content))


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from([10**30, "none"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
FIELDS = [
    *call(),
    "errorCode",
    "errorMessage",
    "resources",
    "tlsDetails",
    "sessionContext",
    "Records",
    "vpcEndpointId",
    "serviceEventDetails",
    "sharedEventID",
    "additionalEventData",
    "apiVersion",
]


@settings(max_examples=100)
@given(
    st.lists(
        st.dictionaries(st.sampled_from(FIELDS), json_values, max_size=4), min_size=1, max_size=4
    ),
    st.sampled_from(["trail", "array", "lines"]),
)
def test_any_values_in_any_field_raise_nothing(
    changes: list[dict[str, object]], where: str
) -> None:
    records = [
        {**call(number, event_id=f"e{number}"), **change} for number, change in enumerate(changes)
    ]
    raw = [json.dumps(record).encode() for record in records]
    content = {
        "trail": b'{"Records":[%s]}' % b",".join(raw),
        "array": b"[%s]" % b",".join(raw),
        "lines": b"\n".join(raw),
    }[where]
    digested(content)


@settings(max_examples=200)
@given(
    st.integers(0, 10**9),
    st.integers(1, 6),
    st.sampled_from([TRAIL, lines(sweep(10)), gzip.compress(TRAIL, 1)]),
)
def test_any_damage_raises_nothing(seed: int, count: int, whole: bytes) -> None:
    """Damage a file anywhere.

    It never raises an error, and the file beside it is never lost.
    """
    dice = random.Random(seed)
    content = bytearray(whole)
    for _ in range(count):
        start, size = dice.randrange(len(content)), dice.randrange(1, 40)
        match dice.randrange(4):
            case 0:
                content[start] = dice.randrange(256)
            case 1:
                del content[start : start + size]
            case 2:
                content[start:start] = content[start : start + size]
            case 3:
                content[start:start] = dice.choice(
                    [b'"', b"{", b"[", b"\\", b"\xff", b"\n", b"\x00", b"NaN", b"9" * 4400]
                )
        content = content or bytearray(b" ")
    digested(bytes(content))
    if seed % 8 == 0:
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder), "damaged", bytes(content))
            write(Path(folder), "good.json", sweep(10, 600))
            run = scan(Path(folder))
        assert run.accounting.files_found == 2
        assert any(alert.first_event == 1_772_359_800 for alert in run.alerts)
