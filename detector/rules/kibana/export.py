"""Parses Kibana's exports: NDJSON, or the response of its API.

Source: Elastic's documentation of "Export rules", "Export saved objects" and of the detection API.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from detector.rules.rule_file import RuleError
from detector.text.late_pattern import late_pattern

EXPORT_SUFFIXES = (".ndjson", ".json")
ObjectContent = dict[str, Any]
ListKey = tuple[str, str]
"""The key of an exception list: its list_id and namespace_type."""


_SUMMARY_KEYS = {"exported_count", "exported_rules_count", "exportedCount"}
"""Keys of the last line of an export, of rules or of saved objects."""


class ExportedObject(NamedTuple):
    """An object of an export, with the line (from 1) in which it begins."""

    line: int
    content: ObjectContent


class Export(msgspec.Struct):
    """The objects of exports, by type.

    ``lists`` has the items of each exception list, ``value_lists`` the values of each value list by
    its id; a list that is known but empty has an empty entry."""

    rules: list[ExportedObject] = msgspec.field(default_factory=list)
    lists: dict[ListKey, list[ObjectContent]] = msgspec.field(default_factory=dict)
    value_lists: dict[str, list[ObjectContent]] = msgspec.field(default_factory=dict)
    saved_queries: dict[str, ObjectContent] = msgspec.field(default_factory=dict)

    def add(self, other: Export) -> None:
        """Add the exception lists, value lists and saved queries of another export."""
        for name, values in other.value_lists.items():
            self.value_lists.setdefault(name, []).extend(values)
        for key, items in other.lists.items():
            self.lists.setdefault(key, []).extend(items)
        self.saved_queries.update(other.saved_queries)


def parse_export(text: str) -> Export:
    """Parse an export. Raises RuleError if the text is not an export, or is incomplete."""
    export = Export()
    promised: Any = None
    for document in _documents(text):
        content = document.content
        if not _SUMMARY_KEYS.isdisjoint(content):
            promised = content.get("exported_rules_count", promised)
        elif not _add_object(export, document):
            raise RuleError("neither a rule nor an object that Kibana exports", document.line)
    if isinstance(promised, int) and promised > len(export.rules):
        raise RuleError(
            f"the export is not whole: it names {promised} rules and has {len(export.rules)}; "
            "export it again",
            text.count("\n") or 1,
        )
    return export


def _add_object(export: Export, document: ExportedObject) -> bool:
    """Add an object to an export; return False if its type is unknown."""
    content = document.content
    attributes = content.get("attributes")
    if isinstance(attributes, dict):
        return _add_saved_object(export, document, attributes)
    if _add_to_value_list(export, content):
        return True
    if isinstance(content.get("list_id"), str):
        key = content["list_id"], str(content.get("namespace_type", "single"))
        items = export.lists.setdefault(key, [])
        if "entries" in content:
            items.append(content)
        return True
    if "rule_id" in content or ("type" in content and "risk_score" in content):
        export.rules.append(document)
        return True
    return False


def _add_to_value_list(export: Export, content: ObjectContent) -> bool:
    """Add a value list or one of its values; return False if the object is neither."""
    name = content.get("list_id", content.get("id"))
    is_list = "list_id" not in content and "_version" in content and "immutable" in content
    if not isinstance(name, str) or not (is_list or "value" in content):
        return False
    values = export.value_lists.setdefault(name, [])
    if "value" in content:
        values.append(content)
    return True


def _add_saved_object(export: Export, document: ExportedObject, attributes: ObjectContent) -> bool:
    """Add a saved object; those that no rule needs are ignored.

    Returns False if it has no type. Raises RuleError for a rule in Kibana's internal form."""
    type, name = document.content.get("type"), document.content.get("id")
    match type:
        case "query" if isinstance(name, str):
            export.saved_queries[name] = attributes
        case "security-rule":
            export.rules.append(ExportedObject(document.line, attributes))
        case "alert":
            raise RuleError(
                "a rule as Kibana stores it (type alert): export it on the page of its rules",
                document.line,
            )
    return isinstance(type, str)


def _documents(text: str) -> Iterator[ExportedObject]:
    """Yield the objects of a text: NDJSON, one JSON object, or an array of them."""
    import orjson

    try:
        whole = orjson.loads(text)
    except orjson.JSONDecodeError:
        yield from _lines(text)
        return
    if isinstance(whole, dict) and isinstance(whole.get("data"), list):  # a response of the API
        _check_whole(whole["data"], whole.get("total"))
        whole = whole["data"]
    documents = whole if isinstance(whole, list) else [whole]
    lines = _lines_by_id(text)
    for document in documents:
        if not isinstance(document, dict):
            raise RuleError("no rule: an object of JSON is missing")
        name = str(document.get("rule_id") or document.get("id") or "")
        yield ExportedObject(lines.get(name, 1), document)


def _check_whole(objects: list[Any], total: object) -> None:
    """Refuse an incomplete value list, as exceptions by the missing values would not apply.

    Raises RuleError."""
    is_value = objects and isinstance(objects[0], dict) and "value" in objects[0]
    if is_value and isinstance(total, int) and total > len(objects):
        raise RuleError(
            f"the value list is not whole: {len(objects)} of {total} values; ask for all with "
            "per_page"
        )


def _lines(text: str) -> Iterator[ExportedObject]:
    import orjson

    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            document = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise RuleError(f"no JSON: {error.msg}", number, error.colno) from None
        if not isinstance(document, dict):
            raise RuleError("no rule: an object of JSON is missing", number)
        yield ExportedObject(number, document)


_ID = late_pattern(r'"(?:rule_id|id)"\s*:\s*"([^"\\]*)"')


def _lines_by_id(text: str) -> dict[str, int]:
    """Return the line in which each id first occurs."""
    lines: dict[str, int] = {}
    line, end = 1, 0
    for match in _ID.finditer(text):
        line += text.count("\n", end, match.start())
        end = match.start()
        lines.setdefault(match[1], line)
    return lines


class Exports(NamedTuple):
    """The exports among a set of files, by path; a RuleError for a file that is not an export.

    ``texts`` are the texts of these files; ``collected`` has the exception lists, value lists and
    saved queries of all."""

    files: dict[Path, Export | RuleError]
    texts: list[str]
    collected: Export


def collect_exports(texts: Mapping[Path, str]) -> Exports:
    """Parse the exports among files, given by path and text."""
    exports = Exports({}, [], Export())
    for path, text in texts.items():
        if path.suffix not in EXPORT_SUFFIXES:
            continue
        exports.texts.append(text)
        try:
            export = exports.files[path] = parse_export(text)
            exports.collected.add(export)
        except RuleError as error:
            exports.files[path] = error
    return exports
