"""What an author should know of a rule that is no mistake: where it cannot match, or not all that it seems to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from detector.ecs.fields import FieldTable
from detector.esql import ast, kql, parser
from detector.esql.plan.predicate_analysis import columns_in, conjuncts
from detector.rules.rule_file import Metadata


class Advice(NamedTuple):
    """A sentence, with its place (from 1) in the query's text."""

    line: int
    column: int
    sentence: str


def advice(about: Metadata, fields: FieldTable, strict: bool) -> list[Advice]:
    """What there is to say of a rule whose query compiles. ``strict``: nulls are taken as the
    language has them."""
    if about.type != "esql":
        return list(_absent(kql.parse(about.query_text), fields))
    tree = parser.parse(about.query_text)
    found = [*(_traps(tree, fields) if strict else ()), *_absent(tree, fields)]
    suppression = about.alert_suppression
    stats = next((command for command in tree.commands if isinstance(command, ast.Stats)), None)
    if (
        suppression
        and stats
        and not {named.name for named in stats.by} <= set(suppression.group_by)
    ):
        found.append(
            Advice(
                stats.span.line,
                stats.span.column,
                "alert_suppression groups by less than this: alerts that differ in the other columns of by "
                "stay apart here",
            )
        )
    return sorted(found)


def _traps(tree: ast.Tree, fields: FieldTable) -> Iterator[Advice]:
    """Negations that are null, and so drop the row, where a field is missing."""
    own: set[str] = set()
    conditions: list[ast.Expression] = []
    for command in tree.commands:
        match command:
            case ast.Where(condition):
                conditions += conjuncts(condition)
            case ast.Eval(named):
                own.update(each.name for each in named)
            case ast.Stats():
                break
    needed = {
        column.name for each in conditions if not _negated(each) for column in _required(each)
    }
    for each in conditions:
        if not _negated(each):
            continue
        for column in {found.name: found for found in columns_in(each)}.values():
            field = None if column.name in own else fields.get(column.name)
            if field is None or field.always or column.name in needed:
                continue
            if field.only is not None and _excludes(each, field.only):
                yield Advice(
                    each.span.line,
                    each.span.column,
                    f'no event gets through: {column.name} is "{field.only}" or missing, and a negation of '
                    f"what is missing is null; {_remedy(column.name)}",
                )
            else:
                yield Advice(
                    each.span.line,
                    each.span.column,
                    f"events without {column.name} are dropped, since the condition is null for them; "
                    f"{_remedy(column.name)}",
                )


def _remedy(name: str) -> str:
    return f'write "{name} is null or …", or nulls = "intended" in a [trailhound] table'


def _negated(condition: ast.Expression) -> bool:
    """Whether it is a negation that an author may take to hold of what is missing."""
    match condition:
        case ast.Compare("!=", _, ast.Literal()):
            return True
        case ast.Not(ast.IsNull()):
            return False
        case ast.Not():
            return True
    return False


def _required(condition: ast.Expression) -> Iterator[ast.Column]:
    """Columns that are not null where the condition is true."""
    match condition:
        case ast.Not(ast.IsNull(operand)):
            yield from columns_in(operand)
        case ast.Compare() | ast.In() | ast.Like():
            yield from columns_in(condition)


def _excludes(condition: ast.Expression, value: str) -> bool:
    match condition:
        case ast.Compare("!=", _, ast.Literal(excluded)) | ast.Not(
            ast.Compare("==", _, ast.Literal(excluded))
        ):
            return excluded == value
        case ast.Not(ast.In(_, options)):
            return any(isinstance(each, ast.Literal) and each.value == value for each in options)
    return False


def _absent(tree: ast.Tree | ast.Expression, fields: FieldTable) -> Iterator[Advice]:
    """Fields that are always null here."""
    for column in {found.name: found for found in columns_in(tree)}.values():
        if (field := fields.get(column.name)) and field.absent:
            yield Advice(
                column.span.line,
                column.span.column,
                f"{column.name} is always null here: {field.absent}",
            )
