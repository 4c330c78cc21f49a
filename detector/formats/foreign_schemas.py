"""Records that others have renamed, back in CloudTrail's own names: Athena's lower case, ECS, OCSF.

Where the names come from: the AWS Athena CloudTrail table (all keys lower case, free structures as JSON text);
Elastic's AWS CloudTrail integration (see ``detector.ecs.fields``); OCSF's API Activity class as Security Lake fills it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, get_args

import msgspec

from detector.cloudtrail.record import Record, UserIdentity, loads

Json = dict[str, Any]


def _spellings() -> dict[str, str]:
    """Lower-case key -> CloudTrail's, from the records' own types."""
    found: dict[str, str] = {}
    due: list[Any] = [Record, UserIdentity]
    while due:
        for field in msgspec.structs.fields(due.pop()):
            found[field.encode_name.lower()] = field.encode_name
            due += [
                kind
                for kind in get_args(field.type)
                if isinstance(kind, type) and issubclass(kind, msgspec.Struct)
            ]
    extra = (
        "tlsVersion",
        "cipherSuite",
        "clientProvidedHostHeader",
        "addendum",
        "eventContext",
        "webIdFederationData",
    )
    return found | {name.lower(): name for name in extra}


_SPELLING = _spellings()
_FREE = (
    "requestParameters",
    "responseElements",
    "additionalEventData",
    "serviceEventDetails",
    "resources",
    "tlsDetails",
)


def from_lower_case(row: Json) -> Json:
    """A row of Athena's table."""
    record: Json = _spelled(row)
    for name in _FREE:
        if isinstance(text := record.get(name), str):
            try:
                record[name] = loads(text.encode("utf-8", "backslashreplace"))
            except (ValueError, RecursionError):
                record[name] = None
    if isinstance(resources := record.get("resources"), list):
        record["resources"] = [
            {
                (
                    "ARN"
                    if name.lower() == "arn"
                    else "accountId"
                    if name.lower() == "accountid"
                    else name
                ): value
                for name, value in each.items()
            }
            if isinstance(each, dict)
            else each
            for each in resources
        ]
    return record


def _spelled(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            (known := _SPELLING.get(name.lower(), name)): inner
            if known in _FREE
            else _spelled(inner)
            for name, inner in value.items()
        }
    return value


_ECS = {
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
"""CloudTrail's name -> the ECS fields that may hold it, the better one first."""


def from_ecs(document: Json) -> Json:
    """An ECS document without its original, nested or with dotted names, or a search's
    ``fields``."""
    record: Json = {}
    for path, names in _ECS.items():
        value = next(
            (found for name in names if (found := _dotted(document, name)) is not None), None
        )
        if isinstance(value, list) and path != "resources":
            value = value[0] if value else None
        if (
            isinstance(value, str) and path in _FREE
        ):  # the integration's text of an object is no JSON
            value = None
        if value is not None:
            _put(record, path, value)
    return record


def _dotted(document: Any, name: str) -> Any:
    """What ``name`` means in a document that may hold it nested, dotted, or part so, part so."""
    if not isinstance(document, dict):
        return None
    if name in document:
        return document[name]
    parts = name.split(".")
    for length in range(1, len(parts)):
        inner = document.get(".".join(parts[:length]))
        if inner is not None and (found := _dotted(inner, ".".join(parts[length:]))) is not None:
            return found
    return None


def _put(record: Json, path: str, value: Any) -> None:
    *parents, name = path.split(".")
    for parent in parents:
        record = record.setdefault(parent, {})
    record[name] = value


def from_ocsf(row: Json) -> Json:
    """An OCSF API Activity event of Security Lake's CloudTrail source."""
    user, session = _at(row, "actor", "user"), _at(row, "actor", "session")
    names = [user.get(name) for name in ("uid", "uid_alt", "uuid", "name")]
    arn = next((name for name in names if isinstance(name, str) and name.startswith("arn:")), None)
    issuer = session.get("issuer")
    error = _at(row, "api", "response")
    return {
        "eventTime": _time(row.get("time_dt") or row.get("time")),
        "eventSource": _at(row, "api", "service").get("name"),
        "eventName": _at(row, "api").get("operation"),
        "eventID": _at(row, "metadata").get("uid") or _at(row, "metadata").get("event_uid"),
        "eventType": _at(row, "metadata").get("event_code"),
        "requestID": _at(row, "api", "request").get("uid"),
        "apiVersion": _at(row, "api").get("version"),
        "awsRegion": _at(row, "cloud").get("region"),
        "sourceIPAddress": _at(row, "src_endpoint").get("ip")
        or _at(row, "src_endpoint").get("domain"),
        "vpcEndpointId": _at(row, "src_endpoint").get("uid"),
        "userAgent": _at(row, "http_request").get("user_agent"),
        "errorCode": error.get("error"),
        "errorMessage": error.get("message") or error.get("error_message"),
        "recipientAccountId": _at(row, "cloud", "account").get("uid")
        or _at(row, "cloud").get("account_uid"),
        "userIdentity": {
            "type": user.get("type"),
            "arn": arn,
            "principalId": next(
                (name for name in names if isinstance(name, str) and name != arn), None
            ),
            "accountId": _at(user, "account").get("uid") or user.get("account_uid"),
            "accessKeyId": user.get("credential_uid"),
            "userName": user.get("name"),
            "invokedBy": _at(row, "actor").get("invoked_by"),
            "sessionContext": {
                "attributes": {"mfaAuthenticated": session.get("is_mfa", session.get("mfa"))},
                "sessionIssuer": {"arn": issuer} if issuer else None,
            },
        },
    }


def _at(value: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    for name in path:
        inner = value.get(name)
        value = inner if isinstance(inner, dict) else {}
    return value


def _time(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value if isinstance(value, str) else None
    try:
        return datetime.fromtimestamp(value / 1000, UTC).isoformat()
    except (OverflowError, ValueError, OSError):
        return None
