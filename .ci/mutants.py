"""``python .ci/mutants.py run``: mutmut, without SQL in small and in capital letters."""

from __future__ import annotations

import re
from collections.abc import Iterable

import libcst
from mutmut import __main__ as mutmut
from mutmut.mutation import mutators

SQL = re.compile(
    r"\b(SELECT|INSERT|UPDATE|DELETE|FROM|WHERE|VALUES|SET|LIMIT|ORDER BY|CONFLICT"
    r"|HAVING|PRAGMA|VACUUM|coalesce)\b"
)
QUOTED = re.compile(r"'[^']*'")


def operator_string(node: libcst.BaseString) -> Iterable[libcst.BaseString]:
    """Change a string; the letters of SQL change nothing, except those that it quotes."""
    for changed in mutators.operator_string(node):
        if not _is_same_sql(node.value, changed.value):
            yield changed


def _is_same_sql(sql: str, other: str) -> bool:
    is_alike = sql.lower() == other.lower() and QUOTED.findall(sql) == QUOTED.findall(other)
    return is_alike and bool(SQL.search(sql))


if __name__ == "__main__":
    mutators.mutation_operators[:] = [
        (kind, operator_string if operator is mutators.operator_string else operator)
        for kind, operator in mutators.mutation_operators
    ]
    mutmut.cli()
