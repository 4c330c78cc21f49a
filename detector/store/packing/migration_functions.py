"""The functions that migrations call."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any


class MigrationFunctions:
    """Adds functions to a connection.

    Of one that fails SQLite says only that it has: ``raised`` says why."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.raised: list[BaseException] = []

    def add(self, name: str, parameters: int, function: Callable[..., Any]) -> None:
        """Add a function, whose results follow from its parameters where it has any."""

        def call(*values: Any) -> Any:
            try:
                return function(*values)
            except BaseException as error:
                self.raised.append(error)
                raise

        self.connection.create_function(name, parameters, call, deterministic=parameters > 0)
