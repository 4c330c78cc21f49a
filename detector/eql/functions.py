"""EQL's functions: their names, and the calls that they become.

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
"""Functions that tell a whole number from another one, which ``number`` does not say."""


_NAMES = (
    *_ARITHMETIC,
    "cidrMatch",
    *(name.removeprefix("eql.") for name in FUNCTIONS if name.startswith("eql.")),
)


_NAME_BY_LOWER = {name.lower(): name for name in _NAMES}
"""Rules that Elastic ships write ``cidrmatch`` too."""


def function_call(name: str, arguments: tuple[ast.Expression, ...], span: Span) -> ast.Expression:
    """Make the call of a function by its name in EQL, whose letter case does not matter.

    Raises EsqlError for one that is not."""
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
    """Refuse ``number()`` where it matters whether it gives a whole number."""
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
