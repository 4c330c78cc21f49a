"""The reading of a state, of what is committed or within a transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

StateQuery = Callable[..., list[Any]]
"""Return the rows of a query with these parameters: committed ones, or those of a transaction."""


def query_of(connection: sqlite3.Connection) -> StateQuery:
    """Return the query of the transaction of ``connection``."""
    return lambda sql, *parameters: connection.execute(sql, parameters).fetchall()
