"""Maps EQL's functions to calls in the syntax tree.

Source: Elasticsearch's EQL function reference.
"""

from __future__ import annotations

from detector.esql import ast
from detector.esql.errors import EsqlError, Span
from detector.esql.functions import FUNCTIONS
from detector.text.suggest import nearest

_ARITHMETIC = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "modulo": "%"}
_ENDGAME = {
    "wildcard": "use like~ or :",
    "match": "use regex~",
    "arrayContains": "use ==, which is true of any value",
    "arrayCount": "it is not in Elasticsearch's EQL either",
    "arraySearch": "it is not in Elasticsearch's EQL either",
}
_WHOLE_OR_NOT = {"divide", "modulo", "string", "concat"}
"""Functions whose result depends on whether an argument is a whole number.

The type of ``number()`` does not say so."""


_NAMES = (
    *_ARITHMETIC,
    "cidrMatch",
    *(name.removeprefix("eql.") for name in FUNCTIONS if name.startswith("eql.")),
)


_NAME_BY_LOWER = {name.lower(): name for name in _NAMES}
"""Elastic's prebuilt rules also write ``cidrmatch``."""


def function_call(name: str, arguments: tuple[ast.Expression, ...], span: Span) -> ast.Expression:
    """Build the call of an EQL function; its name is case-insensitive.

    Raises EsqlError if the function does not exist or is not supported."""
    name = _NAME_BY_LOWER.get(name.lower(), name)
    plain = name.removesuffix("~")
    if plain in _ENDGAME:
        raise EsqlError(span, f"{name} is not supported; {_ENDGAME[plain]}")
    if name not in _NAMES:
        if plain in _NAMES:
            raise EsqlError(span, f"{plain} has no form with ~")
        raise EsqlError(span, f"no function {name}{nearest(name, _NAMES)}")
    if name in _WHOLE_OR_NOT:
        for argument in arguments:
            refuse_number(argument)
    if name in _ARITHMETIC:
        if len(arguments) != 2:
            raise EsqlError(span, f"{name} takes 2 arguments, not {len(arguments)}")
        return ast.Arithmetic(_ARITHMETIC[name], *arguments, span=span)
    if name == "cidrMatch":
        return ast.Call("cidr_match", arguments, span=span)
    return ast.Call(f"eql.{name}", arguments, span=span)


def refuse_number(argument: ast.Expression) -> None:
    """Raise EsqlError for ``number()`` where the result must be known to be whole or not."""
    match argument:
        case ast.Call("eql.number"):
            raise EsqlError(
                argument.span,
                "the text decides whether number() gives a whole number, which matters here; "
                "compare it, or add, subtract and multiply",
            )
        case ast.Arithmetic(_, left, right):
            refuse_number(left)
            refuse_number(right)
        case ast.Negate(operand):
            refuse_number(operand)
