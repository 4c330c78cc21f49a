"""Records are found wherever they lie: wrappers, texts, tables, behind text, beside zeros."""

from __future__ import annotations

import base64
import bz2
import csv
import gzip
import html
import io
import json
import lzma
import sys
import urllib.parse
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.formats import NotALog, Unreadable, json_spans, records

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

from tests.detector.formats.sweeps import (
    RECORDS,
    Json,
    expected,
    flat,
    lines,
    read,
    struct_text,
    users,
)

TEXTS = [json.dumps(record) for record in RECORDS]


def base64_of(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def base64_bytes(data: bytes) -> str:
    return base64.b64encode(data).decode()


def packed(text: str) -> str:
    return base64.b64encode(gzip.compress(text.encode())).decode()


WRAPPED: dict[str, Any] = {
    "records under an unknown name": {"findings": RECORDS},
    "under two": {"data": {"items": RECORDS}},
    "each under two": [{"a": {"b": record}} for record in RECORDS],
    "by region": {record["awsRegion"]: [record] for record in RECORDS},
    "by id": {record["eventID"]: record for record in RECORDS},
    "pages": [{"Events": RECORDS[:5]}, {"Events": RECORDS[5:]}],
    "arrays of arrays": [RECORDS[:5], RECORDS[5:]],
    "texts in an array": TEXTS,
    "texts under an unknown name": [{"payload": text, "n": 1} for text in TEXTS],
    "a text of lines": {"blob": "\n".join(TEXTS)},
    "a text of all": {"blob": json.dumps({"Records": RECORDS})},
    "a text in a text": [{"a": json.dumps({"b": json.dumps({"c": text})})} for text in TEXTS],
    "base64": [{"Data": base64_of(text)} for text in TEXTS],
    "base64 for addresses": [
        {"d": base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")} for text in TEXTS
    ],
    "base64 in lines": [{"Data": base64.encodebytes(text.encode()).decode()} for text in TEXTS],
    "base64 of gzip": {"body": packed(json.dumps({"Records": RECORDS}))},
    "base64 of gzip of lines": {"x": {"y": packed("\n".join(TEXTS))}},
    "base64 in a text": [json.dumps({"Data": base64_of(text)}) for text in TEXTS],
    "pretty base64": {"Data": base64_of(json.dumps(RECORDS, indent=2))},
    "rows of entries": [
        [{"field": "@ptr", "value": "x"}, {"field": "@message", "value": text}] for text in TEXTS
    ],
    "rows of parts": {"Rows": [[{"eventTime": "x"}, {"record": text}] for text in TEXTS]},
    "rows of entries of fields": [
        [{"Key": name, "Value": value} for name, value in flat(record).items()]
        for record in RECORDS
    ],
    "the same record twice": [
        {"data": record, "copy": {"full_log": text}}
        for record, text in zip(RECORDS, TEXTS, strict=True)
    ],
    "an object and its text": [
        {"attributes": record, "message": text} for record, text in zip(RECORDS, TEXTS, strict=True)
    ],
    "a record beside its own fields": [
        {"EventName": record["eventName"], "EventSource": record["eventSource"], "All": text}
        for record, text in zip(RECORDS, TEXTS, strict=True)
    ],
    "Python literals": [{"event": str(record)} for record in RECORDS],
    "hexadecimal digits": [{"data": text.encode().hex()} for text in TEXTS],
    "hexadecimal digits of a database": [{"data": f"\\x{text.encode().hex()}"} for text in TEXTS],
    "base64 of zlib": [{"data": base64_bytes(zlib.compress(text.encode()))} for text in TEXTS],
    "base64 of zstd": [{"data": base64_bytes(zstd.compress(text.encode()))} for text in TEXTS],
    "base64 of bzip2": [{"data": base64_bytes(bz2.compress(text.encode()))} for text in TEXTS],
    "base64 of xz": {"data": base64_bytes(lzma.compress(json.dumps(RECORDS).encode()))},
    "base64 of base64": [{"d": base64_of(base64_of(text))} for text in TEXTS],
    "base64 of gzip of base64": [{"d": packed(base64_of(text))} for text in TEXTS],
    "data URL": [{"d": "data:application/json;base64," + base64_of(text)} for text in TEXTS],
    "escapes of URLs": [{"d": urllib.parse.quote(text)} for text in TEXTS],
    "escapes of forms": [{"d": urllib.parse.quote_plus(text)} for text in TEXTS],
    "escapes of HTML": [{"d": html.escape(text)} for text in TEXTS],
    "numbers of bytes": [{"type": "Buffer", "data": list(text.encode())} for text in TEXTS],
    "a text of bytes in Python": [{"body": repr(text.encode())} for text in TEXTS],
    "beside other cells": [["1775121300000000000", "host", text] for text in TEXTS],
    "beside other cells, as objects": {"streams": [[1, record] for record in RECORDS]},
    "attributes of entries": [
        {
            "body": {
                "values": [
                    {"key": name, "value": {"stringValue": value}}
                    for name, value in flat(record).items()
                    if isinstance(value, str)
                ]
            }
        }
        for record in RECORDS
    ],
    "reply to a bulk request": {
        "items": [{"index": {"_id": "1", "doc": record}} for record in RECORDS]
    },
    "text before JSON in a text": [{"log": f"host app[1]: {text}"} for text in TEXTS],
}


@pytest.mark.parametrize("name", WRAPPED)
def test_wrapped_records_are_found(name: str) -> None:
    value = WRAPPED[name]
    assert read(json.dumps(value).encode()) == expected()
    assert read(json.dumps(value, indent=2).encode()) == expected()
    assert read(lines(value if isinstance(value, list) else [value])) == expected()


_WRAPPERS = st.sampled_from(
    [
        lambda value: {"outer": value},
        lambda value: {"n": 1, "a b": value, "other": "text"},
        lambda value: [value],
        lambda value: json.dumps(value),
        lambda value: base64_of(json.dumps(value)),
        lambda value: packed(json.dumps(value)),
        lambda value: {"sum": [], "detail": {}, "body": json.dumps(value)},
        lambda value: {"key": "x", "value": value},
    ]
)


@given(st.lists(_WRAPPERS, max_size=5), st.booleans())
def test_any_wrappers_around_each_other(wrappers: list[Callable[[Any], Any]], each: bool) -> None:
    values: list[Any] = list(RECORDS)
    if each:
        for wrap in wrappers:
            values = [wrap(value) for value in values]
        assert read(lines(values)) == expected()
    value: Any = values if each else list(RECORDS)
    for wrap in wrappers if not each else ():
        value = wrap(value)
    assert read(json.dumps({"top": value}).encode()) == expected()


@pytest.mark.parametrize("form", ["lines", "array"])
def test_compressed_texts_are_bounded_for_the_file(
    form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty texts that each unpack to a little less than the cap cost no more than one."""
    monkeypatch.setattr(records, "INNER_CAP", 1 << 20)
    bomb = {"data": packed(" " * 900_000 + TEXTS[0])}
    assert read(lines([bomb])) == expected(RECORDS[:1])
    data = lines([bomb] * 20) if form == "lines" else json.dumps([bomb] * 20).encode()
    with pytest.raises(Unreadable) as refused:
        read(data)
    assert refused.value.reason.code == "bomb"


CRUMBS = {
    "numbers": lambda: json.dumps({"x": "amazonaws", "data": [1] * 3000}),
    "members": lambda: json.dumps({"x": "amazonaws"} | {str(n): 1 for n in range(3000)}),
    "texts": lambda: json.dumps({"x": "amazonaws", "data": ["ab"] * 3000}),
    "lines of a text": lambda: json.dumps({"data": "amazonaws\n" + "x\n" * 3000 + '{"a"\n'}),
    "lines of a packed text": lambda: json.dumps({"data": packed("x\n" * 3000 + '{"a"\n')}),
    "bytes": lambda: json.dumps({"data": list(b'{"a":1}' * 500)}),
}


@pytest.mark.parametrize("name", CRUMBS)
def test_value_of_millions_of_parts_is_not_split(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each part costs memory of its own: 100 KB of gzip would take gigabytes."""
    monkeypatch.setattr(json_spans, "PARTS_CAP", 2000)
    data = f"{CRUMBS[name]()}\n{TEXTS[0]}\n".encode()
    assert read(data) == (expected(RECORDS[:1]).events, {"too-large": 1})


# text before JSON

BEFORE: dict[str, str] = {
    "a stamp": "2026-04-02T09:15:00.123Z ",
    "a stamp and a stream": "2026-04-02T09:15:00.123000+00:00 444455556666_CloudTrail_us-east-1 ",
    "a tag between tabs": "2026-04-02T09:15:00+00:00\taws.cloudtrail\t",
    "syslog": "Apr  2 09:15:00 host cloudtrail[42]: ",
    "syslog with a priority": "<134>Apr  2 09:15:00 host cloudtrail: ",
    "syslog of RFC 5424": '<134>1 2026-04-02T09:15:00Z host app 42 ID47 [a@1 iut="3" x="y"] ',
    "a byte order mark within": "<134>1 2026-04-02T09:15:00Z host app - - - \ufeff",
    "container": "2026-04-02T09:15:00.123456789Z stdout F ",
    "compose": "app_1  | ",
    "journal": "Apr 02 09:15:00 ip-10-0-0-1 forwarder[7]: INFO ",
    "file name": "AWSLogs/1/CloudTrail/x.json:",
    "file name and line": "./a b.json:12:",
    "brackets": "[2026-04-02 09:15:00] [info] ",
    "a tag in brackets": "{cloudtrail} ",
    "other JSON": '{"kubernetes":{"pod":"x"}} stdout F ',
    "words in brackets": "[a, b] ",
    "name and equals": "event=",
    "a quote": "'",
    "epoch": "1775121300.123: ",
    "CEF": "CEF:0|AWS|CloudTrail|1|x|y|5|raw=",
    "words": "received message from queue: ",
}


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("name", BEFORE)
def test_text_before_json_is_passed_over(name: str, newline: str) -> None:
    data = "".join(f"{BEFORE[name]}{text}{newline}" for text in TEXTS)
    assert read(data.encode()) == expected()
    assert read(data.rstrip().encode()) == expected()
    assert read((BEFORE[name] + TEXTS[0]).encode()) == expected(RECORDS[:1])
    assert read(gzip.compress(data.encode())) == expected()


@pytest.mark.parametrize(
    "comment", ["# x", "// {", "-- exported", "; y", "#Fields: a b", "/* z */"]
)
def test_comment_lines_are_skipped(comment: str) -> None:
    data = f"{comment}\n" + "\n".join(TEXTS[:6]) + f"\n{comment}\n\n" + "\n".join(TEXTS[6:])
    events, reasons = read(data.encode())
    assert events == expected().events
    assert reasons == {"comment": 2}


def test_command_before_document_is_passed_over() -> None:
    document = json.dumps({"Events": RECORDS}, indent=4)
    assert read(f"$ aws cloudtrail lookup-events\n{document}\n".encode()) == expected()


def test_json_cut_short_behind_text_gives_none_of_its_parts() -> None:
    """What stands inside a record that was cut is no record of its own."""
    inside = {**RECORDS[0], "requestParameters": RECORDS[1]}
    cut = json.dumps(inside)[:-20]
    data = f"host: {cut}\nhost: {TEXTS[2]}\nhost: {TEXTS[3]}\n"
    assert read(data.encode()) == (expected(RECORDS[2:4]).events, {"not-json": 1})


# zeros

HOLES: dict[str, Callable[[list[bytes]], bytes]] = {
    "one at the start": lambda rows: b"\0" + b"\n".join(rows),
    "one before a line": lambda rows: rows[0] + b"\n\0" + b"\n".join(rows[1:]),
    "many before a line": lambda rows: rows[0] + b"\n" + bytes(5000) + b"\n".join(rows[1:]),
    "a line of its own": lambda rows: b"\n".join([rows[0], bytes(100), *rows[1:]]),
    "behind a line": lambda rows: rows[0] + bytes(9) + b"\n" + b"\n".join(rows[1:]),
    "before every line": lambda rows: b"\n".join(b"\0\0" + row for row in rows),
    "a block before": lambda rows: bytes(4096) + b"\n".join(rows) + b"\n",
    "1 MiB before": lambda rows: bytes(1 << 20) + b"\n".join(rows) + b"\n",
    "more than a block before": lambda rows: bytes((3 << 20) + 5) + b"\n".join(rows),
    "9 MiB within": lambda rows: (
        b"\n".join(rows[:6]) + b"\n" + bytes(9 << 20) + b"\n".join(rows[6:])
    ),
    "at the end": lambda rows: b"\n".join(rows) + b"\n" + bytes(70_000),
    "a gap between lines": lambda rows: b"\n\0\0\n".join(rows),
    "70 MiB before": lambda rows: bytes(70 << 20) + b"\n".join(rows),
    "for the end of a line and the start of the next": lambda rows: b"\n".join(
        [*rows[:5], rows[5] + bytes(40) + rows[6], *rows[7:]]
    ),
    "with blanks": lambda rows: b" \0 \n\0\0" + b"\n".join(rows) + b"\0 \0",
}


@pytest.mark.parametrize("name", HOLES)
def test_zeros_are_blank(name: str) -> None:
    rows = [text.encode() for text in TEXTS]
    assert read(HOLES[name](rows)) == expected()
    assert read(gzip.compress(HOLES[name](rows), 1)) == expected()


@pytest.mark.parametrize("size", [1, 700, 4096])
def test_line_cut_short_before_zeros_costs_itself_only(size: int) -> None:
    rows = [text.encode() for text in TEXTS]
    data = b"\n".join([*rows[:5], rows[5][:100] + bytes(size) + rows[6], *rows[7:]])
    assert read(data) == (expected([*RECORDS[:5], *RECORDS[6:]]).events, {"not-json": 1})


def test_zeros_around_a_document_are_blank() -> None:
    document = json.dumps({"Records": RECORDS}, indent=1).encode()
    assert read(bytes(2000) + document + bytes(3000)) == expected()


# tables


def table(
    columns: dict[str, Callable[[Json], str]],
    records: Sequence[Json] = RECORDS,
    before: str = "",
    header: bool = True,
    **dialect: Any,
) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, **dialect)
    if header:
        writer.writerow(columns)
    for record in records:
        writer.writerow([value(record) for value in columns.values()])
    return (before + text.getvalue()).encode()


ONE = {"n": lambda _: "1"}
RECORD = {"record": json.dumps}
FIELDS = {
    name: (lambda record, name=name: json.dumps(record[name]))
    if name == "userIdentity"
    else (lambda record, name=name: str(record[name]))
    for name in ("eventTime", "eventSource", "eventName", "awsRegion", "eventID", "userIdentity")
}
STRUCTS = {name.lower(): (lambda record, name=name: struct_text(record[name])) for name in FIELDS}
LEAVES = {
    name: (lambda record, name=name: str(flat(record)[name]))
    for name in ("userIdentity.type", *(name for name in FIELDS if name != "userIdentity"))
} | {"userIdentity.arn": lambda record: record["userIdentity"]["arn"]}

TABLES: dict[str, bytes] = {
    "@ names": table({"@timestamp": lambda _: "1", "@message": json.dumps}),
    "colons": table({"tag::eventtype": lambda _: "", **RECORD, "_time": lambda _: "x"}),
    "an empty name": table(
        {"": lambda _: "0", "eventTime": lambda _: "1", "eventJson": json.dumps}
    ),
    "names of all kinds": table({"(x)": lambda _: "", "ünïcode": json.dumps, "a/b": lambda _: ""}),
    "semicolons": table(ONE | RECORD, delimiter=";"),
    "tabs": table(ONE | RECORD, delimiter="\t"),
    "bars": table(ONE | RECORD, delimiter="|"),
    "carets": table(ONE | RECORD, delimiter="^"),
    "unit separators": table(ONE | RECORD, delimiter="\x1f"),
    "record first": table(RECORD | ONE, delimiter="~"),
    "one column": table({"whatever": json.dumps}),
    "all quoted": table(ONE | RECORD, quoting=csv.QUOTE_ALL),
    "escaped quotes": table(ONE | RECORD, doublequote=False, escapechar="\\"),
    "sep=": table(ONE | RECORD, before="sep=;\r\n", delimiter=";"),
    "sep= and a mark": table(ONE | RECORD, before="\ufeffsep=,\n"),
    "a mark": table(ONE | RECORD, before="\ufeff"),
    "blank lines first": table(ONE | RECORD, before="\r\n\n"),
    "no header": table(ONE | RECORD, header=False),
    "a header of 100 KB": table(
        {f"column {number}" * 9: lambda _: "" for number in range(900)} | RECORD
    ),
    "a long name": table({"x" * 9000: json.dumps} | ONE),
    "base64": table(ONE | {"data": lambda record: base64_of(json.dumps(record))}),
    "base64 of gzip": table(ONE | {"data": lambda record: packed(json.dumps(record))}),
    "wrapped records": table(ONE | {"m": lambda record: json.dumps({"Records": [record]})}),
    "pretty records": table(ONE | {"m": lambda record: json.dumps(record, indent=1)}),
    "record beside its fields": table(FIELDS | {"everything": json.dumps}),
    "fields, caller as JSON": table(FIELDS),
    "fields, caller as struct": table(STRUCTS),
    "fields, semicolons": table(STRUCTS, delimiter=";"),
    "leaves": table(LEAVES),
    "leaves, tabs": table(LEAVES, delimiter="\t"),
    "upper case": table({name.upper(): value for name, value in FIELDS.items()}),
    "a prefix": table({f"cloudtrail.{name}": value for name, value in LEAVES.items()}),
    "title case": table({name.title(): value for name, value in LEAVES.items()}),
    "UTF-16": table(ONE | RECORD, delimiter="\t").decode().encode("utf-16"),
    "a Python literal": table(ONE | {"event": str}),
    "text before the record": table(
        ONE | {"line": lambda record: "host app[1]: " + json.dumps(record)}
    ),
    "a record marked as text": table(ONE | {"r": lambda record: "'" + json.dumps(record)}),
    "a text of a text": table(ONE | {"r": lambda record: json.dumps(json.dumps(record))}),
    "an array of records": table(ONE | {"r": lambda record: json.dumps([record])}),
    "blanks behind separators": table(STRUCTS).replace(b',"', b', "'),
    "zeros behind": table(ONE | RECORD) + bytes(500),
    "a column named in two lines": table({"a\nb": lambda _: "1", **RECORD}),
    "Sentinel's names": table(
        {
            "TimeGenerated [UTC]": lambda record: record["eventTime"],
            "AwsEventId": lambda record: record["eventID"],
            "EventName": lambda record: record["eventName"],
            "EventSource": lambda record: record["eventSource"],
            "AWSRegion": lambda record: record["awsRegion"],
            "UserIdentityArn": lambda record: record["userIdentity"]["arn"],
        }
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_table_is_read_whatever_its_columns(name: str) -> None:
    assert read(TABLES[name]) == expected()
    assert read(gzip.compress(TABLES[name])) == expected()


@pytest.mark.parametrize("columns", ["record", "fields", "leaves"])
@pytest.mark.parametrize("title", ["Exported by X on 1 March", "#group,false\r\n#datatype,string"])
def test_titles_above_a_table_are_comments(title: str, columns: str) -> None:
    chosen = {"record": ONE | RECORD, "fields": FIELDS, "leaves": LEAVES}[columns]
    events, reasons = read(table(chosen, before=f"{title}\r\n\r\n"))
    assert events == expected().events
    assert reasons == {"comment": len(title.splitlines())}


LINES: dict[str, Callable[[str], str]] = {
    "base64": base64_of,
    "base64 of gzip": packed,
    "hexadecimal digits": lambda text: text.encode().hex(),
    "Python literals": lambda text: str(json.loads(text)),
    "bytes in Python": lambda text: repr(text.encode()),
    "escapes of URLs": urllib.parse.quote,
    "texts of texts": lambda text: json.dumps(json.dumps(text)),
    "JSON and a comma": lambda text: f"{text},",
    "JSON and a word": lambda text: f"{text} ok",
    "numbers around": lambda text: f"1\t{text}\t2",
    "arrays with cells": lambda text: f'["2026-01-01T00:00:00Z", "x", {text}]',
    "record separators": lambda text: f"\x1e{text}",
    "colours": lambda text: f"\x1b[32m{text}\x1b[0m",
    "statements": lambda text: f"INSERT INTO t VALUES (1, '{text}');",
}


@pytest.mark.parametrize("name", LINES)
def test_lines_that_pack_records_are_read(name: str) -> None:
    data = "".join(LINES[name](text) + "\n" for text in TEXTS).encode()
    assert read(data) == expected()
    assert read(gzip.compress(data)) == expected()


@pytest.mark.parametrize(
    "write",
    [
        lambda document: f"# Findings\n\n```json\n{document}\n```\n",
        lambda document: f"Warning: x\n{document}\nDone, 12 rows.\n",
        lambda document: f"{document}\nDone, 12 rows.\n",
        lambda document: f"callback({document});\n",
        lambda document: f"var x = {document};\n",
        lambda document: f")]}}',\n{document}",
    ],
)
def test_text_around_a_document_is_passed_over(write: Callable[[str], str]) -> None:
    for chosen in (RECORDS, users()):
        document = json.dumps({"Records": chosen}, indent=2)
        assert read(write(document).encode()) == expected(chosen)


def test_table_of_twelve_users_names_each() -> None:
    for columns in (FIELDS, STRUCTS, LEAVES):
        assert read(table(columns, users())) == expected(users())


@pytest.mark.parametrize("left_out", ["userIdentity.arn", "awsRegion", "eventSource"])
def test_table_without_column_of_a_record_is_not_counted_for_nobody(left_out: str) -> None:
    columns = {name: value for name, value in LEAVES.items() if name != left_out}
    try:
        events, reasons = read(table(columns, users()))
    except NotALog:
        return
    assert (events, sum(reasons.values())) == ([], 12)
