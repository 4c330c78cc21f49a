"""A call's object: the key, user, snapshot, policy or bucket it acts on, and who it is shared with.

``call_objects.toml`` has templates for the calls that matter; other calls use the parameters that
most calls share. For a denied call, often only the error message names the resource. Source of the
parameters: the services' API references, as CloudTrail writes them: names begin with a lower-case
letter, and secrets are hidden.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import tomli

from detector.cloudtrail.record import Record, decode, loads
from detector.text.abbreviations import short_arn

_MAX_VALUES = 3
"""Maximum values of a placeholder that are named; the others are counted."""
_MAX_VALUE = 128
_MAX_OBJECT = 300
_MAX_DEPTH = 8
_SEPARATOR = " · "


_AUDIENCES = {
    "all": "everyone",
    "*": "everyone",
    "public-read": "everyone",
    "public-read-write": "everyone",
    "http://acs.amazonaws.com/groups/global/AllUsers": "everyone",
    "authenticated-read": "every AWS account",
    "http://acs.amazonaws.com/groups/global/AuthenticatedUsers": "every AWS account",
    "http://acs.amazonaws.com/groups/s3/LogDelivery": "S3 log delivery",
    "aws-exec-read": "Amazon EC2",
    "bucket-owner-read": "the bucket owner",
    "bucket-owner-full-control": "the bucket owner",
    "log-delivery-write": "S3 log delivery",
    "private": "",
}
"""Who is meant by the values of permissions, S3 canned ACLs and S3 groups."""


class _Placeholder(NamedTuple):
    """The paths of values, each in the response (True) or the request, and how to read them."""

    paths: tuple[tuple[bool, tuple[str, ...]], ...]
    reading: str


class _Part(NamedTuple):
    """A part of an object: texts alternating with placeholders."""

    texts: tuple[str, ...]
    placeholders: tuple[_Placeholder, ...]


_Template = tuple[_Part, ...]
_Parameters = Mapping[str, Any]
_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")
_API_VERSION = re.compile(r"_?(?:20\d{6}|20\d\d_\d\d_\d\d)(?:v\d+)?$")
_DENIED_RESOURCE = re.compile(r" on resource: (arn:[^\s,]+|[\w.:/*-]+)")
_LAYERS = ("items", "item", "member", "content")
"""Names of list layers in XML services, which paths leave out."""


def call_object(record: Record) -> str:
    """Return a call's object, such as ``snap-0a1 · shared with 999988887777``; ``""`` if none.

    The text is the log's own, at most 300 characters, and not escaped."""
    request, response = _parameters(record)
    account = record.account
    text = ""
    for template in _templates_of(record):
        parts = [_fill(part, request, response, account) for part in template]
        text = _SEPARATOR.join(part for part in parts if part)
        if text:
            break
    if not text:
        text = _denied_resource(record.error_message or "", account)
    return _cut(text, _MAX_OBJECT)


def call_object_in_json(raw: bytes) -> str:
    """Return the object of the call in a record's JSON; ``""`` if the JSON is no record."""
    try:
        return call_object(decode(raw))
    except (ValueError, RecursionError):
        return ""


# templates


@lru_cache(1)
def _templates() -> Mapping[str, Mapping[str, _Template]]:
    text = Path(__file__).with_name("call_objects.toml").read_text("utf-8")
    return MappingProxyType(
        {
            service: {name: _parse_template(template) for name, template in calls.items()}
            for service, calls in tomli.loads(text).items()
        }
    )


def _parse_template(text: str) -> _Template:
    return tuple(_parse_part(part) for part in text.split(_SEPARATOR))


def _parse_part(text: str) -> _Part:
    pieces = _PLACEHOLDER.split(text)
    return _Part(tuple(pieces[::2]), tuple(_parse_placeholder(piece) for piece in pieces[1::2]))


def _parse_placeholder(text: str) -> _Placeholder:
    paths, _, reading = text.partition("@")
    return _Placeholder(
        tuple(
            (path.startswith("<"), tuple(path.removeprefix("<").split(".")))
            for path in paths.split("|")
        ),
        reading,
    )


def _templates_of(record: Record) -> Iterator[_Template]:
    """Yield the call's own template, if it has one, then the templates that fit any call."""
    service = (record.event_source or "").removesuffix(".amazonaws.com")
    name = _API_VERSION.sub("", record.event_name or "")
    own = _templates().get(service, {}).get(name)
    if own is not None:
        yield own
    yield from _templates()["any"].values()


# values


def _parameters(record: Record) -> tuple[_Parameters, _Parameters]:
    """Return the request and response parameters; a sign-in's are in additionalEventData."""
    request = dict(_decoded(record.request_parameters))
    if len(request) == 1:  # EC2: {"CreateFlowLogsRequest": {...}}
        [(name, inner)] = request.items()
        if name.endswith("Request") and isinstance(inner, dict):
            request = inner
    response = _decoded(record.response_elements)
    return request, {**_decoded(record.additional_event_data), **response}


