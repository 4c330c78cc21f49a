"""Documents of AWS and of log shippers that are known to contain no records."""

from __future__ import annotations

from collections.abc import Mapping

_SKIPPED = (
    ("digest", frozenset({"digestStartTime"})),
    ("lake-sign", frozenset({"files", "hashSignature"})),
    ("lake-sign", frozenset({"files", "region", "version"})),
    ("s3-notification", frozenset({"Service", "Event", "Bucket"})),
    ("delivery-notification", frozenset({"s3Bucket", "s3ObjectKey"})),
    ("aggregated", frozenset({"timeWindow", "eventCategory"})),
)
"""Reasons, each with the names that all its documents have."""
_BULK_ACTIONS = frozenset({"index", "create", "update", "delete"})


def skip_reason_of(members: Mapping[str, bytes]) -> str | None:
    """Return the reason why an object with these members is skipped; None if it is not."""
    names = members.keys()
    for reason, required in _SKIPPED:
        if required <= names:
            return reason
    if len(members) == 1 and not _BULK_ACTIONS.isdisjoint(names):
        (action,) = members.values()
        return "bulk-action" if action[:1] == b"{" and b'"_' in action else None
    return _reason_of_message(members)


def _reason_of_message(members: Mapping[str, bytes]) -> str | None:
    """Return the reason why a CloudWatch Logs, SNS or EventBridge message has no records.

    None if it may have some."""
    message = members.get("messageType")
    if message is not None and message != b'"DATA_MESSAGE"':
        return "control-message"
    if "Message" in members and members.get("Type", b'"Notification"') != b'"Notification"':
        return "control-message"
    kind = members.get("detail-type", b"")
    if "detail" not in members or kind[:1] != b'"' or kind.endswith(b' via CloudTrail"'):
        return None
    return "s3-notification" if kind.startswith(b'"Object ') else "other-event"
