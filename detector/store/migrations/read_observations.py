"""The migration that drops observations which nothing reads.

These are the user agents and networks of principals, and all names but those of selections.
"""

from __future__ import annotations

READ_OBSERVATIONS = """
CREATE TEMP TABLE former AS
    SELECT kind, who, what, first FROM sight WHERE kind NOT IN (6, 7, 8)
    UNION ALL SELECT kind, name_number(''), name, first
    FROM sight JOIN observed USING (who) WHERE kind = 8;
DROP TABLE sight;
DROP TABLE observed;
CREATE TABLE sight (           -- the baseline: when something was first observed
    kind  INTEGER NOT NULL,
    who   INTEGER NOT NULL,            -- a hash of the name of an account, principal or key
    what  TEXT NOT NULL,
    first INTEGER NOT NULL,
    PRIMARY KEY (kind, who, what)
) STRICT, WITHOUT ROWID;
INSERT INTO sight SELECT * FROM former;
DROP TABLE former;
"""
"""The migration script. It calls ``name_number``."""
