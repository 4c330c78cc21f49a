"""The oracle: Sigma rules over raw records, by pySigma's parser and an evaluator of its own.

It shares no code with the detector: pySigma reads the rule, and every condition is evaluated on the
record as ``json`` decodes it.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionNOT,
    ConditionOR,
    ConditionValueExpression,
)
from sigma.rule import SigmaRule
from sigma.types import (
    CompareOperators,
    SigmaBool,
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaString,
    SigmaTimestampPart,
    SpecialChars,
)

Raw = dict[str, Any]


def hits(rule_text: str, record: Raw) -> bool:
    """Whether a rule's condition is true of a record."""
    rule = SigmaRule.from_yaml(rule_text)
    return any(_holds(parsed.parsed, record) for parsed in rule.detection.parsed_condition)


def _holds(node: Any, record: Raw) -> bool:
    match node:
        case ConditionAND(args):
            return all(_holds(each, record) for each in args)
        case ConditionOR(args):
            return any(_holds(each, record) for each in args)
        case ConditionNOT(args):
            return not _holds(args[0], record)
        case ConditionFieldEqualsValueExpression():
            return _field_has(node.field, node.value, record)
        case ConditionValueExpression():
            return _says(node.value, record)
    raise AssertionError(node)


def _field_has(field: str, value: Any, record: Raw) -> bool:
    if isinstance(value, SigmaExists):
        return _is_there(record, field) is value.exists
    if isinstance(value, SigmaExpansion):
        return any(_field_has(field, each, record) for each in value.values)
    found = texts(record, field)
    if isinstance(value, SigmaNull):
        return not found
    if isinstance(value, SigmaFieldReference):
        return _refers(found, texts(record, value.field), value)
    return any(_passes(text, value) for text in found)


def _refers(left: list[str], right: list[str], value: SigmaFieldReference) -> bool:
    compare = {
        (False, False): lambda a, b: a == b,
        (True, False): lambda a, b: a.startswith(b),
        (False, True): lambda a, b: a.endswith(b),
        (True, True): lambda a, b: b in a,
    }[value.starts_with, value.ends_with]
    return any(compare(a.casefold(), b.casefold()) for a in left for b in right)


def _passes(text: str, value: Any) -> bool:
    match value:
        case SigmaCompareExpression():
            return _compares(text, value)
        case SigmaTimestampPart():
            return _date_part(text, value.timestamp_part.name) == int(value.number)
        case SigmaNumber():
            return text in (str(value.number), f"{value.number}.0")
        case SigmaBool():
            return text.lower() == str(value.boolean).lower()
        case SigmaRegularExpression():
            flags = 0
            for flag in value.flags:
                flags |= getattr(re, flag.name)
            pattern = "".join(part for part in value.regexp.s if isinstance(part, str))
            return re.search(pattern, text, flags) is not None
        case SigmaCIDRExpression():
            try:
                return ipaddress.ip_address(text) in value.network
            except ValueError:
                return False
        case SigmaString():
            return _glob(value).fullmatch(text) is not None
    raise AssertionError(value)


def _glob(value: SigmaString, anywhere: bool = False) -> re.Pattern[str]:
    wild = {SpecialChars.WILDCARD_MULTI: ".*", SpecialChars.WILDCARD_SINGLE: "."}
    pattern = "".join(wild[part] if part in wild else re.escape(part) for part in value.s)
    if anywhere:
        pattern = f".*{pattern}.*"
    flags = re.DOTALL
    if not isinstance(value, SigmaCasedString):
        flags |= re.IGNORECASE
    return re.compile(pattern, flags)


def _compares(text: str, value: SigmaCompareExpression) -> bool:
    try:
        number = float(text)
    except ValueError:
        return False
    limit = float(value.number.number)
    return {
        CompareOperators.LT: number < limit,
        CompareOperators.LTE: number <= limit,
        CompareOperators.GT: number > limit,
        CompareOperators.GTE: number >= limit,
        CompareOperators.NEQ: number != limit,
    }[value.op]


def _date_part(text: str, part: str) -> int | None:
    try:
        date = datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return None
    if part == "WEEK":
        return date.isocalendar().week
    return int(getattr(date, part.lower()))


def _says(value: Any, record: Raw) -> bool:
    if isinstance(value, SigmaExpansion):
        return any(_says(each, record) for each in value.values)
    message = [_text(record), *_strings(record)]
    if isinstance(value, SigmaNumber):
        return any(str(value.number) in text for text in message)
    if isinstance(value, SigmaString):
        return any(_glob(value, anywhere=True).fullmatch(text) for text in message)
    return any(_passes(text, value) for text in message)


def texts(record: Any, field: str) -> list[str]:
    """The values at a path, as texts; each element of a list is one."""
    return [_text(value) for value in _reach(record, field) if value is not None]


def _reach(value: Any, path: str) -> Iterator[Any]:
    if isinstance(value, list):
        for item in value:
            yield from _reach(item, path)
    elif not path:
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            if path == key:
                yield from _reach(inner, "")
            elif path.startswith(f"{key}."):
                yield from _reach(inner, path.removeprefix(f"{key}."))


def _is_there(value: Any, path: str) -> bool:
    if isinstance(value, list):
        return any(_is_there(item, path) for item in value)
    if not isinstance(value, dict):
        return False
    return any(
        path == key or (path.startswith(f"{key}.") and _is_there(inner, path[len(key) + 1 :]))
        for key, inner in value.items()
    )


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _strings(inner)
