"""Finds, by a caller's names, the spans of time in which its records are searched for."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from detector.detection.principal import Caller, RelatedPrincipals
from detector.detection.record_search import SearchRequest

RelatedRequest = SearchRequest[RelatedPrincipals]


class TimeSpans:
    """Spans ``[start, end)`` of epoch seconds; those that overlap or touch are united."""

    def __init__(self, spans: Iterable[tuple[int, int]]) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        for start, end in sorted(spans):
            if self._ends and start <= self._ends[-1]:
                self._ends[-1] = max(self._ends[-1], end)
            else:
                self._starts.append(start)
                self._ends.append(end)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self._starts, self._ends, strict=True)

    def __contains__(self, time: int) -> bool:
        number = bisect_right(self._starts, time) - 1
        return number >= 0 and time < self._ends[number]

    def have_all(self, first: int, last: int) -> bool:
        """Return whether one span contains both times and all between them."""
        number = bisect_right(self._starts, first) - 1
        return number >= 0 and last < self._ends[number]


class RequestedSpans:
    """The spans of requests, by the names by which the requests select callers.

    Thousands of requests may share a role, and thousands of records a caller, so the spans of each
    caller are computed once."""

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
        """Return when calls of a caller are searched for.

        ``issued_key`` is the key of the session that they opened, ``""`` if none. A request selects
        them as ``RelatedPrincipals.has_session`` does."""
        names = caller.arn, caller.access_key, caller.role_arn, issued_key
        spans = self._known.get(names)
        if spans is None:
            numbers = set(self._numbers(*names))
            spans = self._known[names] = TimeSpans(
                [(self._requests[number].start, self._requests[number].end) for number in numbers]
            )
        return spans

    def _numbers(self, arn: str, access_key: str, role_arn: str, issued_key: str) -> Iterator[int]:
        yield from self._arns.get(arn, ())
        yield from self._keys.get(access_key, ())
        yield from self._roles.get(role_arn, ())
        if issued_key:
            yield from self._own_keys.get(issued_key, ())
