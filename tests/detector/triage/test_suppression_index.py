"""The index of suppressions judges as all of them in turn do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.detection.alert import Alert
from detector.detection.baseline import network_of
from detector.store import Store
from detector.triage.suppression import (
    SCOPES,
    SeenProfile,
    Suppression,
    apply_suppressions,
    matches,
)
from detector.triage.suppression_index import SuppressionIndex
from tests.detector.trail import ANA, START, scan, sweep, write
from tests.detector.triage.test_suppression_scope import ROLE, alert, event, suppression

EVENTS = st.builds(
    lambda changed: event(**changed),
    st.fixed_dictionaries(
        {},
        optional={
            "arn": st.sampled_from(["", ANA, ANA + "x"]),
            "access_key": st.sampled_from(["", "AKIAEXAMPLE", "AKIAOTHER"]),
            "role_arn": st.sampled_from(["", ROLE]),
            "user_agent": st.sampled_from(["", "Boto3/1"]),
            "source_address": st.sampled_from(["", "198.51.100.7"]),
            "region": st.sampled_from(["eu-west-1", "sa-east-1"]),
        },
    ),
)
VALUES = (ANA, ANA + "x", ROLE, "AKIAEXAMPLE", "111122223333", "203.0.113.0/24", "aws-cli/*", "*")
SUPPRESSIONS = st.builds(
    Suppression,
    st.sampled_from(SCOPES),
    st.sampled_from(VALUES),
    st.sampled_from([None, "r1", "r2"]),
    st.just(START),
    st.just(START + 1000),
    st.just("T-1"),
    st.just("sec"),
    st.just("why"),
    suppression_id=st.sampled_from(["s1", "s2", "s3"]),
    ignored_flags=st.just([]),
)


@given(
    st.lists(EVENTS, min_size=1, max_size=3),
    st.lists(st.tuples(SUPPRESSIONS, st.none() | EVENTS), max_size=6),
)
def test_index_judges_as_each_in_turn(events: list, active: list) -> None:
    profiled = [
        # Some have learned of another event.
        msgspec.structs.replace(each, seen_profile=SeenProfile.of([alert(seen)])) if seen else each
        for each, seen in active
    ]
    judged = alert(*events)
    index = SuppressionIndex(profiled)
    assert index.judge(judged) == apply_suppressions(judged, profiled)
    matching = [each for each in profiled if matches(each, judged.finding)]
    assert [each for each in index.candidates(judged) if matches(each, judged.finding)] == matching


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A state with the alerts of two principals, each with a key of its own."""
    bob = ANA.replace("ana", "bob")
    identity = {"type": "IAMUser", "accountId": "111122223333", "accessKeyId": "AKIABOB"}
    write(tmp_path / "logs", "ana.json", sweep(10))
    write(tmp_path / "logs", "bob.json", sweep(10, 60, userIdentity={**identity, "arn": bob}))
    store = Store.open(tmp_path / "hunt.db")
    scan(tmp_path / "logs", store=store)
    yield store
    store.close()


@pytest.mark.parametrize(
    ("scope", "value", "read"),
    [
        ("principal", ANA, 1),
        ("principal", "nobody", 0),
        ("access-key", "AKIABOB", 1),
        ("account", "111122223333", 2),
        ("principal-pattern", "*ana", 1),
    ],
)
def test_new_suppression_reads_alerts_of_its_scope(
    store: Store, scope: str, value: str, read: int
) -> None:
    made = Suppression(scope, value, None, START, 9e9, "T-1", "sec", "why")  # type: ignore[arg-type]
    found: list[Alert] = list(chain.from_iterable(store.alerts.in_scope([made])))
    assert len(found) == read
    standing = store.alerts.all()
    assert [each for each in found if matches(made, each.finding)] == [
        each for each in standing if matches(made, each.finding)
    ]
    [kept] = store.triage.suppress([made])
    assert kept.hidden == sum(matches(made, each.finding) for each in standing)


def test_network_of_a_seen_address_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many alerts are compared with the profile of many addresses."""
    asked = Counter[str]()

    def counted(address: str) -> str:
        asked[address] += 1
        return network_of(address)

    monkeypatch.setattr("detector.triage.suppression.network_of", counted)
    seen = [f"203.0.{number}.7" for number in range(9)]
    made = msgspec.structs.replace(
        suppression("account", "111122223333"),
        suppression_id="s1",
        seen_profile=SeenProfile(["eu-west-1"], seen, ["aws-cli/2"], []),
    )
    index = SuppressionIndex([made])
    for _ in range(5):
        assert index.judge(alert(event(source_address="203.0.8.9"))).suppressed_by == "s1"
    assert [asked[address] for address in seen] == [1] * len(seen)
    assert asked["203.0.8.9"] == 5
