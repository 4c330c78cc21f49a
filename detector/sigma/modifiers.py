"""Compile an item of a detection, ``field|modifier|modifier: values``, to a condition.

Source of the modifiers: the Sigma specification 2.1.0, "Sigma Modifiers".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from detector.esql import ast
from detector.esql.errors import EsqlError, Span
from detector.esql.like import escape_wildcards
from detector.esql.tree_walk import join_conditions
from detector.sigma.fields import DATE_PARTS, EXISTS, MESSAGE
from detector.sigma.patterns import (
    ANY,
    WildcardPattern,
    base64_text,
    base64_variants,
    expand_placeholders,
    is_literal,
    literal_text,
    map_literals,
    parse_pattern,
    windash_variants,
)
from detector.sigma.yaml_reader import YamlList, YamlNode, YamlScalar
from detector.text.suggest import nearest

Placeholders = Mapping[str, Sequence[str]]

_ORDERS = {"lt": "<", "lte": "<=", "gt": ">", "gte": ">="}
_FLAGS = {"i": "i", "ignorecase": "i", "m": "m", "multiline": "m", "s": "s", "dotall": "s"}
_PARTS_OF_TEXT = ("contains", "startswith", "endswith")
_ENCODINGS = {
    "wide": "utf-16-le",
    "utf16le": "utf-16-le",
    "utf16be": "utf-16-be",
    "utf16": "utf-16",
}
_OF_TEXT = (*_PARTS_OF_TEXT, *_ENCODINGS, "windash", "base64", "base64offset", "cased", "expand")
_OF_LISTS = ("all", "neq")
_KINDS = ("re", "cidr", "fieldref", "exists")
MODIFIERS = (*_OF_TEXT, *_OF_LISTS, *_KINDS, *_ORDERS, *_FLAGS, *DATE_PARTS)


@dataclass(frozen=True, slots=True)
class DetectionItem:
    """An item: its field (``""`` for keywords), its modifiers in order, and its values."""

    field: str
    modifiers: tuple[str, ...]
    values: tuple[YamlScalar, ...]
    span: Span

    @classmethod
    def of(cls, key: str, node: YamlNode, span: Span) -> DetectionItem:
        """Read an item. Raises EsqlError for an unknown modifier, a structure or no value."""
        field, *modifiers = key.split("|")
        for name in modifiers:
            if name not in MODIFIERS:
                raise EsqlError(span, f"no modifier {name}{nearest(name, MODIFIERS)}")
        nodes = node.items if isinstance(node, YamlList) else (node,)
        values = []
        for value in nodes:
            if not isinstance(value, YamlScalar):
                raise EsqlError(value.span, f"{field or 'a keyword'} takes values, not a structure")
            values.append(value)
        if not values:
            raise EsqlError(node.span, f"{field or 'the list'} has no value: write null for none")
        return cls(field.strip(), tuple(modifiers), tuple(values), span)

    def has(self, *names: str) -> bool:
        return any(name in self.modifiers for name in names)

    def column(self, suffix: str = "") -> ast.Column:
        return ast.Column(self.field + suffix, span=self.span)


def condition_of(item: DetectionItem, placeholders: Placeholders) -> ast.Expression:
    """Compile an item. Raises EsqlError for modifiers that do not fit each other or a value."""
    _check_modifiers(item)
    build = _builder(item)
    conditions = [build(item, value, placeholders) for value in item.values]
    condition = _joined(item, conditions)
    if item.has("neq"):
        return ast.Not(condition, span=item.span)
    return condition


def _builder(
    item: DetectionItem,
) -> Callable[[DetectionItem, YamlScalar, Placeholders], ast.Expression]:
    if item.has("re"):
        return _regex
    if item.has("cidr"):
        return _network
    if item.has("fieldref"):
        return _same_text
    if item.has("exists"):
        return _existence
    if item.has(*_ORDERS, *DATE_PARTS):
        return _number
    return _value


def _check_modifiers(item: DetectionItem) -> None:
    kinds = [name for name in item.modifiers if name in (*_KINDS, *_ORDERS)]
    dates = [name for name in item.modifiers if name in DATE_PARTS]
    if len(kinds) > 1 or len(dates) > 1:
        both = " and ".join([*kinds, *dates])
        raise EsqlError(item.span, f"{both} cannot stand together")
    allowed: tuple[str, ...] = (*_OF_TEXT, *_OF_LISTS)
    if item.has("re"):
        allowed = ("re", "expand", "contains", *_FLAGS, *_OF_LISTS)
    elif item.has("fieldref"):
        allowed = ("fieldref", "cased", *_PARTS_OF_TEXT, *_OF_LISTS)
    elif kinds or dates:
        allowed = (*kinds, *dates, *_OF_LISTS)
    for name in item.modifiers:
        if name not in allowed:
            needed = " without re" if name in _FLAGS else f" beside {(kinds or dates)[0]}"
            raise EsqlError(item.span, f"the modifier {name} means nothing{needed}")
    if not item.field and item.has("cidr", "fieldref", "exists", *_ORDERS, *DATE_PARTS):
        raise EsqlError(item.span, f"{item.modifiers[0]} needs a field before it")


def _joined(item: DetectionItem, conditions: list[ast.Expression]) -> ast.Expression:
    """Join the values' conditions with ``or``, or with ``and`` for the modifier ``all``."""
    if item.has("all"):
        return join_conditions("and", conditions, item.span)
    return join_conditions("or", _merged(conditions), item.span)


