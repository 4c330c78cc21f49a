"""Private names of Textual that the app and its tests use: a release without one fails here."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from types import ModuleType

import pytest
from textual.app import App
from textual.command import CommandPalette
from textual.screen import Screen
from textual.widgets import Input, OptionList

import tui
from tui.terminal import textual_private


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("textual._compositor", "ChopsUpdate"),
        ("textual._compositor", "CompositorUpdate"),
        ("textual._compositor", "LayoutUpdate"),
        ("textual._context", "active_app"),
        ("textual.app", "wait_for_idle"),
        ("textual.pilot", "wait_for_idle"),
    ],
)
def test_textual_module_has_private_name(module: str, name: str) -> None:
    assert hasattr(import_module(module), name)


@pytest.mark.parametrize(
    ("owner", "name", "parameters"),
    [
        (App, "_display", ["self", "screen", "renderable"]),
        (OptionList, "_get_left_gutter_width", ["self"]),
        (Screen, "_on_timer_update", ["self"]),
    ],
)
def test_textual_class_has_private_method(owner: type, name: str, parameters: list[str]) -> None:
    assert list(inspect.signature(getattr(owner, name)).parameters) == parameters


def test_textual_input_has_private_value_property() -> None:
    assert isinstance(inspect.getattr_static(Input, "_value"), property)


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (App, "_notifications"),
        (App, "_clipboard"),
        (App, "_screen_stack"),
        (CommandPalette, "_placeholder"),
        (Screen, "_compositor"),
    ],
)
def test_textual_object_has_private_attribute(owner: type, name: str) -> None:
    assert name in dir(owner())


def test_app_uses_private_names_in_one_file() -> None:
    """No other module imports one, reads one, or overrides one."""
    others = {}
    for found in walk_packages(tui.__path__, "tui."):
        module = import_module(found.name)
        names = {*_imported_or_read(Path(module.__file__ or "")), *_overridden(module)}
        if names and module is not textual_private:
            others[found.name] = names
    assert others == {}


def _imported_or_read(path: Path) -> Iterator[str]:
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    own = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    own |= {
        node.attr
        for node in nodes
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
    }
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and re.match(r"textual\..*\b_", node.module or ""):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Attribute) and node.attr in PRIVATE - own:
            yield node.attr


def _overridden(module: ModuleType) -> Iterator[str]:
    for made in vars(module).values():
        if not inspect.isclass(made) or made.__module__ != module.__name__:
            continue
        for name, member in vars(made).items():
            bases = [base for base in made.__mro__[1:] if base.__module__.startswith("textual")]
            if (
                re.match(r"_[a-z]", name)
                and (inspect.isfunction(member) or isinstance(member, property))
                and any(name in vars(base) for base in bases)
            ):
                yield f"{made.__name__}.{name}"


PRIVATE = {
    name
    for owner in (App, CommandPalette, Input, OptionList, Screen)
    for name in dir(owner())
    if re.match(r"_[a-z]", name)
}
"""Private names of the classes of Textual that the app builds on."""
