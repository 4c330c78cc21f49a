"""Create the sinks for the options of ``tail`` that send alerts and watches elsewhere."""

from __future__ import annotations

import argparse
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tui.settings.errors import CommandError, UsageError

if TYPE_CHECKING:
    from detector.delivery.sinks.dispatcher import Dispatcher
    from detector.delivery.sinks.notice import Sink
    from detector.detection.alert import Alert
    from detector.triage.watch import WatchRow

_FORMS = ("generic", "slack", "teams")
"""The forms of ``detector.delivery.sinks.webhook``, repeated because it is slow to import."""


def add_sink_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "sinks",
        "Where alerts are sent, each once its flags are known; webhooks and syslog are also told "
        "when a watch sees something. May be repeated.",
    )
    group.add_argument(
        "--on-alert",
        action="append",
        default=[],
        metavar="CMD",
        help="run a shell command; the alert's JSON is its standard input",
    )
    group.add_argument(
        "--webhook",
        action="append",
        default=[],
        metavar="[FORM=]URL|[FORM=]@FILE",
        help=f"post to an address, or to that in a file; forms: {', '.join(_FORMS)}",
    )
    group.add_argument(
        "--webhook-secret",
        metavar="FILE",
        help="sign generic webhooks with the secret in this file (HMAC-SHA256)",
    )
    group.add_argument(
        "--syslog",
        action="append",
        default=[],
        metavar="TARGET",
        help="send RFC 5424 messages to udp://, tcp:// or tls:// HOST:PORT, or to unix:///PATH; "
        "tls:// takes ?ca=FILE&cert=FILE&key=FILE",
    )
    group.add_argument(
        "--notify",
        metavar="FILTER",
        default="",
        help="send only alerts that match (watches always): 'severity>=high rule:EC2'",
    )
    group.add_argument(
        "--revisions",
        choices=("first", "every"),
        default="first",
        help="send an alert once (a watch once until it is acknowledged), or at every change too "
        "(default: first)",
    )
    group.add_argument(
        "--heartbeat",
        metavar="FILE",
        help="replace this file while the sources are being watched, at most every 10 s",
    )


class Offers(NamedTuple):
    """Functions that accept what may be sent. Both raise OSError if notices cannot be stored."""

    alerts: Callable[[Iterable[Alert]], None]
    watches: Callable[[Iterable[WatchRow]], None]


def open_sinks(args: argparse.Namespace, state: Path, resources: ExitStack) -> Offers:
    """Start sending to the named sinks; return the functions to offer alerts and watches to.

    Closing ``resources`` ends the sending. Raises UsageError and CommandError.
    """
    sinks = _sinks(args)
    if not sinks:
        return Offers(lambda _: None, lambda _: None)
    dispatcher = _dispatcher(args, sinks, state)
    stop = threading.Event()
    thread = threading.Thread(target=dispatcher.run, args=(stop,), name="sinks")
    thread.start()

    def end() -> None:
        stop.set()
        dispatcher.wake()
        thread.join()

    resources.callback(end)
    return Offers(dispatcher.offer, dispatcher.offer_watches)


def _dispatcher(args: argparse.Namespace, sinks: list[Sink], state: Path) -> Dispatcher:
    from detector.delivery.sinks.dispatcher import Dispatcher
    from detector.delivery.sinks.outbox import Outbox
    from tui.commandline.narration import warn

    folder = state.with_name(f"{state.name}.outbox")
    try:
        return Dispatcher(sinks, Outbox(folder, warn), warn, args.revisions)
    except OSError as error:
        raise CommandError(f"{folder}: {error.strerror}: allow writing it") from None


def _sinks(args: argparse.Namespace) -> list[Sink]:
    from detector.delivery.sinks.command import AlertCommand
    from detector.delivery.sinks.syslog import Syslog
    from detector.delivery.sinks.webhook import Webhook

    sinks: list[Sink] = []
    try:
        sinks += map(AlertCommand, args.on_alert)
        secret = b""
        if args.webhook_secret:
            secret = _read_secret(args.webhook_secret, "--webhook-secret").encode()
        for text in args.webhook:
            form, url = _form_and_url(text)
            sinks.append(Webhook(url, form, secret, time.time))  # type: ignore[arg-type]
        sinks += map(Syslog, args.syslog)
    except ValueError as error:
        raise UsageError(str(error)) from None
    return sinks


def _form_and_url(text: str) -> tuple[str, str]:
    """Split ``slack=https://...`` into form and URL; without a form it is generic."""
    form, equals, rest = text.partition("=")
    if not equals or form not in _FORMS:
        form, rest = "generic", text
    if rest.startswith("@"):
        rest = _read_secret(rest[1:], "--webhook")
    return form, rest


def _read_secret(name: str, option: str) -> str:
    """Read the first line of a file; error messages do not quote that line."""
    try:
        lines = Path(name).expanduser().read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise UsageError(f"{option}: {name}: {reason}") from None
    secret = lines[0].strip() if lines else ""
    if not secret:
        raise UsageError(f"{option}: {name}: its first line is empty")
    return secret
