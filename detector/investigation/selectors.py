"""Selectors of events by ECS fields, combined with and, or and not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import msgspec

from detector.cloudtrail.record import Record
from detector.detection.event import Event
from detector.detection.principal import required_substring
from detector.detection.record_search import Selector
from detector.ecs.fields import Field

_VERBATIM_FIELDS = frozenset(
    {
        "event.id",
        "event.provider",
        "event.action",
        "cloud.region",
        "source.address",
        "user_agent.original",
        "aws.cloudtrail.recipient_account_id",
        "aws.cloudtrail.request_id",
        "aws.cloudtrail.error_code",
        "aws.cloudtrail.user_identity.arn",
        "aws.cloudtrail.user_identity.access_key_id",
        "aws.cloudtrail.user_identity.session_context.session_issuer.arn",
    }
)
"""Fields whose value is an unchanged string of the record, so its text must be in the file."""


class Condition(msgspec.Struct, frozen=True):
    """A test of one field against ``values``, compared as whole texts.

    If ``values`` is None, the test is whether the field is present. ``negated`` inverts the test:
    an absent field then counts as different.
    """

    field: Field
    values: tuple[str, ...] | None
    negated: bool = False

    def matches(self, record: Record) -> bool:
        present = as_list(self.field.read(record))
        if self.values is None:
            matches = bool(present)
        else:
            matches = any(value_text(value) in self.values for value in present)
        return matches is not self.negated

    def required_substrings(self) -> Sequence[bytes] | None:
        if self.negated or self.values is None or self.field.name not in _VERBATIM_FIELDS:
            return None
        substrings = [required_substring(value) for value in self.values]
        if None in substrings:
            return None
        return [part for part in substrings if part]


class FieldSelector(msgspec.Struct, frozen=True):
    """The events that match all conditions of at least one of the ``groups``."""

    groups: tuple[tuple[Condition, ...], ...]

    def includes(self, _event: Event, record: Record) -> bool:
        return any(all(condition.matches(record) for condition in group) for group in self.groups)

    def principal_keys(self) -> None:
        """Return None: any caller may match."""

    def required_substrings(self) -> Sequence[bytes] | None:
        union: list[bytes] = []
        for group in self.groups:
            substrings = _fewest(group)
            if substrings is None:
                return None
            union += substrings
        return union


class AllOf(msgspec.Struct, frozen=True):
    """The events that all ``selectors`` include."""

    selectors: tuple[Selector, ...]

    def includes(self, event: Event, record: Record) -> bool:
        return all(selector.includes(event, record) for selector in self.selectors)

    def principal_keys(self) -> frozenset[str] | None:
        known = (selector.principal_keys() for selector in self.selectors)
        return next((keys for keys in known if keys is not None), None)

    def required_substrings(self) -> Sequence[bytes] | None:
        return _fewest(self.selectors)


class _HasRequiredSubstrings(Protocol):
    def required_substrings(self) -> Sequence[bytes] | None: ...


def _fewest(parts: Iterable[_HasRequiredSubstrings]) -> Sequence[bytes] | None:
    candidates = (part.required_substrings() for part in parts)
    return min((known for known in candidates if known is not None), key=len, default=None)


def field_equals(field: Field, value: str) -> FieldSelector:
    """Return a selector of the events whose field has this value."""
    return FieldSelector(((Condition(field, (value,)),),))


def as_list(value: Any) -> list[Any]:
    """Return a field's values as a list: empty for an absent field."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def value_text(value: Any) -> str:
    """Return a field's value as the text that a condition compares."""
    return str(value).lower() if isinstance(value, bool) else str(value)
