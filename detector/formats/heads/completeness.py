"""What a head must have to be that of a record."""

from __future__ import annotations

from detector.cloudtrail.record import EventSignature, Head


def is_complete(head: Head | EventSignature) -> bool:
    """Tell whether a head has what makes it a record."""
    if not (head.event_source and head.event_name and head.aws_region):
        return False
    caller = head.user_identity
    return caller is not None and bool(caller.arn or caller.account_id or caller.access_key_id)
