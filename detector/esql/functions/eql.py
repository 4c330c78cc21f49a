"""EQL functions that ES|QL lacks, registered as ``eql.`` and their names.

The names of case-insensitive ones end in ``~``. They are registered here, and not with EQL's
parser, because a rule from the cache is compiled without parsing its EQL. Positions are character
offsets from 0. Source: Elasticsearch's EQL function reference.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from detector.ecs.values import Type, number_from_text, text_of
from detector.esql.functions.registry import FUNCTIONS, Function, bounded_join
from detector.esql.functions.signature import Signature


def _register(signature: str, implementation: Callable[..., Any], typed: bool = False) -> None:
    parsed = Signature.parse(signature)
    FUNCTIONS[f"eql.{parsed.name}"] = Function(parsed, implementation, typed, {})


def _register_pair(signature: str, implementation: Callable[..., Any]) -> None:
    """Register a text function and its case-insensitive variant ``~``."""
    _register(signature, implementation)

    def folded(*arguments: Any) -> Any:
        return implementation(*arguments, fold=str.lower)

    parsed = Signature.parse(signature)
    FUNCTIONS[f"eql.{parsed.name}~"] = Function(parsed, folded, False, {})


Fold = Callable[[str], str]


def _between(text: str, left: str, right: str, greedy: bool = False, fold: Fold = str) -> str:
    """Return the text between two delimiters; ``greedy``: up to the last right delimiter."""
    if not (text and left and right):
        return text
    searched, wanted = fold(text), fold(right)
    start = searched.find(fold(left))
    if start < 0:
        return ""
    start += len(left)
    end = searched.find(wanted, start)
    if greedy:
        end = searched.rfind(wanted, start)
    if end < 0:
        return ""
    return text[start:end]


def _index_of(text: str, part: str, start: int = 0, fold: Fold = str) -> int:
    position = fold(text).find(fold(part), max(start, 0))
    if position < 0:
        raise ValueError  # null
    return position


def _substring(text: str, start: int, end: int | None = None) -> str:
    return text[start:end]


def _number(text: str, base: int | None = None) -> float:
    """Convert a text to a number. Raises ValueError (null) if it is not one."""
    text = text.strip()
    is_hexadecimal = text.startswith("0x")
    if base is None:
        base = 16 if is_hexadecimal else 10
    if base == 10:
        number = number_from_text(text, "double")
        if number is None:
            raise ValueError
        return float(number)
    if is_hexadecimal and base == 16:
        text = text[2:]
    if not text.lstrip("+-").isalnum() or len(text) > 64:
        raise ValueError
    return float(int(text, base))


def _concat(*values: Any, types: tuple[Type, ...]) -> str:
    return bounded_join([text_of(value, type) for value, type in zip(values, types, strict=True)])


def _string(value: Any, types: tuple[Type, ...]) -> str:
    return text_of(value, types[0])


def _starts_with(text: str, prefix: str, fold: Fold = str) -> bool:
    return fold(text).startswith(fold(prefix))


def _ends_with(text: str, suffix: str, fold: Fold = str) -> bool:
    return fold(text).endswith(fold(suffix))


def _contains(text: str, part: str, fold: Fold = str) -> bool:
    return bool(part) and fold(part) in fold(text)


_register_pair("between(keyword, keyword, keyword, boolean?) -> keyword", _between)
_register("concat(any...) -> keyword", _concat, typed=True)
_register_pair("endsWith(keyword, keyword) -> boolean", _ends_with)
_register_pair("indexOf(keyword, keyword, integer?) -> integer", _index_of)
_register("length(keyword) -> integer", len)
_register("number(keyword, integer?) -> double", _number)
_register_pair("startsWith(keyword, keyword) -> boolean", _starts_with)
_register("string(any) -> keyword", _string, typed=True)
_register_pair("stringContains(keyword, keyword) -> boolean", _contains)
_register("substring(keyword, integer, integer?) -> keyword", _substring)
