"""Read correlations of correlations: sequences in which some steps are correlations themselves.

Such a step completes at the event that makes its correlation true. Source: the Sigma
specification 2.1.0, "Sigma Correlation Rules".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from detector.esql import ast
from detector.esql.errors import EsqlError
from detector.sigma.correlation import (
    TEMPORAL,
    BaseRule,
    Correlation,
    bounds_of,
    check_all_wanted,
    check_timespan,
    timespan_of,
    type_of,
    value_fields_of,
)
from detector.sigma.documents import Document, map_of, scalars_of

_SOURCE = ("logs-aws.cloudtrail-*",)
_KINDS = {
    "event_count": "count",
    "value_count": "values",
    "temporal": "any order",
    "temporal_ordered": "in order",
}


def is_chain(rules: Sequence[BaseRule]) -> bool:
    """Tell whether one of a correlation's rules is itself a correlation."""
    return any(rule.bases for rule in rules)


def read_chain(document: Document, rules: Sequence[BaseRule]) -> Correlation:
    """Compile a correlation of these rules. Raises EsqlError with the position of the problem."""
    return _ChainReader(document, rules).read()


class _ChainReader:
    """Compiles a chain to a single sequence over the events of all its rules."""

    def __init__(self, document: Document, rules: Sequence[BaseRule]) -> None:
        self._document = document
        self._rules = rules
        self._span = document.whole.keys["correlation"].span
        self._keys = _group_by(document)
        leaves = {rule.document.id: rule for rule in _leaves(rules)}
        self._leaves = list(leaves.values())
        self._index_of = {id: index for index, id in enumerate(leaves)}
        self._correlated: list[ast.Correlated] = []

    def read(self) -> Correlation:
        type = type_of(self._document)
        if type not in TEMPORAL:
            raise EsqlError(
                self._document.body.entries["type"].span,
                f"{type} of a correlation is not supported, since it would count correlations, "
                "not events: use temporal or temporal_ordered",
            )
        width = timespan_of(self._document)
        order, lookback = self._order(self._document, self._rules, width)
        check_timespan(lookback, self._span)
        chain = ast.Chain(
            steps=tuple(self._step(rule) for rule in self._leaves),
            order=order,
            until=None,
            key_names=self._keys,
            width=width,
            ordered=type == "temporal_ordered",
            reuse=True,
            correlated=tuple(self._correlated),
            span=self._span,
        )
        source = ast.From(_SOURCE, (), span=self._span)
        return Correlation(ast.Tree((source, chain), span=self._span), lookback)

    def _step(self, rule: BaseRule) -> ast.Step:
        by = tuple(ast.Column(name, span=self._span) for name in self._keys)
        return ast.Step(rule.condition, by, span=self._span)

    def _order(
        self, document: Document, rules: Sequence[BaseRule], width: int
    ) -> tuple[tuple[int, ...], int]:
        """Return a temporal correlation's step indexes and its look-back in seconds."""
        check_all_wanted(document, len(rules), "a correlation in a chain")
        if "aliases" in document.body.entries:
            raise EsqlError(
                document.body.entries["aliases"].span,
                "aliases are not supported where a correlation refers to another: group by fields",
            )
        depths = [self._add(rule) for rule in rules]
        order = tuple(self._index_of[rule.document.id] for rule in rules)
        return order, width + max(depths)

    def _add(self, rule: BaseRule) -> int:
        """Add a rule's step; return its look-back in seconds, 0 for a plain rule."""
        if not rule.bases:
            return 0
        document = rule.document
        type = type_of(document)
        width = timespan_of(document)
        keys = _group_by(document)
        self._check_keys(rule, keys, type)
        if type in TEMPORAL:
            of, lookback = self._order(document, rule.bases, width)
            node = ast.Correlated(-1, of, _KINDS[type], width, span=self._span)
        else:
            node, lookback = self._counted(rule, type, width, keys), width
        if document.id not in self._index_of:
            step = self._index_of[document.id] = len(self._index_of)
            self._correlated.append(msgspec.structs.replace(node, step=step))
        return lookback

    def _check_keys(self, rule: BaseRule, keys: tuple[str, ...], type: str) -> None:
        """Raise EsqlError if the group-by of a nested correlation does not fit the chain's.

        It must include the chain's fields; that of a temporal correlation must equal them."""
        missing = [key for key in self._keys if key not in keys]
        if missing or (type in TEMPORAL and set(keys) != set(self._keys)):
            wanted = ", ".join(self._keys) or "nothing"
            raise EsqlError(
                self._document.body.entries["rules"].span,
                f"{rule.reference} groups by {', '.join(keys) or 'nothing'}, so that its events "
                f"cannot be told by {wanted}: let both group by the same fields",
            )

    def _counted(
        self, rule: BaseRule, type: str, width: int, keys: tuple[str, ...]
    ) -> ast.Correlated:
        """Compile a nested correlation that counts events or values to a step."""
        document = rule.document
        if type not in _KINDS or is_chain(rule.bases) or "aliases" in document.body.entries:
            what = type if type not in _KINDS else f"{type} of correlations or with aliases"
            raise EsqlError(
                self._document.body.entries["rules"].span,
                f"{rule.reference} is {what}, which is not supported in a chain",
            )
        condition = map_of(document.body, "condition")
        fields = value_fields_of(document)
        if len(fields) != (type == "value_count"):
            raise EsqlError(
                self._document.body.entries["rules"].span,
                f"{rule.reference} counts the values of {len(fields)} fields, "
                "which is not supported in a chain",
            )
        names = [*keys, *(field.text for field in fields)]
        if any(set(name) & set("*|,") for name in names):
            raise EsqlError(self._span, f"no field can be called {', '.join(names)}")
        return ast.Correlated(
            step=-1,
            of=tuple(self._index_of[base.document.id] for base in rule.bases),
            kind=_KINDS[type],
            width=width,
            keys=tuple(key for key in keys if key not in self._keys),
            value=fields[0].text if fields else None,
            bounds=tuple((bound.operator, bound.number) for bound in bounds_of(condition)),
            span=self._span,
        )


def _leaves(rules: Sequence[BaseRule]) -> Iterator[BaseRule]:
    """Yield the plain rules, which match single events, at any depth."""
    for rule in rules:
        if rule.bases:
            yield from _leaves(rule.bases)
        else:
            yield rule


def _group_by(document: Document) -> tuple[str, ...]:
    return tuple(scalar.text for scalar in scalars_of(document.body.get("group-by"), "group-by"))


def chain_columns(tree: ast.Tree) -> list[str]:
    """Return the names of the columns that a chain's correlated steps read."""
    names: list[str] = []
    for command in tree.commands:
        if isinstance(command, ast.Chain):
            for each in command.correlated:
                names += each.keys
                if each.value is not None:
                    names.append(each.value)
    return names
