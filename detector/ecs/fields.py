"""The ECS fields of a record, each with its type and getter.

The mapping follows Elastic's AWS CloudTrail integration (its ingest pipeline and field
definitions). As in the integration, null, ``""``, ``"-"``, ``"none"`` and empty lists and objects
count as absent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from detector.ecs import entities, getters
from detector.ecs.asn import AsnLookup
from detector.ecs.geo import GeoLookup, Place
from detector.ecs.getters import FieldGetter, present
from detector.ecs.java_text import java_text
from detector.ecs.user_agent import (
    System,
    client_name,
    client_version,
    device_name,
    may_be_client,
    operating_system,
)
from detector.ecs.values import Type
from detector.text.suggest import nearest


class Field(msgspec.Struct, frozen=True):
    """A field: its ES|QL type and its getter.

    ``read`` returns null (None), one value, or, where ``many`` is set, a list of two or more.
    ``constant`` is the value of a field that is the same in every record. ``only`` is the sole
    non-null value that a field can have. ``absent`` says why a field is always null here.
    ``on_demand`` marks an expensive or rarely used field, which becomes a column only if a query
    names it. ``may_be`` is a cheap test whether the value in a record could equal a text."""

    name: str
    type: Type
    read: FieldGetter
    many: bool = False
    constant: str | None = None
    only: str | None = None
    absent: str = ""
    on_demand: bool = False
    may_be: Callable[[Any, str], bool] | None = None

    @property
    def of_head(self) -> bool:
        """Whether ``read`` works on a Head as well as on a Record."""
        return self.name in _OF_HEAD or self.constant is not None

    @property
    def head_fields(self) -> tuple[str, ...]:
        """The fields of a Head that ``read`` uses; empty if ``read`` needs a Record."""
        return _OF_HEAD.get(self.name, ())

    @property
    def of_caller(self) -> bool:
        """Whether the caller alone determines the value in most records."""
        return self.name.startswith("aws.cloudtrail.user_identity.") or self.name in _OF_CALLER

    @property
    def always(self) -> bool:
        """Whether every CloudTrail record has the field."""
        return self.name in _ALWAYS or self.constant is not None


_FLATTENED = "aws.cloudtrail.flattened."
_CONTEXT = "user_identity.session_context."
_FEDERATION_ATTRIBUTES = f"aws.cloudtrail.{_CONTEXT}web_id_federation_data.attributes."
_FEDERATION = "userIdentity.sessionContext.webIdFederationData"


class FieldTable(Mapping[str, Field]):
    """All fields by name.

    Any name exists below ``aws.cloudtrail.flattened.`` and below the web identity federation
    attributes. ``fingerprint`` identifies the databases on which values depend."""

    def __init__(self, table: Mapping[str, Field], fingerprint: str = "") -> None:
        self._table = table
        self.fingerprint = fingerprint

    __eq__ = object.__eq__
    __hash__ = object.__hash__
    """Tables compare by identity, because they are the keys of caches."""

    def __getitem__(self, name: str) -> Field:
        field = self._table.get(name)
        if field:
            return field
        root, _, path = name.removeprefix(_FLATTENED).partition(".")
        structure = getters.FREE_STRUCTURES.get(root)
        if name.startswith(_FLATTENED) and path and structure:
            return Field(name, "keyword", getters.member(structure, path.split(".")), many=True)
        if name.startswith(_FEDERATION_ATTRIBUTES):
            attribute = name.removeprefix(_FEDERATION_ATTRIBUTES)
            read = getters.of_document(f"{_FEDERATION}.attributes.{attribute}")
            return Field(name, "keyword", read, many=True)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._table)

    def hint(self, name: str) -> str:
        """Return the suggestion or explanation that ends the message about an unknown name."""
        near = nearest(name, self._table)
        root = name.partition(".")[0]
        of_entity = (".entity.", ".target.")
        roots = {
            each.partition(".")[0]
            for each in self._table
            if not any(part in each for part in of_entity)
        }
        if near or root in roots or "." not in name:
            return near
        return f": trailhound holds CloudTrail only, which has no fields {root}.*"

    def __len__(self) -> int:
        return len(self._table)


def field_table(asn: AsnLookup | None = None, geo: GeoLookup | None = None) -> FieldTable:
    """Build the table; without ``asn`` the source's AS is null, without ``geo`` its location."""
    fields = (*_plain(), *_network(asn), *_place(geo))
    # Joined so that a table without a geo database keeps the fingerprint of earlier versions.
    fingerprint = "\0".join(database.fingerprint for database in (asn, geo) if database)
    return FieldTable({field.name: field for field in fields}, fingerprint)


