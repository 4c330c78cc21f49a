"""Recognizes CloudTrail records under any spelling of their names.

A record is an object that has enough of CloudTrail's fields. Case and the joints of a name's parts
(``.``, ``_``, nesting) are ignored, and all names may share a prefix. Required fields are found by
name or by form; if one is present but cannot be read, the record is rejected with a reason that
names it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from detector.cloudtrail.record import Record
from detector.formats.caller_shape import NoCaller, read_caller
from detector.formats.text_forms import structure
from detector.formats.time_forms import time_text
from detector.formats.values import JsonObject, as_object, one_value, squash, text_of
from detector.text.late_pattern import late_pattern

FREE_STRUCTURES = (
    "requestParameters",
    "responseElements",
    "additionalEventData",
    "serviceEventDetails",
    "resources",
    "tlsDetails",
)
_TEXTS = {
    squash(field.encode_name): field.encode_name
    for field in msgspec.structs.fields(Record)
    if field.encode_name not in (*FREE_STRUCTURES, "userIdentity")
}
_FREE = {squash(name): name for name in (*FREE_STRUCTURES, "addendum", "insightDetails")}
_OTHERS = frozenset(map(squash, ("eventContext", "edgeDeviceDetails", "sessionCredential")))
_CALLER = squash("userIdentity")
_DISTINCT = frozenset(
    {
        "eventsource",
        "eventname",
        "awsregion",
        "useridentity",
        "eventversion",
        "sourceipaddress",
        "requestparameters",
        "responseelements",
        "recipientaccountid",
        "managementevent",
        "eventcategory",
    }
)
_COMMON = frozenset({"eventtime", "eventid", "eventtype", "useragent", "requestid", "readonly"})
_PREFIXED = ("eventsource", "eventname", "awsregion", "useridentityarn")
_ENOUGH = 4
_PREFIXES_TRIED = 8

_FOUND = ("eventTime", "eventSource", "eventName", "awsRegion")
_FLAGS = ("readOnly", "managementEvent", "sessionCredentialFromConsole")

_SOURCE = late_pattern(r"[a-z0-9-]+(?:\.[a-z0-9-]+)*\.amazonaws\.com")
_REGION = late_pattern(r"[a-z]{2}(?:-[a-z]+){1,3}-\d{1,2}")
_NAME = late_pattern(r"[A-Z][A-Za-z0-9]{2,127}")
_UUID = late_pattern(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_TYPE = late_pattern(r"_[a-z]$")
_TIME_NAMES = ("eventtime", "eventdatetime", "timegenerated")
"""The beginnings of names for an event's time. Other names (``date``, ``ingestionTime``) are
for its arrival."""


class Missing(NamedTuple):
    """The reason to reject a record that lacks a required field."""

    reason: str


class Shape(NamedTuple):
    """An object that was read as a record."""

    record: JsonObject
    is_renamed: bool
    """Whether not all names are CloudTrail's own; absent fields may then have been left out."""
    is_changed: bool
    """Whether the record differs from the object."""


def prefix_of_record(names: Collection[str]) -> str | None:
    """Return the prefix of an object's names that are a record's fields; None if there is none.

    ``names`` are squashed.
    """
    prefixes = Counter(
        name[: -len(ending)] for name in names for ending in _PREFIXED if name.endswith(ending)
    )
    prefixes[""] += 0
    likeliest = sorted(prefixes.items(), key=lambda item: (-item[1], len(item[0])))
    for prefix, _ in likeliest[:_PREFIXES_TRIED]:
        if _is_record({name[len(prefix) :] for name in names if name.startswith(prefix)}):
            return prefix
    return None


def without_types(names: Collection[str]) -> dict[str, str]:
    """Map names to themselves without a type suffix, as in ``eventName_s``.

    If fewer than half of the names have such a suffix, all stay as they are.
    """
    typed = [name for name in names if _TYPE.search(name)]
    if 2 * len(typed) < len(names):
        return {name: name for name in names}
    return {name: _TYPE.sub("", name) for name in names}


def _is_record(names: Collection[str]) -> bool:
    if "eventsource" in names and "eventname" in names:
        return True
    parts = {_first_part(name) for name in names}
    distinct = len(parts & _DISTINCT)
    return distinct >= 2 and distinct + len(parts & _COMMON) >= _ENOUGH