def _merged(conditions: list[ast.Expression]) -> list[ast.Expression]:
    """Merge value matches that differ only in their values."""
    merged: dict[object, ast.Expression] = {}
    for condition in conditions:
        if not isinstance(condition, ast.ValueMatch):
            merged[len(merged)] = condition
            continue
        key = (condition.field.name, condition.operator, condition.cased)
        present = merged.get(key)
        if isinstance(present, ast.ValueMatch):
            condition = msgspec.structs.replace(present, values=present.values + condition.values)
        merged[key] = condition
    return list(merged.values())


def _match(
    item: DetectionItem, operator: str, values: Sequence[str], suffix: str = ""
) -> ast.ValueMatch:
    column = item.column(suffix)
    if not item.field:
        column = ast.Column(MESSAGE, span=item.span)
    return ast.ValueMatch(column, operator, tuple(values), item.has("cased"), span=item.span)


def _regex(item: DetectionItem, value: YamlScalar, placeholders: Placeholders) -> ast.Expression:
    flags = sorted({_FLAGS[name] for name in item.modifiers if name in _FLAGS})
    inner = "".join(flag for flag in flags if flag != "i")
    texts = _expanded(item, value, placeholders)
    if inner:
        texts = [f"(?{inner}){text}" for text in texts]
    return msgspec.structs.replace(
        _match(item, "regex", texts), cased="i" not in flags, span=value.span
    )


def _network(item: DetectionItem, value: YamlScalar, _: Placeholders) -> ast.Expression:
    return msgspec.structs.replace(_match(item, "cidr", [value.text]), span=value.span)


def _same_text(item: DetectionItem, value: YamlScalar, _: Placeholders) -> ast.Expression:
    operator = next((name for name in _PARTS_OF_TEXT if item.has(name)), "equal")
    if item.has("startswith") and item.has("endswith"):
        operator = "contains"
    other = ast.Column(value.text, span=value.span)
    return ast.SameText(item.column(), other, operator, item.has("cased"), span=item.span)


def _existence(item: DetectionItem, value: YamlScalar, _: Placeholders) -> ast.Expression:
    wanted = str(value.value).lower()
    if wanted not in ("true", "false"):
        raise EsqlError(value.span, f"exists takes true or false, not {value.text}")
    return _match(item, "equal", [wanted], EXISTS)


def _number(item: DetectionItem, value: YamlScalar, _: Placeholders) -> ast.Expression:
    """Compile a comparison of a number or of a part of a date."""
    if isinstance(value.value, bool | None) or not _is_number(value.text):
        raise EsqlError(value.span, f"{item.modifiers[-1]} takes a number, not {value.text}")
    order = next((_ORDERS[name] for name in item.modifiers if name in _ORDERS), "equal")
    part = next((f"|{name}" for name in item.modifiers if name in DATE_PARTS), "")
    text = str(value.value)
    if part and order == "equal":
        text = str(int(float(text)))
    return msgspec.structs.replace(_match(item, order, [text], part), span=value.span)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _value(item: DetectionItem, value: YamlScalar, placeholders: Placeholders) -> ast.Expression:
    """Compile a plain value: null, a boolean, a number or a text with wildcards."""
    if value.value is None:
        if not item.field:
            raise EsqlError(value.span, "null is no keyword: it needs a field")
        return _match(item, "null", ())
    patterns = _patterns(item, value, placeholders)
    matches: list[ast.Expression] = [_pattern_match(item, pattern) for pattern in patterns]
    return join_conditions("or", _merged(matches), item.span)


