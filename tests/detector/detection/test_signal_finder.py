"""Signals found by heads and by the principal index, compared with a look at every record."""

from __future__ import annotations

import io
import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.cloudtrail.record import Record, signature_of, skip_reason
from detector.detection.digest import digest
from detector.detection.event import KeptEvent
from detector.detection.principal import PrincipalNames, RelatedPrincipals
from detector.detection.record_search import SearchRequest, scan_chunk
from detector.detection.signals.found_signals import Signals
from detector.detection.signals.record_requests import RelatedRequest
from detector.detection.signals.related_records import ChunkRequest
from detector.detection.signals.signal_finder import SignalFinder, flagging_events
from detector.detection.signature_cache import SignatureCache
from detector.formats import Chunk, chunks, read_chunks
from detector.rules.dispatch import Dispatch
from detector.rules.ruleset import RuleSet, load
from tests.detector.rules.rule_scan import write_rule
from tests.detector.trail import ACCOUNT, ANA, REGIONS, START, Raw, call, document, lines

ROLE = f"arn:aws:iam::{ACCOUNT}:role/inventory"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/inventory/nightly"
KEYS = ("AKIAANA", "ASIANIGHTLY", "ASIAISSUED")
CALLERS: tuple[Raw, ...] = (
    {"type": "IAMUser", "arn": ANA, "accountId": ACCOUNT, "accessKeyId": KEYS[0]},
    {"type": "IAMUser", "arn": f"{ANA}bel", "accountId": ACCOUNT, "accessKeyId": KEYS[0]},
    {"type": "IAMUser", "arn": f"{ANA}bel", "accountId": ACCOUNT},
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
    ("s3.amazonaws.com", "ListBuckets"),
    ("s3.amazonaws.com", "PutObject"),
    ("sts.amazonaws.com", "GetCallerIdentity"),
    ("sts.amazonaws.com", "AssumeRole"),
    ("sts.amazonaws.com", "GetDelegatedAccessToken"),
    ("ssm.amazonaws.com", "StartSession"),
)
ISSUED: Raw = {"responseElements": {"credentials": {"accessKeyId": KEYS[2]}}}
CHANGES: tuple[Raw, ...] = (
    {},
    {},
    {"errorCode": "AccessDenied", "errorMessage": "not authorized\n"},
    {"errorMessage": "odd"},
    {"eventCategory": "Insight"},
    {"readOnly": True},
    {"requestParameters": {"createVolumePermission": {"add": {"items": [{"group": "all"}]}}}},
)


class Kind(NamedTuple):
    """What the records of a head have in common."""

    caller: Raw
    call: tuple[str, str]
    changed: Raw
    region: str
    address: str

    def record(self, number: int, at: int, own: Raw) -> Raw:
        source, name = self.call
        made = call(at, self.region, f"{number:08x}-0000-4000-8000-000000000000")
        return {
            **made,
            "userIdentity": self.caller,
            "eventSource": source,
            "eventName": name,
            "sourceIPAddress": self.address,
            **self.changed,
            **own,
        }


KINDS = st.lists(
    st.builds(
        Kind,
        st.sampled_from(CALLERS),
        st.sampled_from(CALLS),
        st.sampled_from(CHANGES),
        st.sampled_from(REGIONS[:2]),
        st.sampled_from(("203.0.113.7", "198.51.100.9")),
    ),
    min_size=3,
    max_size=12,
)
OWN_CHANGES: tuple[Raw, ...] = ({}, {}, ISSUED, ISSUED, {"eventID": None}, {"eventTime": "odd"})
Place = tuple[int, int, int, Raw]
"""The kind of a record, the number of its event, its time, and what it alone has."""
PLACES = st.lists(
    st.tuples(
        st.integers(0, 11), st.integers(0, 99), st.integers(0, 40), st.sampled_from(OWN_CHANGES)
    ),
    min_size=12,
    max_size=50,
)
NAMES = st.sampled_from(
    [
        PrincipalNames(arns=[ANA]),
        PrincipalNames(keys=[KEYS[0]]),
        PrincipalNames(arns=[f"{ANA}bel", SESSION]),
        PrincipalNames(arns=[SESSION], roles=[ROLE]),
        PrincipalNames(roles=[ROLE], keys=[KEYS[0]]),
        PrincipalNames(keys=[KEYS[2]]),
        PrincipalNames(arns=[ANA, SESSION], keys=[KEYS[2]]),
    ]
)
ODD_NAMES = st.just(PrincipalNames(roles=["a role by another name"], keys=[KEYS[1], KEYS[2]]))
"""No principal key tells who is related: each record is asked."""


