"""The spans of time in which a caller's records are searched for, found by the caller's names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from detector.detection.principal import Caller, RelatedPrincipals
from detector.detection.record_search import SearchRequest

RelatedRequest = SearchRequest[RelatedPrincipals]
TimeSpans = list[tuple[int, int]]
"""Spans ``[start, end)`` of epoch seconds in order, of which no two touch."""


class RequestedSpans:
    """The spans of requests, by the names that the requests select callers by.

    Thousands of requests may share a role, and thousands of records a caller: what is asked of a
    caller is worked out once."""

    def __init__(self, requests: Sequence[RelatedRequest]) -> None:
        self._requests = requests
        self._arns: dict[str, list[int]] = defaultdict(list)
        self._roles: dict[str, list[int]] = defaultdict(list)
        self._keys: dict[str, list[int]] = defaultdict(list)
        self._own_keys: dict[str, list[int]] = defaultdict(list)
        self._known: dict[tuple[str, ...], TimeSpans] = {}
        for number, request in enumerate(requests):
            own, hop = request.selector.own, request.selector.hop
            for by_name, names in (
                (self._arns, (*own.arns, *hop.arns)),
                (self._roles, own.roles),
                (self._keys, (*own.keys, *hop.keys)),
                (self._own_keys, own.keys),
            ):
                for name in names:
                    by_name[name].append(number)

    def of(self, caller: Caller, issued_key: str) -> TimeSpans:
        """Return when calls are searched for; ``issued_key`` is that of the session they opened.

        ``RelatedPrincipals.has_session`` tells it of one request."""
        names = caller.arn, caller.access_key, caller.role_arn, issued_key
        spans = self._known.get(names)
        if spans is None:
            numbers = set(self._numbers(*names))
            spans = self._known[names] = _united(
                [(self._requests[number].start, self._requests[number].end) for number in numbers]
            )
        return spans

    def _numbers(self, arn: str, access_key: str, role_arn: str, issued_key: str) -> Iterator[int]:
        yield from self._arns.get(arn, ())
        yield from self._keys.get(access_key, ())
        yield from self._roles.get(role_arn, ())
        if issued_key:
            yield from self._own_keys.get(issued_key, ())


def _united(spans: TimeSpans) -> TimeSpans:
    """Unite the spans that overlap or touch."""
    united: TimeSpans = []
    for start, end in sorted(spans):
        if united and start <= united[-1][1]:
            united[-1] = united[-1][0], max(united[-1][1], end)
        else:
            united.append((start, end))
    return united


def is_within(spans: TimeSpans, time: int) -> bool:
    """Tell whether a time is in one of the spans."""
    return any(start <= time < end for start, end in spans)
