"""What cannot be read says truly where records are, and how many."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from detector.formats import NotALog, Unreadable, parse_records, read_chunks
from tests.detector.formats.sweeps import RECORDS, lines, read, struct_text
from tests.detector.trail import scan


def deep(value: Any, levels: int) -> Any:
    for level in range(levels, 0, -1):
        value = {f"l{level}": value}
    return value


@pytest.mark.parametrize("levels", [0, 1, 2, 5, 9])
def test_records_within_the_cap_are_read(levels: int) -> None:
    assert len(read(json.dumps(deep(RECORDS, levels)).encode()).events) == 12


@pytest.mark.parametrize("levels", [13, 14, 40, 300])
@pytest.mark.parametrize("as_text", [False, True])
def test_records_too_deep_are_told_with_their_path(levels: int, as_text: bool) -> None:
    value = json.dumps({"Records": RECORDS}) if as_text else {"Records": RECORDS}
    (chunk,) = read_chunks(io.BytesIO(json.dumps(deep(value, levels)).encode()))
    with pytest.raises(Unreadable) as refused:
        parse_records(chunk)
    path = "".join(f".l{level}" for level in range(1, levels + 1))
    place = f"{path}|fromjson.Records[0]" if as_text else f"{path}.Records[0]"
    assert refused.value.reason.code == "nested-too-deep"
    assert f"holds 12 CloudTrail records at {place}," in refused.value.reason.detail


def test_lines_too_deep_are_rejected_one_by_one(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(lines([deep(RECORDS[0], 20), RECORDS[1]]))
    run = scan(tmp_path)
    assert run.accounting.records_rejected == {"nested-too-deep": 1}
    assert run.accounting.records_read == 1


OTHER_FORMS = {
    "YAML": "".join(
        f"- eventVersion: '1.11'\n  eventSource: {record['eventSource']}\n" for record in RECORDS
    ),
    "XML": "<Records>"
    + "".join(f"<r>\n<eventSource>{r['eventSource']}</eventSource></r>" for r in RECORDS),
    "structs": "\n".join(map(struct_text, RECORDS)),
    "words": "\n".join(f"x\neventSource = {record['eventSource']}" for record in RECORDS),
}


@pytest.mark.parametrize("form", OTHER_FORMS)
def test_text_of_another_form_says_that_it_holds_records(form: str) -> None:
    with pytest.raises(NotALog) as refused:
        for chunk in read_chunks(io.BytesIO(OTHER_FORMS[form].encode())):
            parse_records(chunk)
    detail = refused.value.reason.detail
    assert "holds CloudTrail records at line" in detail and "12 eventSource" in detail


def test_other_text_is_not_said_to_hold_records() -> None:
    for text in (b"hello\n", b"eventSource\n", b"<a>ec2.amazonaws.com</a>"):
        with pytest.raises(NotALog) as refused:
            list(read_chunks(io.BytesIO(text)))
        assert refused.value.reason.detail == "not JSON"
