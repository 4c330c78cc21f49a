"""The fields that Sigma rules name: paths in the raw CloudTrail record.

``requestParameters.bucketName`` reads the log at that path and descends into lists, whose elements
are separate values. A value is read as text, an object as compact JSON. A suffix reads another
property of the field: ``|exists`` or a part of a date (``|hour``). ``|keywords`` is the text of the
whole record.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import product
from typing import Any

import msgspec

from detector.cloudtrail.record import Record
from detector.ecs.fields import Field, FieldTable
from detector.ecs.getters import FieldGetter
from detector.ecs.values import many, single
from detector.text.time import from_milliseconds, parse_milliseconds

MESSAGE = "|keywords"
EXISTS = "|exists"
_COMBINED = "|combined"

_HEAD_FIELDS = {
    "eventSource": "event_source",
    "eventName": "event_name",
    "awsRegion": "aws_region",
    "sourceIPAddress": "source_ip_address",
    "userAgent": "user_agent",
    "errorCode": "error_code",
    "readOnly": "read_only",
    "recipientAccountId": "recipient_account_id",
    "eventCategory": "event_category",
}
_CALLER_FIELDS = {
    "userIdentity.arn": "arn",
    "userIdentity.accountId": "account_id",
    "userIdentity.accessKeyId": "access_key_id",
    "userIdentity.invokedBy": "invoked_by",
}
_VIEW_FIELDS = {
    "errorMessage": "error_message",
    "userIdentity.type": "caller.type",
    "userIdentity.principalId": "caller.principal_id",
    "userIdentity.userName": "caller.user_name",
}
"""Fields that a view of a record also supplies, with the attributes that hold them."""
_STRUCTURES = (
    "userIdentity",
    "requestParameters",
    "responseElements",
    "additionalEventData",
    "serviceEventDetails",
    "resources",
    "tlsDetails",
    "edgeDeviceDetails",
    "insightDetails",
    "addendum",
    "eventContext",
)
"""The top-level fields that contain other fields."""
TOP_LEVEL = (
    *_HEAD_FIELDS,
    *_STRUCTURES,
    "eventTime",
    "eventVersion",
    "eventID",
    "eventType",
    "errorMessage",
    "requestID",
    "apiVersion",
    "managementEvent",
    "sharedEventID",
    "vpcEndpointId",
    "vpcEndpointAccountId",
    "sessionCredentialFromConsole",
)
"""CloudTrail's fields. Source: AWS CloudTrail User Guide, "CloudTrail record contents"."""

DATE_PARTS: dict[str, Callable[[datetime], int]] = {
    "minute": operator.attrgetter("minute"),
    "hour": operator.attrgetter("hour"),
    "day": operator.attrgetter("day"),
    "week": lambda date: date.isocalendar().week,
    "month": operator.attrgetter("month"),
    "year": operator.attrgetter("year"),
}
"""Sigma's modifiers that read a part of a date, in UTC; weeks follow ISO 8601."""


class RawField(Field, frozen=True):
    """A field of the raw record; ``head`` is the attribute of a Head that holds it, if any."""

    head: str = ""

    @property
    def of_head(self) -> bool:
        """Whether a Head also supplies the value."""
        return bool(self.head)

    @property
    def head_fields(self) -> tuple[str, ...]:
        """The attributes of a Head from which the value is read."""
        if not self.head:
            return ()
        return (self.head,)

    @property
    def of_caller(self) -> bool:
        """Whether the caller alone determines the value."""
        return self.name.startswith("userIdentity") and not self.name.endswith(_COMBINED)


class SigmaFields(FieldTable):
    """All paths by name; iteration yields only CloudTrail's top-level fields."""

    def __init__(self) -> None:
        super().__init__({name: _raw_field(name) for name in TOP_LEVEL})

    def __getitem__(self, name: str) -> Field:
        field = self._table.get(name)
        if field is None:
            field = _raw_field(name)
        return field


def combined(names: Sequence[str]) -> str:
    """Return the name of the field that combines the values of other fields."""
    return f"{','.join(names)}{_COMBINED}"


def is_known(path: str) -> bool:
    """Tell whether a CloudTrail record can have a path."""
    root, _, rest = path.partition(".")
    return root in _STRUCTURES or (root in TOP_LEVEL and not rest)


