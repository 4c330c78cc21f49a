"""Small files that would take gigabytes: read, or named, within a tenth of a machine."""

from __future__ import annotations

import gzip
import json
import os
import sys
from collections.abc import Iterable
from itertools import repeat
from typing import Any

import pytest

from detector.cloudtrail.record import decode
from detector.detection.event import Event, Position
from detector.text.capped import TEXT_CAP, VALUE_CAP, capped, capped_value
from tests.detector.esql.conftest import CALL

MOST = 500 << 20
"""Bytes of memory, of which the interpreter and the libraries are some 50 MB."""
LONG = 8_000_000
RULE = """[rule]
rule_id = "00000000-0000-0000-0000-0000000000aa"
name = "Everything"
type = "query"
language = "kuery"
query = "event.outcome: *"
"""


def changed_call(name: str, number: int) -> dict[str, Any]:
    """Return a record whose field is long, and differs by ``number``."""
    long = chr(ord("a") + number) * LONG
    changed: dict[str, Any] = {"eventID": f"{name}-{number}", name: long}
    if name == "arn":
        changed = {"eventID": f"{name}-{number}", "userIdentity": {"type": "IAMUser", "arn": long}}
    if name == "requestParameters":
        changed[name] = {"x": long}
    if name == "resources":
        changed[name] = [{"ARN": f"arn:{number}:{each}"} for each in range(50_000)]
    return {**CALL, **changed}


def records(*names: str, each: int) -> Iterable[bytes]:
    """Yield a trail file of ``each`` records for every long field."""
    separator = b'{"Records":['
    for name in names:
        for number in range(each):
            yield separator + json.dumps(changed_call(name, number)).encode()
            separator = b","
    yield b"]}"


def many(piece: bytes, count: int, head: bytes = b"", tail: bytes = b"") -> Iterable[bytes]:
    """Yield ``head``, ``count`` pieces and ``tail``; the number is a multiple of 1,000."""
    yield head
    yield from repeat(piece * 1000, count // 1000)
    yield tail


BOMBS = {
    "empty objects as lines": many(b"{}\n", 3_000_000),
    "empty lists as lines": many(b"[]\n", 3_000_000),
    "numbers as lines": many(b"1\n", 3_000_000),
    "short objects as lines": many(b'{"a":1}\n', 2_000_000),
    "blank lines between records": many(b"\n", 20_000_000, json.dumps(CALL).encode(), b"{}\n"),
    "empty objects in a trail file": many(b"{},", 8_000_000, b'{"Records":[', b"{}]}"),
    "empty objects in an array": many(b"{},", 8_000_000, b"[", b"{}]"),
    "short objects in a trail file": many(b'{"a":1},', 2_500_000, b'{"Records":[', b"{}]}"),
    "10 with long resources": records("resources", each=10),
    "10 with long texts of a signature": records(
        "userAgent", "errorMessage", "sourceIPAddress", "eventName", "awsRegion", each=2
    ),
    "8 with long other texts": records(
        "eventID", "recipientAccountId", "arn", "requestParameters", each=2
    ),
}


# The kernel's own peak of a child counts what its parent held when it was started, so the child
# reads the peak of its own memory.
MEASURED = """
import re, sys
from pathlib import Path
from tui.commandline.main import main
try:
    status = main(sys.argv[2:])
finally:
    kilobytes = re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1]
    Path(sys.argv[1]).write_text(str(int(kilobytes) * 1024))
sys.exit(status)
"""


@pytest.mark.parametrize("bomb", BOMBS)
def test_memory_and_state_stay_small(tmp_path, bomb):
    path, state, rule = tmp_path / "a.json.gz", tmp_path / "s.db", tmp_path / "r.toml"
    rule.write_text(RULE)
    with gzip.open(path, "wb", 1) as file:
        file.writelines(BOMBS[bomb])
    said = tmp_path / "said"
    peak = tmp_path / "peak"
    arguments = ["scan", "--rules", str(rule), "--db", str(state), "--format", "jsonl", str(path)]
    child = os.posix_spawn(
        sys.executable,
        [sys.executable, "-c", MEASURED, str(peak), *arguments],
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_OPEN, 2, said, os.O_WRONLY | os.O_CREAT, 0o600),
        ],
    )
    _, status = os.waitpid(child, 0)
    text = said.read_text()
    assert "Traceback" not in text and os.waitstatus_to_exitcode(status) in (0, 1)
    assert int(peak.read_text()) < MOST
    assert state.stat().st_size < LONG
    if bomb[0].isdecimal():
        assert f"seen = {bomb.split()[0]} read" in text, text
    else:
        assert "skipped: " in text or "quarantined: " in text or "seen = 1 read" in text, text


@pytest.mark.parametrize("size", [0, 1, TEXT_CAP - 1, TEXT_CAP, TEXT_CAP + 1, 5 * TEXT_CAP])
def test_capped_text_keeps_what_differs_apart(size):
    text, other = "a" * size + "x", "a" * size + "y"
    assert capped(text) != capped(other)
    assert capped(text) == capped("a" * size + "x")
    assert len(capped(text)) < TEXT_CAP + 80
    assert (capped(text) == text) == (size < TEXT_CAP)


@pytest.mark.parametrize(
    "value",
    ["a", "a" * VALUE_CAP, 5, None, True, [], ["a", "b"], ["a" * (VALUE_CAP - 1), "b"], [1] * 9],
)
def test_short_value_is_kept_whole(value):
    assert capped_value(value) is value


@pytest.mark.parametrize(
    "value",
    [
        "a" * (VALUE_CAP + 1),
        ["a" * VALUE_CAP, "b"],
        ["a" * (VALUE_CAP + 1)],
        ["a"] * (VALUE_CAP + 1),
        [str(n) for n in range(VALUE_CAP)],
        list(range(VALUE_CAP + 1)),
    ],
)
def test_long_value_is_cut(value):
    cut = capped_value(value)
    size = len(cut) if isinstance(cut, str) else sum(len(str(item)) for item in cut)
    assert size < 7 * VALUE_CAP and cut != value
    assert capped_value(list(value) if isinstance(value, list) else value) == cut


def test_long_record_is_judged_as_its_signature_is():
    """A head and its record are cut alike, so that they never disagree about a filter."""
    raw = json.dumps({**CALL, "userAgent": "a" * LONG, "eventID": "b" * LONG}).encode()
    record = decode(raw)
    assert record.user_agent == capped("a" * LONG) == record.head().user_agent
    event = Event.of(record, raw, 0, Position("f", 0, 0))
    assert len(event.user_agent) + len(event.event_id) < 3 * TEXT_CAP
