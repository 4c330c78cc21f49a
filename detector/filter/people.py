"""Names of people in filters; ``me`` stands for the current user."""

from __future__ import annotations

import msgspec

from detector.filter.field_types import Test, Text
from detector.filter.parser import FilterValue

_ME = "me"
_my_name = ""


def use_my_name(name: str) -> None:
    """Set the name that ``me`` stands for."""
    global _my_name
    _my_name = name


class Person(Text, frozen=True):
    """A person's name; unquoted ``me`` matches exactly the current user's name."""

    description = "name, or me"

    def test(self, operator: str, value: FilterValue, reference: float) -> Test:
        if (
            _my_name
            and value.text.casefold() == _ME
            and not value.quoted
            and operator in (":", "=")
        ):
            return super().test("=", msgspec.structs.replace(value, text=_my_name), reference)
        return super().test(operator, value, reference)
