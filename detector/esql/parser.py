"""Parse ES|QL text into the syntax tree."""

from __future__ import annotations

from functools import cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detector.esql.ast import Expression, Tree
from detector.esql.errors import EsqlError, too_deep
from detector.esql.parse_cache import kept

if TYPE_CHECKING:
    from lark import Lark


def parse(text: str) -> Tree:
    """The tree of a query. Raises EsqlError at the first place where it is no ES|QL that trailhound
    knows."""
    tree: Tree = kept("query", text, lambda: _parse(text, "query"))
    return tree


def parse_expression(text: str) -> Expression:
    """The tree of one expression."""
    tree: Expression = _parse(text, "expression")
    return tree


def _parse(text: str, start: str) -> Any:
    from lark.exceptions import UnexpectedInput, VisitError

    from detector.esql.transformer import build, explained

    try:
        return build(text, _grammar().parse(text, start=start))
    except UnexpectedInput as error:
        raise explained(text, error) from None
    except VisitError as error:
        if isinstance(error.orig_exc, EsqlError):
            raise error.orig_exc from None
        if isinstance(error.orig_exc, RecursionError):
            raise too_deep() from None
        raise
    except RecursionError:
        raise too_deep() from None


@cache
def _grammar() -> Lark:
    """The parser. To make its tables takes longer than all else at start."""
    import lark

    grammar = Path(__file__).with_name("esql.lark").read_text(encoding="utf-8")

    def tables() -> bytes:
        made = BytesIO()
        lark.Lark(
            grammar,
            parser="lalr",
            start=["query", "expression"],
            propagate_positions=True,
            maybe_placeholders=True,
        ).save(made)
        return made.getvalue()

    parser: Lark = lark.Lark.load(BytesIO(kept("tables", lark.__version__, tables)))
    return parser