def archive(records: Sequence[Raw]) -> bytes:
    """Return a zip file of two documents, each a chunk."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as members:
        members.writestr("first.json", document(records[::2]))
        members.writestr("second.json", document(records[1::2]))
    return written.getvalue()


Layout = Callable[[Sequence[Raw]], bytes]
LAYOUTS: st.SearchStrategy[Layout] = st.sampled_from([lines, archive, document])


def requests_for(names: st.SearchStrategy[PrincipalNames]) -> st.SearchStrategy[RelatedRequest]:
    return st.builds(
        lambda own, hop, start, length: SearchRequest(
            "", RelatedPrincipals(own, hop), START + start, START + start + length
        ),
        names,
        st.just(PrincipalNames()) | NAMES,
        st.integers(-5, 30),
        st.integers(5, 60),
    )


FEW_REQUESTS = st.lists(requests_for(NAMES), min_size=1, max_size=4)
REQUESTS = FEW_REQUESTS | FEW_REQUESTS | st.lists(requests_for(ODD_NAMES), min_size=1, max_size=2)


FLAG_RULES = {
    "certain": 'event.provider == "ec2.amazonaws.com"',
    "regional": f'event.action == "CreateSnapshot" and cloud.region == "{REGIONS[0]}"',
}
"""Rules beside the built-in ones: one that asks no record, and one that asks the origin."""


@cache
def flagging_rules() -> RuleSet:
    with TemporaryDirectory() as folder:
        for flag, condition in FLAG_RULES.items():
            rule = write_rule(Path(folder), f"from logs-* | where {condition}", name=f"{flag}.toml")
            text = rule.read_text().replace('"r-1"', f'"{flag}"')
            rule.write_text(f'{text}\n[trailhound]\nflag = "{flag}"\n')
        rules = load([Path(folder)])
    assert not rules.problems
    return rules


def flags_by_queries(record: Record, time: int) -> tuple[str, ...]:
    """Return the flags of the rules whose query accepts a record."""
    rules = [each for each in flagging_rules() if each.flag and each.query.shape == "filter"]
    return tuple(sorted({each.flag or "" for each in rules if each.query.accepts(record, time)}))


def looked_at(
    chunk: Chunk, requests: list[RelatedRequest]
) -> Counter[tuple[bytes, KeptEvent, tuple[str, ...]]]:
    """Return the signals among all records of a chunk."""
    found: Counter[tuple[bytes, KeptEvent, tuple[str, ...]]] = Counter()
    for match in scan_chunk("log", chunk, requests, lambda _: True):
        identity, event = KeptEvent.of_event(match.event)
        if skip_reason(signature_of(match.record.head())):
            continue
        flags = flags_by_queries(match.record, event.time)
        if flags or event.issued_key:
            found[identity, event, flags] += 1
    return found


@settings(max_examples=50)
@given(
    kinds=KINDS,
    files=st.lists(st.tuples(PLACES, LAYOUTS), min_size=1, max_size=3),
    requests=REQUESTS,
)
def test_signals_are_those_of_a_look_at_every_record(
    kinds: list[Kind],
    files: list[tuple[list[Place], Layout]],
    requests: list[RelatedRequest],
) -> None:
    """One finder searches several files of several chunks, whose heads are partly the same."""
    finder = SignalFinder(flagging_events(flagging_rules()))
    for places, layout in files:
        records = [kinds[kind % len(kinds)].record(no, at, own) for kind, no, at, own in places]
        text = layout(records)
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
