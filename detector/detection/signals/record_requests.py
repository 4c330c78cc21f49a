"""The search requests that a record is due for, found by its caller's names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence, Set

from detector.detection.principal import Caller, RelatedPrincipals
from detector.detection.record_search import SearchRequest

RelatedRequest = SearchRequest[RelatedPrincipals]


class RequestsByName:
    """The numbers of requests by the names that they select callers by."""

    def __init__(self, requests: Sequence[RelatedRequest]) -> None:
        self._arns: dict[str, list[int]] = defaultdict(list)
        self._roles: dict[str, list[int]] = defaultdict(list)
        self._keys: dict[str, list[int]] = defaultdict(list)
        self._own_keys: dict[str, list[int]] = defaultdict(list)
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

    def of(self, caller: Caller, issued_key: str) -> Iterator[int]:
        """Yield the requests whose principals have a session, some several times.

        ``RelatedPrincipals.has_session`` tells it of one request."""
        yield from self._arns.get(caller.arn, ())
        yield from self._keys.get(caller.access_key, ())
        yield from self._roles.get(caller.role_arn, ())
        if issued_key:
            yield from self._own_keys.get(issued_key, ())


class RecordRequests:
    """The requests that may select some records, of which thousands may share a role."""

    def __init__(
        self, requests: Sequence[RelatedRequest], numbers: Set[int], by_name: RequestsByName
    ) -> None:
        self._requests = requests
        self._numbers = numbers
        self._by_name = by_name

    def contain(self, time: int) -> bool:
        """Tell whether a time is in the span of one."""
        return any(self._requests[number].contains(time) for number in self._numbers)

    def select(self, caller: Caller, issued_key: str, time: int) -> bool:
        """Tell whether one selects a call; ``issued_key`` is that of the session it opened."""
        return any(
            number in self._numbers and self._requests[number].contains(time)
            for number in self._by_name.of(caller, issued_key)
        )
