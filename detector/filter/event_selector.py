"""Turns a filter of events into a selector: the principals and bytes that its events must have.

So a filter for a principal, or for a rare value, reads only the chunks that can contain it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from detector.cloudtrail.record import EventSignature, Record
from detector.detection.activity.activity import ActivityKind, activity_days
from detector.detection.activity.actor import Actor
from detector.detection.event import Event
from detector.detection.principal import required_substring
from detector.filter import parser, text_match
from detector.filter.compile import Filter
from detector.filter.field_types import Address, Test, Time
from detector.filter.parser import FieldTerm, FilterNode, FilterValue
from detector.investigation.pivot import EventRow, Pivot
from detector.store import Store
from detector.text.abbreviations import short_arn

_VERBATIM = frozenset({"call", "service", "region", "source", "principal", "role", "key", "id"})
"""Fields whose value appears verbatim in the record, except for its case."""
_FIND_AT_MOST = 500
"""With more principals than this, reading only their chunks does not pay off."""


@dataclass(frozen=True)
class EventSelector:
    """The events that pass a filter.

    Each of them has one of the principal ``keys`` and contains one of the ``substrings`` in any
    case; None means no restriction. Its source address passes ``from_address``. ``writes`` selects
    only calls that are not read-only, ``errors`` only those with an error code."""

    event_filter: Filter[EventRow]
    keys: frozenset[str] | None = None
    substrings: tuple[bytes, ...] | None = None
    from_address: Test | None = None
    writes: bool = False
    errors: bool = False
    ignores_case: bool = True

    def may_include(self, signature: EventSignature) -> bool:
        return self.from_address is None or self.from_address(signature.source_ip_address or "")

    def includes(self, event: Event, record: Record) -> bool:
        if self.writes and record.read_only is not False:
            return False
        if self.errors and not event.error_code:
            return False
        return self.event_filter(EventRow(event, (), False))

    def principal_keys(self) -> frozenset[str] | None:
        return self.keys

    def required_substrings(self) -> Sequence[bytes] | None:
        return self.substrings


@dataclass(frozen=True)
class EventQuery:
    """A query for events: a filter, bounds in epoch seconds, optionally only writes or errors."""

    event_filter: Filter[EventRow]
    since: int | None = None
    until: int | None = None
    writes: bool = False
    errors: bool = False

    def pivot(self, newest: int, store: Store | None = None) -> Pivot:
        """Return the pivot that answers the query, newest files first.

        A ``store`` of the same files narrows the search by its activity per principal.
        """
        tree, _ = parser.parse(self.event_filter.text)
        since, until = _time_span(tree, self.event_filter.reference)
        start = max(since, float(self.since or 0))
        end = until
        if self.until is not None:
            end = min(end, float(self.until))
        span = int(start), int(min(end, _LATEST))
        keys, substrings = None, None
        if tree is not None and store is not None and not store.activity.uncounted_files():
            keys = _Narrowing(store, activity_days(*span)).keys(tree)
        if tree is not None and keys is None:
            # With keys, the index finds the records, so a byte search would add nothing.
            found = _substrings(tree)
            if found is not None:
                substrings = tuple(found)
        from_address = _address_test(tree) if tree is not None else None
        selector = EventSelector(
            self.event_filter, keys, substrings, from_address, self.writes, self.errors
        )
        title = self.event_filter.text or "all events"
        return Pivot(title, selector, *span, min(newest, span[1]))


_LATEST = 1 << 40
"""Later than any event, in epoch seconds."""


def _time_span(node: FilterNode | None, reference: float) -> tuple[float, float]:
    """Return the time span that a filter's time terms allow, as far as they are joined by and."""
    if isinstance(node, parser.Conjunction):
        spans = [_time_span(test, reference) for test in node.tests]
        return max(first for first, _ in spans), min(last for _, last in spans)
    if isinstance(node, parser.TimeTerm):
        span = Time().span(node.operator, node.value, reference)
        return max(0.0, span.start), min(float(_LATEST), span.end)
    return 0.0, float(_LATEST)


def _substrings(node: FilterNode) -> list[bytes] | None:
    """Return substrings, one of which every passing record contains in any case; None: unknown."""
    match node:
        case parser.Disjunction(tests):
            union: list[bytes] = []
            for each in map(_substrings, tests):
                if each is None:
                    return None
                union += each
            return union
        case parser.Conjunction(tests):
            known = [each for each in map(_substrings, tests) if each is not None]
            return min(known, key=len, default=None)
        case FieldTerm(field, operator, values) if _is_positive(field, operator, values):
            if field not in _VERBATIM:
                return None
            texts = [_longest_run(value) for value in values]
            if field == "source" and any(map(_is_address_like, values)):
                return None
            if field in ("principal", "role"):
                texts = [text.rpartition("/")[2] for text in texts]
            parts = [required_substring(text) for text in texts]
            return None if None in parts else [part for part in parts if part]
    return None


