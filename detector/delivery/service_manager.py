"""Signs of life for service managers and monitors of a live run: sd_notify and a heartbeat file.

Source: systemd's sd_notify(3): datagrams of ``NAME=value`` lines sent to NOTIFY_SOCKET.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from detector.text import private_files
from detector.text.json_output import json_line
from detector.text.time import format_time

_BEAT_EVERY = 10.0
"""Minimum number of seconds between two writes of the heartbeat file."""


class ServiceManager:
    """The service manager that started this process; without one, nothing is sent."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        if self._address.startswith("@"):  # Linux's abstract namespace
            self._address = "\0" + self._address[1:]

    def send(self, *lines: str) -> None:
        """Send states such as ``READY=1``."""
        if not self._address:
            return
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection,
        ):
            connection.connect(self._address)
            connection.send("\n".join(lines).encode())


class Heartbeat:
    """Reports that the sources are still being polled, after each poll.

    Each beat sends ``WATCHDOG=1`` to the service manager and replaces ``file``, at most every ten
    seconds; a monitor checks the file's age."""

    def __init__(
        self,
        manager: ServiceManager,
        file: Path | None = None,
        status: Callable[[], dict[str, Any]] = dict,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._manager, self._file, self._status, self._clock = manager, file, status, clock
        self._written = float("-inf")
        self._is_ready = False

    def beat(self) -> None:
        """Report a completed poll. Raises OSError if the file cannot be written."""
        if not self._is_ready:
            self._is_ready = True
            self._manager.send("READY=1", "STATUS=watching")
        self._manager.send("WATCHDOG=1")
        now = self._clock()
        if self._file is not None and now - self._written >= _BEAT_EVERY:
            self._written = now
            state = {"time": format_time(now), "pid": os.getpid(), **self._status()}
            private_files.replace_file(self._file, json_line(state) + "\n", durable=False)
