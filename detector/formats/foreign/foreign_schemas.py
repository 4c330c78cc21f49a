"""Translates records in other schemas back to CloudTrail's names.

The schemas are ECS as Elastic's AWS CloudTrail integration fills it (see ``detector.ecs.fields``),
and OCSF's API Activity class as Security Lake fills it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from detector.formats.values import JsonObject

_FREE_STRUCTURES = (
    "requestParameters",
    "responseElements",
    "additionalEventData",
    "serviceEventDetails",
    "resources",
    "tlsDetails",
)

_ECS_NAMES = {
    "eventTime": ("@timestamp",),
    "eventSource": ("event.provider",),
    "eventName": ("event.action",),
    "eventID": ("event.id",),
    "awsRegion": ("cloud.region",),
    "sourceIPAddress": ("source.address", "source.ip"),
    "userAgent": ("user_agent.original",),
    "recipientAccountId": ("aws.cloudtrail.recipient_account_id", "cloud.account.id"),
    "tlsDetails.tlsVersion": ("tls.version",),
    "tlsDetails.cipherSuite": ("tls.cipher",),
    "tlsDetails.clientProvidedHostHeader": ("tls.client.server_name",),
    "userIdentity.accountId": ("aws.cloudtrail.user_identity.account_id", "cloud.account.id"),
    "userIdentity.principalId": ("aws.cloudtrail.user_identity.principal_id", "user.id"),
    "userIdentity.userName": ("aws.cloudtrail.user_identity.user_name", "user.name"),
    "userIdentity.type": ("aws.cloudtrail.user_identity.type",),
    "userIdentity.arn": ("aws.cloudtrail.user_identity.arn",),
    "userIdentity.accessKeyId": ("aws.cloudtrail.user_identity.access_key_id",),
    "userIdentity.invokedBy": ("aws.cloudtrail.user_identity.invoked_by",),
    "userIdentity.sessionContext.attributes.mfaAuthenticated": (
        "aws.cloudtrail.user_identity.session_context.mfa_authenticated",
    ),
    "userIdentity.sessionContext.attributes.creationDate": (
        "aws.cloudtrail.user_identity.session_context.creation_date",
    ),
    **{
        f"userIdentity.sessionContext.sessionIssuer.{ours}": (
            f"aws.cloudtrail.user_identity.session_context.session_issuer.{theirs}",
        )
        for ours, theirs in (
            ("type", "type"),
            ("arn", "arn"),
            ("accountId", "account_id"),
            ("principalId", "principal_id"),
            ("userName", "user_name"),
        )
    },
    **{
        ours: (f"aws.cloudtrail.{theirs}",)
        for ours, theirs in (
            ("eventVersion", "event_version"),
            ("eventType", "event_type"),
            ("eventCategory", "event_category"),
            ("errorCode", "error_code"),
            ("errorMessage", "error_message"),
            ("requestID", "request_id"),
            ("apiVersion", "api_version"),
            ("sharedEventID", "shared_event_id"),
            ("vpcEndpointId", "vpc_endpoint_id"),
            ("readOnly", "read_only"),
            ("managementEvent", "management_event"),
            ("resources", "resources"),
            ("sessionCredentialFromConsole", "session_credential_from_console"),
        )
    },
    **{
        ours: (f"aws.cloudtrail.flattened.{theirs}", f"aws.cloudtrail.{theirs}")
        for ours, theirs in (
            ("requestParameters", "request_parameters"),
            ("responseElements", "response_elements"),
            ("additionalEventData", "additional_eventdata"),
            ("serviceEventDetails", "service_event_details"),
        )
    },
}
"""The ECS fields that may hold each of CloudTrail's fields, the preferred one first."""


def is_ecs(members: Mapping[str, bytes]) -> bool:
    """Return whether an object with these members is an ECS document."""
    if "event.action" in members or "event.original" in members:
        return True
    return "@timestamp" in members and members.get("event", b"")[:1] == b"{"