_OF_HEAD = {
    "event.provider": ("event_source",),
    "cloud.service.name": ("event_source",),
    "event.action": ("event_name",),
    "event.category": ("event_name",),
    "event.type": ("event_name",),
    "cloud.account.id": ("user_identity", "recipient_account_id"),
    "cloud.region": ("aws_region",),
    "source.address": ("source_ip_address",),
    "source.ip": ("source_ip_address",),
    "source.as.number": ("source_ip_address",),
    "source.as.organization.name": ("source_ip_address",),
    **{f"source.geo.{name}": ("source_ip_address",) for name in Place._fields},
    "user_agent.original": ("user_agent",),
    "user_agent.name": ("user_agent",),
    "user_agent.version": ("user_agent",),
    "user_agent.device.name": ("user_agent",),
    **{f"user_agent.os.{part}": ("user_agent",) for part in System._fields},
    "aws.cloudtrail.read_only": ("read_only",),
    "aws.cloudtrail.event_category": ("event_category",),
    "aws.cloudtrail.recipient_account_id": ("recipient_account_id",),
    "aws.cloudtrail.user_identity.arn": ("user_identity",),
    "aws.cloudtrail.user_identity.access_key_id": ("user_identity",),
    "aws.cloudtrail.user_identity.invoked_by": ("user_identity",),
    "aws.cloudtrail.error_code": ("error_code",),
}
"""The fields that a Head can supply, each with the Head's attributes that determine it."""
_OF_CALLER = frozenset({"user.name", "user.id", "user.email"})
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


def _constant(name: str, value: str) -> Field:
    return Field(name, "keyword", lambda _: value, constant=value)


def _keyword(name: str, read: FieldGetter, many: bool = False) -> Field:
    return Field(name, "keyword", read, many)


def _plain() -> Iterator[Field]:
    yield Field("@timestamp", "date", getters.timestamp)
    # Log files do not say when a record arrived; the event's own time is the best estimate.
    for name in ("event.ingested", "event.created"):
        yield Field(name, "date", getters.timestamp)
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
    yield _keyword("event.provider", getters.attribute("event_source"))
    yield _keyword("event.action", getters.attribute("event_name"))
    yield _keyword("event.id", getters.attribute("event_id"))
    yield _keyword("event.outcome", getters.outcome)
    yield _keyword("cloud.account.id", getters.account)
    yield _keyword("cloud.region", getters.attribute("aws_region"))
    yield _keyword("source.address", getters.attribute("source_ip_address"))
    yield Field("source.ip", "ip", getters.source_ip)
    yield _keyword("user.name", getters.user_name)
    yield _keyword("user.id", getters.user_id)
    yield _keyword("user.target.name", getters.member(getters.request_parameters, ["userName"]))
    yield _keyword("user.changes.name", getters.member(getters.request_parameters, ["newUserName"]))
    yield _keyword("group.name", getters.member(getters.request_parameters, ["groupName"]))
    yield _keyword("user_agent.original", getters.attribute("user_agent"))
    yield Field(
        "user_agent.name",
        "keyword",
        lambda r: client_name(present(r.user_agent)),
        may_be=lambda r, name: may_be_client(present(r.user_agent), name),
    )
    yield _keyword("user_agent.version", lambda r: client_version(present(r.user_agent)))
    for part in System._fields:
        yield Field("user_agent.os." + part, "keyword", _system_part(part), on_demand=True)
    yield Field(
        "user_agent.device.name",
        "keyword",
        lambda r: device_name(present(r.user_agent)),
        on_demand=True,
    )
    yield _keyword("tls.version", getters.tls_version)
    yield _keyword("tls.version_protocol", getters.tls_protocol)
    yield _keyword("tls.cipher", getters.tls("cipherSuite"))
    yield _keyword("tls.client.server_name", getters.tls("clientProvidedHostHeader"))
    yield from _added()
    yield from (
        msgspec.structs.replace(field, name="aws.cloudtrail." + field.name)
        for field in _cloudtrail()
    )


