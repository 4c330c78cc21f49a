"""Documents near those that CloudTrail writes, some of them broken."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

from tests.detector.trail import call, sweep
from tests.hostile.payloads import PAYLOADS

_PIECES = (
    b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"\n", b" ", b"\t", b"\0", b"null", b"true",
    b"1e5", b"-0", b"01", b".5", b"\\u0041", b"\\ud800", b"\\udc00\\ud800", b"\xc3\xa9", b"\xff",
    b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b'"eventName":"X",', b'"arn":null,',
    b'"event\\u004eame":1,',
    b"Records", b'"userIdentity":null,', b"2026-02-29T00:00:00Z", b"2026-03-01T00:00:60Z",
)  # fmt: skip


def plain_documents() -> Iterator[bytes]:
    """Yield documents and lines of CloudTrail's own form."""
    records = [*sweep(12), call(eventName="DescribeRegions", errorCode="AccessDenied")]
    records += [call(event_id=f"{digit}2345678-1234-1234-1234-123456789abc") for digit in "0g"]
    records += [call(userAgent=text, event_id=name) for name, text in PAYLOADS.items()]
    records += [call(userIdentity=None), call(userIdentity={}), call(readOnly=None), call()]
    for some in (records, records[:1], records[5:9], []):
        for ascii_only in (True, False):
            yield _dumps({"Records": some}, ascii_only)
            yield _dumps(some, ascii_only)
            yield b"\n".join(_dumps(each, ascii_only) for each in some) + b"\n"
    yield json.dumps({"Records": records[:3], "other": [1, {"a": -1.5e-3}]}, indent=1).encode()


def _dumps(value: Any, ascii_only: bool) -> bytes:
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=ascii_only)
    return text.encode("utf-8", "surrogatepass")


def mutated_documents(count: int, seed: int) -> Iterator[bytes]:
    """Yield ``count`` documents with bytes changed, moved, doubled, dropped or inserted."""
    source = random.Random(seed)
    documents = [each for each in plain_documents() if len(each) < 20_000]
    for _ in range(count):
        data = bytearray(source.choice(documents))
        for _ in range(source.randint(0, 4)):
            start = source.randrange(len(data) + 1)
            end = min(len(data), start + source.choice((0, 0, 1, 1, 2, 8, 200)))
            replacement = source.choice((b"", bytes(data[start:end]) * 2, *_PIECES))
            data[start:end] = replacement
        yield bytes(data)
