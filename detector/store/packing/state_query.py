"""Queries on a state, either on its committed content or within a transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

StateQuery = Callable[..., list[Any]]
"""Runs an SQL query with parameters and returns its rows, as committed or as in a transaction."""


def query_of(connection: sqlite3.Connection) -> StateQuery:
    """Return a query function that reads within the transaction of ``connection``."""
    return lambda sql, *parameters: connection.execute(sql, parameters).fetchall()
