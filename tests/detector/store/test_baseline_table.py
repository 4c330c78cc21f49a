"""The first time of each observation is kept, whatever is remembered of those before."""

from __future__ import annotations

import contextlib
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.detection.baseline import (
    Observation,
    ObservedOrigin,
    OriginSpans,
    RegionHistory,
)
from detector.store import Store, baseline_table, schema
from detector.store.baseline_table import BaselineTable
from detector.store.database import Database
from detector.store.migrations.first_observations import FIRST_OBSERVATIONS
from detector.store.migrations.observation_numbers import KIND_NUMBERS
from detector.store.packing.content_id import name_number

origins = st.builds(
    ObservedOrigin,
    st.just("111122223333"),
    st.sampled_from(["ana", "ben"]),
    st.just(""),
    st.sampled_from(["eu-west-1", "us-east-1"]),
)
times = st.integers(0, 3)
commits = st.lists(
    st.tuples(st.dictionaries(origins, st.tuples(times, times), max_size=3), st.booleans()),
    max_size=8,
)
"""What was observed, and whether its transaction fails."""


class _Failed(Exception):
    """A transaction that is rolled back."""


@given(commits, st.sampled_from([0, 2, 100]))
def test_first_times_are_kept(
    content: list[tuple[dict[ObservedOrigin, tuple[int, int]], bool]], remembered: int
) -> None:
    expected: dict[Observation, int] = {}
    with pytest.MonkeyPatch.context() as patch, closing(Database.open(None)) as database:
        patch.setattr(baseline_table, "_KNOWN_ORIGINS", remembered)
        table = BaselineTable(database)
        for seen, fails in content:
            spans = OriginSpans(seen)
            with contextlib.suppress(_Failed), database.transaction() as connection:
                table.put(connection, spans)
                if fails:
                    raise _Failed
            if fails:
                continue
            table.learn(spans)
            for observation, (first, _) in spans.observations().items():
                expected[observation] = min(first, expected.get(observation, first))
        rows = database.rows("SELECT kind, who, what, first FROM sight")
        assert {(kind, who, what): first for kind, who, what, first in rows} == {
            (KIND_NUMBERS[kind], name_number(who), what): first
            for (kind, who, what), first in expected.items()
        }


def test_first_times_of_an_older_state_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "hunt.db"
    version = schema.MIGRATIONS.index(FIRST_OBSERVATIONS)
    with closing(sqlite3.connect(path, isolation_level=None)) as db, monkeypatch.context() as older:
        older.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:version])
        older.setattr(schema, "SCHEMA_VERSION", version)
        schema.migrate(db)
        db.execute("INSERT INTO sight VALUES ('region', '111122223333', 'eu-west-1', 5, 9)")
        db.execute("INSERT INTO sight VALUES ('changed-region', '111122223333', 'eu-west-1', 7, 9)")
        db.execute("INSERT INTO sight VALUES ('principal-region', 'ana', 'eu-west-1', 6, 9)")
        db.execute("INSERT INTO sight VALUES ('principal-agent', 'ana', 'aws-cli', 6, 9)")
        db.execute("INSERT INTO sight VALUES ('principal-network', 'ana', '1.2.3.0/24', 6, 9)")
        db.execute("INSERT INTO sight VALUES ('selection', 's3://b/a', '', 0, 0)")
        db.execute("INSERT INTO sight VALUES ('selection', '', '', 0, 0)")
    with closing(Store.open(path)) as store:
        for accounts in ((), ("111122223333",)):
            [history] = store.baseline.footprint(accounts, "ana").values()
            assert history == RegionHistory(seen=5, changed=7, principal=6)
        assert store.baseline.selections() == ["", "s3://b/a"]
        assert store.database.value("SELECT count(*) FROM sight") == 5
