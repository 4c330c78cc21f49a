"""The ECS fields of a record, each with its type and getter.

The mapping is that of Elastic's AWS CloudTrail integration (its ingest pipeline and field
definitions). As there, null, ``""``, ``"-"``, ``"none"`` and empty lists and objects count as
absent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from detector.cloudtrail.record import Record, loads
from detector.ecs.asn import AsnLookup
from detector.ecs.java_text import java_text
from detector.ecs.user_agent import client_name, client_version
from detector.ecs.values import Type, ip_from_text, single
from detector.text.time import parse_milliseconds, parse_time

FieldGetter = Callable[[Record], Any]


@dataclass(frozen=True, slots=True)
class Field:
    """A field: its ES|QL type and its getter.

    ``read`` returns null (None), one value, or, where ``many`` is set, a list of two or more.
    ``constant`` is the value of a field that has the same in every record, ``only`` the value of a
    field that has no other beside null. ``absent`` says why a field is always null here."""

    name: str
    type: Type
    read: FieldGetter
    many: bool = False
    constant: str | None = None
    only: str | None = None
    absent: str = ""

    @property
    def of_head(self) -> bool:
        """Whether ``read`` works on a Head as well as on a Record."""
        return self.name in _OF_HEAD or self.constant is not None

    @property
    def always(self) -> bool:
        """Whether every record of CloudTrail has it."""
        return self.name in _ALWAYS or self.constant is not None


class FieldTable(Mapping[str, Field]):
    """All fields by name; any name below ``aws.cloudtrail.flattened.`` exists."""

    def __init__(self, table: Mapping[str, Field]) -> None:
        self._table = table

    def __getitem__(self, name: str) -> Field:
        field = self._table.get(name)
        if field:
            return field
        root, _, path = name.removeprefix(_FLATTENED).partition(".")
        structure = _FREE_STRUCTURES.get(root)
        if name.startswith(_FLATTENED) and path and structure:
            return Field(name, "keyword", _member(structure, path.split(".")), many=True)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._table)

    def __len__(self) -> int:
        return len(self._table)


def field_table(asn: AsnLookup | None = None) -> FieldTable:
    """Build the table; without ``asn`` the fields of the source's AS are null."""
    return FieldTable({field.name: field for field in (*_plain(), *_network(asn))})


_OF_HEAD = frozenset(
    {
        "event.provider",
        "event.action",
        "cloud.account.id",
        "cloud.region",
        "source.address",
        "source.ip",
        "source.as.number",
        "source.as.organization.name",
        "user_agent.original",
        "user_agent.name",
        "user_agent.version",
        "aws.cloudtrail.read_only",
        "aws.cloudtrail.event_category",
        "aws.cloudtrail.recipient_account_id",
        "aws.cloudtrail.user_identity.arn",
        "aws.cloudtrail.user_identity.access_key_id",
    }
)
_ALWAYS = frozenset(
    {
        "@timestamp",
        "event.ingested",
        "event.created",
        "event.provider",
        "event.action",
        "event.id",
        "event.outcome",
        "cloud.account.id",
        "cloud.region",
        "aws.cloudtrail.event_type",
        "aws.cloudtrail.event_version",
        "aws.cloudtrail.event_category",
        "aws.cloudtrail.recipient_account_id",
        "aws.cloudtrail.user_identity.type",
        "source.address",
    }
)

# --- getters


def present(text: str | None) -> str | None:
    """Return ``text``, or None where it counts as absent."""
    return None if text in _NOTHING else text


_NOTHING = (None, "", "-", "none")
_EMPTY: tuple[Any, ...] = (*_NOTHING, [], {})


def _cleaned(value: Any) -> Any:
    """Remove all that counts as absent from a JSON value; null where nothing is left."""
    if isinstance(value, dict):
        cleaned = ((key, _cleaned(item)) for key, item in value.items())
        value = {key: item for key, item in cleaned if item is not None}
    elif isinstance(value, list):
        value = [item for item in map(_cleaned, value) if item is not None]
    if isinstance(value, bool | int | float):
        return value
    return None if value in _EMPTY else value


def _decoded(raw: msgspec.Raw) -> Any:
    try:
        return _cleaned(loads(raw))
    except ValueError:
        return None


def _scalar(value: Any) -> Any:
    return value if value is None or isinstance(value, str) else java_text(value)


def _member(raw: Callable[[Record], msgspec.Raw], path: list[str]) -> FieldGetter:
    """Read the texts at ``path`` in a free structure, through lists; objects are no values."""

    def texts(value: Any, rest: list[str]) -> Iterator[Any]:
        if isinstance(value, list):
            for item in value:
                yield from texts(item, rest)
        elif not rest:
            if value is not None and not isinstance(value, dict):
                yield _scalar(value)
        elif isinstance(value, dict):
            for length in range(1, len(rest) + 1):
                yield from texts(value.get(".".join(rest[:length])), rest[length:])

    return lambda record: _set(texts(_decoded(raw(record)), path))


