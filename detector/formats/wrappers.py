"""The one table of forms: what a JSON object is, told by its keys, and where the records in it are.

Forms stand in each other: a queue's message in a notification in a log line. ``records`` opens them until it meets
records. A page of the documentation (docs/formats.md) names the same forms; each has a fixture in the tests.
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
from detector.formats.foreign_schemas import Json, from_ecs, from_lower_case, from_ocsf
from detector.formats.json_spans import (
    WHITESPACE,
    decode_string,
    split_elements,
    split_members,
    split_values,
)
from detector.formats.tabular import RECORD_CAP

NESTING_CAP = 12
"""How many forms may stand in each other."""
_INNER_CAP = 64 << 20


class ParsedRecord(NamedTuple):
    """A record. ``raw`` is what stands in the file: its JSON, or the text that a wrapper's string
    says.

    ``translated`` is the record in CloudTrail's names, where the file has others. ``head`` is the
    record's, where it has been decoded already."""

    raw: bytes
    translated: bytes | None = None
    head: Head | None = None


class NonRecord(NamedTuple):
    """Something that is no record, by its reason; or something worth noting of the next one."""

    kind: Literal["skipped", "rejected", "noted"]
    reason: str


Members = dict[str, bytes]
Unwrapped = Iterator[bytes | ParsedRecord | NonRecord]
"""What an object holds: JSON to open further, records, or what is set aside."""


class Wrapper(NamedTuple):
    name: str
    required_keys: frozenset[str]
    """Keys that all of its objects have."""
    open: Callable[[Members, bytes], Unwrapped]
    """Gets the members and the whole object."""


def records(data: bytes, depth: int = 0) -> Iterator[ParsedRecord | NonRecord]:
    """The records in some text: JSON values one after the other, after a time stamp or not.

    Raises json.JSONDecodeError or RecursionError where the text itself is no JSON; what is wrong
    deeper costs itself only."""
    for value in split_values(strip_timestamp(data)):
        yield from _open(value, depth)


def unwrap_elements(split_values: Iterable[bytes]) -> Iterator[ParsedRecord | NonRecord]:
    """The records in these elements of an array. Raises nothing: what is wrong costs itself
    only."""
    for value in split_values:
        if value[:1] == b"[":
            yield ParsedRecord(value)
        else:
            yield from _open(value, 1)


def strip_timestamp(text: bytes) -> bytes:
    """A line of a CloudWatch Logs export, or of a log shipper, without the time stamp before its
    JSON."""
    if text[:1] in b'{["':
        return text
    stamp = _STAMP.match(text)
    return text[stamp.end() :] if stamp else text


_STAMP = re.compile(
    rb"\s*\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?[ \t]+(?=[{\[])"
)
_head = msgspec.json.Decoder(Head)


def _open(value: bytes, depth: int) -> Iterator[ParsedRecord | NonRecord]:
    kind = value[:1]
    deep = False
    if kind == b"{":
        try:
            head = _head.decode(value)
            if head.event_time and head.event_name and head.event_source and head.user_identity:
                yield (
                    ParsedRecord(value, head=head)
                    if len(value) <= RECORD_CAP
                    else NonRecord("rejected", "too-large")
                )
                return
        except RecursionError:
            deep = True
        except ValueError:
            pass
        parts: Iterator[bytes | ParsedRecord | NonRecord] = _object(value, deep)
    elif kind == b"[":
        if not depth and not value[1:-1].strip(WHITESPACE):
            yield ParsedRecord(value)
            return
        parts = _each(value)
    elif kind == b'"':
        parts = _texts(value)
    else:
        yield ParsedRecord(value)
        return
    if depth >= NESTING_CAP:
        yield NonRecord("rejected", "nested-too-deep")
        return
    try:
        for part in parts:
            if isinstance(part, bytes):
                yield from _open(part, depth + 1)
            else:
                yield part
    except RecursionError:
        yield NonRecord("rejected", "nested-too-deep")
    except (json.JSONDecodeError, KeyError):
        yield NonRecord("rejected", "not-json")


def _each(array: bytes) -> Unwrapped:
    """The elements of an array; one that is an array itself is no record, and holds none."""
    for element in split_elements(array):
        yield ParsedRecord(element) if element[:1] == b"[" else element


def _object(value: bytes, deep: bool) -> Unwrapped:
    """``deep``: it is nested too deep to be a record, though what it wraps may not be."""
    found = split_members(value)
    keys = found.keys()
    for form in WRAPPERS:
        if form.required_keys <= keys:
            return form.open(found, value)
    if deep:
        return iter((NonRecord("rejected", "nested-too-deep"),))
    return iter(
        (ParsedRecord(value) if len(value) <= RECORD_CAP else NonRecord("rejected", "too-large"),)
    )


