"""The targets of the fuzzer.

Each takes any bytes and fails if a promise is broken. The tests run every find that is kept through
the same functions (tests/hostile/test_finds.py).
"""

from __future__ import annotations

import gzip
import io
import json
import unicodedata
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from detector.cloudtrail.record import EventSignature, Head, Record, decode, signature_of
from detector.detection.digest import digest
from detector.detection.signature_cache import SignatureCache
from detector.ecs.fields import field_table
from detector.esql.ast import From, Span, Tree, Where
from detector.esql.errors import EsqlError
from detector.esql.expressions.scope import QueryOptions
from detector.esql.kql import parse_kql
from detector.esql.plan.planner import plan, plan_tree
from detector.esql.plan.query import Query
from detector.formats import (
    Chunk,
    KnownHeads,
    Records,
    Unreadable,
    parse_documents,
    parse_records,
    read_chunks,
    records,
)
from detector.formats.native import cut
from detector.rules.dispatch import Dispatch
from detector.rules.ruleset import load
from detector.text.time import parse_time
from detector.text.visible import masked, visible

Target = Callable[[bytes], None]


# formats


def formats(data: bytes) -> None:
    """Check a file of any bytes.

    It is read or refused with a reason, its sums add up, and every record can be had again.
    """
    _read(data)
    if data[:2] != b"\x1f\x8b":
        _read(gzip.compress(data, 1))


def _read(data: bytes) -> None:
    end = 0
    try:
        for chunk in read_chunks(io.BytesIO(data)):
            assert chunk.offset == end, "chunks follow on each other"
            end = chunk.end + (
                chunk.problem is not None
            )  # a member that cannot be read has a byte as its place
            _check_digest(chunk)
    except Unreadable as error:
        _is_reason(error)


def _is_reason(error: Unreadable) -> None:
    assert error.reason.code and error.reason.code.isascii() and " " not in error.reason.code
    assert "\n" not in error.reason.detail


_known = KnownHeads(64)
"""Heads of other inputs must change nothing."""
_PLAIN = b'{"Records":[{"eventName":"A","eventTime":"2026-03-01T00:00:00Z"}]}'


def native(data: bytes) -> None:
    """Check that the native cut gives what Python gives, or declines."""
    _known.trim()
    for is_lines in (False, True):
        view = memoryview(bytearray(data))
        spans = cut.cut(view, is_lines, _known)
        if spans is None or spans.groups is None:
            continue
        chunk = Chunk(0, view, is_lines)
        try:
            fast = _cut_outcome(records.records_of_spans(view, spans, spans.groups))
        except (ValueError, RecursionError):
            fast = None
        try:
            slow = _cut_outcome(records.cut_in_python(chunk, view, KnownHeads()))
        except (ValueError, RecursionError):
            slow = None
        assert fast == slow, "both paths cut alike"
    _check_documents(data)


def _check_documents(data: bytes) -> None:
    """Check that documents that are parsed at once have what each has by itself."""
    texts = [data, _PLAIN, data]
    parsed = parse_documents(texts, _known)
    if parsed is None:
        return
    for text, found in zip(texts, parsed.records, strict=True):
        if found is not None:
            chunk = Chunk(0, memoryview(bytearray(text)), lines=False)
            alone = parse_records(chunk, KnownHeads())
            assert _cut_outcome(found) == _cut_outcome(alone), "a document is parsed as alone"


def _cut_outcome(parsed: Records) -> tuple[Any, ...]:
    raws = [parsed.raw(index) for index in range(len(parsed))]
    return list(parsed.by_signature.items()), list(parsed.times), raws


def _check_digest(chunk: Chunk) -> None:
    parsed = parse_records(chunk)
    partial = digest("file", chunk, _dispatch(), SignatureCache()).partial
    (stats,) = partial.chunks.values()
    excluded = sum(stats.skipped.values()) + sum(stats.rejected.values())
    assert 0 <= stats.hits <= stats.seen - excluded
    assert (stats.first is None) == (stats.seen == excluded), "what is kept has a time"
    for index, (call, time) in enumerate(_heads(parsed)):
        assert parsed.raw(index)
        if call != signature_of(Head()):
            head = parsed.record(index).head()
            assert (signature_of(head), parse_time(head.event_time)) == (call, time), (
                "the head is that of the record"
            )
    if chunk.problem is None:
        _check_single_records(chunk, parsed)


def _check_single_records(chunk: Chunk, parsed: Records) -> None:
    """Check that a document has the records found one by one."""
    data = chunk.data.tobytes().removeprefix(b"\xef\xbb\xbf")
    try:
        slow = records._parse_one_by_one(memoryview(data), chunk.lines, KnownHeads())
    except Unreadable:
        return
    nothing = signature_of(Head()), None
    assert [head for head in _heads(slow) if head != nothing] == [
        head for head in _heads(parsed) if head != nothing
    ]


def _heads(parsed: Records) -> list[tuple[EventSignature, int | None]]:
    """List the signature and time of each record, in order."""
    calls = {index: call for call, indexes in parsed.by_signature.items() for index in indexes}
    return [(calls[index], time) for index, time in enumerate(parsed.times)]


@cache
def _dispatch() -> Dispatch:
    return Dispatch(load())


# rules


def esql(data: bytes) -> None:
    """Check any text as an ES|QL query.

    It is refused with a place in the text, or gives rows and results of any record.
    """
    _check_query(data, lambda text, options: plan(text, field_table(), options))


def kql(data: bytes) -> None:
    """Check any text as a KQL query."""
    _check_query(
        data,
        lambda text, options: plan_tree(
            Tree(
                (
                    From(("logs-aws.cloudtrail-*",), (), span=_START),
                    Where(parse_kql(text), span=_START),
                ),
                span=_START,
            ),
            text,
            field_table(),
            options,
        ),
    )


