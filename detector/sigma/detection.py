"""Compile the detection of a rule or filter to a single condition."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from detector.esql import ast
from detector.esql.errors import EsqlError, Span
from detector.esql.plan.predicate_analysis import columns_in
from detector.esql.tree_walk import join_conditions
from detector.sigma.condition import Names, parse_condition
from detector.sigma.documents import Document
from detector.sigma.fields import MESSAGE, TOP_LEVEL, is_known
from detector.sigma.modifiers import DetectionItem, Placeholders, condition_of
from detector.sigma.yaml_reader import YamlList, YamlMap, YamlNode, YamlScalar
from detector.text.suggest import nearest

_NO_SELECTIONS = ("condition", "rules", "timeframe")
_TRUE_SPELLINGS = ("true", "false")


@dataclass(frozen=True, slots=True)
class RuleNote:
    """A remark about a rule for its reader, with its position in the file."""

    span: Span
    sentence: str


@dataclass(slots=True)
class Detection:
    """A detection compiled to a condition, with notes for the reader."""

    condition: ast.Expression
    notes: list[RuleNote] = field(default_factory=list)


def read_detection(document: Document, placeholders: Placeholders) -> Detection:
    """Compile a document's selections and condition.

    Raises EsqlError with the position of the problem."""
    selections = {
        name: node for name, node in document.body.entries.items() if name not in _NO_SELECTIONS
    }
    used: set[str] = set()

    def resolve(name: str, _: Span) -> ast.Expression:
        used.add(name)
        return _selection(selections[name], document.body.keys[name].span, placeholders)

    names = Names(tuple(selections), resolve, "selection")
    conditions = [
        parse_condition(scalar, document.source, names) for scalar in _conditions(document)
    ]
    condition = join_conditions("or", conditions, conditions[0].span)
    notes = [*_unused(document, selections, used), *_notes_of(condition, selections)]
    return Detection(condition, notes)


def _conditions(document: Document) -> list[YamlScalar]:
    node = document.body.get("condition")
    if node is None:
        raise EsqlError(document.body.span, "the condition is missing")
    items = node.items if isinstance(node, YamlList) else (node,)
    scalars = []
    for item in items:
        if not isinstance(item, YamlScalar) or not isinstance(item.value, str):
            raise EsqlError(item.span, "the condition must be a text")
        scalars.append(item)
    if not scalars:
        raise EsqlError(node.span, "the condition is empty")
    return scalars


def _selection(node: YamlNode, span: Span, placeholders: Placeholders) -> ast.Expression:
    match node:
        case YamlMap(entries, keys):
            if not entries:
                raise EsqlError(span, "the selection is empty")
            items = [
                condition_of(DetectionItem.of(key, value, keys[key].span), placeholders)
                for key, value in entries.items()
            ]
            return join_conditions("and", items, span)
        case YamlList(items=nodes):
            if not nodes:
                raise EsqlError(span, "the selection is empty")
            if all(isinstance(item, YamlScalar) for item in nodes):
                return condition_of(DetectionItem.of("", node, span), placeholders)
            choices = [_selection(item, item.span, placeholders) for item in nodes]
            return join_conditions("or", choices, span)
    return condition_of(DetectionItem.of("", node, span), placeholders)


def _unused(
    document: Document, selections: Mapping[str, YamlNode], used: set[str]
) -> Iterator[RuleNote]:
    for name in selections:
        if name not in used:
            yield RuleNote(document.body.keys[name].span, f"the condition does not use {name}")


def _notes_of(condition: ast.Expression, selections: Mapping[str, YamlNode]) -> Iterator[RuleNote]:
    """Yield notes on fields that CloudTrail lacks and on words that YAML reads as booleans."""
    for column in {column.name: column for column in columns_in(condition)}.values():
        path = column.name.partition("|")[0]
        if column.name != MESSAGE and not is_known(path):
            yield RuleNote(
                column.span,
                f"{path} is not a CloudTrail field, so this never matches"
                f"{nearest(path, TOP_LEVEL)}",
            )
    for node in selections.values():
        for scalar in _scalars(node):
            if isinstance(scalar.value, bool) and scalar.text.lower() not in _TRUE_SPELLINGS:
                yield RuleNote(
                    scalar.span,
                    f"YAML reads {scalar.text} as {str(scalar.value).lower()}: "
                    "put it in quotes if the text is meant",
                )


def _scalars(node: YamlNode) -> Iterator[YamlScalar]:
    match node:
        case YamlScalar():
            yield node
        case YamlList(items):
            for item in items:
                yield from _scalars(item)
        case YamlMap(entries):
            for key, value in entries.items():
                if not key.endswith("exists"):
                    yield from _scalars(value)
