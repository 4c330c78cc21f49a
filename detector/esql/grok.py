"""GROK: extracts columns from a text with a regex that has named groups.

``%{NAME:column:type}`` uses one of the patterns below, ``(?<column>…)`` is a named group. The regex
is searched anywhere in the text. Source: Elastic's ES|QL reference, "Process data with GROK"; the
syntax is Oniguruma's Ruby syntax. The named patterns were written for trailhound to match what
their usual names stand for.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import msgspec

from detector.ecs.values import Type, converted_number
from detector.esql.regex import Regex, Spans
from detector.text.late_pattern import late_pattern
from detector.text.suggest import nearest

_OCTET = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
PATTERNS = {
    "WORD": r"\b\w+\b",
    "NOTSPACE": r"\S+",
    "SPACE": r"\s*",
    "DATA": r".*?",
    "GREEDYDATA": r".*",
    "INT": r"[+-]?\d+",
    "POSINT": r"\b[1-9]\d*\b",
    "NONNEGINT": r"\b\d+\b",
    "NUMBER": r"(?<![\d.+-])[+-]?(?:\d+(?:\.\d+)?|\.\d+)",
    "BASE10NUM": r"(?<![\d.+-])[+-]?(?:\d+(?:\.\d+)?|\.\d+)",
    "BASE16NUM": r"(?<![0-9A-Fa-f])[+-]?(?:0x)?[0-9A-Fa-f]+",
    "BOOLEAN": r"(?i:true|false)",
    "USERNAME": r"[A-Za-z0-9._-]+",
    "USER": r"[A-Za-z0-9._-]+",
    "EMAILLOCALPART": r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*",
    "EMAILADDRESS": r"%{EMAILLOCALPART}@%{HOSTNAME}",
    "HOSTNAME": r"\b[0-9A-Za-z][0-9A-Za-z-]{0,62}(?:\.[0-9A-Za-z][0-9A-Za-z-]{0,62})*\.?(?!\w)",
    "IPV4": rf"(?<!\d){_OCTET}(?:\.{_OCTET}){{3}}(?!\d)",
    "IPV6": r"(?<![:.\w])(?:[0-9A-Fa-f]{1,4}:){1,7}(?::|(?::?[0-9A-Fa-f]{1,4})+)(?:%\w+)?(?![:\w])"
    r"|(?<![:.\w])::(?:[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{1,4})*)?(?![:\w])",
    "IP": r"(?:%{IPV6}|%{IPV4})",
    "IPORHOST": r"(?:%{IP}|%{HOSTNAME})",
    "UUID": r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}",
    "QUOTEDSTRING": r"(?:\"(?:\\.|[^\\\"])*\"|'(?:\\.|[^\\'])*'|`(?:\\.|[^\\`])*`)",
    "QS": r"%{QUOTEDSTRING}",
    "URIPROTO": r"[A-Za-z][A-Za-z0-9+.-]+",
    "URIHOST": r"%{IPORHOST}(?::\d+)?",
    "URIPATH": r"(?:/[A-Za-z0-9$.+!*'(){},~:;=@#%&_-]*)+",
    "URI": r"%{URIPROTO}://(?:[^@\s/]*@)?(?:%{URIHOST})?(?:%{URIPATH}(?:\?\S*)?)?",
    "UNIXPATH": r"(?:/[^\s/]*)+",
    "PATH": r"(?:(?:/[^\s/]*)+|(?:[A-Za-z]+:|\\)(?:\\[^\\?*]*)+)",
    "YEAR": r"(?:\d\d){1,2}",
    "MONTHNUM": r"(?:0?[1-9]|1[0-2])",
    "MONTHDAY": r"(?:0[1-9]|[12]\d|3[01]|[1-9])",
    "HOUR": r"(?:2[0-3]|[01]?\d)",
    "MINUTE": r"[0-5]\d",
    "SECOND": r"(?:[0-5]?\d|60)(?:[:.,]\d+)?",
    "TIME": r"%{HOUR}:%{MINUTE}(?::%{SECOND})?",
    "TIMESTAMP_ISO8601": r"%{YEAR}-%{MONTHNUM}-%{MONTHDAY}[T ]%{HOUR}:?%{MINUTE}(?::?%{SECOND})?"
    r"(?:Z|[+-]\d\d(?::?\d\d)?)?",
}
_TYPES: dict[str, Type] = {
    "": "keyword",
    "keyword": "keyword",
    "string": "keyword",
    "int": "integer",
    "integer": "integer",
    "long": "long",
    "double": "double",
    "float": "double",
    "boolean": "boolean",
}
_POSIX = {
    "alpha": "A-Za-z",
    "digit": "0-9",
    "alnum": "A-Za-z0-9",
    "upper": "A-Z",
    "lower": "a-z",
    "space": r"\s",
    "xdigit": "0-9A-Fa-f",
    "word": r"\w",
    "punct": r"!-/:-@\[-`{-~",
    "blank": r" \t",
}


_ANCHORS = {"\\h": "[0-9A-Fa-f]", "\\z": r"\Z", "\\Z": "(?-m:$)"}
_MOST_NESTED = 20


class ExtractedColumn(msgspec.Struct, frozen=True):
    """A column of GROK or DISSECT.

    ``repeated``: its name occurs more than once in the pattern, so it can be multivalued.
    """

    type: Type
    repeated: bool


ColumnValues = list[list[Any]]
"""The values of each column in one text."""


def compile_grok(
    pattern: str,
) -> tuple[dict[str, ExtractedColumn], Callable[[str], ColumnValues | None]]:
    """Compile a pattern to columns and a function that extracts their values.

    The function returns None for a text that does not match. Raises ValueError for an invalid
    pattern.
    """
    translation = _Translation()
    regex = Regex(translation.translate(pattern), re.MULTILINE)
    numbers: dict[str, list[int]] = defaultdict(list)
    types: dict[str, Type] = {}
    for label, name, type in translation.groups:
        numbers[name].append(regex.group_numbers[label])
        if types.setdefault(name, type) != type:
            raise ValueError(different_types(name, types[name], type))
    if not numbers:
        raise ValueError("the pattern names no column")
    columns = {name: ExtractedColumn(types[name], len(numbers[name]) > 1) for name in numbers}

    def extract(text: str) -> ColumnValues | None:
        spans = regex.search(text)
        if spans is None:
            return None
        return [_values(text, [spans[n] for n in numbers[name]], types[name]) for name in columns]

    return columns, extract


def different_types(name: str, first: Type, second: Type) -> str:
    """Return the error message for a column that would have two types."""
    return f"the column {name} is defined with different types: {first} and {second}"


def _values(text: str, spans: Spans, type: Type) -> list[Any]:
    values = [_converted(text[start:end], type) for start, end in spans if start >= 0]
    return [value for value in values if value is not None]


def _converted(text: str, type: Type) -> Any:
    if type == "keyword":
        return text
    if type == "boolean":
        return text.lower() == "true"
    try:
        return converted_number(float(text) if type == "double" else int(text), type)
    except ValueError:
        return None


class _Translation:
    """Translates a pattern to Python's syntax.

    ``groups`` has the label, column and type of each named group; labels are needed because a
    column's name may not be a valid group name in Python.
    """

    def __init__(self) -> None:
        self.groups: list[tuple[str, str, Type]] = []

    def translate(self, pattern: str, depth: int = 0) -> str:
        if depth > _MOST_NESTED:
            raise ValueError("the patterns refer to each other without end")
        return _PART.sub(lambda match: self._part(match, depth), pattern)

    def _part(self, match: re.Match[str], depth: int) -> str:
        if match["named"]:
            return self._named_pattern(match, depth)
        if match["own"]:
            return self._group(match["own"], "keyword")
        if match["posix"]:
            if match["posix"] not in _POSIX:
                raise ValueError(f"no character class [:{match['posix']}:]")
            return _POSIX[match["posix"]]
        return _ANCHORS.get(match[0], match[0])

    def _named_pattern(self, match: re.Match[str], depth: int) -> str:
        name, type_name = match["named"], match["type"] or ""
        if name not in PATTERNS:
            raise ValueError(f"no pattern {name}{nearest(name, PATTERNS)}")
        if type_name not in _TYPES:
            raise ValueError(f"no type {type_name}{nearest(type_name, _TYPES)}")
        opening = "(?:"
        if match["column"]:
            opening = self._group(match["column"], _TYPES[type_name])
        return f"{opening}{self.translate(PATTERNS[name], depth + 1)})"

    def _group(self, column: str, type: Type) -> str:
        label = f"g{len(self.groups)}"
        self.groups.append((label, column, type))
        return f"(?P<{label}>"


_PART = late_pattern(
    r"%\{(?P<named>\w+)(?::(?P<column>[\w.@-]+)(?::(?P<type>\w+))?)?\}"
    r"|\(\?<(?P<own>[A-Za-z_@][\w.@-]*)>|\[:(?P<posix>\w+):\]|\\.",
    re.DOTALL,
)
