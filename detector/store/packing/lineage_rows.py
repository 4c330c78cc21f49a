"""The rows of lineages, which alerts of the same related principals share."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import msgspec

from detector.detection.principal import PrincipalNames, RelatedPrincipals
from detector.store.packing.content_id import content_id

_decoder = msgspec.json.Decoder(RelatedPrincipals)
_NO_HOP = PrincipalNames()


class Lineage(NamedTuple):
    """The row of related principals."""

    lineage_id: int
    body: str
    has_hop: bool
    """Whether the principal is known by other names too."""

    @classmethod
    def of(cls, related: RelatedPrincipals) -> Lineage:
        """Return the row of related principals."""
        body = msgspec.json.encode(related)
        return cls(content_id(body), body.decode(), related.hop != _NO_HOP)


def insert_lineages(connection: sqlite3.Connection, lineages: Iterable[Lineage]) -> None:
    """Write the lineages that are new."""
    connection.executemany(
        "INSERT OR IGNORE INTO lineage (lineage_id, body) VALUES (?, ?)",
        [lineage[:2] for lineage in sorted(lineages)],
    )


class Lineages(dict[int, RelatedPrincipals]):
    """Related principals by the id of their row, read on demand and cached."""

    def __init__(self, query: Callable[..., list[Any]]) -> None:
        self._query = query

    def read(self, lineage_ids: Iterable[int]) -> None:
        """Read several lineages with one query."""
        wanted = sorted(set(lineage_ids).difference(self))
        for lineage_id, body in self._query(
            "SELECT lineage_id, body FROM lineage "
            "WHERE lineage_id IN (SELECT value FROM json_each(?))",
            msgspec.json.encode(wanted).decode(),
        ):
            self[lineage_id] = _decoder.decode(body)

    def __missing__(self, lineage_id: int) -> RelatedPrincipals:
        rows = self._query("SELECT body FROM lineage WHERE lineage_id = ?", lineage_id)
        related = self[lineage_id] = _decoder.decode(rows[0][0] if rows else "")
        return related
