"""Signals encoded as bytes that sort by time and then by the event's identity.

Thousands of alerts may be near thousands of signals: bytes compare fast, and the garbage collector
does not track them.
"""

from __future__ import annotations

from functools import lru_cache

SignalEvent = bytes
"""The time of a signal, encoded by ``moment``, followed by its event's identity."""
HOUR = 3600
"""Seconds."""
HOUR_SIZE, MOMENT_SIZE = 8, 10
"""Sizes in bytes of an encoded hour and of an encoded time."""
_EARLIEST = -(1 << 63)


@lru_cache(4096)
def moment(time: int) -> bytes:
    """Encode a time in epoch seconds: its hour, and two bytes for the second in the hour."""
    hour, second = divmod(time, HOUR)
    return hour_bytes(hour) + second.to_bytes(2, "big")


def hour_bytes(hour: int) -> bytes:
    """Encode an hour since the epoch."""
    return (hour - _EARLIEST).to_bytes(HOUR_SIZE, "big")


def hour_of(event: SignalEvent) -> int:
    """Return the hour of a signal since the epoch."""
    return int.from_bytes(event[:HOUR_SIZE], "big") + _EARLIEST


def signal_time(event: SignalEvent) -> int:
    """Return the time of a signal in epoch seconds."""
    return hour_of(event) * HOUR + int.from_bytes(event[HOUR_SIZE:MOMENT_SIZE], "big")


def signal_identity(event: SignalEvent) -> bytes:
    """Return the identity of a signal's event."""
    return event[MOMENT_SIZE:]