def _system_part(part: str) -> FieldGetter:
    return lambda record: getattr(operating_system(present(record.user_agent)), part)


def _added() -> Iterator[Field]:
    """Yield the fields that the integration derives: categories, entities, related users."""
    yield _keyword("event.category", entities.category)
    yield _keyword("event.type", entities.event_type, many=True)
    yield _keyword("user.email", entities.user_email)
    yield _keyword("user.target.id", getters.member(getters.response_elements, ["user", "userId"]))
    yield _keyword("group.id", getters.member(getters.response_elements, ["group", "groupId"]))
    yield _keyword("related.user", entities.related_users, many=True)
    yield _keyword("related.entity", entities.related_entities, many=True)
    for name in ("related.hash", "file.path", "aws.cloudtrail.flattened.digest"):
        yield Field(name, "keyword", lambda _: None, absent="only digest files have it")
    yield Field(
        "aws.cloudtrail.flattened.insight_details",
        "keyword",
        lambda _: None,
        absent="only Insight events have it, which are not read",
    )
    for kind, prefix in (("", ""), ("user", "user."), ("host", "host."), ("service", "service.")):
        name = prefix + "target.entity.id" if kind else "entity.target.id"
        yield _keyword(name, entities.target_of_kind(kind), many=True)
        yield _keyword(prefix + "entity.id", entities.actor_of_kind(kind))
    for name, read in (
        ("cloud.service.name", getters.called_service),
        ("service.name", getters.service_name),
        ("actor.entity.id", entities.actor),
    ):
        yield Field(name, "keyword", read, on_demand=True)
    for name, read in (
        ("target.entity.id", entities.all_targets),
        ("host.target.id", entities.target_instances),
        ("related.hosts", entities.related_hosts),
    ):
        yield Field(name, "keyword", read, many=True, on_demand=True)
    yield Field("related.ip", "ip", entities.related_addresses, many=True, on_demand=True)


def _cloudtrail() -> Iterator[Field]:
    """Yield the fields below ``aws.cloudtrail``, named without that prefix."""
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
        yield _keyword(name, getters.attribute(name))
    yield Field(
        "session_credential_from_console",
        "keyword",
        getters.attribute("session_credential_from_console"),
        only="true",
    )
    yield _keyword(
        "management_event",
        lambda r: None if r.management_event is None else java_text(r.management_event),
    )
    yield Field("read_only", "boolean", lambda r: r.read_only)
    for name in ("type", "arn", "access_key_id", "invoked_by", "credential_id"):
        yield _keyword("user_identity." + name, getters.caller_attribute(name))
    for name in ("user_id", "identity_store_arn"):
        yield _keyword("user_identity.on_behalf_of." + name, getters.on_behalf_of(name))
    yield _keyword(
        "user_identity.session_context.mfa_authenticated",
        getters.session_attribute("mfa_authenticated"),
    )
    yield Field("user_identity.session_context.creation_date", "date", getters.session_start)
    for name in ("type", "arn", "account_id", "principal_id"):
        yield _keyword("user_identity.session_context.session_issuer." + name, getters.issuer(name))
    yield from _rare()
    for name in getters.FREE_STRUCTURES:
        yield _keyword(name, getters.text(name))
        yield _keyword(name + ".text", getters.text(name))
        yield _keyword("flattened." + name, getters.text(name))
    for name, element in (("arn", "ARN"), ("account_id", "accountId"), ("type", "type")):
        yield _keyword("resources." + name, getters.resource_element(element), many=True)
    yield _keyword("console_login.additional_eventdata.login_to", getters.of_sign_in("LoginTo"))
    for name, element in (("mobile_version", "MobileVersion"), ("mfa_used", "MFAUsed")):
        yield Field(
            "console_login.additional_eventdata." + name,
            "boolean",
            getters.is_not_no(getters.of_sign_in(element)),
        )