@lru_cache(1 << 12)
def _first_part(name: str) -> str:
    """Return the structured field that a squashed name begins with; else the name."""
    for field in (_CALLER, *_FREE):
        if name.startswith(field):
            return field
    return name


def is_field(name: str, prefix: str = "") -> bool:
    """Return whether a name is one of CloudTrail's fields or within one.

    Others, such as attackers, may control the content of such fields."""
    squashed = squash(name)
    if squashed.startswith(prefix):
        squashed = squashed[len(prefix) :]
    return _first_part(squashed) in _TEXTS | _FREE.keys() | _OTHERS | {_CALLER}


def read_shape(value: JsonObject, prefix: str = "", is_renamed: bool = False) -> Shape | Missing:
    """Read an object as a record.

    ``is_renamed``: the object's names had already been changed from CloudTrail's own.
    """
    return _Reader(value, prefix, is_renamed).read()


class _Reader:
    """Reads one object as a record."""

    def __init__(self, value: JsonObject, prefix: str, is_renamed: bool) -> None:
        self._value = value
        self._prefix = prefix
        self._record: JsonObject = {}
        self._caller: JsonObject = {}
        self._others: JsonObject = {}
        self._is_renamed = is_renamed
        self._is_changed = False
        self._has_caller = False

    def read(self) -> Shape | Missing:
        for name, inner in self._value.items():
            self._assign(name, squash(name), inner)
        self._read_id()
        missing = self._read_time() or self._read_source() or self._read_name()
        missing = missing or self._read_region() or self._read_caller()
        if missing is not None:
            return missing
        return Shape(self._record, self._is_renamed, self._is_changed or self._is_renamed)

    def _assign(self, name: str, squashed: str, inner: Any) -> None:
        """Store a member under CloudTrail's name for it."""
        if self._prefix and not squashed.startswith(self._prefix):
            self._others[name] = inner
            return
        squashed = squashed[len(self._prefix) :]
        if squashed in _TEXTS:
            self._put(name, _TEXTS[squashed], inner)
        elif squashed in _FREE:
            self._put(name, _FREE[squashed], _free_structure(_FREE[squashed], inner))
        elif squashed == _CALLER:
            self._has_caller = True
            self._is_renamed |= name != "userIdentity"
            self._record["userIdentity"] = inner
        elif squashed.startswith(_CALLER):
            self._has_caller = self._is_renamed = True
            self._caller[squashed[len(_CALLER) :]] = inner
        elif field := next((field for field in _FREE if squashed.startswith(field)), None):
            self._is_renamed = True
            _put_deep(self._record, _FREE[field], name, len(self._prefix) + len(field), inner)
        elif isinstance(inner, dict) and squashed in (
            "event",
            "aws",
            "source",
            "recipient",
            "user",
        ):
            for part, deeper in inner.items():
                self._assign(f"{name}.{part}", self._prefix + squashed + squash(part), deeper)
        else:
            self._others[name] = inner

    def _put(self, name: str, field: str, inner: Any) -> None:
        if name != field:
            self._is_renamed = True
        if isinstance(inner, list | dict) and field not in (*_FOUND, *_FREE.values()):
            inner = one_value(inner)
        if field in _FLAGS and isinstance(inner, str):
            inner = inner.lower()
        if inner != self._value.get(name):
            self._is_changed = True
        if self._record.get(field) is None:
            self._record[field] = inner

    def _read_id(self) -> None:
        """Find the event's id in a member whose name ends with ``eventid``, unless it is known."""
        if self._record.get("eventID"):
            return
        ids = {
            inner
            for name, inner in self._others.items()
            if squash(name).endswith("eventid")
            and isinstance(inner, str)
            and _UUID.fullmatch(inner)
        }
        if len(ids) == 1:
            self._record["eventID"] = ids.pop()
            self._is_renamed = True

    def _read_time(self) -> Missing | None:
        given = self._record.get("eventTime")
        time = time_text(given)
        if time is None:
            time = next(filter(None, map(time_text, self._other_times())), None)
        if time != given:
            self._is_changed = True
            self._record["eventTime"] = time
        if time is None and not self._is_summary():
            return Missing("no-event-time")
        return None

    def _other_times(self) -> Iterable[Any]:
        by_name = {squash(name): inner for name, inner in self._others.items()}
        yield self._others.get("@timestamp")
        for start in _TIME_NAMES:
            yield from (inner for name, inner in by_name.items() if name.startswith(start))
        yield by_name.get("timestamp")
        yield self._others.get("_time")

    def _read_source(self) -> Missing | None:
        return self._read_part("eventSource", _SOURCE, ("source", "service", "provider"))

    def _read_name(self) -> Missing | None:
        return self._read_part("eventName", _NAME, ("name", "action", "operation", "api", "call"))

    def _read_region(self) -> Missing | None:
        return self._read_part("awsRegion", _REGION, ("region",))

    def _read_part(self, field: str, form: re.Pattern[str], words: Iterable[str]) -> Missing | None:
        """Find a field's text by its name, or else by its form in a member with a similar name."""
        given = self._record.get(field)
        text = _plain_text(given)
        if text is None and not _is_empty(given):
            return Missing(_REASONS[field])
        if text is None:
            hints = {
                name: inner
                for name, inner in self._others.items()
                if any(word in squash(name) for word in words) and not _is_empty(inner)
            }
            forms = {_plain_text(inner) for inner in hints.values()}
            fitting = {text for text in forms if text and form.fullmatch(text)}
            if len(fitting) == 1:
                (text,) = fitting
                self._is_renamed = True
            elif self._is_required(hints):
                return Missing(_REASONS[field])
        if text != given:
            self._is_changed = True
            self._record[field] = text
        return None

    def _is_required(self, hints: JsonObject) -> bool:
        """Return whether an absent field must have been lost on the way.

        CloudTrail's own records may lack it.
        """
        return not self._is_summary() and (self._is_renamed or bool(hints))

    def _is_summary(self) -> bool:
        return self._record.get("eventCategory") in ("Insight", "Aggregated")

    def _read_caller(self) -> Missing | None:
        given = self._record.get("userIdentity")
        try:
            caller = read_caller(
                given, self._caller, self._others, self._is_renamed, self._has_caller
            )
        except NoCaller:
            return Missing("no-caller-found")
        if caller != given:
            self._is_changed = True
            self._record["userIdentity"] = caller
        return None


