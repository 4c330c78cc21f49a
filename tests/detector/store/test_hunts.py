"""Hunts as records: parts, authors, what two people change, and older states."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.store import StateError, Store
from detector.triage.hunt_record import HuntFinding, HuntRecord, HuntScope, PartVersion
from detector.triage.shared_decisions import decision_lines, read_decision
from tests.clock import Clock
from tests.detector.store.older_state import take_back
from tests.detector.trail import ANA, START

FINDING = HuntFinding("principal", ANA, "user/ana", "12 calls", int(START))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store.open(tmp_path / "hunt.db", Clock(START, step=1), "ana")) as store:
        yield store


@pytest.fixture
def other(store: Store, tmp_path: Path) -> Iterator[Store]:
    """The same state, in the process of a colleague."""
    with closing(Store.open(tmp_path / "hunt.db", Clock(START + 60, step=1), "ben")) as other:
        yield other


def begun(store: Store) -> HuntRecord:
    return store.hunts.create({"name": "Stolen keys", "hypothesis": "a key is used from abroad"})


def test_a_hunt_says_who_did_what(store: Store, other: Store) -> None:
    hunt = begun(store)
    query = store.hunts.new_query("first look", "esql", "from logs-aws.cloudtrail-*")
    assert store.hunts.save_query(hunt, query) == []
    assert other.hunts.attach(hunt.hunt_id, [FINDING]) == [FINDING]
    assert other.hunts.attach(hunt.hunt_id, [FINDING]) == []
    assert other.hunts.conclude(hunt, "Ana's key was rotated") == []
    current = store.hunts.get(hunt.hunt_id)
    assert (current.author, current.changed_by, current.state) == ("ana", "ben", "concluded")
    assert current.queries == (query,)
    [finding] = current.findings
    assert (finding.subject, finding.author, finding.event) == (ANA, "ben", None)
    lines = [(entry.author, entry.kind) for entry in store.history.entries(hunt.hunt_id)]
    assert dict.fromkeys(lines) == dict.fromkeys(
        [
            ("ana", "hunt begun"),
            ("ana", "query saved"),
            ("ben", "finding attached"),
            ("ben", "hunt concluded"),
        ]
    )


def test_what_others_changed_meanwhile_stays(store: Store, other: Store) -> None:
    shown = begun(store)
    assert other.hunts.edit(shown, {"hypothesis": "two keys"}) == []
    edited = {"hypothesis": "no key", "accounts": "111122223333"}
    assert store.hunts.edit(shown, edited) == ["hypothesis"]
    current = store.hunts.get(shown.hunt_id)
    assert current.texts["hypothesis"] == "two keys"
    assert current.texts["accounts"] == "111122223333"
    refused = [each for each in store.history.entries(shown.hunt_id) if "refused" in each.kind]
    assert [(each.author, each.detail) for each in refused] == [
        ("ana", "hypothesis: no key, was a key is used from abroad")
    ]


def test_a_hunt_whose_beginning_is_undone_is_gone_until_redone(store: Store) -> None:
    hunt = begun(store)
    result = store.undo()
    assert result is not None and result.decision.subject_name == "Stolen keys"
    assert store.hunts.all() == []
    with pytest.raises(StateError, match="no hunt"):
        store.hunts.get(hunt.hunt_id)
    store.redo()
    assert store.hunts.get(hunt.hunt_id).texts == hunt.texts


@pytest.mark.parametrize(
    ("texts", "why"),
    [
        ({"name": " "}, "name: enter a name"),
        ({"name": "a", "since": "soon"}, "since: soon is not a time"),
        ({"name": "a", "until": "2026-02-30"}, "until: 2026-02-30 is not a time"),
        ({"name": "a", "since": "2026-03-02", "until": "2026-03-01"}, "since: not before until"),
        ({"name": "a", "accounts": "1234"}, "accounts: 1234 is not an account"),
        ({"name": "a", "verdict": "b"}, "verdict: no text of a hunt"),
    ],
)
def test_texts_that_make_no_sense_are_refused(
    store: Store, texts: dict[str, str], why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        store.hunts.create(texts)
    assert store.hunts.all() == []


def test_runs_tell_what_is_new_of_the_same_question(store: Store) -> None:
    hunt = begun(store)
    rows = [bytes([number]) * 8 for number in range(3)]
    assert store.hunts.last_rows(hunt.hunt_id, "q", "text") is None
    store.hunts.record_run(hunt.hunt_id, "q", "text", rows, None)
    assert store.hunts.last_rows(hunt.hunt_id, "q", "text") == set(rows)
    assert store.hunts.last_rows(hunt.hunt_id, "q", "another text") is None
    run = store.hunts.get(hunt.hunt_id).run_of("q")
    assert run is not None and (run.rows, run.new, run.author) == (3, None, "ana")


def test_an_older_state_opens_and_takes_hunts(tmp_path: Path) -> None:
    path = tmp_path / "hunt.db"
    Store.open(path).close()
    take_back(path)
    with closing(Store.open(path, author="ana")) as store:
        assert store.hunts.get(begun(store).hunt_id).name == "Stolen keys"


def test_recovery_copies_hunts(store: Store, tmp_path: Path) -> None:
    hunt = begun(store)
    store.hunts.attach(hunt.hunt_id, [FINDING])
    with closing(Store.open(tmp_path / "saved.db")) as saved:
        saved.recovery.save(tmp_path / "hunt.db")
        assert saved.hunts.all() == store.hunts.all()


def lines_of(store: Store) -> str:
    return decision_lines(store.exchange.decisions())


def join(store: Store, lines: str) -> tuple[int, list[str]]:
    return store.exchange.join([read_decision(line) for line in lines.encode().splitlines()])


def test_hunts_of_two_states_join_part_by_part(store: Store, tmp_path: Path) -> None:
    hunt = begun(store)
    with closing(Store.open(tmp_path / "ben.db", Clock(START + 60, step=1), "ben")) as ben:
        assert join(ben, lines_of(store)) == (1, [])
        theirs = ben.hunts.get(hunt.hunt_id)
        assert theirs == hunt
        ben.hunts.edit(theirs, {"hypothesis": "two keys"})
        ben.hunts.attach(hunt.hunt_id, [FINDING])
        assert join(store, lines_of(ben)) == (1, [])
        assert store.hunts.all() == ben.hunts.all()
        store.hunts.edit(hunt, {"principals": ANA})
        store.hunts.edit(store.hunts.get(hunt.hunt_id), {"hypothesis": "no key"})
        ben.hunts.edit(ben.hunts.get(hunt.hunt_id), {"hypothesis": "three keys"})
        new, [conflict] = join(store, lines_of(ben))
        assert new == 1
        assert conflict.startswith(f"hunt {hunt.hunt_id}: hypothesis changed in both states")
        assert store.hunts.get(hunt.hunt_id).texts["hypothesis"] == "three keys"
        assert join(ben, lines_of(store))[0] == 1
        assert lines_of(ben) == lines_of(store)
        assert join(store, lines_of(ben)) == (0, [])


def test_edits_of_one_second_come_to_the_same_in_both_states(tmp_path: Path) -> None:
    with (
        closing(Store.open(tmp_path / "ana.db", Clock(START), "ana")) as ana,
        closing(Store.open(tmp_path / "ben.db", Clock(START), "ben")) as ben,
    ):
        hunt_id = begun(ana).hunt_id
        join(ben, lines_of(ana))
        for store in (ana, ben):
            hypothesis = {"hypothesis": f"{store.author} thinks so"}
            store.hunts.edit(store.hunts.get(hunt_id), hypothesis)
        from_ana, from_ben = lines_of(ana), lines_of(ben)
        join(ana, from_ben)
        join(ben, from_ana)
        assert ana.hunts.get(hunt_id) == ben.hunts.get(hunt_id)
        assert join(ana, lines_of(ben)) == join(ben, lines_of(ana)) == (0, [])


def test_each_part_of_an_imported_hunt_is_in_its_log(store: Store, tmp_path: Path) -> None:
    with closing(Store.open(tmp_path / "once.db", Clock(START), "ana")) as once:
        hunt = begun(once)
        join(store, lines_of(once))
    assert sorted(entry.detail for entry in store.history.entries(hunt.hunt_id)) == [
        "hypothesis: a key is used from abroad",
        "name: Stolen keys",
        "state: open",
    ]


def test_an_imported_query_can_be_removed_however_it_was_written(store: Store) -> None:
    value = {"created": 0, "text": "x", "language": "kql", "name": "q", "query_id": "1", "new": 2}
    name = {"part": "name", "at": "2026-03-01T00:00:00Z", "author": "ben", "value": "Stolen keys"}
    query = {**name, "part": "query:1", "value": json.dumps(value)}
    line = {"type": "hunt", "hunt_id": "0123abcd", "created": name["at"], "author": "ben"}
    store.exchange.join([read_decision(json.dumps({**line, "parts": [name, query]}).encode())])
    assert store.hunts.remove(store.hunts.get("0123abcd"), ["query:1"]) == []
    assert store.hunts.get("0123abcd").queries == ()


@pytest.mark.parametrize(
    "line",
    [
        '{"type":"hunt","hunt_id":"../etc","created":"2026-03-01T00:00:00Z","author":"a","parts":[]}',
        '{"type":"hunt","hunt_id":"0123abcd","created":"soon","author":"a","parts":[]}',
        '{"type":"hunt","hunt_id":"0123abcd","created":"2026-03-01T00:00:00Z","author":"a","parts":'
        '[{"part":"state","at":"2026-03-01T00:00:00Z","author":"a","value":"lost"}]}',
        '{"type":"hunt","hunt_id":"0123abcd","created":"2026-03-01T00:00:00Z","author":"a","parts":'
        '[{"part":"query:1","at":"2026-03-01T00:00:00Z","author":"a","value":"{}"}]}',
        '{"type":"hunt","hunt_id":"0123abcd","created":"2026-03-01T00:00:00Z","author":"a","parts":'
        '[{"part":"since","at":"2026-03-01T00:00:00Z","author":"a","value":"soon"}]}',
        '{"type":"hunt","hunt_id":"0123abcd","created":"2026-03-01T00:00:00Z","author":"a","parts":'
        '[{"part":"name","at":"2026-03-01T00:00:00Z","author":"a","value":"a\\u001b[31m"}]}',
        '{"type":"hunt","hunt_id":"0123abcd","created":"2026-03-01T00:00:00Z","author":"a","parts":'
        '[{"part":"else","at":"2026-03-01T00:00:00Z","author":"a","value":"x"}]}',
        '{"type":"hunt","hunt_id":"0123abcd","created":"2026-03-01T00:00:00Z","author":"a","parts":'
        '[{"part":"else","at":"2026-03-01T00:00:00Z","author":"a","value":""}]}',
    ],
)
def test_lines_that_are_no_hunt_are_refused(line: str) -> None:
    with pytest.raises(ValueError):
        read_decision(line.encode())


TIMES = st.one_of(st.none(), st.integers(0, 6))


@settings(max_examples=60)
@given(
    since=TIMES,
    until=TIMES,
    time=st.integers(0, 6),
    accounts=st.frozensets(st.sampled_from("ab"), max_size=2),
    account=st.sampled_from("abc"),
    principals=st.frozensets(st.sampled_from(["role", "user"]), max_size=2),
    caller=st.sampled_from(["role", "user", ""]),
)
def test_a_scope_accepts_what_each_of_its_limits_accepts(
    since: int | None,
    until: int | None,
    time: int,
    accounts: frozenset[str],
    account: str,
    principals: frozenset[str],
    caller: str,
) -> None:
    scope = HuntScope(since, until, accounts, principals)
    within = all([since is None or since <= time, until is None or time < until])
    assert scope.contains(time) is within
    expected = (not accounts or account in accounts) and (not principals or caller in principals)
    assert scope.accepts(account, [caller, None]) is expected


def test_a_scope_by_a_role_accepts_its_sessions() -> None:
    scope = HuntScope.of({"principals": "arn:aws:sts::111122223333:assumed-role/app"})
    assert scope.accepts("1", ["arn:aws:sts::111122223333:assumed-role/app/one"])
    assert not scope.accepts("1", ["arn:aws:sts::111122223333:assumed-role/other/one"])


def test_versions_keep_every_text(store: Store) -> None:
    hunt = begun(store)
    store.hunts.edit(hunt, {"hypothesis": ""})
    versions = store.hunts.versions(hunt.hunt_id)["hypothesis"]
    assert [PartVersion(0, "ana", each.value) for each in versions] == [
        PartVersion(0, "ana", "a key is used from abroad"),
        PartVersion(0, "ana", ""),
    ]