def _texts(value: bytes) -> Unwrapped:
    """The JSON in the text of a string: one value, several, or lines."""
    text = decode_string(value).strip(WHITESPACE)
    if text[:1] == b'"':  # a string of a string of a string: only as deep as forms may be
        yield text
        return
    try:
        whole = list(split_values(strip_timestamp(text)))
    except json.JSONDecodeError:
        whole = []
        lines = [line for line in text.split(b"\n") if line.strip(WHITESPACE)]
        if len(lines) < 2:
            raise
        for line in lines:
            try:
                whole += split_values(strip_timestamp(line.strip(WHITESPACE)))
            except json.JSONDecodeError:
                yield NonRecord("rejected", "not-json")
    yield from whole


def _member(*names: str) -> Callable[[Members, bytes], Unwrapped]:
    """The records are in one member: JSON, or a string of it, or an array of either."""

    def opened(found: Members, _: bytes) -> Unwrapped:
        yield next(found[name] for name in names if name in found)

    return opened


def _records(found: Members, value: bytes) -> Unwrapped:
    if found["Records"][:1] != b"[":
        return iter((ParsedRecord(value),))
    return _each(found["Records"])


def _hits(found: Members, _: bytes) -> Unwrapped:
    hits = found["hits"]
    yield split_members(hits).get("hits", b"[]") if hits[:1] == b"{" else hits


def _skip(reason: str) -> Callable[[Members, bytes], Unwrapped]:
    return lambda _, __: iter((NonRecord("skipped", reason),))


def _cloudwatch(found: Members, _: bytes) -> Unwrapped:
    if found["messageType"] != b'"DATA_MESSAGE"':
        yield NonRecord("skipped", "control-message")
    else:
        yield from _each(found["logEvents"])


def _base64(value: bytes) -> Iterator[bytes]:
    """The JSON in base64 text, gzip-compressed or not."""
    try:
        data = base64.b64decode(decode_string(value), validate=True)
        if data[:2] == b"\x1f\x8b":
            content = gunzip(io.BytesIO(data), Budget(_INNER_CAP))
            data = b"".join(iter(lambda: content.read(BLOCK) or b"", b""))
    except (binascii.Error, Unreadable):
        raise json.JSONDecodeError("no base64, or damaged", "", 0) from None
    yield from split_values(data)


def _event_bridge(found: Members, _: bytes) -> Unwrapped:
    kind = decode_string(found["detail-type"])
    if kind.endswith(b" via CloudTrail"):
        yield NonRecord("noted", "eventbridge")
        yield found["detail"]
    else:
        yield NonRecord(
            "skipped", "s3-notification" if kind.startswith(b"Object ") else "other-event"
        )


def _sns(found: Members, _: bytes) -> Unwrapped:
    if found["Type"] == b'"Notification"':
        yield found["Message"]
    else:
        yield NonRecord("skipped", "control-message")


def _bulk(found: Members, value: bytes) -> Unwrapped:
    if len(found) == 1 and next(iter(found.values()))[:1] == b"{":
        yield NonRecord("skipped", "bulk-action")
    else:
        yield ParsedRecord(value)


def _ecs(_: Members, value: bytes) -> Unwrapped:
    """The original where it was kept; a shipper's message; or else the document's own fields."""
    document: Json = loads(value)
    event = document.get("event")
    original = (event.get("original") if isinstance(event, dict) else None) or document.get(
        "event.original"
    )
    for text in (original, document.get("message")):
        if isinstance(text, list) and text:
            text = text[0]
        if isinstance(text, str) and text.lstrip()[:1] in ("{", "["):
            yield msgspec.json.encode(text)
            return
    yield _translated(from_ecs(document), value)


def _fields(found: Members, _: bytes) -> Unwrapped:
    yield _translated(from_ecs(loads(found["fields"])), found["fields"])


def _translated(record: Json, raw: bytes) -> ParsedRecord:
    return ParsedRecord(raw, msgspec.json.encode(record))


def _lower_case(_: Members, value: bytes) -> Unwrapped:
    yield _translated(from_lower_case(loads(value)), value)


def _ocsf(_: Members, value: bytes) -> Unwrapped:
    yield _translated(from_ocsf(loads(value)), value)


def _query_results(found: Members, _: bytes) -> Unwrapped:
    """CloudWatch Logs Insights: rows of ``{"field": …, "value": …}``."""
    for row in split_elements(found["results"]):
        for cell in split_elements(row):
            parts = split_members(cell)
            if parts.get("field") == b'"@message"':
                yield parts["value"]


def _wrapper(
    name: str, required_keys: str, opened: Callable[[Members, bytes], Unwrapped]
) -> Wrapper:
    return Wrapper(name, frozenset(required_keys.split()), opened)


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
        lambda found, _: _base64(split_members(found["awslogs"])["data"]),
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
        lambda found, _: _base64(split_members(found["kinesis"])["data"]),
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
