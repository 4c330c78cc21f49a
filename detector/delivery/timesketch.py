"""Events as JSON Lines that Timesketch can import.

Source of the format: Timesketch's documentation, "Import from JSON or CSV": ``message``,
``datetime`` and ``timestamp_desc`` are required; ``timestamp`` is in microseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from detector.cloudtrail.principal_name import principal_name
from detector.detection.event import Event
from detector.text.time import format_time
from detector.triage.export import position_object


def timesketch_event(
    event: Event, call_object: str = "", flags: Sequence[str] = (), alert_id: str = ""
) -> dict[str, Any]:
    """Return an event in Timesketch's format; ``flags`` become its tags."""
    acted_on = f" {call_object}" if call_object else ""
    result = event.error_code or "ok"
    who = principal_name(event.arn) or event.source_address or "a caller without an ARN"
    return {
        "message": f"{who}: {event.action}{acted_on} in {event.region} ({result})",
        "datetime": _datetime(event.time),
        "timestamp": event.time * 1_000_000,
        "timestamp_desc": "Event Logged",
        "data_type": "aws:cloudtrail:entry",
        "event_name": event.action,
        "event_source": event.provider,
        "event_id": event.event_id,
        "cloud_region": event.region,
        "account": event.account,
        "user_arn": event.arn,
        "access_key": event.access_key,
        "source_ip": event.source_address,
        "user_agent": event.user_agent,
        "error_code": event.error_code,
        "object": call_object,
        "tag": list(flags),
        "alert_id": alert_id,
        "log_file": position_object(event)["source"],
    }


def _datetime(seconds: int) -> str:
    return format_time(seconds).replace("Z", "+00:00")
