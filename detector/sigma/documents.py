"""Read Sigma documents: rules, correlations and filters.

Sources: the Sigma specification 2.1.0; its version 1 for collections (``action``).
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from detector.esql.errors import EsqlError, Span
from detector.sigma.yaml_reader import YamlList, YamlMap, YamlNode, YamlScalar, read_documents
from detector.text.suggest import nearest

SigmaLevel = Literal["informational", "low", "medium", "high", "critical"]
LEVELS: tuple[SigmaLevel, ...] = ("informational", "low", "medium", "high", "critical")
Section = Literal["detection", "correlation", "filter"]
_SECTIONS: tuple[Section, ...] = ("correlation", "filter", "detection")
_NAMESPACE = uuid.UUID("b9a9f3c1-6f0e-5d1e-9a53-6b1f7a2f4a10")
_SECTION_END = re.compile(r"\n(?=[^\s#])")
_CLOUDTRAIL = ("", "cloudtrail")


@dataclass(frozen=True, slots=True)
class Document:
    """A document of a file whose text is ``source``: its metadata and its main section ``body``.

    A document without an ``id`` gets one derived from its title. ``level`` may be None."""

    title: str
    id: str
    name: str
    level: SigmaLevel | None
    description: str
    author: str
    license: str
    references: tuple[str, ...]
    false_positives: tuple[str, ...]
    tags: tuple[str, ...]
    fields: tuple[str, ...]
    section: Section
    body: YamlMap
    whole: YamlMap
    source: str

    @property
    def span(self) -> Span:
        return self.whole.span

    @property
    def text(self) -> str:
        """The text of the document's section."""
        start = self.whole.keys[self.section].span.start
        end = _SECTION_END.search(self.source, start)
        return self.source[start : end.start() if end else len(self.source)].rstrip()


def documents_of(source: str) -> Iterator[Document | EsqlError]:
    """Yield each document of a file, or the error that makes it unusable.

    Raises EsqlError if the file is not YAML."""
    template: YamlMap | None = None
    previous: YamlMap | None = None
    for node in read_documents(source):
        try:
            if not isinstance(node, YamlMap):
                raise EsqlError(node.span, "no Sigma rule: a rule is a map of title, detection, …")
            action = text_at(node, "action")
            if action == "global":
                template = previous = node
                continue
            if action == "reset":
                template = None
                continue
            if action not in ("", "repeat"):
                raise EsqlError(
                    node.entries["action"].span, f"no action {action}: global, reset or repeat"
                )
            base = previous if action == "repeat" else template
            if base is not None:
                node = _overlaid(base, node)
            previous = node
            yield _document(node, source)
        except EsqlError as error:
            yield error


def _overlaid(base: YamlMap, top: YamlMap) -> YamlMap:
    """Merge a map over another, recursively; entries of ``top`` win."""
    entries, keys = dict(base.entries), dict(base.keys)
    entries.pop("action", None)
    for key, node in top.entries.items():
        below = entries.get(key)
        if isinstance(below, YamlMap) and isinstance(node, YamlMap):
            node = _overlaid(below, node)
        entries[key], keys[key] = node, top.keys[key]
    entries.pop("action", None)
    return YamlMap(entries, keys, top.span)


def _document(node: YamlMap, source: str) -> Document:
    sections = [name for name in _SECTIONS if name in node.entries]
    if not sections:
        raise EsqlError(
            node.span, "no Sigma rule: it has no detection, correlation or filter section"
        )
    section = sections[0]
    body = map_of(node, section)
    title = text_at(node, "title")
    if not title:
        raise EsqlError(node.span, "the title is missing")
    _check_taxonomy(node)
    if section != "correlation" or "logsource" in node.entries:
        _check_log_source(node)
    return Document(
        title=title,
        id=text_at(node, "id") or str(uuid.uuid5(_NAMESPACE, title)),
        name=text_at(node, "name"),
        level=_level(node),
        description=text_at(node, "description").strip(),
        author=", ".join(texts_at_key(node, "author")),
        license=text_at(node, "license"),
        references=texts_at_key(node, "references"),
        false_positives=texts_at_key(node, "falsepositives"),
        tags=texts_at_key(node, "tags"),
        fields=texts_at_key(node, "fields"),
        section=section,
        body=body,
        whole=node,
        source=source,
    )