def _set(values: Iterable[str]) -> Any:
    """Return the distinct values in order, as an index keeps them."""
    return single(sorted(set(values)))


def _text(raw: Callable[[Record], msgspec.Raw]) -> FieldGetter:
    def read(record: Record) -> str | None:
        value = _decoded(raw(record))
        return None if value is None else java_text(value)

    return read


_FLATTENED = "aws.cloudtrail.flattened."
_FREE_STRUCTURES: dict[str, Callable[[Record], msgspec.Raw]] = {
    "request_parameters": lambda r: r.request_parameters,
    "response_elements": lambda r: r.response_elements,
    "additional_eventdata": lambda r: r.additional_event_data,
    "service_event_details": lambda r: r.service_event_details,
}
_request = _FREE_STRUCTURES["request_parameters"]
_response = _FREE_STRUCTURES["response_elements"]
_additional = _FREE_STRUCTURES["additional_eventdata"]


def _tls(record: Record) -> msgspec.Raw:
    return record.tls_details


def _issuer(name: str) -> FieldGetter:
    def read(record: Record) -> str | None:
        context = record.caller.session_context
        issuer = context.session_issuer if context else None
        return present(getattr(issuer, name)) if issuer else None

    return read


def _on_behalf_of(name: str) -> FieldGetter:
    def read(record: Record) -> str | None:
        user = record.caller.on_behalf_of
        return present(getattr(user, name)) if user else None

    return read


def _session(name: str) -> FieldGetter:
    def read(record: Record) -> str | None:
        context = record.caller.session_context
        attributes = context.attributes if context else None
        return present(getattr(attributes, name)) if attributes else None

    return read


def _resources(name: str) -> FieldGetter:
    """Read one element of all ``resources``."""

    def read(record: Record) -> Any:
        resources = _decoded(record.resources)
        if not isinstance(resources, list):
            return None
        elements = (_scalar(item.get(name)) for item in resources if isinstance(item, dict))
        return _set(element for element in elements if element is not None)

    return read


def _yes(getter: FieldGetter) -> FieldGetter:
    """Read whether a Yes or No is Yes."""

    def read(record: Record) -> bool | None:
        answer = getter(record)
        return None if answer is None else answer == "Yes"

    return read


def _time(record: Record) -> int | None:
    seconds = parse_time(record.event_time)
    return None if seconds is None else seconds * 1000


def _session_start(record: Record) -> int | None:
    text = _session("creation_date")(record)
    return parse_milliseconds(text) if text else None


def _outcome(record: Record) -> str:
    """Return the outcome: that of a sign-in by its response, others by their error."""
    if record.event_name == "ConsoleLogin":
        response = _decoded(record.response_elements)
        result = response.get("ConsoleLogin") if isinstance(response, dict) else None
        if isinstance(result, str):
            return result.lower()
    return "failure" if present(record.error_code) or present(record.error_message) else "success"


def _account(record: Record) -> str | None:
    """Return the caller's account; the recipient's where it has none."""
    return present(record.caller.account_id) or present(record.recipient_account_id)


def _user_name(record: Record) -> str | None:
    """Return the user's name; of a session that of its role or federating user.

    Services and roles of services have none."""
    caller = record.caller
    if caller.type == "AWSService" or ":role/aws-service-role/" in (record.role_arn or ""):
        return None
    if caller.type in ("AssumedRole", "FederatedUser"):
        issuer = _issuer("user_name")(record)
        if issuer:
            return str(issuer)
    return present(caller.user_name)


def _user_id(record: Record) -> str | None:
    return None if record.caller.type == "AWSService" else present(record.caller.principal_id)


def _source_ip(record: Record) -> str | None:
    """Return the source address; None where it is a service's name."""
    return ip_from_text(record.source_ip_address) if record.source_ip_address else None


def _caller(name: str) -> FieldGetter:
    return lambda record: present(getattr(record.caller, name))


def _own(name: str) -> FieldGetter:
    return lambda record: present(getattr(record, name))


def _constant(name: str, value: str) -> Field:
    return Field(name, "keyword", lambda _: value, constant=value)


def _keyword(name: str, read: FieldGetter, many: bool = False) -> Field:
    return Field(name, "keyword", read, many)


