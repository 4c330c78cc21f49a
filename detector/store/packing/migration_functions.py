"""The SQL functions that migrations call."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any


class MigrationFunctions:
    """Adds SQL functions to a connection.

    If a function fails, SQLite reports only that it failed; ``raised`` holds the exceptions."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.raised: list[BaseException] = []

    def add(self, name: str, parameters: int, function: Callable[..., Any]) -> None:
        """Add a function; one with parameters must be deterministic."""

        def call(*values: Any) -> Any:
            try:
                return function(*values)
            except BaseException as error:
                self.raised.append(error)
                raise

        self.connection.create_function(name, parameters, call, deterministic=parameters > 0)
