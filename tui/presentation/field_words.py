"""Names and values of filter fields in plain words, for screens without a filter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from detector.filter.field_types import SECONDS, Number, Time
from detector.filter.fields import Field, Fields
from detector.filter.quoting import field_values
from detector.text.abbreviations import FLAG_NAMES, short_arn
from detector.text.time import format_duration
from tui.presentation import format

R = TypeVar("R")

_NAMES = {
    "agent": "user agent",
    "broke": "overridden by",
    "denied": "denied calls",
    "ended": "last event",
    "error": "error code",
    "first": "first call",
    "identity": "identity type",
    "key": "access key",
    "last": "last call",
    "noted": "has notes",
    "source": "source IP",
}
"""Plain names for the fields whose own names are unclear."""
_STATUSES = {"closed": "resolved"}


def field_name(fields: Fields[R], field: Field[R]) -> str:
    """Return the name of a field in plain words."""
    if field is fields.time and fields.rows == "alerts":
        return "first event"
    return _NAMES.get(field.name, field.name)


def plain_values(field: Field[R], row: R) -> Sequence[str]:
    """Return a row's values of a field in plain words."""
    value = (field.shown or field.read)(row)
    if isinstance(field.kind, Time) and value is not None:
        return [format.full_time(value)]
    if field.kind == SECONDS and value is not None:
        return [format_duration(value)]
    if isinstance(field.kind, Number) and isinstance(value, int):
        return [format.number(value)]
    return [_plain(text) for text in field_values(field, row)]


def _plain(text: str) -> str:
    if text.startswith("arn:"):
        return _principal(text)
    return FLAG_NAMES.get(text) or _STATUSES.get(text) or text


def _principal(arn: str) -> str:
    """Shorten an ARN but keep the account, so that equal names in two accounts differ."""
    account = arn.split(":", 5)[4:5]
    return f"{short_arn(arn)} in {account[0]}" if account and account[0] else short_arn(arn)
