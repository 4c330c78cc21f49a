"""An event is known by an eventID that is a UUID, whatever a copy of it lacks."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest

from detector.cloudtrail.record import identity
from detector.store import Store, schema
from detector.triage.note import NoteBody
from tests.detector.store.older_state import take_back
from tests.detector.trail import (
    ACCOUNT,
    REGIONS,
    Raw,
    call,
    lines,
    outcome,
    rules,
    scan,
    sweep,
    write,
)

EACH_EVENT = b"""[rule]
rule_id = "each"
name = "each event"
type = "esql"
language = "esql"
query = '''from logs-aws.cloudtrail-* metadata _id | where event.action == "DescribeInstances"'''
"""
UUIDS = [
    "aaaaaaaa-0000-4000-8000-000000000000",
    "AAAAAAAA-0000-4000-8000-000000000001",
    "00000000-0000-0000-0000-000000000000",
    "12345678-9abc-def0-1234-56789abcdef0",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
]
OTHER_IDS = [
    "e1",
    "",
    "aaaaaaaa00004000800000000000000f",
    "{aaaaaaaa-0000-4000-8000-000000000000}",
    "aaaaaaaa-0000-4000-8000-00000000000",
    "aaaaaaaa-0000-4000-8000-0000000000000",
    " aaaaaaaa-0000-4000-8000-000000000000",
    "aaaaaaaa-0000-4000-8000-000000000000\n",
    "gaaaaaaa-0000-4000-8000-000000000000",
    "sha256:" + "0" * 64,
    "\ud800",
]


@pytest.mark.parametrize("event_id", UUIDS)
def test_uuid_is_identity_without_account(event_id: str) -> None:
    assert identity(ACCOUNT, event_id) == identity("", event_id.lower()) == UUID(event_id).bytes


@pytest.mark.parametrize("event_id", OTHER_IDS)
def test_other_id_counts_within_account(event_id: str) -> None:
    identities = {identity(account, event_id) for account in (ACCOUNT, "", "444455556666")}
    assert len(identities) == 3 and {len(each) for each in identities} == {16}


def uuid_sweep(**changed: Any) -> list[Raw]:
    return [
        call(0, region, event_id=f"aaaaaaaa-0000-4000-8000-{number:012}", **changed)
        for number, region in enumerate(REGIONS[:10])
    ]


@pytest.mark.parametrize(
    "lacking",
    [
        {"recipientAccountId": None},
        {"recipientAccountId": ""},
        {"recipientAccountId": None, "eventCategory": None, "eventVersion": None},
        {"recipientAccountId": None, "userIdentity": {"arn": call()["userIdentity"]["arn"]}},
        {"recipientAccountId": "444455556666"},
    ],
    ids=["no account", "empty", "other fields too", "caller without account", "shared"],
)
def test_copy_without_account_is_same_event(lacking: Raw, tmp_path: Path) -> None:
    write(tmp_path, "trail.json", uuid_sweep())
    write(tmp_path, "bus.jsonl", lines(uuid_sweep(**lacking)))
    run = scan(tmp_path)
    assert run.accounting.records_duplicate == 10
    (alert,) = run.alerts
    assert alert.columns["Esql.event_count"] == 10


def test_copies_give_one_alert_of_a_rule_without_window(tmp_path: Path) -> None:
    by = rules("tumbling", write(tmp_path, "each.toml", EACH_EVENT))
    copies = write(tmp_path / "logs", "trail.json", uuid_sweep())
    alone = [alert.alert_id for alert in scan(copies, by=by).alerts]
    write(tmp_path / "logs", "bus.jsonl", lines(uuid_sweep(recipientAccountId=None)))
    assert [alert.alert_id for alert in scan(tmp_path / "logs", by=by).alerts] == alone
    assert len(alone) == 11


def as_before(state: Path) -> None:
    """Write the identities that a former version gave: hashes of (account, eventID)."""

    def former(body: bytes) -> bytes:
        account, event_id, *_ = msgspec.msgpack.decode(body)
        return hashlib.blake2b(f"{account}\0{event_id}".encode(), digest_size=16).digest()

    take_back(state, version_before("event_identity(body)"))
    with closing(sqlite3.connect(state)) as connection:
        connection.create_function("former", 1, former)
        connection.execute("CREATE TABLE was AS SELECT identity, former(body) AS f FROM event")
        for table in ("event", "hit", "signal"):
            connection.execute(
                f"UPDATE {table} SET identity = "
                f"(SELECT f FROM was WHERE was.identity = {table}.identity)"
            )
        connection.execute("DROP TABLE was")
        connection.commit()


def version_before(words: str) -> int:
    """Return the version before the step of the migration that has these words."""
    return next(number for number, step in enumerate(schema.MIGRATIONS) if words in step)


def test_former_state_keeps_alerts_notes_and_windows(tmp_path: Path) -> None:
    log = write(tmp_path / "logs", "a.json", uuid_sweep()[:9])
    with closing(Store.open(tmp_path / "hunt.db")) as store:
        write(tmp_path / "logs", "b.json", sweep(10, 60))
        store.triage.add_notes(scan(tmp_path / "logs", store=store).alerts, NoteBody("seen"))
        before = store.alerts.all()
    as_before(tmp_path / "hunt.db")
    log.unlink()  # its events are known from the state alone
    write(tmp_path / "logs", "c.json", uuid_sweep(recipientAccountId=None)[8:])
    with closing(Store.open(tmp_path / "hunt.db")) as store:
        assert store.alerts.all() == before
        alerts = scan(tmp_path / "logs", store=store).alerts
        assert [alert.columns["Esql.event_count"] for alert in alerts] == [10, 10]
        assert alerts[0].alert_id == before[0].alert_id
        assert [note.alert_id for note in store.triage.notes()] == [before[0].alert_id]
        assert outcome(store).accounting.records_duplicate == 1


def test_former_state_that_counted_copies_is_searched_again(tmp_path: Path) -> None:
    """Twelve copies of six events were an alert: the rules that counted them read all again."""
    logs = tmp_path / "logs"
    write(logs, "trail.json", uuid_sweep()[:6])
    with closing(Store.open(tmp_path / "hunt.db")) as store:
        scan(logs, store=store)
    as_before(tmp_path / "hunt.db")
    with closing(sqlite3.connect(tmp_path / "hunt.db")) as connection:
        connection.executescript(
            """
            INSERT INTO event SELECT randomblob(16), time, file_id, offset, place, body FROM event;
            INSERT INTO hit SELECT h.series_id, h.bucket, e.identity, h.inputs
                FROM event e, (SELECT * FROM hit LIMIT 1) h
                WHERE e.identity NOT IN (SELECT identity FROM hit);
            """
        )
    write(logs, "rest.json", uuid_sweep()[6:])
    with closing(Store.open(tmp_path / "hunt.db")) as store:
        (alert,) = scan(logs, store=store).alerts
        assert alert.columns["Esql.event_count"] == 10


def test_former_state_forgets_what_it_counted_for_nobody(tmp_path: Path) -> None:
    """Callers under names that were not read gave an alert of nobody; files are read again."""
    logs = tmp_path / "logs"
    nameless = [{**record, "userIdentity": {"type": "AWSService"}} for record in uuid_sweep()]
    log = write(logs, "a.json", nameless)
    write(logs, "b.json", sweep(10, 60))
    write(logs, "odd.json", b'{"hello": 1}')
    with closing(Store.open(tmp_path / "hunt.db")) as store:
        false, true = sorted(
            scan(logs, store=store).alerts, key=lambda alert: bool(alert.principal)
        )
        store.triage.add_notes([false, true], NoteBody("seen"))
        (true,) = store.alerts.get_all([true.alert_id])
    take_back(tmp_path / "hunt.db", version_before("TABLE nobody"))
    log.unlink()
    with closing(Store.open(tmp_path / "hunt.db")) as store:
        assert store.alerts.all() == [true]
        assert len(store.triage.notes()) == 2
        generation = store.files.generation()
        run = scan(logs, store=store)
        assert [alert.alert_id for alert in run.alerts] == [true.alert_id]
        rows = {Path(row.path).name: row.generation for row in store.files.all()}
        assert rows["odd.json"] == rows["b.json"] == generation > rows["a.json"]
