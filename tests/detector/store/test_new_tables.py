"""A new state has the tables that all migrations make, though it is made by one script.

After a migration was added, write the script again, and the version that it stands for:

    python -m tests.detector.store.test_new_tables > detector/store/migrations/new_tables.sql
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing

import pytest

from detector.store import schema

HEADER = "-- The tables of a new state. Written by tests/detector/store/test_new_tables.py.\n"


def made_by(migrations: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the statements that would make what these migrations make of nothing."""
    with (
        closing(sqlite3.connect(":memory:", isolation_level=None)) as db,
        monkeypatch.context() as m,
    ):
        m.setattr(schema, "MIGRATIONS", migrations)
        m.setattr(schema, "SCHEMA_VERSION", len(migrations))
        schema.migrate(db)
        return [*tables(db), *rows(db)]


def tables(db: sqlite3.Connection) -> list[str]:
    query = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid"
    return ["\n".join(map(str.rstrip, sql.split("\n"))) for (sql,) in db.execute(query)]


def rows(db: sqlite3.Connection) -> list[str]:
    names = db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY rowid")
    return [
        f"INSERT INTO {name} VALUES ({', '.join(quoted(db, value) for value in row)})"
        for (name,) in names.fetchall()
        for row in db.execute(f"SELECT * FROM {name}").fetchall()
    ]


def quoted(db: sqlite3.Connection, value: object) -> str:
    (text,) = db.execute("SELECT quote(?)", (value,)).fetchone()
    return str(text)


def one_by_one(migrations: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The same where no script stands for several of them."""
    with monkeypatch.context() as m:
        m.setattr(schema, "MADE_VERSION", len(migrations) + 1)
        return made_by(migrations, monkeypatch)


def test_new_state_has_what_the_migrations_make(monkeypatch: pytest.MonkeyPatch) -> None:
    made = made_by(schema.MIGRATIONS, monkeypatch)
    assert made == one_by_one(schema.MIGRATIONS, monkeypatch)


def test_migrations_behind_the_script_are_run_too(monkeypatch: pytest.MonkeyPatch) -> None:
    more = (*schema.MIGRATIONS, "CREATE TABLE later (a INTEGER) STRICT;\n")
    assert "CREATE TABLE later (a INTEGER) STRICT" in made_by(more, monkeypatch)


def test_script_makes_no_tables_of_an_earlier_version(monkeypatch: pytest.MonkeyPatch) -> None:
    earlier = schema.MIGRATIONS[:-1]
    assert made_by(earlier, monkeypatch) == one_by_one(earlier, monkeypatch)


if __name__ == "__main__":
    print(HEADER, end="")
    print(*one_by_one(schema.MIGRATIONS, pytest.MonkeyPatch()), sep=";\n", end=";\n")
