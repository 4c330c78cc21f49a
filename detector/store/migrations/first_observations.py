"""The migration that drops the last time of observations, which nothing reads."""

from __future__ import annotations

FIRST_OBSERVATIONS = """
CREATE TEMP TABLE former AS SELECT kind, who, what, first FROM sight;
DROP TABLE sight;
CREATE TABLE sight (           -- the baseline: when something was first observed
    kind  TEXT NOT NULL,
    who   TEXT NOT NULL,
    what  TEXT NOT NULL,
    first INTEGER NOT NULL,
    PRIMARY KEY (kind, who, what)
) STRICT, WITHOUT ROWID;
INSERT INTO sight SELECT * FROM former;
DROP TABLE former;
"""
