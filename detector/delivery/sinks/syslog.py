"""Syslog: RFC 5424 messages over UDP (RFC 5426), TCP (RFC 6587), TLS (RFC 5425) or a socket.

Over TCP and TLS each message begins with its length (octet counting).
"""

from __future__ import annotations

import hashlib
import os
import re
import socket
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from detector.delivery.sinks.notice import Notice, SinkError
from detector.delivery.sinks.tls import send_over_tls, tls_context
from detector.text.time import format_time

_FACILITY = 13  # log audit
_SEVERITIES = {"critical": 2, "high": 3, "medium": 4, "low": 5}
_PORT = 514
_TLS_PORT = 6514
_TIMEOUT = 20
_MAX_PARAMETER = 400
_STRUCTURE = "trailhound@32473"
"""The id of the structured data; 32473 is the enterprise number for examples (RFC 5612)."""


class Syslog:
    """A syslog server: ``udp://host``, ``tcp://host``, ``tls://host`` or ``unix:///dev/log``."""

    takes_watches = True

    def __init__(self, target: str, clock: Callable[[], float] = time.time) -> None:
        parts = urlsplit(target)
        if parts.scheme not in ("udp", "tcp", "tls", "unix"):
            raise ValueError("syslog is udp://, tcp:// or tls:// with HOST:PORT, or unix:///PATH")
        if not (parts.path if parts.scheme == "unix" else parts.hostname):
            raise ValueError(f"syslog {parts.scheme}:// needs where to send")
        self._scheme, self._path = parts.scheme, parts.path
        self._tls = tls_context(parts.query) if parts.scheme == "tls" else None
        usual_port = _PORT if self._tls is None else _TLS_PORT
        self._address = (parts.hostname or "", parts.port or usual_port)
        self._clock = clock
        self.sink_id = f"syslog-{hashlib.sha256(target.encode()).hexdigest()[:12]}"
        self.title = f"syslog {parts.scheme}://{parts.path or parts.netloc.rpartition('@')[2]}"

    def send(self, notice: Notice) -> None:
        message = self._message(notice)
        counted = str(len(message)).encode() + b" " + message
        try:
            if self._tls is not None:
                send_over_tls(self._address, self._tls, counted, _TIMEOUT)
            elif self._scheme == "tcp":
                with socket.create_connection(self._address, timeout=_TIMEOUT) as connection:
                    connection.sendall(counted)
            elif self._scheme == "udp":
                self._send_datagram(message)
            else:
                with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection:
                    connection.settimeout(_TIMEOUT)
                    connection.connect(self._path)
                    connection.send(message)
        except OSError as error:
            raise SinkError(error.strerror or type(error).__name__, retry=True) from None

    def _send_datagram(self, message: bytes) -> None:
        host, port = self._address
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[
            0
        ]
        with socket.socket(family, kind, protocol) as connection:
            connection.connect(address)
            connection.send(message)

    def _message(self, notice: Notice) -> bytes:
        parameters = _watch_parameters(notice) if notice.watch else _alert_parameters(notice)
        structure = " ".join(f'{name}="{_value(value)}"' for name, value in parameters.items())
        priority = _FACILITY * 8 + _SEVERITIES.get(notice.severity, 5)
        host = re.sub(r"[^!-~]", "", socket.gethostname())[:255] or "-"
        header = (
            f"<{priority}>1 {format_time(self._clock())} {host} trailhound {os.getpid()} "
            f"{notice.kind} [{_STRUCTURE} {structure}] "
        )
        return header.encode() + b"\xef\xbb\xbf" + notice.line.encode(errors="replace")


def _alert_parameters(notice: Notice) -> dict[str, str]:
    alert = notice.alert
    return {
        "alert": alert["alert_id"],
        "revision": str(alert["revision"]),
        "rule": alert["rule"]["name"],
        "severity": alert["severity"],
        "risk": str(alert["risk_score"]),
        "principal": alert["principal"] or "",
        "accounts": ",".join(alert["accounts"]),
        "regions": str(len(alert["regions"])),
        "calls": str(alert["calls"]),
        "source": ",".join(alert["source_ips"]),
        "techniques": ",".join(alert["techniques"]),
        "first": alert["first_event"],
    }


def _watch_parameters(notice: Notice) -> dict[str, str]:
    watch = notice.watch
    return {
        "watch": watch["watch_id"],
        "kind": watch["kind"],
        "indicator": watch["indicator"],
        "label": watch["label"],
        "new": str(watch["new"]),
        "principal": watch["last_caller"] or "",
        "call": watch["last_call"] or "",
        "source": watch["last_source_ip"] or "",
        "first": watch["first"] or "",
        "last": watch["last"] or "",
    }


def _value(text: str) -> str:
    """Escape a parameter's value (RFC 5424, 6.3.3); line breaks would begin another message."""
    shown = "".join(character if character.isprintable() else "?" for character in text)
    shown = shown[:_MAX_PARAMETER].encode(errors="replace").decode()
    return re.sub(r'(["\\\]])', r"\\\1", shown)