def _level(node: YamlMap) -> SigmaLevel | None:
    text = text_at(node, "level").lower()
    for level in LEVELS:
        if level == text:
            return level
    if text:
        raise EsqlError(
            node.entries["level"].span, f"no level {text}{nearest(text, LEVELS)}: {_list(LEVELS)}"
        )
    return None


def _list(names: tuple[str, ...]) -> str:
    return ", ".join(names)


def _check_taxonomy(node: YamlMap) -> None:
    taxonomy = text_at(node, "taxonomy")
    if taxonomy not in ("", "sigma"):
        raise EsqlError(
            node.entries["taxonomy"].span,
            f"the taxonomy {taxonomy} is not supported: name fields as CloudTrail does",
        )


def _check_log_source(node: YamlMap) -> None:
    """Raise EsqlError for a rule whose log source is not CloudTrail."""
    source = map_of(node, "logsource")
    product, service = text_at(source, "product").lower(), text_at(source, "service").lower()
    category = text_at(source, "category").lower()
    names_cloudtrail = service in _CLOUDTRAIL and category in _CLOUDTRAIL
    if names_cloudtrail and (product == "aws" or (not product and (service or category))):
        return
    named = [f"{key} {text_at(source, key)}" for key in ("product", "category", "service")]
    wanted = ", ".join(each for each in named if not each.endswith(" ")) or "no log source"
    raise EsqlError(
        node.keys["logsource"].span,
        f"reads {wanted}: trailhound holds AWS CloudTrail only (product aws, service cloudtrail)",
    )


def text_at(node: YamlMap, key: str) -> str:
    """Return a value's text, ``""`` if missing or null. Raises EsqlError for a structure."""
    value = node.get(key)
    if value is None:
        return ""
    if not isinstance(value, YamlScalar):
        raise EsqlError(value.span, f"{key} must be a text")
    return "" if value.value is None else value.text


def texts_at_key(node: YamlMap, key: str) -> tuple[str, ...]:
    """Return the texts of a value or list, without nulls. Raises EsqlError for a structure."""
    return tuple(scalar.text for scalar in scalars_of(node.get(key), key))


def scalars_of(node: YamlNode | None, key: str) -> tuple[YamlScalar, ...]:
    """Return a value, or a list's values, without nulls. Raises EsqlError for a structure."""
    nodes: tuple[YamlNode, ...] = ()
    if isinstance(node, YamlList):
        nodes = node.items
    elif node is not None:
        nodes = (node,)
    scalars = []
    for item in nodes:
        if not isinstance(item, YamlScalar):
            raise EsqlError(item.span, f"{key} must be a text or a list of texts")
        if item.value is not None:
            scalars.append(item)
    return tuple(scalars)


def map_of(node: YamlMap, key: str) -> YamlMap:
    """Return the map at a key. Raises EsqlError if it is missing or not a map."""
    value = node.get(key)
    if value is None:
        raise EsqlError(node.span, f"the section {key} is missing")
    if not isinstance(value, YamlMap):
        raise EsqlError(value.span, f"{key} must be a map")
    return value


def texts_by_key(node: YamlMap) -> Mapping[str, YamlScalar]:
    """Return the entries of a map of scalars. Raises EsqlError if one is a structure."""
    texts = {}
    for key, value in node.entries.items():
        if not isinstance(value, YamlScalar):
            raise EsqlError(value.span, f"{key} must be a text")
        texts[key] = value
    return texts
