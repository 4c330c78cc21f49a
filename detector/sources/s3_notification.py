"""The S3 objects named by a queue's message.

Messages come from S3 or from CloudTrail itself ("Configuring Amazon SNS notifications for
CloudTrail", CloudTrail User Guide), either directly, by SNS, or by EventBridge. A message is
hostile input: it is either understood or reported as unknown, whatever it contains.
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple
from urllib.parse import unquote_plus

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
_MAX_KEY_BYTES = 1024
_MAX_SIZE = 1 << 50
"""A size beyond that of any object: S3's limit is in terabytes."""
_MAX_DEPTH = 3
"""Maximum number of nested SNS envelopes."""


class NotifiedObject(NamedTuple):
    """An object named by a message; ``size`` and ``etag`` are None if it does not say."""

    bucket: str
    key: str
    size: int | None = None
    etag: str | None = None

    @property
    def path(self) -> str:
        """The object's URL."""
        return f"s3://{self.bucket}/{self.key}"


def parse_message(body: str) -> list[NotifiedObject] | None:
    """Return the objects that a message names; none for a test message.

    Returns None for an unknown kind of message.
    """
    try:
        message = json.loads(body)
        for _ in range(_MAX_DEPTH):
            if not isinstance(message.get("Message"), str):
                break
            if _is_validation(message["Message"]):
                return []
            message = json.loads(message["Message"])
        return list(dict.fromkeys(_objects(message)))
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None


def _is_validation(text: str) -> bool:
    """Tell whether CloudTrail is only testing the topic during setup."""
    return text.startswith("CloudTrail validation message")


def _objects(message: dict[str, Any]) -> list[NotifiedObject]:
    if message.get("Event") == "s3:TestEvent":
        return []
    if "s3ObjectKey" in message:  # CloudTrail's own
        keys = message["s3ObjectKey"]
        keys = [keys] if isinstance(keys, str) else _several(keys)
        return [_checked(message["s3Bucket"], key, None, None) for key in keys]
    if "detail" in message:  # EventBridge
        detail = message["detail"]
        return [_notified(detail, detail["object"]["key"])]
    return [
        _notified(record["s3"], unquote_plus(record["s3"]["object"]["key"], errors="strict"))
        for record in _several(message["Records"])
        if not str(record.get("eventName", "")).startswith("ObjectRemoved")
    ]


def _several(value: Any) -> list[Any]:
    """Return a list that is not empty. Raises ValueError."""
    if not isinstance(value, list) or not value:
        raise ValueError("no list, or nothing in it")
    return value


def _notified(notification: dict[str, Any], key: str) -> NotifiedObject:
    named = notification["object"]
    etag = named.get("eTag") or named.get("etag")
    return _checked(notification["bucket"]["name"], key, named.get("size"), etag)


def _checked(bucket: str, key: str, size: object, etag: object) -> NotifiedObject:
    """Return the object if a message describes it validly. Raises ValueError."""
    if not _BUCKET.fullmatch(bucket) or not 0 < len(key.encode()) <= _MAX_KEY_BYTES:
        raise ValueError("no name of an object")
    if size is not None and (type(size) is not int or not 0 <= size < _MAX_SIZE):
        raise ValueError("no size of an object")
    if etag is not None and (not isinstance(etag, str) or not etag.isascii()):
        raise ValueError("no ETag")
    return NotifiedObject(bucket, key, size, etag)
