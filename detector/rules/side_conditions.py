"""Builds the conditions of a rule's filters and exceptions, in addition to its query."""

from __future__ import annotations

from collections.abc import Callable

from detector.ecs.fields import FieldTable
from detector.esql import ast
from detector.esql.errors import EsqlError
from detector.esql.expressions.compiler import Compiler
from detector.esql.expressions.scope import ColumnScope, RowLayout
from detector.rules.kibana.exceptions import build_exceptions
from detector.rules.kibana.export import Export
from detector.rules.kibana.filters import build_filters
from detector.rules.rule_file import Metadata, RuleError


def side_conditions(
    metadata: Metadata, fields: FieldTable, export: Export
) -> tuple[ast.Expression, ...]:
    """Build the conditions of a rule's filters and exceptions.

    ``export`` has the exception lists. Raises RuleError if a condition cannot be exact."""
    filters = _checked("filters", lambda: build_filters(metadata.filters), fields)
    exceptions = _checked(
        "exceptions_list", lambda: build_exceptions(metadata.exceptions_list, export), fields
    )
    return (*filters, *exceptions)


def _checked(
    key: str, build: Callable[[], list[ast.Expression]], fields: FieldTable
) -> list[ast.Expression]:
    """Build conditions and check that they compile. Raises RuleError that names the key."""
    try:
        conditions = build()
        for condition in conditions:
            Compiler(ColumnScope(RowLayout(), fields)).condition(condition)
    except (EsqlError, RuleError) as error:
        raise RuleError(f"{key}: {error.message}", key=key) from None
    except RecursionError:
        raise RuleError(f"{key}: nested too deeply", key=key) from None
    return conditions
