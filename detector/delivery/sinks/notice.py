"""Notices: what is sent about an alert or a watch, and the interface of sinks."""

from __future__ import annotations

import re
from typing import Any, Literal, Protocol

import msgspec

from detector.delivery.alert_export import alert_name, alert_object
from detector.delivery.watch_export import seen_again
from detector.detection.alert import Alert
from detector.text.plural import plural
from detector.text.visible import visible
from detector.triage.watch import WatchRow


class SinkError(Exception):
    """A sink did not take a notice; the message is one line and contains no secrets.

    ``retry`` says whether another attempt may succeed."""

    def __init__(self, message: str, retry: bool) -> None:
        super().__init__(message)
        self.retry = retry


class Notice(msgspec.Struct, frozen=True):
    """A new or changed alert, or new sightings of a watch.

    ``key`` is the same whenever the same revision is sent; ``line`` is the escaped text for people;
    ``alert`` or ``watch`` is the object that ``--format jsonl`` prints, and the other one is empty.
    Notices of watches have no severity."""

    key: str
    kind: Literal["alert", "revision", "watch"]
    severity: str
    line: str
    alert: dict[str, Any] = {}
    watch: dict[str, Any] = {}

    @property
    def subject_id(self) -> str:
        """The id of the alert or watch."""
        found: str = self.watch["watch_id"] if self.watch else self.alert["alert_id"]
        return found

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

    @classmethod
    def of_watch(cls, row: WatchRow, every: bool) -> Notice:
        """Return the notice of a watch with sightings.

        Its key stays the same until the watch is acknowledged, unless ``every`` sighting counts."""
        watch = row.watch
        key = f"{watch.watch_id}-{watch.acknowledged:.0f}"
        if every and row.latest is not None:
            key += f"-{row.latest.time}-{row.latest.identity.hex()[:8]}-{row.sightings}"
        return cls(
            key=key,
            kind="watch",
            severity="",
            line=f"SEEN {visible(seen_again(row), 600)}",
            watch=row.as_json(),
        )


class Sink(Protocol):
    """A destination for notices.

    ``sink_id`` identifies the target across runs without revealing it; ``title`` names the target
    without its secrets; ``takes_watches`` says whether notices of watches are sent there."""

    sink_id: str
    title: str
    takes_watches: bool

    def send(self, notice: Notice) -> None:
        """Send a notice. Raises SinkError."""


_URL = re.compile(r"([a-z][a-z0-9+.-]*://)(?:[^/@\s]*@)?([^/\s?#]+)[^\s]*", re.IGNORECASE)


def without_secrets(url: str) -> str:
    """Reduce an address to ``https://host/…``: user, path and query may hold tokens."""
    return _URL.sub(r"\1\2/…", url)