_REASONS = {
    "eventSource": "no-source-found",
    "eventName": "no-name-found",
    "awsRegion": "no-region-found",
}


def _plain_text(value: Any) -> str | None:
    """Return the single text in a value, without surrounding blanks and quotes; None if none."""
    text = text_of(one_value(value))
    if text is None or text.isidentifier():
        return text
    text = text.strip()
    if text[:1] == '"' and text[-1:] == '"':
        return text.strip('"')
    if text[:1] in ("[", "{"):
        return text_of(one_value(structure(text)))
    return text


def _is_empty(value: Any) -> bool:
    return value is None or value in ("", [], {}) or value in ([None], [""])


def _free_structure(field: str, value: Any) -> Any:
    """Return a free structure, parsed if it is a text."""
    if isinstance(value, str):
        value = structure(value)
    if field == "resources" and isinstance(value, list):
        return [_spelled(resource) for resource in value]
    return _spelled(as_object(value)) if field == "tlsDetails" else value


def _spelled(value: Any) -> Any:
    """Return a resource, or TLS details, with names spelled as CloudTrail does."""
    if not isinstance(value, dict):
        return value
    return {_INNER_NAMES.get(squash(name), name): inner for name, inner in value.items()}


_INNER_NAMES = {
    "arn": "ARN",
    "accountid": "accountId",
    "tlsversion": "tlsVersion",
    "ciphersuite": "cipherSuite",
    "clientprovidedhostheader": "clientProvidedHostHeader",
}


def _put_deep(record: JsonObject, field: str, name: str, length: int, value: Any) -> None:
    """Store the value of a name like ``requestParameters.a.b`` in its free structure.

    ``length`` is the length of the squashed name up to the field's end."""
    if not isinstance(record.setdefault(field, {}), dict):
        record[field] = {}
    *parents, last = _after(name, length).split(".")
    target = record[field]
    for parent in parents:
        inner = target.setdefault(parent, {})
        if not isinstance(inner, dict):
            return
        target = inner
    target[last] = value


def _after(name: str, length: int) -> str:
    """Return the rest of a name after the first ``length`` characters of its squashed form."""
    for position, character in enumerate(name):
        if not length:
            return name[position:].lstrip("._-/:[] ")
        length -= bool(squash(character))
    return ""
