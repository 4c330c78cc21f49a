"""The keys of SORT."""

from __future__ import annotations

from typing import Any

import msgspec

from detector.ecs.values import Type, many, order
from detector.esql.expressions.scope import Getter, RowSlots


class SortKey(msgspec.Struct, frozen=True):
    """A key of SORT."""

    read: Getter
    type: Type
    descending: bool
    nulls_first: bool

    def of(self, row: RowSlots) -> tuple[bool, Any]:
        """Return the sort key of a row.

        A multivalue sorts by its smallest value, or by its greatest if descending."""
        values = many(self.read(row))
        if not values:
            return self.nulls_first == self.descending, ""
        extreme = max if self.descending else min
        return self.nulls_first != self.descending, extreme(map(order(self.type), values))
