"""No code hands a string that it built to a markup parser.

To Textual a ``str`` is markup, so one name from a log in an f-string is a crash or an action to
click on. What is shown goes through ``tui.presentation.safe``; this reads the source and finds what
does not.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import tui

SOURCES = sorted(Path(tui.__file__).parent.rglob("*.py"))

SINKS = {
    "Static", "Label", "Button", "Checkbox", "RadioButton", "Collapsible", "TabPane", "Tab",
    "Select", "Option", "OptionList", "Toast", "Markdown", "MarkdownViewer", "Tree", "Link",
    "Digits", "Binding", "update", "set_content", "add_option", "replace_option_prompt",
    "render_str", "mount_static",
}  # fmt: skip
"""Calls whose strings Textual reads as markup."""

ATTRIBUTES = {"border_title", "border_subtitle", "tooltip"}
"""Attributes whose strings Textual reads as markup."""

PARSERS = {"from_ansi", "from_markup", "render_markup", "to_content"}
"""Parsers of markup or escapes: a template of ours may go in with the data as its variables, and
nothing else."""

TAG = re.compile(r"\[/?[a-z@$#][^\]]*\]|\[/")


def complaints(source: str) -> Iterator[str]:
    """Yield what could make log text act, as ``line: what``."""
    for node in ast.walk(ast.parse(source)):
        for what in _complaints(node):
            yield f"{node.lineno}: {what}"  # type: ignore[attr-defined]


def _complaints(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Call):
        name = _name(node.func)
        arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
        if name == "notify" and not _is_safe(node.func):
            yield "notify: use safe.notify"
        if name == "add_row":
            yield "add_row: a DataTable reads markup; use RowList"
        if name == "from_ansi" or (
            name in PARSERS and not (node.args and isinstance(node.args[0], ast.Constant))
        ):
            yield f"{name}: what is parsed must be a literal, with the data as its variables"
        if name in SINKS and any(map(_put_together, arguments)):
            yield f"{name}: a built string is read as markup; use safe.text or Content.assemble"
        if any(keyword.arg == "markup" and _is_true(keyword.value) for keyword in node.keywords):
            yield "markup=True"
    if isinstance(node, ast.ImportFrom) and node.module == "rich.markup":
        yield "rich.markup: escaping does not make text safe"
    if isinstance(node, ast.Assign) and _put_together(node.value):
        for target in node.targets:
            if isinstance(target, ast.Attribute) and target.attr in ATTRIBUTES:
                yield f"{target.attr}: a string put together is read as markup; use safe.title"
    if isinstance(node, ast.JoinedStr) and TAG.search("\0".join(_letters(node))):
        yield "a tag around a value"


def _put_together(node: ast.AST) -> bool:
    """Return whether a node builds a string from values outside the source."""
    if isinstance(node, ast.JoinedStr):
        return any(isinstance(part, ast.FormattedValue) for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Mod):
        return any(_is_text(side) or _put_together(side) for side in (node.left, node.right))
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("format", "join")
    ):
        return _is_text(node.func.value)
    if isinstance(node, ast.IfExp):
        return _put_together(node.body) or _put_together(node.orelse)
    return False


def _name(function: ast.expr) -> str:
    if isinstance(function, ast.Subscript):
        return _name(function.value)
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _is_safe(function: ast.expr) -> bool:
    return (
        isinstance(function, ast.Attribute)
        and isinstance(function.value, ast.Name)
        and function.value.id == "safe"
    )


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _is_true(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is True


def _letters(node: ast.JoinedStr) -> list[str]:
    return [
        part.value
        for part in node.values
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
    ]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(SOURCES[0].parent)))
def test_no_module_passes_log_text_to_markup(path: Path) -> None:
    if path.name != "safe.py":  # the one module that may call what it guards
        assert list(complaints(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "line",
    [
        "self.notify(message)",
        "self.app.notify('saved')",
        "Static(f'{name} called')",
        "Label('%s called' % name)",
        "Label('by ' + name)",
        "Button('{}'.format(name))",
        "Static(' '.join(names))",
        "Static('none' if empty else f'{name}')",
        "self.query_one(Static).update(f'{count} of {total}')",
        "widget.border_title = f'alert {name}'",
        "widget.tooltip = 'by ' + name",
        "Text.from_markup(line)",
        "Text.from_markup(f'[b]{name}[/b]')",
        "Content.from_markup(template)",
        "Text.from_ansi('x')",
        "from rich.markup import escape",
        "say(f'[b]{name}[/b]')",
        "RichLog(markup=True)",
        "table.add_row(name)",
    ],
)
def test_check_finds(line: str) -> None:
    assert list(complaints(line))


@pytest.mark.parametrize(
    "line",
    [
        "safe.notify(self, f'{name} saved')",
        "Static('Nothing here yet.')",
        "Static(safe.text(name))",
        "Static(Content.assemble(name, ('x', 'bold')))",
        "Content.from_markup('[b]$who[/b]', who=name)",
        "values = f'{name}[{index}]'",
        "widget.border_title = safe.title(name)",
    ],
)
def test_check_allows(line: str) -> None:
    assert not list(complaints(line))
