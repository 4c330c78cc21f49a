"""List every string that a person reads: ``python -m docs.strings``.

One line each, ``path:line: text``, with ``{…}`` where a value stands. A reader goes through them
after a change of words; the tests hold them against the phrases that are no longer used.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).parents[1]

PACKAGES = ("detector", "tui")
TEXTS = ("README.md", "docs/*.md", "detector/rules/builtin/**/*.toml")
"""Files that are read as they are, by pattern."""

_PROSE = re.compile(r"[A-Za-z]{2,}[,.:;]? +\S|^[A-Z][a-z]+$|^[a-z]+(?:[- ][a-z]+)+$")
"""What reads like words: two of them, or a capitalized one, or a compound."""

_CODE = re.compile(r"\b(?:SELECT|INSERT|UPDATE|DELETE|CREATE|PRAGMA|FROM|WHERE)\b [\w({*]")


class ReadableString(NamedTuple):
    path: str
    """Relative to the repository."""
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}"


def readable_strings() -> Iterator[ReadableString]:
    """Yield the strings of the code, then the lines of the documents and rule files."""
    for package in PACKAGES:
        for path in sorted((REPOSITORY / package).rglob("*.py")):
            name = str(path.relative_to(REPOSITORY))
            for line, text in code_strings(path.read_text(encoding="utf-8")):
                yield ReadableString(name, line, text)
    for pattern in TEXTS:
        for path in sorted(REPOSITORY.glob(pattern)):
            name = str(path.relative_to(REPOSITORY))
            lines = path.read_text(encoding="utf-8").splitlines()
            yield from (ReadableString(name, *each) for each in enumerate(lines, 1) if each[1])


def code_strings(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and text of each string in a module that reads like words.

    Docstrings are for engineers and SQL is for SQLite; neither is on a screen.
    """
    tree = ast.parse(source)
    passed_over = {id(node) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr):
            passed_over.add(id(node.value))
        elif isinstance(node, ast.JoinedStr):
            passed_over.update(map(id, ast.walk(node)))
            passed_over.discard(id(node))
    for node in ast.walk(tree):
        text = _text(node)
        if text and id(node) not in passed_over and _PROSE.search(text) and not _CODE.search(text):
            yield node.lineno, re.sub(r"\s+", " ", text).strip()  # type: ignore[attr-defined]


def _text(node: ast.AST) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) or "{…}" for part in node.values)
    return ""


def main() -> None:
    for each in readable_strings():
        print(each)


if __name__ == "__main__":
    main()
