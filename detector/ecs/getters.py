"""Getters: functions that read an ECS field of a record."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, TypeVar

import msgspec

from detector.cloudtrail.record import Record, loads
from detector.ecs.java_text import java_text, shrunk
from detector.ecs.values import ip_from_text, single
from detector.text.late_pattern import late_pattern
from detector.text.time import parse_milliseconds, parse_time

FieldGetter = Callable[[Record], Any]
_T = TypeVar("_T")
_KNOWN_STRUCTURES = 2048
_LONGEST_KNOWN = 1024
"""The cache keeps ``_KNOWN_STRUCTURES`` free structures of at most ``_LONGEST_KNOWN`` bytes."""


def present(text: str | None) -> str | None:
    """Return ``text``, or None if it counts as absent."""
    if text in _NOTHING:
        return None
    return text


_NOTHING = (None, "", "-", "none")
_EMPTY: tuple[Any, ...] = (*_NOTHING, [], {})


def _cleaned(value: Any) -> Any:
    """Remove everything that counts as absent from a JSON value."""
    if isinstance(value, dict):
        cleaned = ((key, _cleaned(item)) for key, item in value.items())
        left = {key: item for key, item in cleaned if item is not None}
        removed = len(value) - len(left)
        value = shrunk(left, removed) if removed else left
    elif isinstance(value, list):
        value = [item for item in map(_cleaned, value) if item is not None]
    if isinstance(value, bool | int | float):
        return value
    if value in _EMPTY:
        return None
    return value


def once_a_record(name: str, getter: FieldGetter) -> FieldGetter:
    """Cache the value of a getter on each record: a rule that keeps all fields reads it often.

    ``name`` is the key of the cached value and must not be an attribute of a record."""

    def read(record: Record) -> Any:
        kept = vars(record)
        if name not in kept:
            kept[name] = getter(record)
        return kept[name]

    return read


def _decoded(field: str) -> FieldGetter:
    """Make a getter that decodes a free structure and drops absent values.

    It returns None if the structure is not JSON."""
    return once_a_record(
        f"_decoded_{field}", lambda record: _of_json(getattr(record, field), _decode, _known_values)
    )


def _decode(raw: bytes) -> Any:
    try:
        return _cleaned(loads(raw))
    except ValueError:
        return None


def _text_of(raw: bytes) -> str | None:
    value = _of_json(raw, _decode, _known_values)
    return None if value is None else java_text(value)


_known_values = lru_cache(_KNOWN_STRUCTURES)(_decode)
_known_texts = lru_cache(_KNOWN_STRUCTURES)(_text_of)


def _of_json(
    raw: bytes | msgspec.Raw, derive: Callable[[bytes], _T], known: Callable[[bytes], _T]
) -> _T:
    """Apply ``derive`` to JSON, or its cached form ``known`` if the JSON is short enough to cache.

    Most calls repeat the parameters of other calls byte for byte. Callers must not modify the
    shared result."""
    data = bytes(raw)
    return known(data) if len(data) <= _LONGEST_KNOWN else derive(data)


def _scalar(value: Any) -> Any:
    return value if value is None or isinstance(value, str) else java_text(value)


def member(structure: FieldGetter, path: list[str]) -> FieldGetter:
    """Make a getter of the texts at ``path`` in a free structure; it descends into lists."""
    name = path[0] if len(path) == 1 else None

    def read(record: Record) -> Any:
        value = structure(record)
        if value is None:
            return None
        # Fast path: most structures have a single text at the name, or nothing.
        if name is not None and type(value) is dict:
            inner = value.get(name)
            if inner is None or type(inner) is str:
                return inner
        return _set(texts_at(value, path))

    return read


def texts_at(value: Any, path: Sequence[str]) -> Iterator[str]:
    """Yield the texts at ``path`` in a JSON value; descend into lists."""
    if isinstance(value, list):
        for item in value:
            yield from texts_at(item, path)
    elif not path:
        if value is not None and not isinstance(value, dict):
            yield _scalar(value)
    elif isinstance(value, dict):
        for length in range(1, len(path) + 1):
            inner = value.get(".".join(path[:length]))
            if inner is not None:
                yield from texts_at(inner, path[length:])


def _set(values: Iterable[str]) -> Any:
    """Return the distinct values sorted, as an Elasticsearch index keeps them."""
    return single(sorted(set(values)))


def text(name: str) -> FieldGetter:
    """Make a getter that formats one of ``FREE_STRUCTURES`` as text."""
    field = _ATTRIBUTES[name]
    return once_a_record(
        f"_text_{name}", lambda record: _of_json(getattr(record, field), _text_of, _known_texts)
    )


_ATTRIBUTES = {
    "request_parameters": "request_parameters",
    "response_elements": "response_elements",
    "additional_eventdata": "additional_event_data",
    "service_event_details": "service_event_details",
}
"""The record attribute that holds each free structure."""
FREE_STRUCTURES: dict[str, FieldGetter] = {
    name: _decoded(attribute) for name, attribute in _ATTRIBUTES.items()
}
request_parameters = FREE_STRUCTURES["request_parameters"]
response_elements = FREE_STRUCTURES["response_elements"]
additional_event_data = FREE_STRUCTURES["additional_eventdata"]


_resources = _decoded("resources")
_tls_details = _decoded("tls_details")


def of_document(path: str) -> FieldGetter:
    """Make a getter of the texts at ``path`` in the raw record.

    It has to decode the whole record."""
    names = path.split(".")

    def read(record: Record) -> Any:
        return _set(text for text in texts_at(record.document, names) if present(text))

    return read


def issuer(name: str) -> FieldGetter:
    def read(record: Record) -> str | None:
        context = record.caller.session_context
        issuer = getattr(context, "session_issuer", None)
        if not issuer:
            return None
        return present(getattr(issuer, name))

    return read


def on_behalf_of(name: str) -> FieldGetter:
    def read(record: Record) -> str | None:
        user = record.caller.on_behalf_of
        if not user:
            return None
        return present(getattr(user, name))

    return read


def session_attribute(name: str) -> FieldGetter:
    def read(record: Record) -> str | None:
        context = record.caller.session_context
        attributes = getattr(context, "attributes", None)
        if not attributes:
            return None
        return present(getattr(attributes, name))

    return read


def resource_element(name: str) -> FieldGetter:
    """Make a getter of one member of each element of ``resources``."""

    def read(record: Record) -> Any:
        resources = _resources(record)
        if not isinstance(resources, list):
            return None
        elements = (_scalar(item.get(name)) for item in resources if isinstance(item, dict))
        return _set(element for element in elements if element is not None)

    return read


def of_sign_in(element: str) -> FieldGetter:
    """Make a getter of a member of a console sign-in's additional data; null for other calls."""
    getter = member(additional_event_data, [element])
    return lambda record: getter(record) if record.event_name == "ConsoleLogin" else None


