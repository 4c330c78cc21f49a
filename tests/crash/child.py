"""The process that is killed: a live pipeline and an analyst.

The faults are injected from outside: a connection class that counts statements, and a counted
``digest``. Nothing of the product knows of them.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import detector.ingest.pipeline
import detector.ingest.reader
from detector.ingest.pipeline import Pipeline
from detector.rules.ruleset import RuleSet
from detector.sources.directory import Directory
from detector.store import IngestHeld, Store, schema
from detector.triage.note import NoteBody

_TRIES = 200


class Death(NamedTuple):
    """The point at which the process dies.

    It dies before or after the ``count``-th step of kind ``by``. For ``moment``, and for
    ``compaction``, which it then repeats, it does not die by itself.
    """

    by: str
    count: int = 0
    after: bool = False


KINDS = ("moment", "statement", "begin", "commit", "decode", "migration", "compaction")


class _Fate:
    """When the process dies; until then it tells of each step in a pipe, ``steps``."""

    def __init__(self, death: Death, steps: int) -> None:
        self._death = death
        self._left = death.count
        self._steps = steps

    def passes(self, kind: str, do: Callable[[], Any]) -> Any:
        """Do a step, or die before or after it."""
        self.tell()
        if kind != self._death.by:
            return do()
        self._left -= 1
        if self._left == 0 and not self._death.after:
            _die()
        done = do()
        if self._left == 0:
            _die()
        return done

    def tell(self) -> None:
        """Tell of a step."""
        os.write(self._steps, b".")


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _mortal(fate: _Fate) -> type[sqlite3.Connection]:
    class Mortal(sqlite3.Connection):
        def execute(self, sql: str, *given: Any) -> sqlite3.Cursor:
            run = partial(super().execute, sql, *given)
            kind = {"BEGIN": "begin", "COMMIT": "commit"}.get(sql.split()[0], "statement")
            if self._migrates(sql):
                kind = "migration"
            if kind != "statement" or self.in_transaction:
                return fate.passes(kind, run)
            fate.tell()
            return run()

        def executemany(self, sql: str, rows: Any, /) -> sqlite3.Cursor:
            return fate.passes("statement", partial(super().executemany, sql, rows))

        def _migrates(self, sql: str) -> bool:
            return sql.lstrip().startswith(
                ("CREATE", "PRAGMA user_version =", "PRAGMA application_id =")
            )

    return Mortal


def migrated(times: int) -> None:
    """Add so many migrations to the newest schema.

    Each copies all the files of the state.
    """
    more = tuple(
        f"CREATE TABLE files_{number} AS SELECT * FROM file_pack; "
        f"CREATE INDEX files_{number}_path ON files_{number} (first_name); "
        f"CREATE TABLE hits_{number} AS SELECT * FROM segment LIMIT 100"
        for number in range(times)
    )
    schema.MIGRATIONS = _OWN + more
    schema.SCHEMA_VERSION = len(schema.MIGRATIONS)
    detector.store.database.SCHEMA_VERSION = schema.SCHEMA_VERSION


_OWN = schema.MIGRATIONS


def live(
    db: Path, logs: Path, rules: RuleSet, death: Death, acknowledged: Path, life: str, steps: int
) -> None:
    """Read until killed, while an analyst writes notes.

    A note is acknowledged once the store has it.
    """
    fate = _Fate(death, steps)
    sqlite3.connect = partial(sqlite3.connect, factory=_mortal(fate))
    digest = detector.ingest.reader.digest
    detector.ingest.reader.digest = lambda *given: fate.passes("decode", partial(digest, *given))
    detector.ingest.pipeline._COMMIT_FILES = 3
    detector.ingest.pipeline._SWEEP_EVERY = 0.02
    store = Store.open(db)
    while death.by == "compaction":
        _once_free(lambda: store.retention.vacuum(retention=1 << 40))
        time.sleep(0.01)  # one after the other would let no colleague write for half a minute
    threading.Thread(target=_write_notes, args=(store, acknowledged, life), daemon=True).start()
    pipeline = _once_free(lambda: Pipeline(store, rules, Directory([logs]), jobs=1))
    pipeline.run(threading.Event(), lambda update: None)


def _once_free(do: Callable[[], Any]) -> Any:
    """Do what only one process may: a colleague who migrates the state holds it for a moment."""
    for _ in range(_TRIES):
        try:
            return do()
        except IngestHeld:
            time.sleep(0.05)
    return do()


def _write_notes(store: Store, acknowledged: Path, life: str) -> None:
    log = os.open(acknowledged, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    number = 0
    while True:
        time.sleep(0.02)
        for alert in store.alerts.all()[:1]:
            number += 1
            text = f"{life}.{number}"
            store.triage.add_notes([alert], NoteBody(text))
            os.write(log, f"{text}\n".encode())
