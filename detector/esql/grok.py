"""GROK: columns from a text by a regular expression with named parts.

``%{NAME:column:type}`` uses one of the patterns below, ``(?<column>…)`` names a part of one's own. The expression is
looked for anywhere in the text. Source: Elastic's ES|QL reference, "Process data with GROK"; the expressions are
Oniguruma's, in its Ruby form. The named patterns are ours, for what the usual names stand for.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from detector.ecs.values import Type, converted_number
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


@dataclass(frozen=True, slots=True)
class Column:
    """``repeated``: its name stands more than once in the pattern, so that it can have several
    values."""

    type: Type
    repeated: bool


Parts = list[list[Any]]
"""For each column the values that were found."""


def grokker(pattern: str) -> tuple[dict[str, Column], Callable[[str], Parts | None]]:
    """The columns, and what gives their values for a text: None where it does not match.

    Raises ValueError for what is no pattern.
    """
    translation = _Translation()
    try:
        # What begins with any text matches from the start of a line, or nowhere in it: it is not
        # tried at each place.
        begin = "^" if re.match(r"%\{(GREEDY)?DATA[:}]|\.\*", pattern) else ""
        compiled = re.compile(begin + translation.of(pattern), re.MULTILINE)
    except (re.error, OverflowError) as error:
        raise ValueError(f"no regular expression: {error}") from None
    if not translation.groups:
        raise ValueError("the pattern names no column")
    places = {
        name: [number for number, (other, _) in enumerate(translation.groups) if other == name]
        for name, _ in translation.groups
    }
    columns = {
        name: Column(translation.groups[numbers[0]][1], len(numbers) > 1)
        for name, numbers in places.items()
    }

    def grok(text: str) -> Parts | None:
        if not (found := compiled.search(text)):
            return None
        return [
            [
                value
                for number in numbers
                if (part := found[f"g{number}"]) is not None
                and (value := _converted(part, columns[name].type)) is not None
            ]
            for name, numbers in places.items()
        ]

    return columns, grok


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
    """Python's form of an expression; its groups get numbers, since columns' names are no names of
    groups there."""

    def __init__(self) -> None:
        self.groups: list[tuple[str, Type]] = []

    def of(self, pattern: str, depth: int = 0) -> str:
        if depth > 20:
            raise ValueError("the patterns refer to each other without end")

        def group(name: str, type: Type) -> str:
            self.groups.append((name, type))
            return f"(?P<g{len(self.groups) - 1}>"

        def used(found: re.Match[str]) -> str:
            kind, name, wanted = found["kind"], found["column"], found["type"] or ""
            if kind not in PATTERNS:
                raise ValueError(f"no pattern {kind}{nearest(kind, PATTERNS)}")
            if wanted not in _TYPES:
                raise ValueError(f"no type {wanted}{nearest(wanted, _TYPES)}")
            opening = group(name, _TYPES[wanted]) if name else "(?:"
            return f"{opening}{self.of(PATTERNS[kind], depth + 1)})"

        def part(found: re.Match[str]) -> str:
            if found["kind"]:
                return used(found)
            if found["own"]:
                return group(found["own"], "keyword")
            if found["posix"]:
                if found["posix"] not in _POSIX:
                    raise ValueError(f"no character class [:{found['posix']}:]")
                return _POSIX[found["posix"]]
            return {"\\h": "[0-9A-Fa-f]", "\\z": r"\Z", "\\Z": r"(?=\n?\Z)"}.get(found[0], found[0])

        return _PART.sub(part, pattern)


_PART = re.compile(
    r"%\{(?P<kind>\w+)(?::(?P<column>[\w.@-]+)(?::(?P<type>\w+))?)?\}"
    r"|\(\?<(?P<own>[A-Za-z_@][\w.@-]*)>|\[:(?P<posix>\w+):\]|\\.",
    re.DOTALL,
)