def _plain() -> Iterator[Field]:
    yield Field("@timestamp", "date", _time)
    # The files do not tell when a record arrived: the event's own time is the nearest.
    for name in ("event.ingested", "event.created"):
        yield Field(name, "date", _time)
    for name, value in (
        ("event.dataset", "aws.cloudtrail"),
        ("event.module", "aws"),
        ("event.kind", "event"),
        ("data_stream.dataset", "aws.cloudtrail"),
        ("data_stream.namespace", "default"),
        ("data_stream.type", "logs"),
        ("cloud.provider", "aws"),
    ):
        yield _constant(name, value)
    yield _keyword("event.provider", _own("event_source"))
    yield _keyword("event.action", _own("event_name"))
    yield _keyword("event.id", _own("event_id"))
    yield _keyword("event.outcome", _outcome)
    yield _keyword("cloud.account.id", _account)
    yield _keyword("cloud.region", _own("aws_region"))
    yield _keyword("source.address", _own("source_ip_address"))
    yield Field("source.ip", "ip", _source_ip)
    yield _keyword("user.name", _user_name)
    yield _keyword("user.id", _user_id)
    yield _keyword("user.target.name", _member(_request, ["userName"]))
    yield _keyword("user.changes.name", _member(_request, ["newUserName"]))
    yield _keyword("group.name", _member(_request, ["groupName"]))
    yield _keyword("user_agent.original", _own("user_agent"))
    yield _keyword("user_agent.name", lambda r: client_name(present(r.user_agent)))
    yield _keyword("user_agent.version", lambda r: client_version(present(r.user_agent)))
    yield _keyword("tls.version", _member(_tls, ["tlsVersion"]))
    yield _keyword("tls.cipher", _member(_tls, ["cipherSuite"]))
    yield _keyword("tls.client.server_name", _member(_tls, ["clientProvidedHostHeader"]))
    yield from (replace(field, name="aws.cloudtrail." + field.name) for field in _cloudtrail())


def _cloudtrail() -> Iterator[Field]:
    """Below ``aws.cloudtrail``."""
    for name in (
        "event_version",
        "event_type",
        "event_category",
        "error_code",
        "error_message",
        "request_id",
        "api_version",
        "recipient_account_id",
        "shared_event_id",
        "vpc_endpoint_id",
    ):
        yield _keyword(name, _own(name))
    yield Field(
        "session_credential_from_console",
        "keyword",
        _own("session_credential_from_console"),
        only="true",
    )
    yield _keyword(
        "management_event",
        lambda r: None if r.management_event is None else java_text(r.management_event),
    )
    yield Field("read_only", "boolean", lambda r: r.read_only)
    for name in ("type", "arn", "access_key_id", "invoked_by", "credential_id"):
        yield _keyword("user_identity." + name, _caller(name))
    for name in ("user_id", "identity_store_arn"):
        yield _keyword("user_identity.on_behalf_of." + name, _on_behalf_of(name))
    yield _keyword("user_identity.session_context.mfa_authenticated", _session("mfa_authenticated"))
    yield Field("user_identity.session_context.creation_date", "date", _session_start)
    for name in ("type", "arn", "account_id", "principal_id"):
        yield _keyword("user_identity.session_context.session_issuer." + name, _issuer(name))
    for name in _FREE_STRUCTURES:
        yield _keyword(name, _text(_FREE_STRUCTURES[name]))
        yield _keyword(name + ".text", _text(_FREE_STRUCTURES[name]))
        yield _keyword("flattened." + name, _text(_FREE_STRUCTURES[name]))
    for name, element in (("arn", "ARN"), ("account_id", "accountId"), ("type", "type")):
        yield _keyword("resources." + name, _resources(element), many=True)
    yield _keyword("console_login.additional_eventdata.login_to", _member(_additional, ["LoginTo"]))
    for name, element in (("mobile_version", "MobileVersion"), ("mfa_used", "MFAUsed")):
        yield Field(
            "console_login.additional_eventdata." + name,
            "boolean",
            _yes(_member(_additional, [element])),
        )


_GEO: tuple[tuple[str, Type], ...] = (
    ("city_name", "keyword"),
    ("country_iso_code", "keyword"),
    ("country_name", "keyword"),
    ("continent_name", "keyword"),
    ("location", "keyword"),
    ("region_iso_code", "keyword"),
    ("region_name", "keyword"),
)


def _network(asn: AsnLookup | None) -> Iterator[Field]:
    """The fields of the source's network, null for anything but a public address."""
    absent = "" if asn else "no ASN database is named"

    def read(part: str) -> FieldGetter:
        return lambda record: getattr(asn.lookup(record.source_ip_address), part) if asn else None

    yield Field("source.as.number", "long", read("number"), absent=absent)
    yield Field("source.as.organization.name", "keyword", read("organization"), absent=absent)
    for name, kind in _GEO:
        yield Field(
            "source.geo." + name, kind, lambda _: None, absent="trailhound has no location database"
        )