def _raw_field(name: str) -> RawField:
    path, _, modifier = name.partition("|")
    if name == MESSAGE:
        return RawField(name, "keyword", _message, many=True)
    if name.endswith(_COMBINED):
        getters = [_raw_field(each).read for each in path.split(",")]
        return RawField(name, "keyword", _combinations(getters), many=True)
    absent = "" if is_known(path) else "it is not a CloudTrail field"
    if name in _HEAD_FIELDS:
        attribute = _HEAD_FIELDS[name]
        return RawField(name, "keyword", _of_head(attribute), head=attribute)
    if name in _CALLER_FIELDS:
        return RawField(name, "keyword", _of_caller(_CALLER_FIELDS[name]), head="user_identity")
    parts = path.split(".")
    if name in _VIEW_FIELDS:
        read = _of_view(_texts(parts), operator.attrgetter(_VIEW_FIELDS[name]))
        return RawField(name, "keyword", read, many=True)
    if not modifier:
        return RawField(name, "keyword", _texts(parts), many=True, absent=absent)
    if name.endswith(EXISTS) and path in TOP_LEVEL:
        return RawField(name, "keyword", _top_level_presence(path))
    if name.endswith(EXISTS):
        return RawField(name, "keyword", _presence(parts), absent=absent)
    return RawField(name, "keyword", _date_part(parts, modifier), many=True, absent=absent)


def _of_head(attribute: str) -> FieldGetter:
    def read(record: Record) -> str | None:
        value = getattr(record, attribute)
        if isinstance(value, bool):
            return "true" if value else "false"
        text: str | None = value
        return text

    return read


def _of_caller(attribute: str) -> FieldGetter:
    return lambda record: getattr(record.caller, attribute)


def _of_view(read_record: FieldGetter, read_view: FieldGetter) -> FieldGetter:
    """Make a getter for records and views; a view has the value only if the log has text there."""

    def read(record: Record) -> Any:
        if isinstance(record, Record):
            return read_record(record)
        return read_view(record)

    return read


def _top_level_presence(name: str) -> FieldGetter:
    return lambda record: "true" if record.has_field(name) else "false"


def _texts(path: Sequence[str]) -> FieldGetter:
    document = _document_with(path)
    return lambda record: single(_unique(map(_text, _values_at(document(record), path))))


def _document_with(path: Sequence[str]) -> FieldGetter:
    """Make a getter of the record's document; of a view, the part with the caller's paths."""
    if path[0] != "userIdentity":
        return operator.attrgetter("document")

    def read(record: Any) -> Any:
        return record.document if isinstance(record, Record) else record.identity_document

    return read


def _presence(path: Sequence[str]) -> FieldGetter:
    """Make a getter that tells whether a path exists, even with a null or empty value."""
    document = _document_with(path)
    return lambda record: "true" if _is_present(document(record), path) else "false"


def _date_part(path: Sequence[str], name: str) -> FieldGetter:
    part = DATE_PARTS[name]
    document = _document_with(path)

    def read(record: Record) -> Any:
        texts = map(_text, _values_at(document(record), path))
        times = [parse_milliseconds(text) for text in texts]
        return single(
            _unique(str(part(from_milliseconds(time))) for time in times if time is not None)
        )

    return read


def _combinations(getters: Sequence[FieldGetter]) -> FieldGetter:
    """Make a getter of all combinations of several fields' values; none if a field is absent."""

    def read(record: Record) -> Any:
        values = [many(getter(record)) for getter in getters]
        return single(_unique(map(_text, product(*values))))

    return read


def _message(record: Record) -> Any:
    """Return a record's whole text: its JSON, and its texts that JSON escapes."""
    json = _text(record.document)
    return single([json, *(text for text in _leaves(record.document) if text not in json)])


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()


def _unique(values: Iterator[str]) -> list[str]:
    return list(dict.fromkeys(values))


def _values_at(value: Any, path: Sequence[str]) -> Iterator[Any]:
    """Yield the non-null values at ``path``; descend into lists. A key may contain dots."""
    if isinstance(value, list):
        for item in value:
            yield from _values_at(item, path)
    elif not path:
        if value is not None:
            yield value
    elif isinstance(value, dict):
        for length in range(1, len(path) + 1):
            inner = value.get(".".join(path[:length]))
            if inner is not None:
                yield from _values_at(inner, path[length:])


def _is_present(value: Any, path: Sequence[str]) -> bool:
    if isinstance(value, list):
        return any(_is_present(item, path) for item in value)
    if not isinstance(value, dict):
        return False
    for length in range(1, len(path) + 1):
        key = ".".join(path[:length])
        if key in value and (length == len(path) or _is_present(value[key], path[length:])):
            return True
    return False


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner)
    elif isinstance(value, str):
        yield value


SIGMA_FIELDS = SigmaFields()
