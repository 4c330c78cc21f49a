"""The fields that Elastic's integration derives from a call: category, entities, related users.

Source: the integration's ingest pipeline; ``integration.toml`` holds its tables.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import tomli

from detector.cloudtrail.record import Head, Record
from detector.ecs import getters
from detector.ecs.getters import FieldGetter, present
from detector.ecs.values import ip_from_text, ip_order, many, single


@lru_cache(1)
def _tables() -> dict[str, Any]:
    return tomli.loads(Path(__file__).with_name("integration.toml").read_text("utf-8"))


# categories


def category(record: Record | Head) -> str | None:
    """Return ``event.category``; None if the integration does not list the call."""
    known = _tables()["actions"].get(record.event_name)
    return known.partition(":")[0] if known else None


def event_type(record: Record | Head) -> Any:
    """Return ``event.type``: the types listed for the call, or ``info`` if it is not listed."""
    known = _tables()["actions"].get(record.event_name)
    return single(sorted(known.partition(":")[2].split())) if known else "info"


# what a call acts on

_resources = getters.resource_element("ARN")
_HEAD_PATHS: dict[str, FieldGetter] = {
    "recipientAccountId": getters.attribute("recipient_account_id"),
    "resources.ARN": _resources,
}
_STRUCTURES = {
    "requestParameters": getters.request_parameters,
    "responseElements": getters.response_elements,
    "additionalEventData": getters.additional_event_data,
}


class _StructurePaths(NamedTuple):
    """The paths to read in a structure; ``by_key`` maps each possible first key to the rest."""

    read: FieldGetter
    paths: list[list[str]]
    by_key: dict[str, list[list[str]]]


@lru_cache(None)
def _readers(paths: tuple[str, ...]) -> tuple[list[FieldGetter], list[_StructurePaths]]:
    """Compile paths from ``integration.toml`` into getters for heads and for structures."""
    of_structure: dict[str, list[list[str]]] = defaultdict(list)
    for name, *path in [path.split(".") for path in paths if path not in _HEAD_PATHS]:
        of_structure[name].append(path)
    structures = []
    for name, inner in of_structure.items():
        by_key: dict[str, list[list[str]]] = defaultdict(list)
        for path in inner:
            for length in range(1, len(path) + 1):  # a key may have dots
                by_key[".".join(path[:length])].append(path[length:])
        structures.append(_StructurePaths(_STRUCTURES[name], inner, by_key))
    return [_HEAD_PATHS[path] for path in paths if path in _HEAD_PATHS], structures


def _read(record: Record, paths: Iterable[str]) -> Iterator[str]:
    """Yield the record's texts at paths from ``integration.toml``."""
    heads, structures = _readers(tuple(paths))
    for read in heads:
        yield from many(read(record))
    for read, of_structure, by_key in structures:
        structure = read(record)
        if isinstance(structure, dict):
            for key in structure.keys() & by_key.keys():
                for path in by_key[key]:
                    yield from getters.texts_at(structure[key], path)
        elif structure is not None:
            for path in of_structure:
                yield from getters.texts_at(structure, path)


def _service(record: Record) -> str:
    return (record.event_source or "").removesuffix(".amazonaws.com")


def _targets(record: Record) -> list[str]:
    calls = _tables()["targets"].get(_service(record), {})
    name = record.event_name or ""
    paths = calls.get(name, ())
    if _service(record) == "lambda":  # its event names carry a version: AddPermission20150331v2
        paths = next((paths_of for part, paths_of in calls.items() if part in name), ())
    identifiers = set(_read(record, paths))
    if "*" in identifiers and _service(record) == "ssm":  # all instances of the account
        identifiers = set(_read(record, ["recipientAccountId"]))
    return sorted(identifiers)


targets = getters.once_a_record("_targets", _targets)
"""Returns the sorted identifiers of the entities that a call acts on."""

_SERVICE_ROLES = ("/AWSServiceRoleFor", "/aws-service-role/")


@lru_cache(2)
def _kinds(table: str) -> dict[str, str]:
    """Invert a table of ``integration.toml``: return the kind of each listed word."""
    words = {kind: text.split() for kind, text in _tables()[table].items()}
    return {word: kind for kind, listed in words.items() for word in listed}


def _kind(entity: str) -> str:
    """Return the kind of an entity: ``user``, ``host`` or ``service``, or ``""`` for others."""
    if not entity.startswith("arn:"):
        return _kind_of_id(entity)
    parts = entity.split(":")
    if len(parts) < 6:
        return ""
    if any(mark in entity for mark in _SERVICE_ROLES):
        return "service"
    resource = parts[5].partition("/")[0]
    kind: str = _kinds("resources").get(resource, "")
    return "service" if not kind and parts[2] == "s3" else kind


def _kind_of_id(entity: str) -> str:
    if entity.startswith("AKIA") and len(entity) == 20:
        return "user"
    return _kinds("ids").get(entity.partition("-")[0] + "-", "")


def target_of_kind(kind: str) -> FieldGetter:
    """Make a getter of the targets of one kind; ``""`` selects those of no kind."""

    def read(record: Record) -> Any:
        found = targets(record)
        return single([target for target in found if _kind(target) == kind]) if found else None

    return read


def all_targets(record: Record) -> Any:
    """Return ``target.entity.id``: the targets of every kind."""
    return single(targets(record))


