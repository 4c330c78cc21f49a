"""Messages over TLS (RFC 5425), with server verification and optional client certificates."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
from urllib.parse import parse_qsl

from detector.delivery.sinks.notice import SinkError

_FILES = ("ca", "cert", "key")
"""The query parameters of an address; each names a PEM file."""


def tls_context(query: str) -> ssl.SSLContext:
    """Return the context for an address with ``ca=FILE``, ``cert=FILE`` and ``key=FILE``.

    Without ``ca`` the system's certificate authorities are trusted. Raises ValueError.
    """
    files = dict(parse_qsl(query, keep_blank_values=True))
    unknown = files.keys() - set(_FILES)
    if unknown or not all(files.values()):
        raise ValueError("syslog tls:// takes ?ca=FILE&cert=FILE&key=FILE, each once, and no more")
    if "key" in files and "cert" not in files:
        raise ValueError("syslog tls:// needs cert=FILE beside key=FILE")
    paths = {name: os.path.expanduser(path) for name, path in files.items()}
    try:
        context = ssl.create_default_context(cafile=paths.get("ca"))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if "cert" in paths:
            context.load_cert_chain(paths["cert"], paths.get("key"), password=_refuse_password)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ValueError(f"syslog tls://: {', '.join(paths.values())}: {reason}") from None
    return context


def send_over_tls(
    address: tuple[str, int], context: ssl.SSLContext, data: bytes, timeout: float
) -> None:
    """Send bytes and close cleanly, so that a rejection is noticed. Raises SinkError, OSError."""
    with socket.create_connection(address, timeout=timeout) as plain:
        try:
            with context.wrap_socket(plain, server_hostname=address[0]) as connection:
                connection.sendall(data)
                # Only now does a server reject a client certificate; one that took the message
                # may close without answering.
                with contextlib.suppress(TimeoutError):
                    _close(connection, timeout)
        except ssl.SSLCertVerificationError as error:
            reason = f"certificate not accepted: {error.verify_message}"
            raise SinkError(reason, retry=True) from None
        except ssl.SSLError as error:
            raise SinkError(f"TLS: {error.reason or error}", retry=True) from None
        except ConnectionError:
            # A reset may overtake the rejection: treat the message as rejected and send it again.
            reason = "TLS: the server reset the connection, as one that refuses a certificate does"
            raise SinkError(reason, retry=True) from None


def _close(connection: ssl.SSLSocket, timeout: float) -> None:
    """Close the TLS connection, and detect a rejection by the server. Raises SinkError.

    ``unwrap`` mistakes a rejection alert for a close_notify, so a read comes first and leaves it
    nothing to read."""
    with contextlib.suppress(ssl.SSLEOFError):
        connection.settimeout(0)
        with contextlib.suppress(ssl.SSLWantReadError):
            connection.recv(1)
        try:
            connection.unwrap()
        except ssl.SSLWantReadError:
            connection.settimeout(timeout)
            connection.recv(1)
            return
        raise SinkError("TLS: the server closed the connection at once", retry=True)
    if socket.socket.recv(connection, 1, socket.MSG_PEEK):
        raise SinkError("TLS: the server closed the connection, with a refusal", retry=True)


def _refuse_password() -> str:
    raise ValueError("the key is encrypted: name one that needs no password")
