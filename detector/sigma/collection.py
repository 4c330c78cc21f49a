"""Compile the Sigma documents of all files together, because they can refer to each other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from detector.esql import ast
from detector.esql.errors import QUERY_START, EsqlError
from detector.esql.plan.planner import plan_tree
from detector.esql.plan.predicate_analysis import columns_in
from detector.esql.plan.query import Query
from detector.esql.tree_walk import join_conditions
from detector.sigma.chain import chain_columns, is_chain, read_chain
from detector.sigma.correlation import (
    BaseRule,
    generates,
    read_correlation,
    references_of,
)
from detector.sigma.detection import RuleNote, read_detection
from detector.sigma.documents import Document, documents_of, scalars_of
from detector.sigma.fields import SIGMA_FIELDS
from detector.sigma.modifiers import Placeholders
from detector.sigma.yaml_reader import YamlScalar
from detector.text.suggest import nearest

SHOWN_FIELDS = (
    "eventSource",
    "eventName",
    "awsRegion",
    "sourceIPAddress",
    "userAgent",
    "userIdentity.type",
    "userIdentity.arn",
    "recipientAccountId",
    "errorCode",
    "errorMessage",
)
"""The columns that every rule's alerts start with; the fields that the rule names follow."""
_ANY_RULE = "any"


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A rule or correlation, compiled.

    ``base_of``: titles of the correlations that use the rule; if set, it gives no alerts itself.
    """

    document: Document
    query: Query
    notes: tuple[RuleNote, ...]
    base_of: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FilterRead:
    """A filter, which gives no alerts itself; ``rules`` are the titles of the rules it narrows."""

    document: Document
    rules: tuple[str, ...]


Result = CompiledRule | FilterRead | EsqlError


@dataclass(slots=True)
class _Rule:
    """A document with a detection, before it is compiled to a query."""

    document: Document
    condition: ast.Expression
    notes: list[RuleNote]


class Collection:
    """The documents of a set of files and the result of compiling each."""

    def __init__(self, files: Mapping[Path, str], placeholders: Placeholders) -> None:
        self._placeholders = placeholders
        self._parts: dict[Path, list[Document | EsqlError]] = {}
        for path, text in files.items():
            self._parts[path] = _parts_of(text)
        self._rules: dict[int, _Rule | EsqlError] = {}
        self._by_reference: dict[str, list[Document]] = defaultdict(list)
        for document in self._documents():
            if document.section == "filter":
                continue
            for reference in {document.id, document.name, document.title} - {""}:
                self._by_reference[reference].append(document)
        for document in self._documents():
            if document.section == "detection":
                self._rules[id(document)] = self._read_rule(document)
        self._filtered = {
            id(document): self._apply_filter(document)
            for document in self._documents()
            if document.section == "filter"
        }
        self._bases: dict[int, list[BaseRule] | EsqlError] = {}
        self._base_of: dict[int, list[str]] = defaultdict(list)
        """By document: the titles of the correlations that use it and so suppress its alerts."""
        self._correlations = {
            id(document): self._read_correlation(document)
            for document in self._documents()
            if document.section == "correlation"
        }

    def _documents(self) -> Iterator[Document]:
        for parts in self._parts.values():
            for part in parts:
                if isinstance(part, Document):
                    yield part

    def results(self, path: Path) -> Iterator[Result]:
        """Yield the result of each document of a file: a rule, a filter or its error."""
        for part in self._parts[path]:
            if isinstance(part, EsqlError):
                yield part
                continue
            try:
                yield self._compiled(part)
            except EsqlError as error:
                yield error
            except RecursionError:
                yield EsqlError(part.span, "the rule is nested too deeply")

    def _read_rule(self, document: Document) -> _Rule | EsqlError:
        try:
            detection = read_detection(document, self._placeholders)
        except EsqlError as error:
            return error
        return _Rule(document, detection.condition, detection.notes)

    def _compiled(self, document: Document) -> Result:
        if document.section == "filter":
            rules = self._filtered[id(document)]
            if isinstance(rules, EsqlError):
                raise rules
            return FilterRead(document, rules)
        if document.section == "correlation":
            query = self._correlations[id(document)]
            if isinstance(query, EsqlError):
                raise query
            return CompiledRule(document, query, (), tuple(self._base_of[id(document)]))
        rule = self._rules[id(document)]
        if isinstance(rule, EsqlError):
            raise rule
        query = _plan_rule(rule)
        return CompiledRule(document, query, tuple(rule.notes), tuple(self._base_of[id(document)]))

    # --- correlations

    def _read_correlation(self, document: Document) -> Query | EsqlError:
        """Compile a correlation and register it with its rules, unless they keep their alerts."""
        try:
            bases = self._find_bases(document)
            query = _plan_correlation(document, bases)
        except EsqlError as error:
            return error
        except RecursionError:
            return EsqlError(document.span, "the rule is nested too deeply")
        if not generates(document):
            for base in bases:
                self._base_of[id(base.document)].append(document.title)
        return query

    def _find_bases(self, document: Document) -> list[BaseRule]:
        """Return the rules of a correlation. Raises EsqlError if one is missing or unusable."""
        bases = self._bases.get(id(document))
        if bases is None:
            # A placeholder while the rules are being resolved: a cycle runs into it.
            self._bases[id(document)] = EsqlError(document.span, "it refers to itself")
            try:
                references = references_of(document)
                bases = [self._base(reference, document.source) for reference in references]
            except EsqlError as error:
                bases = error
            self._bases[id(document)] = bases
        if isinstance(bases, EsqlError):
            raise bases
        return bases

    def _base(self, reference: YamlScalar, source: str) -> BaseRule:
        document = self._find(reference, source)
        try:
            if document.section == "correlation":
                bases = self._find_bases(document)
                condition = join_conditions("or", [base.condition for base in bases])
                return BaseRule(reference.text, document, condition, tuple(bases))
            rule = self._rules[id(document)]
            if isinstance(rule, EsqlError):
                raise rule
        except EsqlError as error:
            message = f"{reference.text} cannot be used: {error.message}"
            raise EsqlError(reference.span, message) from None
        return BaseRule(reference.text, document, rule.condition)

    def _find(self, reference: YamlScalar, source: str) -> Document:
        """Return the document with an id, name or title; the same file takes precedence.

        Raises EsqlError if there is none, or more than one."""
        documents = self._by_reference.get(reference.text, [])
        beside = [document for document in documents if document.source is source]
        documents = beside or documents
        if len(documents) > 1:
            raise EsqlError(
                reference.span, f"several rules are called {reference.text}: refer to one by its id"
            )
        if not documents:
            raise EsqlError(
                reference.span,
                f"no rule has the id, name or title {reference.text}"
                f"{nearest(reference.text, self._by_reference)}",
            )
        return documents[0]

    # --- filters

    def _apply_filter(self, document: Document) -> tuple[str, ...] | EsqlError:
        """AND a filter's condition into the rules that it names; return their titles."""
        try:
            condition = read_detection(document, self._placeholders).condition
            rules = list(self._filtered_rules(document))
        except EsqlError as error:
            return error
        for rule in rules:
            rule.condition = join_conditions("and", [rule.condition, condition], document.span)
        return tuple(rule.document.title for rule in rules)

    def _filtered_rules(self, document: Document) -> Iterator[_Rule]:
        references = scalars_of(document.body.get("rules"), "rules")
        if not references:
            raise EsqlError(
                document.body.span, "the filter names no rules: list them, or write any"
            )
        if [reference.text.lower() for reference in references] == [_ANY_RULE]:
            yield from (rule for rule in self._rules.values() if isinstance(rule, _Rule))
            return
        for reference in references:
            rule = self._rules.get(id(self._find(reference, document.source)))
            if isinstance(rule, _Rule):
                yield rule