def target_instances(record: Record) -> Any:
    """Return ``host.target.id``: the bare ids of the targets that are EC2 instances."""
    hosts = [target for target in targets(record) if _kind(target) == "host"]
    return single(sorted({id for id in map(_instance_id, hosts) if id}))


def _instance_id(host: str) -> str | None:
    """Return the id of an EC2 instance given by id or ARN; None for other hosts."""
    if host.startswith("arn:"):
        _, _, service, _, _, resource, *_ = host.split(":")
        host = resource.removeprefix("instance/") if service == "ec2" else ""
    return host if host.startswith("i-") else None


# who calls

_center_user = getters.on_behalf_of("user_id")
_role = getters.issuer("arn")


def _actor(record: Record) -> str | None:
    """Return the identifier of the caller, in most cases its ARN."""
    caller = record.caller
    found = present(caller.arn) or _center_user(record)
    if _service(record) == "sts" and record.event_name == "AssumeRole":
        if caller.type == "AWSService":
            found = caller.invoked_by
        elif caller.type == "AssumedRole":
            found = record.role_arn
    return present(found)


actor = getters.once_a_record("_actor", _actor)


def _actor_kind(record: Record, actor: str) -> str:
    type = record.caller.type
    if type == "AWSService" or any(mark in actor for mark in _SERVICE_ROLES):
        return "service"
    if type in ("AssumedRole", "IAMUser", "Root"):
        return "user"
    kind = _kind(actor)
    return kind if kind in ("user", "host") else ""


def actor_of_kind(kind: str) -> FieldGetter:
    """Make a getter that returns the caller if it is of the kind; ``""`` means of no kind.

    A user with an assumed role is identified by the role, not by the session."""

    def read(record: Record) -> Any:
        found = actor(record)
        if not found or _actor_kind(record, found) != kind:
            return None
        if kind == "user" and record.caller.type == "AssumedRole":
            return _role(record) or found
        return found

    return read


# entities related to a call

_CALLER_ENTITIES: tuple[FieldGetter, ...] = (
    getters.caller_attribute("access_key_id"),
    getters.caller_attribute("arn"),
    getters.caller_attribute("user_name"),
    _role,
    getters.issuer("user_name"),
    _resources,
)


def related_entities(record: Record) -> Any:
    """Return ``related.entity``: every entity that the record names."""
    identifiers = set(targets(record))
    for read in _CALLER_ENTITIES:
        identifiers.update(many(read(record)))
    if record.caller.type == "IdentityCenterUser":
        identifiers.update(many(getters.on_behalf_of("identity_store_arn")(record)))
    identifiers.update(_read(record, _tables()["related"].get(_service(record), ())))
    return single(sorted(identifiers))


_RELATED_USERS = (
    "requestParameters.userName",
    "requestParameters.newUserName",
    "responseElements.user.userId",
)


def related_users(record: Record) -> Any:
    """Return ``related.user``: names and ids of the users that the record names."""
    identifiers = set(_read(record, _RELATED_USERS))
    session = _session_name(record)
    callers = (getters.user_id(record), getters.user_name(record), session, _center_user(record))
    identifiers.update(name for name in callers if name)
    if session and "@" in session:
        identifiers.add(session.partition("@")[0])
    return single(sorted(identifiers))


def user_email(record: Record) -> str | None:
    """Return ``user.email``: the session's or the user's name, if it is an email address."""
    for name in (_session_name(record), getters.user_name(record)):
        if name and name.find("@") > 0:
            return name
    return None


def _session_name(record: Record) -> str | None:
    """Return the session name of an assumed role, federated user or Identity Center user."""
    arn = record.caller.arn or ""
    is_session = record.caller.type in ("AssumedRole", "FederatedUser", "IdentityCenterUser")
    if not is_session or ":sts:" not in arn or "/" not in arn:
        return None
    return present(arn.rpartition("/")[2])


_SHORTEST_INSTANCE_ID = 10
"""Characters: ``i-`` and eight digits."""
_INSTANCES = tuple(
    f"{structure}.{path}"
    for structure in ("requestParameters", "responseElements")
    for path in (
        "instanceId",
        "target",
        "resourceId",
        "instanceIds",
        "instancesSet.items.instanceId",
    )
)
"""The paths at which request parameters and responses name instances."""


def related_hosts(record: Record) -> Any:
    """Return ``related.hosts``: instance ids and host names, without AWS's own host names."""
    hosts = set(_read(record, ["requestParameters.computerName"]))
    names = list(many(getters.tls("clientProvidedHostHeader")(record)))
    address = getters.attribute("source_ip_address")(record)
    if address and "." in address and " " not in address and not getters.source_ip(record):
        names.append(address)
    hosts.update(name for name in names if not name.endswith(".amazonaws.com"))
    ids = [arn.rpartition("/")[2] for arn in many(_resources(record)) if ":instance/" in arn]
    ids.extend(_read(record, _INSTANCES))
    hosts.update(id for id in ids if id.startswith("i-") and len(id) >= _SHORTEST_INSTANCE_ID)
    return single(sorted(hosts))


def related_addresses(record: Record) -> Any:
    """Return ``related.ip``: the source address and those in the service event's details."""
    details = getters.FREE_STRUCTURES["service_event_details"](record)
    texts = getters.texts_at(details, ["sourceIpAddress"])
    addresses = {getters.source_ip(record), *map(ip_from_text, texts)}
    return single(sorted((each for each in addresses if each), key=ip_order))
