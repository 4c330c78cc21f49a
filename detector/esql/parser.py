"""Parse ES|QL text into the syntax tree."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from detector.esql.ast import Expression, Tree
from detector.esql.errors import EsqlError, too_deep
from detector.esql.grammars import load_parser


@lru_cache(maxsize=8)
def parse_query(text: str) -> Tree:
    """Parse a query.

    Raises EsqlError at the first position that is not ES|QL supported by trailhound.
    """
    tree: Tree = _parse(text, "query")
    return tree


def parse_expression(text: str) -> Expression:
    """Parse a single expression. Raises EsqlError."""
    expression: Expression = _parse(text, "expression")
    return expression


def _parse(text: str, start: str) -> Any:
    from lark.exceptions import UnexpectedInput, VisitError

    from detector.esql.syntax_errors import explain_error
    from detector.esql.transformer import build

    try:
        return build(text, load_parser("esql").parse(text, start=start))
    except UnexpectedInput as error:
        raise explain_error(text, error) from None
    except VisitError as error:
        if isinstance(error.orig_exc, EsqlError):
            raise error.orig_exc from None
        if isinstance(error.orig_exc, RecursionError):
            raise too_deep() from None
        raise
    except RecursionError:
        raise too_deep() from None