def _parts_of(text: str) -> list[Document | EsqlError]:
    parts: list[Document | EsqlError] = []
    try:
        parts.extend(documents_of(text))
    except EsqlError as error:
        return [error]
    if not parts:
        return [EsqlError(QUERY_START, "no Sigma rule: the file is empty")]
    return parts


def _plan_correlation(document: Document, bases: Sequence[BaseRule]) -> Query:
    correlation = (read_chain if is_chain(bases) else read_correlation)(document, bases)
    tree = correlation.tree
    if correlation.is_sequence:
        conditions = [base.condition for base in bases]
        shown = _shown(document, conditions, chain_columns(tree))
        tree = msgspec.structs.replace(tree, commands=(*tree.commands, shown))
    query = plan_tree(tree, document.text, SIGMA_FIELDS)
    return replace(query, window=correlation.timespan, sparse=correlation.is_sequence)


def _plan_rule(rule: _Rule) -> Query:
    """Plan a rule: a query for the events that match, with the fields that the rule names."""
    document = rule.document
    span = document.whole.keys["detection"].span
    commands: Sequence[ast.Command] = (
        ast.From(("logs-aws.cloudtrail-*",), (), span=span),
        ast.Where(rule.condition, span=span),
        _shown(document, [rule.condition]),
    )
    query = plan_tree(ast.Tree(tuple(commands), span=span), document.text, SIGMA_FIELDS)
    return replace(query, sparse=True)


def _shown(
    document: Document, conditions: Sequence[ast.Expression], more: Sequence[str] = ()
) -> ast.Keep:
    """Build the KEEP of an alert's columns: the common ones and those that the rule names."""
    named = [column.name for each in conditions for column in columns_in(each)]
    names = dict.fromkeys((*SHOWN_FIELDS, *named, *document.fields, *more))
    plain_names = [name for name in names if name and not set(name) & {"*", "|", ","}]
    span = document.span
    return ast.Keep(tuple(ast.Column(name, span=span) for name in plain_names), span=span)
