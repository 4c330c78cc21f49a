"""Reject searches of fields whose Elasticsearch semantics are not supported."""

from __future__ import annotations

from detector.esql import ast
from detector.esql.errors import EsqlError


def check_searchable(field: ast.Column) -> None:
    """Raise EsqlError for an analyzed text field, or for a search in a whole flattened object."""
    if field.name.endswith(".text"):
        raise EsqlError(
            field.span,
            f"{field.name} is text cut into words, which is not supported; "
            f"use {field.name.removesuffix('.text')}",
        )
    if field.name.startswith("aws.cloudtrail.flattened.") and field.name.count(".") == 3:
        raise EsqlError(
            field.span, f"a value anywhere below {field.name} is not supported; name the element"
        )
