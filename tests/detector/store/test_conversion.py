"""An older state, made from one of today, becomes the one that it was made from."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

import detector.rules
from detector.detection.event import Matches, inputs_in
from detector.rules.ruleset import load
from detector.store import Damaged, Store
from detector.store.packing import conversion
from detector.store.packing.segment import Segment, StoredRow
from tests.detector.rules.rule_scan import write_rule
from tests.detector.store.file_rows import file_values
from tests.detector.store.older_state import take_back
from tests.detector.trail import REFERENCE_FILE, REGIONS, call, scan, sweep, write

FLAGS = Path(detector.rules.__file__).with_name("builtin") / "flags"
ID = "2f1c3c3e-0000-4000-8000-00000000000"
EACH_SECOND = (
    "from logs-* | eval w = date_trunc(1 second, @timestamp) "
    "| stats n = count(*) by w, user.id, event.id | where n > 0"
)
"""Its windows are as narrow as those of a rule without any, and it ends with an event's id."""
SIGNALS = (
    "SELECT arn, access_key, role_arn, flag, issued_key, hour, events "
    "FROM signal JOIN signal_caller USING (caller_id) ORDER BY arn, access_key, flag, hour"
)
TABLES = (
    SIGNALS,
    "SELECT alert_id, rule_id, key, width FROM alert JOIN series USING (series_id) ORDER BY 1",
    "SELECT alert_id, who FROM alert_who JOIN alert USING (number) ORDER BY 1, 2",
    "SELECT alert_id, body, has_hop, searched, stale, told FROM alert "
    "JOIN lineage USING (lineage_id) ORDER BY 1",
    "SELECT DISTINCT rule_id, rule_number.width FROM rule_number JOIN series USING (rule_id) "
    "ORDER BY rule_id",
)


def rows_of(store: Store) -> list[StoredRow]:
    """Return the rows of all segments, each with its matches in one order.

    Their inputs say the region, for which older states have no marks."""

    def ordered(matches: Matches, region: str) -> Matches:
        said = [(series, inputs_in(inputs, region)) for series, inputs in matches]
        return tuple(sorted(said, key=repr))

    rows = [
        stored._replace(
            row=msgspec.structs.replace(
                stored.row,
                matches=ordered(stored.row.matches, stored.row.region),
                stale=tuple(
                    (time, ordered(matches, stored.row.region))
                    for time, matches in stored.row.stale
                ),
            )
        )
        for packed in store.database.rows("SELECT identities, body FROM segment")
        for stored in Segment.unpack(*packed).rows()
    ]
    return sorted(rows, key=lambda stored: stored.order)


def content(store: Store) -> list[Any]:
    files = file_values(store, "hits", "duplicate")
    return [store.alerts.all(), rows_of(store), files, *map(store.database.rows, TABLES)]


@pytest.mark.parametrize("is_read_by_old_rules", [False, True])
def test_older_state_becomes_what_it_was_made_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_read_by_old_rules: bool
) -> None:
    """Events with and without UUIDs, claims that contradict each other, signals, single events."""
    path, logs = tmp_path / "hunt.db", tmp_path / "logs"
    single = write_rule(tmp_path / "rules", "event.action: RunInstances", "query")
    second = write_rule(tmp_path / "of-seconds", EACH_SECOND)
    second.write_text(second.read_text().replace("r-1", "r-2"))
    rules = load([REFERENCE_FILE, FLAGS, single, second], builtin=False)
    opened = {
        "eventSource": "iam.amazonaws.com",
        "eventName": "CreateAccessKey",
        "readOnly": False,
    }
    write(
        logs,
        "a.json",
        [
            *sweep(10, 60),
            call(70, event_id=f"{ID}1"),
            call(800, event_id=f"{ID}2"),
            call(20, event_id="same"),
            call(30, eventName="RunInstances"),
        ],
    )
    write(
        logs,
        "b.json",
        [
            call(70, event_id=f"{ID}1"),
            call(900, REGIONS[3], event_id="same"),
            call(1800, REGIONS[4], event_id="same"),
            call(75, **opened),
            call(31, eventName="RunInstances", event_id=f"{ID}3"),
        ],
    )
    with closing(Store.open(path)) as store:
        scan(logs, store=store, by=rules)
        if is_read_by_old_rules:
            with store.database.transaction() as connection:
                connection.execute("UPDATE progress SET generation = generation + 1")
        before = content(store)
    alerts, rows, signals, *_ = before
    assert len({repr(alert.rule) for alert in alerts}) == 3
    assert [len(stored.row.stale) for stored in rows if stored.row.stale] == [2]
    assert {stored.file_id for stored in rows} == {1, 2} and signals
    take_back(path)
    monkeypatch.setattr(conversion, "SEGMENT_ROWS", 7)
    with closing(Store.open(path)) as store:
        assert content(store) == before
        sizes = store.database.rows("SELECT length(identities) / 16, fresh FROM segment ORDER BY 1")
        assert sizes[1:] == [(7, 1)] * (len(sizes) - 1)
        assert sizes[0][0] < 7 and sizes[0][1] == 1


def test_older_state_with_a_damaged_alert_is_damaged(tmp_path: Path) -> None:
    path, logs = tmp_path / "hunt.db", tmp_path / "logs"
    logs.mkdir()
    write(logs, "trail.json", sweep())
    with closing(Store.open(path)) as store:
        scan(logs, store=store)
    take_back(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("UPDATE alert SET content = x'00'")
    with pytest.raises(Damaged, match="doctor --save"):
        Store.open(path)
