"""A notice: what is sent of an alert, and what every sink is."""

from __future__ import annotations

import re
from typing import Any, Literal, Protocol

import msgspec

from detector.delivery.alert_export import alert_name, alert_object
from detector.detection.alert import Alert
from detector.text.plural import plural
from detector.text.visible import visible


class SinkError(Exception):
    """A notice that was not taken; the message is one line, and has no secret.

    ``retry``: it may be taken later."""

    def __init__(self, message: str, retry: bool) -> None:
        super().__init__(message)
        self.retry = retry


class Notice(msgspec.Struct, frozen=True):
    """An alert that is new or has changed.

    ``key`` is the same whenever the same revision is sent; ``line`` is for people, and escaped;
    ``alert`` is the object that ``--format jsonl`` prints."""

    key: str
    kind: Literal["alert", "revision"]
    severity: str
    line: str
    alert: dict[str, Any]

    @classmethod
    def of(cls, alert: Alert, is_first: bool) -> Notice:
        """Return the notice of an alert."""
        regions = plural(len(alert.facets.regions), "region")
        calls = plural(alert.event_count, "call")
        name = visible(alert_name(alert), 200) or "callers without an ARN"
        what = f"{alert.severity.upper()} {alert.score}: {visible(alert.rule.name, 200)}"
        return cls(
            key=f"{alert.alert_id}-{alert.revision}-{alert.score}",
            kind="alert" if is_first else "revision",
            severity=alert.severity,
            line=f"{what}: {name}, {calls} in {regions}",
            alert=alert_object(alert),
        )


class Sink(Protocol):
    """Where notices are sent.

    ``sink_id`` is the same for the same target in every run, and does not reveal it; ``title``
    names the target without what may be secret."""

    sink_id: str
    title: str

    def send(self, notice: Notice) -> None:
        """Send a notice. Raises SinkError."""


_URL = re.compile(r"([a-z][a-z0-9+.-]*://)(?:[^/@\s]*@)?([^/\s?#]+)[^\s]*", re.IGNORECASE)


def without_secrets(url: str) -> str:
    """Return an address without user, path and query, where tokens are: ``https://host/…``."""
    return _URL.sub(r"\1\2/…", url)