def is_not_no(getter: FieldGetter) -> FieldGetter:
    """Make a getter that tests for any value but ``No``, as the integration does."""

    def read(record: Record) -> bool | None:
        answer = getter(record)
        if answer is None:
            return None
        return bool(answer != "No")

    return read


_tls_version = member(_tls_details, ["tlsVersion"])


def tls(name: str) -> FieldGetter:
    """Make a getter of a TLS detail; null if the details hold only their own names as values."""
    getter = member(_tls_details, [name])
    return lambda record: None if _tls_version(record) == "tlsVersion" else getter(record)


_told_tls_version = tls("tlsVersion")


def tls_version(record: Record) -> Any:
    """Return the TLS version: ``1.3`` for ``TLSv1.3``; other formats unchanged."""
    version = _told_tls_version(record)
    if not isinstance(version, str) or "v" not in version:
        return version
    return present(version.partition("v")[2])


def tls_protocol(record: Record) -> str | None:
    """Return the protocol: ``tls`` for ``TLSv1.3``; None for other formats."""
    version = _told_tls_version(record)
    if not isinstance(version, str) or "v" not in version:
        return None
    return present(version.partition("v")[0].lower())


def timestamp(record: Record) -> int | None:
    seconds = parse_time(record.event_time)
    if seconds is None:
        return None
    return seconds * 1000


def session_start(record: Record) -> int | None:
    text = session_attribute("creation_date")(record)
    if not text:
        return None
    # Old records write the time without dashes and colons.
    return parse_milliseconds(_BASIC_DATE.sub(r"\1-\2-\3T\4:\5:\6", text))


_BASIC_DATE = late_pattern(r"^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)", re.ASCII)


def outcome(record: Record) -> str:
    """Return ``success`` or ``failure``: a sign-in's response, otherwise by the error fields."""
    if record.event_name == "ConsoleLogin":
        response = response_elements(record)
        result = response.get("ConsoleLogin") if isinstance(response, dict) else None
        if isinstance(result, str):
            return result.lower()
    return "failure" if present(record.error_code) or present(record.error_message) else "success"


def account(record: Record) -> str | None:
    """Return the caller's account, or the recipient account if the caller has none."""
    return present(record.caller.account_id) or present(record.recipient_account_id)


def called_service(record: Record) -> str | None:
    """Return the name of the called service: ``ec2`` for ``ec2.amazonaws.com``."""
    source = record.event_source or ""
    if not source.endswith(".amazonaws.com"):
        return None
    return source.partition(".amazonaws.com")[0] or None


_LINKED_ROLE = ":role/aws-service-role/"
"""Marks a service-linked role in its ARN; the service's name follows."""


def service_name(record: Record) -> str | None:
    """Return the calling service if a service or a service-linked role calls; otherwise None.

    ``invokedBy`` alone is not enough: console sign-ins have it too."""
    caller = record.caller
    if caller.type == "AWSService":
        return present(caller.invoked_by)
    role_arn = record.role_arn
    if caller.type != "AssumedRole" or not role_arn or _LINKED_ROLE not in role_arn:
        return None
    service, slash, _ = role_arn.partition(_LINKED_ROLE)[2].partition("/")
    return present(caller.invoked_by) or (service if slash and service else None)


def _user_name(record: Record) -> str | None:
    """Return the user's name: of a session, the role or federating user; None for services."""
    caller = record.caller
    if service_name(record):
        return None
    if caller.type in ("AssumedRole", "FederatedUser"):
        issuer_name = issuer("user_name")(record)
        if issuer_name:
            return str(issuer_name)
    name = present(caller.user_name)
    if name is None and record.event_name == "UserAuthentication":
        signed_in = member(additional_event_data, ["UserName"])(record)
        return signed_in if isinstance(signed_in, str) else None
    return name


user_name = once_a_record("_user_name", _user_name)


def user_id(record: Record) -> str | None:
    """Return the caller's principal id; None for services.

    An Identity Center user without one has the user id from the identity store."""
    caller = record.caller
    if service_name(record):
        return None
    id = present(caller.principal_id)
    if id is None and caller.type == "IdentityCenterUser" and caller.on_behalf_of:
        return present(caller.on_behalf_of.user_id)
    return id


def source_ip(record: Record) -> str | None:
    """Return the source address; None if the record has a service's name instead."""
    if not record.source_ip_address:
        return None
    return ip_from_text(record.source_ip_address)


def caller_attribute(name: str) -> FieldGetter:
    return lambda record: present(getattr(record.caller, name))


def attribute(name: str) -> FieldGetter:
    return lambda record: present(getattr(record, name))