def _address_test(node: FilterNode) -> Test | None:
    """Return a test that the address of every event that passes the filter satisfies, or None."""
    match node:
        case parser.Disjunction(tests):
            alternatives = list(map(_address_test, tests))
            known = [test for test in alternatives if test is not None]
            if len(known) < len(alternatives):
                return None
            return lambda address: any(test(address) for test in known)
        case parser.Conjunction(tests):
            known = [test for test in map(_address_test, tests) if test is not None]
            return lambda address: all(test(address) for test in known)
        case FieldTerm("source", operator, values) if _is_positive("source", operator, values):
            known = [Address().test(operator, value, 0) for value in values]
            return lambda address: any(test(address) for test in known)
    return None


def _is_positive(field: str | None, operator: str, values: Sequence[FilterValue]) -> bool:
    return (
        field is not None
        and operator in (":", "=")
        and all(value.text and value.dots is None for value in values)
    )


def _longest_run(value: FilterValue) -> str:
    """Return the longest part of a value that contains no wildcard."""
    runs, wild = [""], set(value.wild)
    for index, letter in enumerate(value.text):
        if index in wild:
            runs.append("")
        else:
            runs[-1] += letter
    return max(runs, key=len)


def _is_address_like(value: FilterValue) -> bool:
    """Tell whether a value is a network, or an address that a record may write differently."""
    return "/" in value.text or ":" in value.text


_MAPPED = ipaddress.ip_network("::ffff:0:0/96")
"""The range of IPv4-mapped IPv6 addresses."""


class _Narrowing:
    """Narrows a filter to principals by the activity recorded in a state."""

    def __init__(self, store: Store, days: tuple[int, int]) -> None:
        self._store = store
        self._days = days

    def keys(self, node: FilterNode) -> frozenset[str] | None:
        """Return principal keys, one of which every passing event has; None if unknown."""
        match node:
            case parser.Disjunction(tests):
                union: frozenset[str] = frozenset()
                for each in map(self.keys, tests):
                    if each is None:
                        return None
                    union |= each
                return union
            case parser.Conjunction(tests):
                known = [each for each in map(self.keys, tests) if each is not None]
                return min(known, key=len, default=None)
            case FieldTerm(field, operator, values) if _is_positive(field, operator, values):
                return self._of_term(field or "", operator, values)
        return None

    def _of_term(
        self, field: str, operator: str, values: Sequence[FilterValue]
    ) -> frozenset[str] | None:
        union: set[str] = set()
        for value in values:
            if value.wild:
                return None
            of_value = self._of_value(field, operator, value)
            if of_value is None:
                return None
            union |= of_value
        return frozenset(union)

    def _of_value(
        self, field: str, operator: str, value: FilterValue
    ) -> frozenset[str] | set[str] | None:
        if field == "key":
            return {value.text.upper()} if _is_whole_key(value.text) else None
        if field == "principal":
            return self._named(value.text.casefold())
        if field == "source":
            return self._from_address(value)
        kind = _VALUE_KINDS.get(field)
        if kind is None:
            return None
        asked = text_match.pattern(value, whole=operator == "=")
        read = _READ_VALUE[field]

        def is_wanted(each: str) -> bool:
            # With a second colon, service and call cannot be separated: keep the value.
            return asked(read(each).casefold()) or each.count(":") > 1

        return self._known(is_wanted, kind)

    def _named(self, text: str) -> set[str] | None:
        """Return the keys of principals whose full or short ARN contains a text; None: unknown."""
        head, slash, _ = text.rpartition("/")
        if not slash and ":" not in text:
            sessions = self._store.activity.sessions()
            if sessions is None or any(text in session.casefold() for session in sessions):
                return None
        named = set()
        for actor in self._store.activity.principals():
            names = [name.casefold() for name in (actor.name, short_arn(actor.name))]
            if any(text in name for name in names) or (
                slash and any(name.endswith(head) for name in names)
            ):
                named.add(actor)
        return _keys_of(named)

    def _from_address(self, value: FilterValue) -> set[str] | None:
        try:
            wanted = ipaddress.ip_network(value.text.strip(), strict=False)
        except ValueError:
            return None

        def overlaps(network: str) -> bool:
            try:
                known = ipaddress.ip_network(network)
            except ValueError:
                return False
            if known.version != wanted.version:
                return known.version == 6 and known.overlaps(_MAPPED)
            return known.overlaps(wanted)

        return self._known(overlaps, "network")

    def _known(self, is_wanted: Callable[[str], bool], kind: ActivityKind) -> set[str] | None:
        found = self._store.activity.principals_with(kind, is_wanted, *self._days)
        if len(found) > _FIND_AT_MOST:
            return None
        return _keys_of(found)


def _keys_of(actors: set[Actor]) -> set[str] | None:
    """Return the keys of principals; None if one has no ARN to search for."""
    if any(not actor.name.startswith("arn:") for actor in actors):
        return None
    return {actor.name for actor in actors}


def _is_whole_key(text: str) -> bool:
    return len(text) >= 20 and text.isalnum() and text[:4].upper() in ("AKIA", "ASIA")


def _whole(value: str) -> str:
    return value


def _service_of(call: str) -> str:
    return call.rpartition(":")[0]


def _name_of(call: str) -> str:
    return call.rpartition(":")[2]


_VALUE_KINDS: dict[str, ActivityKind] = {
    "region": "region",
    "service": "call",
    "call": "call",
    "account": "account",
}
_READ_VALUE: dict[str, Callable[[str], str]] = {
    "region": _whole,
    "service": _service_of,
    "call": _name_of,
    "account": _whole,
}
