"""The one table of wrappers around records, and how each is opened.

A wrapper is a JSON object that holds records, told by its keys. Wrappers nest: a queue's message in
a notification in a log line. ``unwrap`` opens them until it reaches records. The page
docs/formats.md names the same wrappers; each has a fixture in the tests.
"""

from __future__ import annotations

import base64
import binascii
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Literal, NamedTuple

import msgspec

from detector.cloudtrail.record import Head, loads
from detector.formats.decompress import BLOCK, Budget, gunzip
from detector.formats.errors import Unreadable
from detector.formats.foreign_schemas import JsonObject, from_ecs, from_lower_case, from_ocsf
from detector.formats.json_spans import (
    WHITESPACE,
    decode_string,
    split_elements,
    split_members,
    split_values,
)
from detector.formats.tabular import RECORD_CAP

NESTING_CAP = 12
"""Wrappers that may be nested in each other."""
_INNER_CAP = 64 << 20


class ParsedRecord(NamedTuple):
    """A record, or a JSON value in the place of one.

    ``raw`` is its JSON as the file has it, or the text of a wrapper's string.
    """

    raw: bytes
    translated: bytes | None = None
    """The record in CloudTrail's names, where the file has others."""
    head: Head | None = None
    """The record's head, where it has been decoded already."""


class NonRecord(NamedTuple):
    """A value that is no record, or a remark on one."""

    kind: Literal["skipped", "rejected", "noted"]
    reason: str


Members = dict[str, bytes]
Unwrapped = Iterator[bytes | ParsedRecord | NonRecord]
"""The content of a wrapper: JSON to unwrap further, records, and what is none."""


class Wrapper(NamedTuple):
    """A kind of JSON object that holds records."""

    name: str
    required_keys: frozenset[str]
    """Keys that all of its objects have."""
    open: Callable[[Members, bytes], Unwrapped]
    """Opens an object, given its members and its whole JSON."""


def unwrap(data: bytes, depth: int = 0) -> Iterator[ParsedRecord | NonRecord]:
    """Find the records in a text of JSON values.

    Raises json.JSONDecodeError or RecursionError where the text itself is no JSON; a damaged value
    within is rejected by itself.
    """
    for value in split_values(strip_timestamp(data)):
        yield from _unwrap_value(value, depth)


def unwrap_elements(elements: Iterable[bytes]) -> Iterator[ParsedRecord | NonRecord]:
    """Find the records in the elements of an array. Raises nothing."""
    for element in elements:
        if element[:1] == b"[":
            yield ParsedRecord(element)
        else:
            yield from _unwrap_value(element, 1)


def strip_timestamp(text: bytes) -> bytes:
    """Strip the time stamp before the JSON of a log line.

    CloudWatch Logs exports and log shippers write one.
    """
    if text[:1] in b'{["':
        return text
    stamp = _TIMESTAMP.match(text)
    return text[stamp.end() :] if stamp else text


_TIMESTAMP = re.compile(
    rb"\s*\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?[ \t]+(?=[{\[])"
)
_head_decoder = msgspec.json.Decoder(Head)


def _unwrap_value(value: bytes, depth: int) -> Iterator[ParsedRecord | NonRecord]:
    """Find the records in a value; ``depth`` wrappers are around it."""
    is_too_deep = False
    if value[:1] == b"{":
        # Most objects are records, and their heads are needed anyway.
        try:
            head = _head_decoder.decode(value)
            if head.event_time and head.event_name and head.event_source and head.user_identity:
                if len(value) <= RECORD_CAP:
                    yield ParsedRecord(value, head=head)
                else:
                    yield NonRecord("rejected", "too-large")
                return
        except RecursionError:
            is_too_deep = True
        except ValueError:
            pass
    content = _content_of(value, depth, is_too_deep)
    if content is None:
        yield ParsedRecord(value)
        return
    if depth >= NESTING_CAP:
        yield NonRecord("rejected", "nested-too-deep")
        return
    try:
        for item in content:
            if isinstance(item, bytes):
                yield from _unwrap_value(item, depth + 1)
            else:
                yield item
    except RecursionError:
        yield NonRecord("rejected", "nested-too-deep")
    except (json.JSONDecodeError, KeyError):
        yield NonRecord("rejected", "not-json")


def _content_of(value: bytes, depth: int, is_too_deep: bool) -> Unwrapped | None:
    """Return what a value wraps; None for one that wraps nothing."""
    opening = value[:1]
    if opening == b"{":
        return _unwrap_object(value, is_too_deep)
    if opening == b"[":
        is_empty = not value[1:-1].strip(WHITESPACE)
        return None if is_empty and not depth else _unwrap_array(value)
    if opening == b'"':
        return _unwrap_string(value)
    return None


