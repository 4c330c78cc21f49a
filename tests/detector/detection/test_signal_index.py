"""The index of signals, against looking at each event for each alert."""

import itertools
from typing import NamedTuple

from hypothesis import example, given, settings
from hypothesis import strategies as st

from detector.detection.alert import Flag
from detector.detection.principal import PrincipalNames, RelatedPrincipals
from detector.detection.record_search import SearchRequest
from detector.detection.signals.record_requests import RequestedSpans
from detector.detection.signals.signal_event import (
    SignalEvent,
    moment,
    signal_identity,
    signal_time,
)
from detector.detection.signals.signal_index import SignalCaller, SignalIndex, SignalKey

ARNS, KEYS, ROLES = ("arn:a", "arn:b", ""), ("AKIA1", "AKIA2", ""), ("role/r", "role/s", "")
some = st.lists
names = st.builds(
    PrincipalNames,
    arns=some(st.sampled_from(ARNS[:2]), unique=True),
    roles=some(st.sampled_from(ROLES[:2]), unique=True),
    keys=some(st.sampled_from(KEYS[:2]), unique=True),
)
related = st.builds(RelatedPrincipals, own=names, hop=names)


class _Claim(NamedTuple):
    """A record that claims to be a signal."""

    time: int
    identity: bytes
    flag: str
    arn: str
    access_key: str
    role_arn: str
    issued_key: str


def by_key(claims: list[_Claim]) -> dict[SignalKey, list[SignalEvent]]:
    found: dict[SignalKey, list[SignalEvent]] = {}
    for time, identity, flag, arn, access_key, role_arn, issued_key in claims:
        key = SignalKey(SignalCaller(arn, access_key, role_arn), flag, issued_key)
        found.setdefault(key, []).append(moment(time) + identity)
    return found


@st.composite
def signals(draw: st.DrawFn) -> list[_Claim]:
    """Events of few callers; records that claim one identity have one time.

    They claim few identities, or hardly one twice."""
    identities = draw(st.sampled_from([8, 200]))
    callers = st.tuples(*map(st.sampled_from, (ARNS, KEYS, ROLES)))
    of_few = st.sampled_from(draw(st.lists(callers, min_size=1, max_size=6)))
    times = draw(st.lists(st.integers(0, 12), min_size=13, max_size=13))
    event = st.builds(
        lambda number, flag, caller, issued_key: _Claim(
            times[number % 13], bytes([number]) * 16, flag, *caller, issued_key
        ),
        st.integers(0, identities - 1),
        st.sampled_from(["iam-change", "snapshot"]),
        of_few,
        st.sampled_from(["", "", *KEYS[:2]]),
    )
    return draw(st.lists(event, max_size=25))


OPENED = RelatedPrincipals(PrincipalNames(keys=["AKIA2"]))
CLAIM = _Claim(5, bytes(16), "snapshot", "arn:a", "AKIA1", "", "")


@example([CLAIM, CLAIM._replace(issued_key="AKIA2")], OPENED, 0, 9, set())
@settings(max_examples=300)
@given(signals(), related, st.integers(0, 6), st.integers(4, 13), st.sets(st.integers(0, 7)))
def test_flags_are_those_of_each_event_in_span(
    events: list[_Claim], who: RelatedPrincipals, start: int, end: int, own: set[int]
) -> None:
    left_out = {bytes([number]) * 16 for number in own}
    index = SignalIndex(by_key(events))
    expected: dict[str, set[tuple[int, bytes]]] = {}
    for event in events:
        if who.includes(event) and start <= event.time < end and event.identity not in left_out:
            expected.setdefault(event.flag, set()).add((event.time, event.identity))
    assert index.flags(who, start, end, lambda: left_out) == [
        Flag(flag, len(found), min(found)[0], max(found)[0])
        for flag, found in sorted(expected.items())
    ]
    assert index.events(who, start, end, left_out) == {
        flag: sorted(found) for flag, found in expected.items()
    }


_any_time = st.integers(-(1 << 62), 1 << 62)


@given(_any_time, _any_time, st.binary(min_size=16, max_size=16))
def test_signals_sort_by_time_and_then_by_identity(one: int, other: int, name: bytes) -> None:
    event = moment(one) + name
    assert (signal_time(event), signal_identity(event)) == (one, name)
    assert (event < moment(other) + name) == (one < other)
    assert (event < moment(other)) == (one < other)
    assert (event < moment(one) + bytes(16)) == (name < bytes(16))


def test_own_events_are_asked_for_only_where_some_would_count() -> None:
    caller = SignalCaller("arn:a", "", "")
    index = SignalIndex({SignalKey(caller, "snapshot", ""): [moment(5) + bytes(16)]})
    who = RelatedPrincipals(PrincipalNames(["arn:a"]))
    asked: list[int] = []

    def own() -> set[bytes]:
        asked.append(1)
        return set()

    for start, end in ((0, 5), (6, 9)):
        assert index.flags(who, start, end, own) == []
    assert not asked
    assert index.flags(who, 5, 6, own) == [Flag("snapshot", 1, 5, 5)]
    assert len(asked) == 1


@settings(max_examples=300)
@given(
    st.lists(st.tuples(related, st.integers(0, 6), st.integers(3, 9)), max_size=6),
    st.builds(SignalCaller, *map(st.sampled_from, (ARNS, KEYS, ROLES))),
    st.sampled_from(KEYS),
)
def test_spans_of_a_caller_are_those_of_each_request_that_selects_it(
    asked: list[tuple[RelatedPrincipals, int, int]], caller: SignalCaller, issued_key: str
) -> None:
    requests = [SearchRequest("", *each) for each in asked]
    requested = RequestedSpans(requests)
    spans = requested.of(caller, issued_key)
    assert requested.of(caller, issued_key) is spans
    for time in range(11):
        assert (time in spans) == any(
            request.contains(time) and request.selector.has_session(caller, issued_key)
            for request in requests
        )
    for first, last in itertools.combinations_with_replacement(range(11), 2):
        one_has_both = any(start <= first and last < end for start, end in spans)
        assert spans.have_all(first, last) == one_has_both
    assert all(one[1] < other[0] for one, other in itertools.pairwise(spans))
