"""The migration to numbered observations; each repeated its kind and its subject's name as text."""

from __future__ import annotations

from detector.detection.baseline import ObservationKind
from detector.store.packing.content_id import name_number
from detector.store.packing.migration_functions import MigrationFunctions

KIND_NUMBERS: dict[ObservationKind, int] = {
    "account": 0,
    "principal": 1,
    "access-key": 2,
    "region": 3,
    "changed-region": 4,
    "principal-region": 5,
    "selection": 8,
}
"""The stored numbers of the kinds of observation; 6 and 7 were user agents and networks."""

OBSERVATION_NUMBERS = """
CREATE TEMP TABLE former AS SELECT kind, who, what, first FROM sight;
DROP TABLE sight;
CREATE TABLE observed (        -- accounts, principals and keys that something was observed of
    who  INTEGER PRIMARY KEY,           -- a hash of the name
    name TEXT NOT NULL
) STRICT;
CREATE TABLE sight (           -- the baseline: when something was first observed
    kind  INTEGER NOT NULL,
    who   INTEGER NOT NULL,            -- of ``observed``
    what  TEXT NOT NULL,
    first INTEGER NOT NULL,
    PRIMARY KEY (kind, who, what)
) STRICT, WITHOUT ROWID;
INSERT INTO observed SELECT name_number(who), who FROM (SELECT DISTINCT who FROM former);
INSERT INTO sight SELECT kind_number(kind), name_number(who), what, first FROM former
    WHERE kind NOT IN ('principal-agent', 'principal-network');
DROP TABLE former;
"""
"""The migration script. It calls ``name_number`` and ``kind_number``."""


def add_observation_functions(functions: MigrationFunctions) -> None:
    """Add the SQL functions that the migration calls."""
    functions.add("name_number", 1, name_number)
    functions.add("kind_number", 1, KIND_NUMBERS.__getitem__)