_START = Span(1, 1, 0, 0)


def _check_query(data: bytes, compile_text: Callable[[str, QueryOptions], Query]) -> None:
    text = data.decode(errors="replace")
    try:
        query = compile_text(text, QueryOptions(None, null_negation=len(data) % 2 == 1))
    except EsqlError as error:
        assert error.message and "\n" not in error.message.strip()
        assert 1 <= error.line <= text.count("\n") + 1
        assert 1 <= error.column <= max(map(len, text.split("\n"))) + 1
        return
    _check_answers(query)


def _check_answers(query: Query) -> None:
    groups: dict[Any, list[Any]] = {}
    for number, record in enumerate(_odd_records()):
        time = _TIMES[number % len(_TIMES)]
        rows = query.rows(record, time)
        assert query.accepts(record, time) == bool(rows)
        assert not rows or _is_expected(query, record), (
            "nobody is turned away at the gate who would get through"
        )
        json.dumps(rows)
        if query.grouping is None:
            list(query.filter_results(record, time))
            assert all(query.result(time, key, [inputs]) is not None for key, inputs in rows)
            continue
        for key, inputs in rows:
            groups.setdefault((time // (query.window or 1), key), []).append(inputs)
    for (bucket, key), inputs in groups.items():
        start = bucket * (query.window or 1)
        aggregator = query.sliding_aggregator()
        for each in inputs:
            aggregator.add(each)
        result = query.result(start, key, inputs)
        assert query.group_passes(aggregator, start, key) == (result is not None), (
            "a group that moves is the group at once"
        )
        json.dumps(query.result(start, key, inputs, conditions=False))
        query.format_key(key)


def _is_expected(query: Query, record: Record) -> bool:
    head = record.head()
    return (
        any(
            provider in (None, record.event_source) and action in (None, record.event_name)
            for provider, action in query.required_pairs
        )
        and query.prefilter.accepts_pair(head)
        and query.prefilter.accepts(head)
    )


_TIMES = (0, 1_772_359_200, 1_709_164_799, 253_370_764_799)
_ODD: tuple[Any, ...] = (
    None,
    "",
    "-",
    "none",
    0,
    -1,
    2**63 - 1,
    2**63,
    10**30,
    0.5,
    1e308,
    True,
    False,
    "9" * 5000,
    "\ud800",
    "a\nb",
    "::ffff:1.2.3.4",
    "fe80::1%eth0",
    "2024-02-29T23:59:59Z",
    [],
    {},
    [1, "x", None, [2]],
    {"a": {"b": [1, {"c": "d"}]}},
)


@cache
def _odd_records() -> tuple[Record, ...]:
    """Make records in which every field takes every odd value once."""
    return tuple(_odd_record(shift) for shift in range(len(_ODD)))


def _odd_record(shift: int) -> Record:
    turn: Iterator[Any] = iter([*_ODD[shift:], *_ODD[:shift]] * 3)
    who = {
        name: next(turn)
        for name in (
            "type",
            "principalId",
            "arn",
            "accountId",
            "accessKeyId",
            "userName",
            "invokedBy",
        )
    }
    who["sessionContext"] = {
        "attributes": {"creationDate": next(turn), "mfaAuthenticated": next(turn)},
        "sessionIssuer": {"arn": next(turn), "userName": next(turn)},
    }
    record = {
        name: next(turn)
        for name in (
            "awsRegion",
            "sourceIPAddress",
            "userAgent",
            "errorCode",
            "errorMessage",
            "eventType",
            "readOnly",
            "recipientAccountId",
            "apiVersion",
            "vpcEndpointId",
            "requestParameters",
            "responseElements",
            "resources",
            "additionalEventData",
            "tlsDetails",
            "serviceEventDetails",
            "sessionCredentialFromConsole",
        )
    }
    record |= {
        "eventTime": "2026-03-01T10:00:00Z",
        "eventID": str(shift),
        "userIdentity": who,
        "eventSource": ("ec2.amazonaws.com", "sts.amazonaws.com")[shift % 2],
        "eventName": ("DescribeInstances", "GetCallerIdentity")[shift % 2],
    }
    return decode(json.dumps(record).encode())


# text


def safe(data: bytes) -> None:
    """Check any text as it is shown.

    It does nothing to a terminal, keeps its place, and shows as itself.
    """
    text = (
        data.decode("utf-8", "surrogatepass" if len(data) % 2 else "surrogateescape")
        if _decodes(data)
        else data.decode("latin-1")
    )
    shown = visible(text, limit=200)
    assert _harmless(shown)
    assert (
        visible(text) == visible(visible(text, limit=len(text) + 1), limit=20 * len(text) + 1)
        or len(text) > 2000
    )
    assert all(map(_harmless, visible(text, lines=True).split("\n")))
    masked_text = masked(text)
    assert len(masked_text) == len(text)
    assert _harmless(masked_text)


def _decodes(data: bytes) -> bool:
    try:
        data.decode("utf-8", "surrogatepass" if len(data) % 2 else "surrogateescape")
    except UnicodeDecodeError:
        return False
    return True


def _harmless(shown: str) -> bool:
    """Check a text by Unicode's own tables.

    It has no controls, formats, separators, surrogates, private or unassigned characters.
    """
    acts = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
    return all(
        unicodedata.category(character) not in acts
        and (character == " " or unicodedata.category(character) != "Zs")
        and unicodedata.bidirectional(character) not in _BIDI
        for character in shown
    )


_BIDI = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI", "BN"})

TARGETS: dict[str, Target] = {
    target.__name__: target for target in (formats, native, esql, kql, safe)
}
