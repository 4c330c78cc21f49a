"""What a pivot can ask for beside a principal: values of any ECS field, one or several, with and, or, not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import msgspec

from detector.cloudtrail.record import Record
from detector.detection.event import Event
from detector.detection.principal import required_substring
from detector.detection.record_search import Selector
from detector.ecs.fields import Field

_AS_IT_STANDS = frozenset(
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
"""Fields whose value is a string of the record, unchanged."""


class Condition(msgspec.Struct, frozen=True):
    """``field`` is one of ``values`` (as texts, compared whole), or merely there where ``values``
    is None.

    ``negated`` turns it round: an absent field then counts as different.
    """

    field: Field
    values: tuple[str, ...] | None
    negated: bool = False

    def holds(self, record: Record) -> bool:
        found = self.field.read(record)
        held = found if isinstance(found, list) else [] if found is None else [found]
        meets = (
            bool(held)
            if self.values is None
            else any(shown(value) in self.values for value in held)
        )
        return meets is not self.negated

    def required_substrings(self) -> Sequence[bytes] | None:
        if self.negated or self.values is None or self.field.name not in _AS_IT_STANDS:
            return None
        found = [required_substring(value) for value in self.values]
        return None if None in found else [part for part in found if part]


class Matching(msgspec.Struct, frozen=True):
    """The events for which all conditions of any of the ``groups`` hold."""

    groups: tuple[tuple[Condition, ...], ...]

    def includes(self, _event: Event, record: Record) -> bool:
        return any(all(condition.holds(record) for condition in group) for group in self.groups)

    def principal_keys(self) -> None:
        """Any caller may meet the conditions."""

    def required_substrings(self) -> Sequence[bytes] | None:
        found: list[bytes] = []
        for group in self.groups:
            needles = _fewest(group)
            if needles is None:
                return None
            found += needles
        return found


class Both(msgspec.Struct, frozen=True):
    """The events that all of ``selectors`` include."""

    selectors: tuple[Selector, ...]

    def includes(self, event: Event, record: Record) -> bool:
        return all(selector.includes(event, record) for selector in self.selectors)

    def principal_keys(self) -> frozenset[str] | None:
        return next(
            (
                names
                for selector in self.selectors
                if (names := selector.principal_keys()) is not None
            ),
            None,
        )

    def required_substrings(self) -> Sequence[bytes] | None:
        return _fewest(self.selectors)


class _Needling(Protocol):
    def required_substrings(self) -> Sequence[bytes] | None: ...


def _fewest(among: Iterable[_Needling]) -> Sequence[bytes] | None:
    known = [needles for each in among if (needles := each.required_substrings()) is not None]
    return min(known, key=lambda needles: len(needles)) if known else None


def field_is(field: Field, value: str) -> Matching:
    """The events in which the field has this value."""
    return Matching(((Condition(field, (value,)),),))


def shown(value: Any) -> str:
    """A value of a field as text, as it is asked for."""
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)