def _decoded(raw: Any) -> dict[str, Any]:
    try:
        value = loads(raw)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _fill(part: _Part, request: _Parameters, response: _Parameters, account: str) -> str:
    """Fill in a part; ``""`` if one of its placeholders has no value."""
    text = part.texts[0]
    for placeholder, following in zip(part.placeholders, part.texts[1:], strict=True):
        read = _READINGS[placeholder.reading]
        values: list[str] = []
        for is_response, path in placeholder.paths:
            found = _at(response if is_response else request, path)
            values += (value for item in found for value in read(item, account))
        if not values:
            return ""
        text += _listed(values) + following
    return text


def _at(value: Any, path: tuple[str, ...], depth: int = 0) -> Iterator[Any]:
    """Yield the values at a path, through lists and the layers that XML services write."""
    if depth > _MAX_DEPTH or value is None:
        return
    if isinstance(value, list):
        for item in value:
            yield from _at(item, path, depth + 1)
    elif not path:
        yield from _leaf(value, depth)
    elif isinstance(value, dict):
        head, *rest = path
        for name in (head, head[:1].upper() + head[1:]):
            if name in value:
                yield from _at(value[name], tuple(rest), depth + 1)
                return
        for layer in _LAYERS:
            if layer in value:
                yield from _at(value[layer], path, depth + 1)
                return


def _leaf(value: Any, depth: int) -> Iterator[Any]:
    if isinstance(value, dict):
        for layer in _LAYERS:
            if layer in value:
                yield from _at(value[layer], (), depth + 1)
                return
    yield value


def _plain(value: Any, account: str) -> Iterator[str]:
    """Read a name: an ARN's resource, followed by the ARN's account if it is another one."""
    if isinstance(value, bool):
        yield "yes" if value else "no"
    elif isinstance(value, int | float):
        yield str(value)
    elif isinstance(value, str) and value:
        yield _named(value, account)


def _named(value: str, account: str) -> str:
    parts = value.split(":", 5)
    if parts[0] != "arn" or len(parts) < 6:
        return _cut(value, _MAX_VALUE)
    name = short_arn(value)
    if parts[2] == "iam" and name == "root":
        return f"account {parts[4]}"
    if parts[4].isdecimal() and account and parts[4] != account:
        name = f"{name} in {parts[4]}"
    return _cut(name, _MAX_VALUE)


def _shared(value: Any, account: str) -> Iterator[str]:
    """Read with whom something is shared; nothing if an ACL is private."""
    if not isinstance(value, str) or value not in _AUDIENCES:
        yield from _plain(value, account)
    elif _AUDIENCES[value]:
        yield _AUDIENCES[value]


def _actions(value: Any, account: str) -> Iterator[str]:  # noqa: ARG001
    """Read the actions that a policy document allows."""
    for statement in _allowed(value):
        yield from _texts(statement.get("Action"))
        yield from (f"all but {name}" for name in _texts(statement.get("NotAction")))


def _principals(value: Any, account: str) -> Iterator[str]:
    """Read the principals to whom a policy document allows something."""
    for statement in _allowed(value):
        principal = statement.get("Principal")
        named = [principal]
        if isinstance(principal, dict):
            named = list(principal.values())
        for name in _texts(named):
            yield from _shared(name, account)
        if "NotPrincipal" in statement:
            yield "everyone but some"


def _allowed(value: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the Allow statements of a policy document, which is an object or JSON text."""
    if isinstance(value, str):
        try:
            value = loads(value.encode(errors="surrogatepass"))
        except (ValueError, RecursionError):
            return
    if not isinstance(value, dict):
        return
    statements = value.get("Statement")
    if isinstance(statements, dict):
        statements = [statements]
    if not isinstance(statements, list):
        return
    for statement in statements:
        if isinstance(statement, dict) and statement.get("Effect") == "Allow":
            yield statement


def _texts(value: Any) -> Iterator[str]:
    """Yield a text itself, or the texts of a list."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            if isinstance(item, str | list):
                yield from _texts(item)


_READINGS: Mapping[str, Callable[[Any, str], Iterable[str]]] = MappingProxyType(
    {"": _plain, "shared": _shared, "actions": _actions, "principals": _principals}
)


def _listed(values: Iterable[str]) -> str:
    distinct = list(dict.fromkeys(values))
    shown = ", ".join(distinct[:_MAX_VALUES])
    if len(distinct) > _MAX_VALUES:
        shown += f" +{len(distinct) - _MAX_VALUES}"
    return shown


def _denied_resource(message: str, account: str) -> str:
    """Return the resource named by an error message: ``... on resource: arn:...``."""
    match = _DENIED_RESOURCE.search(message[: 10 * _MAX_OBJECT])
    if match is None or match[1].endswith(("*", "/")):
        return ""
    return _named(match[1], account)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