_RARE = {
    "user_identity.identity_provider": "userIdentity.identityProvider",
    "user_identity.invoked_by_delegate.account_id": "userIdentity.invokedByDelegate.accountId",
    "user_identity.in_scope_of.issuer_type": "userIdentity.inScopeOf.issuerType",
    "user_identity.in_scope_of.credentials_issued_to": "userIdentity.inScopeOf.credentialsIssuedTo",
    "user_identity.in_scope_of.source_arn": "userIdentity.inScopeOf.sourceArn",
    "user_identity.in_scope_of.source_account": "userIdentity.inScopeOf.sourceAccount",
    f"{_CONTEXT}ec2_role_delivery": "userIdentity.sessionContext.ec2RoleDelivery",
    f"{_CONTEXT}source_identity": "userIdentity.sessionContext.sourceIdentity",
    f"{_CONTEXT}assumed_root": "userIdentity.sessionContext.assumedRoot",
    f"{_CONTEXT}sign_in_session_arn": "userIdentity.sessionContext.signInSessionArn",
    f"{_CONTEXT}web_id_federation_data.federated_provider": f"{_FEDERATION}.federatedProvider",
    "vpc_endpoint_account_id": "vpcEndpointAccountId",
    "addendum.reason": "addendum.reason",
    "addendum.updated_fields": "addendum.updatedFields",
    "addendum.original_request_id": "addendum.originalRequestID",
    "addendum.original_event_id": "addendum.originalEventID",
}
"""Fields that few records have, each with its path in the raw record."""


def _rare() -> Iterator[Field]:
    for name, path in _RARE.items():
        read = getters.of_document(path)
        yield Field(name, "keyword", read, many=True, on_demand=True)
    key_exchange = getters.tls("keyExchange")
    yield Field("tls_details.key_exchange", "keyword", key_exchange, on_demand=True)


_SOURCE_AS = "source.as."
_SOURCE_GEO = "source.geo."


def _network(asn: AsnLookup | None) -> Iterator[Field]:
    """Yield the fields of the source's autonomous system."""
    types: tuple[tuple[str, str, Type], ...] = (
        ("number", "number", "long"),
        ("organization.name", "organization", "keyword"),
    )
    for name, part, type in types:
        if asn is None:
            absent = "no ASN database is named (--asn-db)"
            yield Field(_SOURCE_AS + name, type, lambda _: None, absent=absent)
        else:
            yield Field(_SOURCE_AS + name, type, _part_of(asn.lookup, part))


def _place(geo: GeoLookup | None) -> Iterator[Field]:
    """Yield the fields of the source's location."""
    for name in Place._fields:
        if geo is None:
            absent = "no City or Country database is named (--geo-db)"
            yield Field(_SOURCE_GEO + name, "keyword", lambda _: None, absent=absent)
        else:
            yield _keyword(_SOURCE_GEO + name, _part_of(geo.lookup, name))


def _part_of(lookup: Callable[[str | None], Any], part: str) -> FieldGetter:
    return lambda record: getattr(lookup(record.source_ip_address), part)
