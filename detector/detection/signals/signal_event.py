"""A signal as bytes, which sort by its time and then by its event's identity.

Thousands of alerts are near thousands of signals: bytes are compared at once, and the collector of
garbage does not look at them.
"""

from __future__ import annotations

from functools import lru_cache

SignalEvent = bytes
"""The time of a signal, as ``moment`` has it, and the identity of its event."""
HOUR = 3600
"""Seconds."""
HOUR_SIZE, MOMENT_SIZE = 8, 10
"""The bytes of an hour and of a time in it."""
_EARLIEST = -(1 << 63)


@lru_cache(4096)
def moment(time: int) -> bytes:
    """Return a time in epoch seconds as bytes: its hour, and two of the second in it."""
    hour, second = divmod(time, HOUR)
    return hour_bytes(hour) + second.to_bytes(2, "big")


def hour_bytes(hour: int) -> bytes:
    """Return an hour since the epoch as bytes."""
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