def _unwrap_array(array: bytes) -> Unwrapped:
    """Yield the elements of an array; inner arrays hold no records."""
    for element in split_elements(array):
        if element[:1] == b"[":
            yield ParsedRecord(element)
        else:
            yield element


def _unwrap_object(value: bytes, is_too_deep: bool) -> Unwrapped:
    """Open an object by the wrapper that fits, or as a record.

    An object that is nested too deep for a record may still be a wrapper.
    """
    members = split_members(value)
    keys = members.keys()
    for wrapper in WRAPPERS:
        if wrapper.required_keys <= keys:
            return wrapper.open(members, value)
    if is_too_deep:
        return iter((NonRecord("rejected", "nested-too-deep"),))
    if len(value) > RECORD_CAP:
        return iter((NonRecord("rejected", "too-large"),))
    return iter((ParsedRecord(value),))


def _unwrap_string(value: bytes) -> Unwrapped:
    """Yield the JSON values or lines in the text of a string."""
    text = decode_string(value).strip(WHITESPACE)
    if text[:1] == b'"':  # A string of a string: only as deep as wrappers may be.
        yield text
        return
    try:
        values = list(split_values(strip_timestamp(text)))
    except json.JSONDecodeError:
        values = []
        lines = [line for line in text.split(b"\n") if line.strip(WHITESPACE)]
        if len(lines) < 2:
            raise
        for line in lines:
            try:
                values += split_values(strip_timestamp(line.strip(WHITESPACE)))
            except json.JSONDecodeError:
                yield NonRecord("rejected", "not-json")
    yield from values


def _member(*names: str) -> Callable[[Members, bytes], Unwrapped]:
    """Return an opener of the first member there is of these names.

    The member is JSON, or a string of it, or an array of either.
    """

    def open_member(members: Members, _: bytes) -> Unwrapped:
        yield next(members[name] for name in names if name in members)

    return open_member


def _records(members: Members, value: bytes) -> Unwrapped:
    if members["Records"][:1] != b"[":
        return iter((ParsedRecord(value),))
    return _unwrap_array(members["Records"])


def _hits(members: Members, _: bytes) -> Unwrapped:
    hits = members["hits"]
    if hits[:1] == b"{":
        yield split_members(hits).get("hits", b"[]")
    else:
        yield hits


def _skip(reason: str) -> Callable[[Members, bytes], Unwrapped]:
    return lambda _, __: iter((NonRecord("skipped", reason),))


def _cloudwatch(members: Members, _: bytes) -> Unwrapped:
    if members["messageType"] != b'"DATA_MESSAGE"':
        yield NonRecord("skipped", "control-message")
    else:
        yield from _unwrap_array(members["logEvents"])


def _base64(value: bytes) -> Iterator[bytes]:
    """Yield the JSON in base64 text, gzip-compressed or not."""
    try:
        data = base64.b64decode(decode_string(value), validate=True)
        if data[:2] == b"\x1f\x8b":
            content = gunzip(io.BytesIO(data), Budget(_INNER_CAP))
            data = b"".join(iter(lambda: content.read(BLOCK) or b"", b""))
    except (binascii.Error, Unreadable):
        raise json.JSONDecodeError("no base64, or damaged", "", 0) from None
    yield from split_values(data)


def _event_bridge(members: Members, _: bytes) -> Unwrapped:
    kind = decode_string(members["detail-type"])
    if kind.endswith(b" via CloudTrail"):
        yield NonRecord("noted", "eventbridge")
        yield members["detail"]
    elif kind.startswith(b"Object "):
        yield NonRecord("skipped", "s3-notification")
    else:
        yield NonRecord("skipped", "other-event")


def _sns(members: Members, _: bytes) -> Unwrapped:
    if members["Type"] == b'"Notification"':
        yield members["Message"]
    else:
        yield NonRecord("skipped", "control-message")


def _bulk(members: Members, value: bytes) -> Unwrapped:
    if len(members) == 1 and next(iter(members.values()))[:1] == b"{":
        yield NonRecord("skipped", "bulk-action")
    else:
        yield ParsedRecord(value)


def _ecs(_: Members, value: bytes) -> Unwrapped:
    """Yield the original where it was kept, or else the document's fields.

    A shipper's message is an original too.
    """
    document: JsonObject = loads(value)
    event = document.get("event")
    original = event.get("original") if isinstance(event, dict) else None
    original = original or document.get("event.original")
    for text in (original, document.get("message")):
        if isinstance(text, list) and text:
            text = text[0]
        if isinstance(text, str) and text.lstrip()[:1] in ("{", "["):
            yield msgspec.json.encode(text)
            return
    yield _translated(from_ecs(document), value)


