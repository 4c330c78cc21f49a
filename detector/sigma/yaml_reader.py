"""Parse YAML into a tree whose nodes know their positions in the text.

Rule files are untrusted, so size, depth and alias expansion are limited. The tree is built from
PyYAML's events, so that every node is counted before it is built.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import yaml

from detector.esql.errors import QUERY_START, EsqlError, Span

MAX_CHARACTERS = 4_000_000
"""The largest accepted file; the largest public rule collections are a tenth of this."""
_MAX_DEPTH = 60
_MAX_NODES = 400_000
"""The most nodes in a file, with aliases expanded."""
_MAX_DOCUMENTS = 5_000
_MERGE = "<<"


@dataclass(frozen=True, slots=True)
class YamlScalar:
    """A scalar value; ``text`` is its source form."""

    value: str | int | float | bool | None
    text: str
    span: Span = field(repr=False, compare=False)
    size: int = field(default=1, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class YamlList:
    items: tuple[YamlNode, ...]
    span: Span = field(repr=False, compare=False)
    size: int = field(default=1, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class YamlMap:
    """Nodes by key; ``keys`` has the key nodes, with their positions."""

    entries: Mapping[str, YamlNode]
    keys: Mapping[str, YamlScalar]
    span: Span = field(repr=False, compare=False)
    size: int = field(default=1, repr=False, compare=False)

    def get(self, key: str) -> YamlNode | None:
        return self.entries.get(key)


YamlNode = YamlScalar | YamlList | YamlMap


def read_documents(text: str) -> Iterator[YamlNode]:
    """Yield the documents of a file except empty ones.

    Raises EsqlError with the position if the file is not YAML or exceeds a limit.
    """
    if len(text) > MAX_CHARACTERS:
        message = f"over {MAX_CHARACTERS:,} characters, which is not a rule file"
        raise EsqlError(QUERY_START, message)
    reader = _Reader(text)
    for number, document in enumerate(reader.documents()):
        if number == _MAX_DOCUMENTS:
            raise EsqlError(document.span, f"over {_MAX_DOCUMENTS:,} documents: split the file")
        if not (isinstance(document, YamlScalar) and document.value is None):
            yield document


def plain_value(node: YamlNode | None) -> Any:
    """Return a node's value as plain Python data."""
    match node:
        case YamlScalar(value):
            return value
        case YamlList(items):
            return [plain_value(item) for item in items]
        case YamlMap(entries):
            return {key: plain_value(inner) for key, inner in entries.items()}
    return None


class _Reader:
    """Builds nodes from PyYAML's events; the depth limit bounds its recursion."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._anchors: dict[str, YamlNode | None] = {}
        """Nodes by anchor; None while the node is still being read."""
        self._nodes = 0
        self._depth = 0
        self._events = self._parse()

    def _parse(self) -> Iterator[Any]:
        try:
            loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(self._text)
            while loader.check_event():
                yield loader.get_event()
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            raise EsqlError(_span(mark), f"no YAML: {error.problem or error.context}") from None
        except yaml.YAMLError as error:
            line = self._text.count("\n", 0, getattr(error, "position", 0)) + 1
            reason = getattr(error, "reason", None) or "it cannot be read"
            raise EsqlError(Span(line, 1, 0, 0), f"no YAML: {reason}") from None

    def documents(self) -> Iterator[YamlNode]:
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                self._anchors.clear()
                yield self._node(next(self._events))

    def _node(self, event: Any) -> YamlNode:
        span = _span(event.start_mark)
        if isinstance(event, yaml.AliasEvent):
            node = self._anchors.get(event.anchor or "")
            if node is None:
                raise EsqlError(span, f"*{event.anchor} stands for nothing, or for itself")
            self._count(node.size, span)
            return node
        self._count(1, span)
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise EsqlError(span, f"nested over {_MAX_DEPTH} levels deep, which is no rule's")
        if isinstance(event, yaml.ScalarEvent):
            node = _scalar(event, span)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = self._list(span)
        else:
            node = self._map(span)
        self._depth -= 1
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _count(self, number: int, span: Span) -> None:
        self._nodes += number
        if self._nodes > _MAX_NODES:
            raise EsqlError(span, f"over {_MAX_NODES:,} values with its aliases: no file of rules")

    def _list(self, span: Span) -> YamlList:
        items = []
        for event in self._events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            items.append(self._node(event))
        return YamlList(tuple(items), span, 1 + sum(item.size for item in items))

    def _map(self, span: Span) -> YamlMap:
        entries: dict[str, YamlNode] = {}
        keys: dict[str, YamlScalar] = {}
        merged: list[YamlNode] = []
        for event in self._events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key = self._node(event)
            value = self._node(next(self._events))
            if not isinstance(key, YamlScalar):
                raise EsqlError(key.span, "a key must be a text")
            if key.text == _MERGE and event.implicit[0]:
                merged.append(value)
                continue
            if key.text in entries:
                raise EsqlError(key.span, f"the key {key.text} stands here twice")
            entries[key.text], keys[key.text] = value, key
        for node in merged:
            _merge(node, entries, keys)
        size = 1 + sum(1 + node.size for node in entries.values())
        return YamlMap(entries, keys, span, size)


def _merge(node: YamlNode, entries: dict[str, YamlNode], keys: dict[str, YamlScalar]) -> None:
    """Add the entries of the ``<<`` node whose keys are not set yet."""
    sources = node.items if isinstance(node, YamlList) else (node,)
    for source in sources:
        if not isinstance(source, YamlMap):
            raise EsqlError(node.span, "<< takes a map")
        for key, value in source.entries.items():
            if key not in entries:
                entries[key], keys[key] = value, source.keys[key]


def _scalar(event: yaml.ScalarEvent, span: Span) -> YamlScalar:
    text = event.value
    tag = event.tag
    if tag in (None, "!") and event.implicit[0]:
        tag = _implicit_tag(text)
    kind = (tag or "").rpartition(":")[2]
    if kind not in ("null", "bool", "int", "float"):
        return YamlScalar(text, text, span)
    if kind == "null":
        return YamlScalar(None, text, span)
    node = yaml.ScalarNode(str(tag), text)
    try:
        construct = getattr(yaml.constructor.SafeConstructor(), f"construct_yaml_{kind}")
        value: bool | int | float = construct(node)
    except (ValueError, KeyError, OverflowError):
        raise EsqlError(span, f"{text} is no {kind}") from None
    return YamlScalar(value, text, span)


def _implicit_tag(text: str) -> str | None:
    """Return the YAML 1.1 tag of a plain scalar; None for text."""
    for tag, regex in _resolvers().get(text[:1], ()):
        if regex.match(text):
            resolved: str = tag
            return resolved
    return None


@cache
def _resolvers() -> dict[str, list[Any]]:
    resolvers: dict[str, list[Any]] = yaml.SafeLoader.yaml_implicit_resolvers
    return resolvers


def _span(mark: Any) -> Span:
    if mark is None:
        return QUERY_START
    return Span(mark.line + 1, mark.column + 1, mark.index, mark.index)
