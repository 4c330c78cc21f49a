"""The runs of new terms: of each series the first and the last hit, as long as none is missing.

A hit raises an alert where none is shortly before it. So a series is known by the first hit and the
last time of each run of hits that follow each other closely, and most hits change neither.
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
"""Time and identity of the first hit, and the time of the last."""

_decoder = msgspec.msgpack.Decoder(tuple[Run, ...])
_PAGE = 500


class TermRuns:
    """The runs of the series of new terms."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(
        self, connection: sqlite3.Connection, series: Iterable[Series]
    ) -> dict[Series, tuple[Run, ...]]:
        """Return the runs of series; nothing for a series that has none."""
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
    """Join runs of which one begins less than ``history`` seconds after a hit of another."""
    joined: list[Run] = []
    for first, identity, last in sorted(runs):
        if joined and first - joined[-1][2] < history:
            begun, begun_by, ended = joined[-1]
            joined[-1] = (begun, begun_by, max(ended, last))
        else:
            joined.append((first, identity, last))
    return tuple(joined)


def _series_id(series: Series) -> int:
    """Return a hash: the names of all series would take more room than their runs."""
    text = json_text([series.rule_id, series.key])
    digest = hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
