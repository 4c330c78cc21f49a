"""Decides whether a head is that of a CloudTrail record."""

from __future__ import annotations

from detector.cloudtrail.record import EventSignature, Head


def is_complete(head: Head | EventSignature) -> bool:
    """Return whether a head has a source, a name, a region and an identified caller."""
    if not (head.event_source and head.event_name and head.aws_region):
        return False
    caller = head.user_identity
    return caller is not None and bool(caller.arn or caller.account_id or caller.access_key_id)