def _fields(members: Members, _: bytes) -> Unwrapped:
    yield _translated(from_ecs(loads(members["fields"])), members["fields"])


def _translated(record: JsonObject, raw: bytes) -> ParsedRecord:
    return ParsedRecord(raw, msgspec.json.encode(record))


def _lower_case(_: Members, value: bytes) -> Unwrapped:
    yield _translated(from_lower_case(loads(value)), value)


def _ocsf(_: Members, value: bytes) -> Unwrapped:
    yield _translated(from_ocsf(loads(value)), value)


def _query_results(members: Members, _: bytes) -> Unwrapped:
    """Yield the messages of CloudWatch Logs Insights.

    Its rows are arrays of ``{"field": …, "value": …}``.
    """
    for row in split_elements(members["results"]):
        for cell in split_elements(row):
            cell_members = split_members(cell)
            if cell_members.get("field") == b'"@message"':
                yield cell_members["value"]


def _wrapper(
    name: str, required_keys: str, opener: Callable[[Members, bytes], Unwrapped]
) -> Wrapper:
    return Wrapper(name, frozenset(required_keys.split()), opener)


WRAPPERS: tuple[Wrapper, ...] = (
    _wrapper("trail file; S3, SQS, SNS or Kinesis event of a Lambda function", "Records", _records),
    _wrapper("digest file", "digestStartTime", _skip("digest")),
    _wrapper("CloudTrail Lake sign file", "files hashSignature", _skip("lake-sign")),
    _wrapper("CloudTrail Lake sign file", "files region version", _skip("lake-sign")),
    _wrapper("S3 test event", "Service Event Bucket", _skip("s3-notification")),
    _wrapper("delivery notification", "s3Bucket s3ObjectKey", _skip("delivery-notification")),
    _wrapper("aggregated event", "timeWindow eventCategory", _skip("aggregated")),
    _wrapper("lookup-events, one event", "CloudTrailEvent", _member("CloudTrailEvent")),
    _wrapper("lookup-events", "Events", _member("Events")),
    _wrapper("CloudWatch Logs subscription", "messageType logEvents", _cloudwatch),
    _wrapper(
        "CloudWatch Logs subscription, control message", "messageType", _skip("control-message")
    ),
    _wrapper(
        "CloudWatch Logs to Lambda",
        "awslogs",
        lambda members, _: _base64(split_members(members["awslogs"])["data"]),
    ),
    _wrapper("CloudWatch Logs Insights", "results statistics", _query_results),
    _wrapper("CloudWatch Logs filter-log-events", "events", _member("events")),
    _wrapper("EventBridge", "detail-type detail", _event_bridge),
    _wrapper("SNS notification", "Type Message", _sns),
    _wrapper("SNS record", "Sns", _member("Sns")),
    _wrapper("SQS receive-message", "Messages", _member("Messages")),
    _wrapper("SQS message", "Body", _member("Body")),
    _wrapper("SQS message, as Lambda gets it", "body messageId", _member("body")),
    _wrapper(
        "Kinesis record",
        "kinesis",
        lambda members, _: _base64(split_members(members["kinesis"])["data"]),
    ),
    _wrapper("Elasticsearch search reply", "hits", _hits),
    _wrapper("Elasticsearch document", "_source", _member("_source")),
    _wrapper("Elasticsearch document, fields only", "_index fields", _fields),
    *(
        _wrapper("Elasticsearch bulk action", action, _bulk)
        for action in ("index", "create", "update", "delete")
    ),
    _wrapper("OCSF API Activity", "api metadata", _ocsf),
    _wrapper("Athena, lower-case keys", "eventname eventtime", _lower_case),
    _wrapper("ECS", "@timestamp event", _ecs),
    _wrapper("ECS, dotted names", "@timestamp event.action", _ecs),
    _wrapper("ECS, dotted names, original", "event.original", _ecs),
    _wrapper("Splunk export", "result", _member("result")),
    _wrapper("Splunk event", "_raw", _member("_raw")),
    _wrapper("log shipper (Filebeat, Vector, Logstash)", "message", _member("message")),
    _wrapper("log shipper (Fluent Bit)", "log", _member("log")),
    _wrapper("Splunk HTTP event", "event sourcetype", _member("event")),
    _wrapper("CloudTrail Lake, eventJson", "eventJson", _member("eventJson")),
    _wrapper("CloudTrail Lake, eventJson, from a table", "eventjson", _member("eventjson")),
)
