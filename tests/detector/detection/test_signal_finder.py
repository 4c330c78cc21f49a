"""Signals found by heads and by the principal index, compared with a look at every record."""

from __future__ import annotations

import io
from collections import Counter
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.cloudtrail.record import signature_of, skip_reason
from detector.detection.digest import digest
from detector.detection.event import KeptEvent
from detector.detection.principal import PrincipalNames, RelatedPrincipals
from detector.detection.record_search import SearchRequest, scan_chunk
from detector.detection.signals.found_signals import Signals
from detector.detection.signals.related_records import ChunkRequest, RelatedRequest
from detector.detection.signals.signal_finder import SignalFinder, flagging_events, flags_of
from detector.detection.signature_cache import SignatureCache
from detector.formats import Chunk, chunks, read_chunks
from detector.rules.dispatch import Dispatch
from detector.rules.ruleset import load
from tests.detector.trail import ACCOUNT, ANA, REGIONS, START, Raw, call, document, lines

ROLE = f"arn:aws:iam::{ACCOUNT}:role/inventory"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/inventory/nightly"
KEYS = ("AKIAANA", "ASIANIGHTLY", "ASIAISSUED")
CALLERS: tuple[Raw, ...] = (
    {"type": "IAMUser", "arn": ANA, "accountId": ACCOUNT, "accessKeyId": KEYS[0]},
    {"type": "IAMUser", "arn": f"{ANA}bel", "accountId": ACCOUNT, "accessKeyId": KEYS[0]},
    {
        "type": "AssumedRole",
        "arn": SESSION,
        "accountId": ACCOUNT,
        "accessKeyId": KEYS[1],
        "sessionContext": {"sessionIssuer": {"type": "Role", "arn": ROLE}},
    },
    {"type": "AWSService", "invokedBy": "ec2.amazonaws.com"},
    {"type": "Unknown", "accessKeyId": KEYS[2]},
)
CALLS = (
    ("ec2.amazonaws.com", "DescribeInstances"),
    ("ec2.amazonaws.com", "CreateSnapshot"),
    ("ec2.amazonaws.com", "ModifySnapshotAttribute"),
    ("iam.amazonaws.com", "CreateAccessKey"),
    ("iam.amazonaws.com", "ListUsers"),
    ("s3.amazonaws.com", "GetObject"),
    ("s3.amazonaws.com", "PutObject"),
    ("sts.amazonaws.com", "GetCallerIdentity"),
    ("sts.amazonaws.com", "AssumeRole"),
    ("ssm.amazonaws.com", "StartSession"),
)
CHANGES: tuple[Raw, ...] = (
    {},
    {"errorCode": "AccessDenied", "errorMessage": "not authorized\n"},
    {"errorMessage": "odd"},
    {"responseElements": {"credentials": {"accessKeyId": KEYS[2]}}},
    {"eventCategory": "Insight"},
    {"eventID": None},
    {"eventTime": "yesterday"},
    {"readOnly": True},
    {"requestParameters": {"createVolumePermission": {"add": {"items": [{"group": "all"}]}}}},
)


def record_of(number: int, at: int, caller: Raw, made: tuple[str, str], changed: Raw) -> Raw:
    record = call(at, REGIONS[number % 3], f"{number:08x}-0000-4000-8000-000000000000")
    source, name = made
    return {
        **record,
        "userIdentity": caller,
        "eventSource": source,
        "eventName": name,
        **changed,
    }


RECORDS = st.lists(
    st.builds(
        record_of,
        st.integers(0, 12),
        st.integers(0, 40),
        st.sampled_from(CALLERS),
        st.sampled_from(CALLS),
        st.sampled_from(CHANGES),
    ),
    min_size=1,
    max_size=25,
)
NAMES = st.sampled_from(
    [
        PrincipalNames(arns=[ANA]),
        PrincipalNames(keys=[KEYS[0]]),
        PrincipalNames(arns=[SESSION], roles=[ROLE]),
        PrincipalNames(keys=[KEYS[2]]),
        PrincipalNames(roles=["a role by another name"]),
    ]
)
REQUESTS = st.lists(
    st.builds(
        lambda own, hop, start, length: SearchRequest(
            "", RelatedPrincipals(own, hop), START + start, START + start + length
        ),
        NAMES,
        st.just(PrincipalNames()) | NAMES,
        st.integers(-5, 30),
        st.integers(1, 60),
    ),
    min_size=1,
    max_size=3,
)


@cache
def flagging() -> Dispatch:
    return flagging_events(load())


def looked_at(
    chunk: Chunk, requests: list[RelatedRequest]
) -> Counter[tuple[bytes, KeptEvent, tuple[str, ...]]]:
    """Return the signals among all records of a chunk."""
    found: Counter[tuple[bytes, KeptEvent, tuple[str, ...]]] = Counter()
    for match in scan_chunk("log", chunk, requests, lambda _: True):
        identity, event = KeptEvent.of_event(match.event)
        if skip_reason(signature_of(match.record.head())):
            continue
        flags = flags_of(match.event, match.record, flagging())
        if flags or event.issued_key:
            found[identity, event, flags] += 1
    return found


@given(files=st.lists(st.tuples(RECORDS, st.booleans()), max_size=3), requests=REQUESTS)
def test_signals_are_those_of_a_look_at_every_record(
    files: list[tuple[list[Raw], bool]], requests: list[RelatedRequest]
) -> None:
    """One finder searches several files, whose heads are partly the same."""
    finder = SignalFinder(flagging())
    for records, is_document in files:
        text = document(records) if is_document else lines(records)
        with pytest.MonkeyPatch.context() as patch:
            for limit in ("BLOCK", "SNIFF", "LINES_CHUNK"):
                patch.setattr(chunks, limit, 4000)
            asked: dict[int, ChunkRequest] = {}
            expected: Counter[tuple[bytes, KeptEvent, tuple[str, ...]]] = Counter()
            for chunk in read_chunks(io.BytesIO(text)):
                partial, _ = digest("log", chunk, Dispatch(()), SignatureCache())
                stats = partial.chunks["log", chunk.offset]
                asked[chunk.offset] = ChunkRequest(requests, stats.principal_index)
                expected += looked_at(chunk, requests)
            found = Signals()
            finder.find("log", asked, found, lambda _: io.BytesIO(text))  # noqa: B023 - called now
        assert not found.unread
        assert Counter(map(tuple, found)) == expected
