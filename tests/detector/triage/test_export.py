"""Exports for other people: complete, and harmless in whatever opens them."""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.delivery.alert_export import export_alerts
from detector.text.json_output import json_line
from detector.triage.export import export_notes
from detector.triage.note import Edit, Note, NoteBody, NoteContext
from tests.detector.alerts import changed_alert
from tests.detector.trail import START
from tests.detector.triage.test_suppression_scope import alert, event

EVIL = "=cmd|' /C calc'!A0"
PAYLOADS = [
    EVIL,
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "|x",
    "%x",
    "\t=1",
    "\r=1",
    "\n=1",
    "  =1",
    "﻿=1",
    "[click](https://evil.example)",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![x](https://evil.example/x.png)",
    "`code` ``two``",
    "# head",
    "a | b | c",
    "https://evil.example",
    "www.evil.example",
    "&lt;b&gt;",
    "\\[x](y)",
    "line one\n# line two\n\n---\n> quote",
    "<https://evil.example>",
    "\x1b[31m",
    "‮evil",
    "$(reboot)",
    "{{7*7}}",
    "~~gone~~",
    "**bold**",
    "_it_",
    "[ref]: https://evil.example",
    "1. x",
    "- x",
    "* x",
    "```\nfence",
    "$x^2$",
    "mailto:a@evil.example",
    "a@evil.example",
    "ftp://evil.example",
]


def note(text: str = "Looks like inventory.", edits: int = 0, **changed: Any) -> Note:
    held = alert(
        event(**changed),
        event(event_id="e-2", region="eu-west-1", error_code="AccessDenied", **changed),
    )
    words = NoteBody(text, "benign", "T-7", "sec")
    history = [Edit(START + number, "ana", NoteBody(f"before {number}")) for number in range(edits)]
    return Note(
        3, "a1", START, "ana", words, NoteContext.of(held), START + 60.0 if edits else None, history
    )


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


# JSON Lines


@pytest.mark.parametrize("payload", PAYLOADS)
def test_json_export_keeps_strings_unchanged(payload: str) -> None:
    told = export_notes([note(payload, user_agent=payload, arn=payload)], "jsonl")
    assert told.count("\n") == 1
    assert told.endswith("\n")
    found = json.loads(told)
    context = found["context"]
    assert (found["text"], context["user_agents"], context["principal"]) == (
        payload,
        [payload],
        payload,
    )
    assert json.loads(export_alerts([alert(event(arn=payload))], "jsonl"))["alert_id"] == "a1"


def test_note_export_as_json() -> None:
    found = json.loads(export_notes([note(edits=2)], "jsonl"))
    told = {
        "note_id": 3,
        "alert_id": "a1",
        "created": "2026-03-01T10:00:00Z",
        "author": "ana",
        "verdict": "benign",
        "ticket": "T-7",
        "owner": "sec",
    }
    assert {name: found[name] for name in told} == told
    assert found["context"]["start"] == "2026-03-01T10:00:00Z"
    assert found["context"]["regions"] == ["eu-west-1", "us-east-1"]
    assert [edit["text"] for edit in found["history"]] == ["before 0", "before 1"]
    assert found["edited"] == "2026-03-01T10:01:00Z"


def test_alert_export_as_json_has_contract_fields() -> None:
    found = json.loads(export_alerts([alert()], "jsonl"))
    assert set(found) >= {
        "alert_id",
        "revision",
        "state",
        "status",
        "rule",
        "window",
        "key",
        "columns",
        "event_ids",
        "first_event",
        "last_event",
        "flags",
        "risk",
        "suppressed_by",
    }
    assert found["window"] == {
        "mode": "tumbling",
        "start": "2026-03-01T10:00:00Z",
        "end": "2026-03-01T10:00:30Z",
    }
    assert found["rule"] == {
        "id": "r1",
        "name": "A rule",
        "severity": "low",
        "risk_score": 21,
        "building_block": False,
    }
    assert {name: found["risk"][name] for name in ("score", "severity")} == {
        "score": 21,
        "severity": "low",
    }
    assert (
        json.loads(export_alerts([changed_alert(alert(), window=None)], "jsonl"))["window"] is None
    )


# CSV


@pytest.mark.parametrize("payload", PAYLOADS)
def test_csv_export_has_no_formulas(payload: str) -> None:
    told = export_notes(
        [
            note(
                payload, user_agent=payload, arn=payload, access_key=payload, source_address=payload
            )
        ],
        "csv",
    )
    assert len(rows(told)) == 1
    alerts = export_alerts(
        [alert(event(user_agent=payload, arn=payload, source_address=payload))], "csv"
    )
    for row in (
        *csv.reader(io.StringIO(told, newline="")),
        *csv.reader(io.StringIO(alerts, newline="")),
    ):
        for cell in row:
            assert cell.lstrip()[:1] not in tuple("=+-@|%\t\r"), cell
            assert "\x1b" not in cell
    assert (
        payload.strip().split("\n")[0][-8:].strip() in rows(told)[0]["text"]
        or not payload.isprintable()
    )


def test_note_export_as_csv_row() -> None:
    (row,) = rows(export_notes([note('one\ntwo, "three"', edits=1)], "csv"))
    assert row["text"] == 'one\ntwo, "three"'
    assert (row["regions"], row["denied"], row["events"]) == ("eu-west-1; us-east-1", "1", "2")
    assert (row["window_start"], row["edited"]) == ("2026-03-01T10:00:00Z", "2026-03-01T10:01:00Z")


def test_csv_export_follows_rfc_4180() -> None:
    told = export_alerts([alert(), alert()], "csv")
    assert told.count("\r\n") == 3
    assert not re.search(r"(?<!\r)\n", told)


# Markdown


def unescaped(markdown: str) -> str:
    """The Markdown without its code spans and escaped characters: what still acts."""
    return re.sub(r"\\.|(`+)(?!`).*?(?<!`)\1(?!`)", "", markdown)


@pytest.mark.parametrize("payload", PAYLOADS)
def test_markdown_export_neutralises_text(payload: str) -> None:
    """Neither what the log says nor what people pasted becomes a link, a tag, a picture, a heading
    or a row."""
    held = note(payload, user_agent=payload, arn=payload, source_address=payload)
    held = msgspec.structs.replace(
        held,
        author=payload,
        body=NoteBody(payload, "benign", payload, payload),
        history=[Edit(START, payload, NoteBody(payload))],
        edited=START + 1.0,
    )
    told = export_notes([held], "md")
    usual = msgspec.structs.replace(
        note(), history=[Edit(START, "a", NoteBody("a"))], edited=START + 1.0
    )
    plain = export_notes([usual], "md")
    acting = unescaped(told)
    assert not re.search(r"<\w|</|<!|\]\(|\]:|https?://|ftp://|www\.|!\[|`|\*\*|~~|\x1b|‮", acting)
    headings = [line for line in told.split("\n") if re.match(r"\s{0,3}(#|---|===|```|~~~)", line)]
    assert len(headings) == len([line for line in plain.split("\n") if line.startswith("#")])
    table = [line for line in told.split("\n") if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in table} == {3}
    assert len(table) == len([line for line in plain.split("\n") if line.startswith("|")])


def test_note_export_as_markdown_section() -> None:
    told = export_notes([note("First.\n\nSecond.", edits=2), note()], "md")
    assert told.startswith("# Hunt log\n\n2 entries.\n")
    for words in (
        "`arn:aws:iam::111122223333:user/ana`",
        "benign",
        "T-7",
        "before 0",
        "before 1",
        "1 denied",
        "2026-03-01T10:00:00Z to 2026-03-01T10:00:30Z",
        "2: `eu-west-1`, `us-east-1`",
        "> First.\n> \n> Second.\n",
    ):
        assert words in told


@pytest.mark.parametrize(
    ("format", "empty"), [("md", "# Hunt log\n\n0 entries.\n\n"), ("jsonl", "")]
)
def test_empty_log_as_markdown(format: Any, empty: str) -> None:
    assert export_notes([], format) == empty


def test_empty_log_as_csv_has_header() -> None:
    assert export_notes([], "csv").startswith("note_id,created,author,verdict,")
    assert export_notes([], "csv").count("\r\n") == 1


CELLS = (
    "x;=1+1",
    "x; =1+1",
    "x,=1+1",
    "x\t=1+1",
    "x\n=1+1",
    "x\r\n+1",
    "x\r-1",
    '";=1+1',
    'x;"=1+1"',
    "x;'@SUM(1)",
    "\uff1d1+1",
    "x;\uff0b1",
    " \uff20SUM(1)",
    "\xa0=1+1",
    "x|=cmd",
    "x;;=1;=2;=3",
    '""=1',
    "x; \u2212 1",
)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("payload", [*CELLS, *PAYLOADS])
def test_no_cell_begins_a_formula_whatever_the_separator(payload: str, separator: str) -> None:
    made = export_notes([note(payload, arn=payload, user_agent=payload, access_key=payload)], "csv")
    made += export_alerts([alert(event(user_agent=payload, arn=payload))], "csv")
    for lines in (io.StringIO(made, newline=""), made.splitlines()):
        for row in csv.reader(lines, delimiter=separator):
            for cell in row:
                bare = unicodedata.normalize("NFKC", cell).replace("\u2212", "-").lstrip(' "')
                assert bare[:1] not in tuple("=+-@|%\t\r"), (cell, row)


ACTIVE = (
    "\x7f\x80\x85\x9b\x9f\u061c\u200b\u200e\u200f\u2028\u202a\u202e\u2066\u2069\ufeff\U000e0041"
)


@pytest.mark.parametrize("character", ACTIVE)
def test_json_exports_escape_what_acts(character: str) -> None:
    payload = f"a{character}b"
    told = export_notes([note(payload, user_agent=payload)], "jsonl")
    alerts = export_alerts([alert(event(user_agent=payload, arn=payload))], "jsonl")
    for text in (told, alerts, json_line({payload: [payload]}) + "\n"):
        assert character not in text
        assert len(text.splitlines()) == text.count("\n") == 1
    assert json.loads(told)["text"] == payload


@given(st.text())
def test_escaped_json_says_the_same(text: str) -> None:
    line = json_line([text, {text: text}])
    assert json.loads(line) == [text, {text: text}]
    assert not any(unicodedata.category(each) in ("Cc", "Zl", "Zp") for each in line)
    assert not any(unicodedata.bidirectional(each) in BIDI for each in line)


BIDI = ("LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI")