def ecs_originals(document: JsonObject) -> Iterator[Any]:
    """Yield the values of an ECS document that may be the original record."""
    event = document.get("event")
    yield event.get("original") if isinstance(event, dict) else None
    for name in ("event.original", "message"):
        text = document.get(name)
        yield text[0] if isinstance(text, list) and text else text


def from_ecs(document: JsonObject) -> JsonObject:
    """Translate an ECS document, or the ``fields`` of a search.

    The document may be nested or have dotted names.
    """
    record: JsonObject = {}
    for path, names in _ECS_NAMES.items():
        value = _first_value(document, names)
        if isinstance(value, list) and path != "resources":
            value = value[0] if value else None
        if isinstance(value, str) and path in _FREE_STRUCTURES:
            continue  # The integration writes objects as text that is not JSON.
        if value is not None:
            _put(record, path, value)
    return record


def _first_value(document: JsonObject, names: Iterable[str]) -> Any:
    for name in names:
        value = _value_of(document, name)
        if value is not None:
            return value
    return None


def _value_of(document: Any, name: str) -> Any:
    """Return a field's value from a document; None if it has none.

    In the document, the dotted ``name`` may be nested, dotted or partly nested.
    """
    if not isinstance(document, dict):
        return None
    if name in document:
        return document[name]
    parts = name.split(".")
    for length in range(1, len(parts)):
        inner = document.get(".".join(parts[:length]))
        if inner is None:
            continue
        value = _value_of(inner, ".".join(parts[length:]))
        if value is not None:
            return value
    return None


def _put(record: JsonObject, path: str, value: Any) -> None:
    *parents, name = path.split(".")
    for parent in parents:
        record = record.setdefault(parent, {})
    record[name] = value


def ocsf_originals(document: JsonObject) -> Iterator[Any]:
    """Yield the values of an OCSF document that may be the original record."""
    yield document.get("raw_data")


def from_ocsf(row: JsonObject) -> JsonObject:
    """Translate an API Activity event of Security Lake's CloudTrail source."""
    user, session = _object_at(row, "actor", "user"), _object_at(row, "actor", "session")
    cloud, source = _object_at(row, "cloud"), _object_at(row, "src_endpoint")
    api, metadata = _object_at(row, "api"), _object_at(row, "metadata")
    error = _object_at(api, "response")
    names = [user.get(name) for name in ("uid", "uid_alt", "uuid", "name")]
    texts = [name for name in names if isinstance(name, str)]
    arn = next((name for name in texts if name.startswith("arn:")), None)
    principal_id = next((name for name in texts if name != arn), None)
    issuer = session.get("issuer")
    return {
        "eventTime": row.get("time_dt") or row.get("time"),
        "eventSource": _object_at(api, "service").get("name"),
        "eventName": api.get("operation"),
        "eventID": metadata.get("uid") or metadata.get("event_uid"),
        "eventType": metadata.get("event_code"),
        "requestID": _object_at(api, "request").get("uid"),
        "apiVersion": api.get("version"),
        "awsRegion": cloud.get("region"),
        "sourceIPAddress": source.get("ip") or source.get("domain"),
        "vpcEndpointId": source.get("uid"),
        "userAgent": _object_at(row, "http_request").get("user_agent"),
        "errorCode": error.get("error"),
        "errorMessage": error.get("message") or error.get("error_message"),
        "recipientAccountId": _object_at(cloud, "account").get("uid") or cloud.get("account_uid"),
        "userIdentity": {
            "type": user.get("type"),
            "arn": arn,
            "principalId": principal_id,
            "accountId": _object_at(user, "account").get("uid") or user.get("account_uid"),
            "accessKeyId": user.get("credential_uid"),
            "userName": user.get("name"),
            "invokedBy": _object_at(row, "actor").get("invoked_by"),
            "sessionContext": {
                "attributes": {"mfaAuthenticated": session.get("is_mfa", session.get("mfa"))},
                "sessionIssuer": {"arn": issuer} if issuer else None,
            },
        },
    }


def _object_at(value: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    """Return the object at a path; an empty object if there is none."""
    for name in path:
        inner = value.get(name)
        value = inner if isinstance(inner, dict) else {}
    return value
