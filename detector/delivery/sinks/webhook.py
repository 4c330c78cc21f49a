"""Webhooks: generic JSON with a signature, and the formats of Slack and Teams."""

from __future__ import annotations

import base64
import hashlib
import hmac
import html
import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any, Literal, get_args
from urllib.parse import unquote, urlsplit

import orjson

from detector import __version__
from detector.delivery.sinks.notice import Notice, SinkError, without_secrets
from detector.text.json_output import escape_json
from detector.text.markdown import plain

WebhookForm = Literal["generic", "slack", "teams"]
WEBHOOK_FORMS: tuple[WebhookForm, ...] = get_args(WebhookForm)

_TIMEOUT = 20
_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})


class Webhook:
    """An HTTP or HTTPS address that receives notices by POST.

    With a ``secret`` the body is signed: ``X-Trailhound-Signature`` is ``sha256=`` and the HMAC of
    ``X-Trailhound-Timestamp``, a dot and the body. ``Idempotency-Key`` is unchanged when a notice
    is sent again."""

    takes_watches = True

    def __init__(
        self,
        url: str,
        form: WebhookForm = "generic",
        secret: bytes = b"",
        clock: Callable[[], float] = time.time,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("a webhook is an http or https address")
        user, at, host = parts.netloc.rpartition("@")
        self._url, self._credentials = parts._replace(netloc=host).geturl(), ""
        if at:
            self._credentials = base64.b64encode(unquote(user).encode()).decode()
        self._form, self._secret, self._clock = form, secret, clock
        self._opener = urllib.request.build_opener(_NoRedirects)
        digest = hashlib.sha256(f"{form} {url}".encode()).hexdigest()
        self.sink_id = f"webhook-{digest[:12]}"
        self.title = f"webhook {without_secrets(url)}"

    def send(self, notice: Notice) -> None:
        body = escape_json(orjson.dumps(_FORMS[self._form](notice)).decode()).encode()
        headers = self._headers(notice, body)
        request = urllib.request.Request(  # noqa: S310  its scheme was checked
            self._url, body, headers, method="POST"
        )
        try:
            with self._opener.open(request, timeout=_TIMEOUT):
                return
        except urllib.error.HTTPError as error:
            error.close()
            raise SinkError(f"HTTP {error.code}", error.code in _RETRIED) from None
        except urllib.error.URLError as error:
            raise SinkError(_reason(error.reason), retry=True) from None
        except (OSError, http.client.HTTPException) as error:
            raise SinkError(_reason(error), retry=True) from None

    def _headers(self, notice: Notice, body: bytes) -> dict[str, str]:
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"trailhound/{__version__}",
            "Idempotency-Key": notice.key,
        }
        if self._credentials:
            headers["Authorization"] = f"Basic {self._credentials}"
        if self._secret:
            timestamp = str(int(self._clock()))
            signed = timestamp.encode() + b"." + body
            signature = hmac.new(self._secret, signed, hashlib.sha256).hexdigest()
            headers["X-Trailhound-Timestamp"] = timestamp
            headers["X-Trailhound-Signature"] = f"sha256={signature}"
        return headers


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Follow no redirects: notices go only to the address that the user named."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def _reason(error: object) -> str:
    """Return why a request failed, in the system's words, which never quote the address."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return type(error).__name__


def _generic(notice: Notice) -> dict[str, Any]:
    if notice.watch:
        return {"type": notice.kind, "summary": notice.line, "watch": notice.watch}
    return {"type": notice.kind, "summary": notice.line, "alert": notice.alert}


def _slack(notice: Notice) -> dict[str, Any]:
    """Escape ``&``, ``<`` and ``>``, which Slack reads as markup; block texts are plain text."""
    return {
        "text": html.escape(notice.line, quote=False),
        "blocks": [
            {"type": "header", "text": _plain_text(notice.line[:150])},
            {"type": "section", "text": _plain_text(_details(notice)[:3000])},
        ],
    }


def _plain_text(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": False}


def _teams(notice: Notice) -> dict[str, Any]:
    """Escape Markdown, which Teams reads in card texts."""
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [
            {"type": "TextBlock", "text": plain(notice.line), "weight": "Bolder", "wrap": True},
            {"type": "TextBlock", "text": plain(_details(notice)), "wrap": True},
        ],
    }
    content = "application/vnd.microsoft.card.adaptive"
    return {"type": "message", "attachments": [{"contentType": content, "content": card}]}


def _details(notice: Notice) -> str:
    if notice.watch:
        return _watch_details(notice.watch)
    alert = notice.alert
    parts = [
        f"alert {alert['alert_id']}, revision {alert['revision']}",
        f"{alert['first_event']} to {alert['last_event']}",
        "accounts " + ", ".join(alert["accounts"][:3]),
        "source " + ", ".join(alert["source_ips"][:3]),
    ]
    flags = [flag["flag"] for flag in alert["flags"]]
    if flags:
        parts.append("flags " + ", ".join(flags))
    if alert["techniques"]:
        parts.append("ATT&CK " + ", ".join(alert["techniques"]))
    return "; ".join(parts)


def _watch_details(watch: dict[str, Any]) -> str:
    parts = [
        f"watch {watch['watch_id']}, {watch['kind']} {watch['indicator']}",
        f"{watch['first']} to {watch['last']}",
        f"{watch['new']} new of {watch['sightings']} events",
        f"last call {watch['last_call']} by {watch['last_caller']}",
        f"source {watch['last_source_ip']}",
    ]
    return "; ".join(parts)


_FORMS: dict[WebhookForm, Callable[[Notice], dict[str, Any]]] = {
    "generic": _generic,
    "slack": _slack,
    "teams": _teams,
}
