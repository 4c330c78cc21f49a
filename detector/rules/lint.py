"""Warns of rules that do not match what they seem to."""

from __future__ import annotations

from collections.abc import Iterator

from detector.ecs.fields import FieldTable
from detector.esql import ast
from detector.esql.errors import Span
from detector.esql.expressions.compiler import Compiler
from detector.esql.expressions.scope import ColumnScope, RowLayout
from detector.esql.functions import FUNCTIONS
from detector.esql.lucene.parser import idle_clauses
from detector.esql.plan.predicate_analysis import columns_in, conjuncts
from detector.esql.tree_walk import walk
from detector.rules.null_effects import null_effects
from detector.rules.rule_file import Metadata
from detector.rules.rule_text import Advice
from detector.rules.rule_types import EVERYTHING


def lint_rule(
    metadata: Metadata, tree: ast.Tree, fields: FieldTable, strict_nulls: bool
) -> list[Advice]:
    """Return advice on a rule whose query compiles; ``tree`` includes its filters and exceptions.

    ``strict_nulls``: nulls have ES|QL's semantics, not the one that authors intend."""
    advice = [
        _advice(span, sentence) for span, sentence in null_effects(tree, fields, not strict_nulls)
    ]
    if metadata.language == "lucene":
        advice += _idle_clauses(metadata.query_text)
    if metadata.type == "esql":
        advice += _null_constants(tree, fields)
        if strict_nulls:
            advice += _null_negations(tree, fields)
        advice += _coarse_suppression(tree, metadata)
    return sorted(advice)


def _null_constants(tree: ast.Tree, fields: FieldTable) -> Iterator[Advice]:
    """Advise on calls that are null for every event; Elasticsearch warns of these, too."""
    compiler = Compiler(ColumnScope(RowLayout(), fields))
    for node in walk(tree):
        if not isinstance(node, ast.Call) or not _are_written(node.arguments):
            continue
        if node.name in FUNCTIONS and compiler.compile(node).value is None:
            yield _advice(
                node.span,
                f"{node.name} of these constants is null: they are out of its domain, or the "
                "result is too large",
            )


def _are_written(arguments: tuple[ast.Expression, ...]) -> bool:
    """Return whether all arguments are constants other than null; False without arguments."""
    return bool(arguments) and all(
        isinstance(each, ast.Literal) and each.value is not None for each in arguments
    )


def _idle_clauses(text: str) -> Iterator[Advice]:
    """Advise on Lucene clauses that have no effect."""
    if text.strip() in EVERYTHING:
        return
    for span in idle_clauses(text):
        yield _advice(
            span,
            "decides nothing, since other clauses are required (AND, +): write AND, or put what "
            "OR joins into brackets",
        )


def _advice(span: Span, sentence: str) -> Advice:
    return Advice(span.line, span.column, sentence)


def _coarse_suppression(tree: ast.Tree, metadata: Metadata) -> Iterator[Advice]:
    """Advise on an ``alert_suppression`` that groups by fewer columns than STATS."""
    suppression = metadata.alert_suppression
    groups = [each for each in tree.commands if isinstance(each, ast.Stats | ast.InlineStats)]
    if suppression is None or not groups:
        return
    stats = groups[-1]
    if not {named.name for named in stats.by} <= set(suppression.group_by):
        yield _advice(
            stats.span,
            "alert_suppression groups by less than this: alerts that differ in the other columns "
            "of by stay apart here",
        )


def _null_negations(tree: ast.Tree, fields: FieldTable) -> Iterator[Advice]:
    """Advise on negations that drop events without a field.

    In ES|QL, the negation of a comparison with a missing field is null."""
    conditions, defined = _conditions_before_stats(tree)
    negations = [condition for condition in conditions if _is_negation(condition)]
    required: set[str] = set()
    for condition in conditions:
        if not _is_negation(condition):
            required.update(column.name for column in _required_columns(condition))
    for negation in negations:
        for name in dict.fromkeys(column.name for column in columns_in(negation)):
            if name not in defined | required:
                yield from _null_negation(negation, name, fields)


def _conditions_before_stats(tree: ast.Tree) -> tuple[list[ast.Expression], set[str]]:
    """Return the conditions before the first STATS, and the names that EVAL defines there."""
    conditions: list[ast.Expression] = []
    defined: set[str] = set()
    for command in tree.commands:
        match command:
            case ast.Where(condition):
                conditions += conjuncts(condition)
            case ast.Eval(columns):
                defined.update(named.name for named in columns)
            case ast.Stats() | ast.InlineStats():
                break
    return conditions, defined


def _null_negation(condition: ast.Expression, name: str, fields: FieldTable) -> Iterator[Advice]:
    """Advise on a negation that is null for events without the field ``name``."""
    field = fields.get(name)
    if field is None or field.always or field.absent:
        return
    remedy = f'write "{name} is null or …", or nulls = "intended" in a [trailhound] table'
    if field.only is not None and _excludes(condition, field.only):
        yield _advice(
            condition.span,
            f'no event gets through: {name} is "{field.only}" or missing, and a negation of '
            f"what is missing is null; {remedy}",
        )
    else:
        yield _advice(
            condition.span,
            f"events without {name} are dropped, since the condition is null for them; {remedy}",
        )


def _is_negation(condition: ast.Expression) -> bool:
    """Return whether a reader would take a condition to be true for a missing field."""
    match condition:
        case ast.Compare("!=", _, ast.Literal()):
            return True
        case ast.Not(operand):
            return not _is_two_valued(operand)
    return False


def _is_two_valued(node: ast.Expression) -> bool:
    """Return whether a condition is always true or false, never null."""
    match node:
        case ast.Not(operand):
            return _is_two_valued(operand)
        case ast.Logic(_, operands):
            return all(map(_is_two_valued, operands))
    return isinstance(node, ast.IsNull | ast.FieldMatch | ast.RangeMatch)


def _required_columns(condition: ast.Expression) -> Iterator[ast.Column]:
    """Yield the columns that cannot be null if the condition is true."""
    match condition:
        case ast.Not(ast.IsNull(operand)):
            yield from columns_in(operand)
        case ast.Compare() | ast.In() | ast.Like():
            yield from columns_in(condition)


def _excludes(condition: ast.Expression, value: str) -> bool:
    """Return whether a negation is false for ``value``."""
    match condition:
        case ast.Compare("!=", _, ast.Literal(excluded)) | ast.Not(
            ast.Compare("==", _, ast.Literal(excluded))
        ):
            return excluded == value
        case ast.Not(ast.In(_, options)):
            return any(
                isinstance(option, ast.Literal) and option.value == value for option in options
            )
    return False
