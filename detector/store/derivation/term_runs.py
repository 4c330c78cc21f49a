"""The runs of new-terms series: the first and the last hit of each run.

A hit of a new-terms rule raises an alert if the series has no other hit within the rule's history
before it. A run is a sequence of hits without such a gap, so the first hit and the last time of
each run are enough to derive the alerts of a series, and most hits change neither.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from detector.cloudtrail.record import json_text
from detector.detection.event import Series
from detector.store.database import Database, pages

Run = tuple[int, bytes, int]
"""The time and identity of the first hit, and the time of the last hit."""

_decoder = msgspec.msgpack.Decoder(tuple[Run, ...])
_PAGE = 500


class TermRuns:
    """The stored runs of new-terms series."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(
        self, connection: sqlite3.Connection, series: Iterable[Series]
    ) -> dict[Series, tuple[Run, ...]]:
        """Return the runs of series; series without runs are left out."""
        by_id = {_series_id(each): each for each in series}
        runs = {}
        for page in pages(list(by_id), _PAGE):
            for series_id, packed in connection.execute(
                "SELECT series_id, runs FROM term_run "
                f"WHERE series_id IN ({', '.join('?' * len(page))})",
                page,
            ):
                runs[by_id[series_id]] = _decoder.decode(packed)
        return runs

    def write(self, connection: sqlite3.Connection, runs: Mapping[Series, Sequence[Run]]) -> None:
        """Write the runs of series."""
        numbers = dict(connection.execute("SELECT rule_id, number FROM rule_number"))
        connection.executemany(
            "INSERT OR REPLACE INTO term_run (series_id, rule, runs) VALUES (?, ?, ?)",
            sorted(
                (_series_id(series), numbers[series.rule_id], msgspec.msgpack.encode(own))
                for series, own in runs.items()
            ),
        )


def join_runs(runs: Iterable[Run], history: int) -> tuple[Run, ...]:
    """Join runs, in order of time, that are less than ``history`` seconds apart."""
    joined: list[Run] = []
    for first, identity, last in sorted(runs):
        if joined and first - joined[-1][2] < history:
            begun, begun_by, ended = joined[-1]
            joined[-1] = (begun, begun_by, max(ended, last))
        else:
            joined.append((first, identity, last))
    return tuple(joined)


def _series_id(series: Series) -> int:
    """Return a 64-bit hash of a series; storing its name would take more space than its runs."""
    text = json_text([series.rule_id, series.key])
    digest = hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