def _patterns(
    item: DetectionItem, value: YamlScalar, placeholders: Placeholders
) -> list[WildcardPattern]:
    """Return the alternative patterns of a value."""
    if isinstance(value.value, str):
        texts = _expanded(item, value, placeholders)
        patterns = [parse_pattern(text) for text in texts]
    else:
        spellings = dict.fromkeys((value.text, *_spellings(value.value)))
        patterns = [parse_pattern(text) for text in spellings]
    for name in item.modifiers:
        try:
            patterns = [each for pattern in patterns for each in _modified(name, pattern, item)]
        except ValueError as error:
            raise EsqlError(value.span, str(error)) from None
    if not item.field:
        patterns = [_surrounded(pattern) for pattern in patterns]
    return patterns


def _spellings(value: bool | int | float | None) -> list[str]:
    """Return the ways in which JSON can write a value."""
    if isinstance(value, bool):
        return ["true" if value else "false"]
    if isinstance(value, int):
        return [str(value), f"{value}.0"]
    if isinstance(value, float) and value.is_integer():
        return [str(value), str(int(value))]
    return [str(value)]


def _expanded(item: DetectionItem, value: YamlScalar, placeholders: Placeholders) -> list[str]:
    if not item.has("expand"):
        return [value.text]
    try:
        return expand_placeholders(value.text, placeholders)
    except KeyError as error:
        name = error.args[0]
        raise EsqlError(
            value.span,
            f"the placeholder %{name}% has no values: give them in the configuration, "
            f'[placeholders] {name} = ["…"]',
        ) from None
    except ValueError as error:
        raise EsqlError(value.span, str(error)) from None


def _modified(name: str, pattern: WildcardPattern, item: DetectionItem) -> list[WildcardPattern]:
    """Apply a modifier to a pattern. Raises ValueError if it does not apply."""
    if name == "windash":
        return windash_variants(pattern)
    if name == "contains":
        return [_surrounded(pattern)]
    if name == "startswith":
        return [_ended(pattern)]
    if name == "endswith":
        return [_begun(pattern)]
    if name in _ENCODINGS:
        encoding = _ENCODINGS[name]
        return [map_literals(pattern, lambda text: _bytes_as_text(text, encoding))]
    if name in ("base64", "base64offset"):
        if not is_literal(pattern):
            raise ValueError(f"{name} takes a text without wildcards")
        encoded_before = any(each in _ENCODINGS for each in item.modifiers)
        data = literal_text(pattern).encode("latin-1" if encoded_before else "utf-8")
        texts = [base64_text(data)] if name == "base64" else list(base64_variants(data))
        return [parse_pattern(text) for text in texts]
    return [pattern]


def _bytes_as_text(text: str, encoding: str) -> str:
    """Encode a text and return each byte as a character."""
    if encoding == "utf-16":
        return (b"\xff\xfe" + text.encode("utf-16-le")).decode("latin-1")
    return text.encode(encoding).decode("latin-1")


def _begun(pattern: WildcardPattern) -> WildcardPattern:
    return pattern if pattern[:1] == (ANY,) else (ANY, *pattern)


def _ended(pattern: WildcardPattern) -> WildcardPattern:
    return pattern if pattern[-1:] == (ANY,) else (*pattern, ANY)


def _surrounded(pattern: WildcardPattern) -> WildcardPattern:
    return _ended(_begun(pattern))


def _pattern_match(item: DetectionItem, pattern: WildcardPattern) -> ast.ValueMatch:
    """Match a pattern with the cheapest operator that is sufficient."""
    begins = pattern[:1] == (ANY,)
    ends = pattern[-1:] == (ANY,) and len(pattern) > 1
    inner = pattern[begins : len(pattern) - ends]
    if not is_literal(inner):
        return _match(item, "like", ["".join(map(_escaped, pattern))])
    names = {(True, True): "contains", (True, False): "endswith", (False, True): "startswith"}
    return _match(item, names.get((begins, ends), "equal"), [literal_text(inner)])


def _escaped(part: tuple[str, bool]) -> str:
    text, wild = part
    if wild:
        return text
    return escape_wildcards(text)
