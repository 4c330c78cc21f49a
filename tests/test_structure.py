"""The structure of the code: floors, circles, folder sizes, names and how much one line may say.

Imports are counted from the source, inside functions and under TYPE_CHECKING too.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("detector", "tui")


@cache
def trees() -> dict[str, ast.Module]:
    """Parse every module of both packages, by its dotted name."""
    paths = (path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py")))
    return {module_name(path): ast.parse(path.read_text(encoding="utf-8")) for path in paths}


def module_name(path: Path) -> str:
    dotted = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return dotted.removesuffix(".__init__")


@cache
def imports() -> dict[str, frozenset[str]]:
    """Map each module to the modules of both packages that it imports, wherever it does."""
    return {name: frozenset(imported_by(name, tree)) for name, tree in trees().items()}


def imported_by(name: str, tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                target = submodule if submodule in trees() else node.module
                if target in trees() and target != name:
                    yield target
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in trees())


@cache
def floors(package: str) -> list[list[str]]:
    """Read the floors of a package from its import contract, the highest first."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    contracts = tomllib.loads(text)["tool"]["importlinter"]["contracts"]
    (contract,) = (each for each in contracts if each.get("containers") == [package])
    assert contract["exhaustive"]
    return [[unit.strip() for unit in layer.split("|")] for layer in contract["layers"]]


def unit_of(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


@pytest.mark.parametrize("package", PACKAGES)
def test_every_unit_has_a_floor(package: str) -> None:
    units = {unit_of(name) for name in trees() if name.startswith(f"{package}.")}
    ranked = [unit for floor in floors(package) for unit in floor]
    assert sorted(ranked) == sorted(units)


@pytest.mark.parametrize("package", PACKAGES)
def test_no_import_points_up(package: str) -> None:
    height = {unit: -depth for depth, floor in enumerate(floors(package)) for unit in floor}
    wrong = [
        f"{importer} -> {imported}"
        for importer, targets in imports().items()
        for imported in targets
        if importer.startswith(f"{package}.")
        and imported.startswith(f"{package}.")
        and unit_of(importer) != unit_of(imported)
        and height[unit_of(importer)] <= height[unit_of(imported)]
    ]
    assert wrong == []


def test_the_core_imports_no_front_end_anywhere() -> None:
    wrong = [
        f"{importer} -> {imported}"
        for importer, targets in imports().items()
        for imported in targets
        if importer.startswith("detector") and imported.startswith("tui")
    ]
    assert wrong == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Take away what imports nothing that is left, until nothing changes; a circle stays."""
    left = {name: set(targets) for name, targets in imports().items()}
    while leaves := {name for name, targets in left.items() if not targets & left.keys()}:
        left = {name: targets for name, targets in left.items() if name not in leaves}
    tops = {name for name in left if not any(name in targets for targets in left.values())}
    assert sorted(left.keys() - tops) == []


def test_no_screen_imports_another() -> None:
    """Only what screens are made of is shared; everything else is reached by a route."""
    shared = ("tui.screens.base", "tui.screens.dialogs")
    wrong = [
        f"{importer} -> {imported}"
        for importer, targets in imports().items()
        for imported in targets
        if importer.startswith("tui.screens.")
        and imported.startswith("tui.screens.")
        and not imported.startswith(shared)
        and importer.split(".")[2] != imported.split(".")[2]
    ]
    assert wrong == []


@pytest.mark.parametrize("package", PACKAGES)
def test_few_modules_are_loose_in_a_root(package: str) -> None:
    loose = [path.name for path in (ROOT / package).glob("*.py") if path.name != "__init__.py"]
    assert len(loose) <= 3, loose


def test_folders_and_files_are_of_a_size_to_read() -> None:
    generated = ROOT / "detector" / "esql" / "grammar_tables.py"
    paths = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    files = [path for path in paths if path != generated]
    per_folder = Counter(path.parent for path in files if path.name != "__init__.py")
    assert {folder: count for folder, count in per_folder.items() if count > 20} == {}
    lines = {path: path.read_text(encoding="utf-8").count("\n") for path in files}
    assert {path.name: count for path, count in lines.items() if count > 410} == {}


def test_few_public_names_are_bound_twice() -> None:
    """A search for a name finds one thing."""
    bound = defaultdict(set)
    for module, tree in trees().items():
        for name in public_names(tree):
            bound[name].add(module)
    twice = sorted(name for name, modules in bound.items() if len(modules) > 1)
    assert len(twice) <= 25, twice


def test_every_name_of_a_module_is_used() -> None:
    """What is defined and never named again is dead. A decorator may register its function."""
    folders = (*PACKAGES, "tests", "benchmarks")
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    words = Counter(
        word for path in paths for word in re.findall(r"\w+", path.read_text(encoding="utf-8"))
    )
    defined = {name for tree in trees().values() for name in undecorated_names(tree)}
    assert sorted(name for name in defined if words[name] == 1) == []


def undecorated_names(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if not getattr(node, "decorator_list", ()):
            yield from names_bound_by(node)


def public_names(tree: ast.Module) -> Iterator[str]:
    names = (name for node in tree.body for name in names_bound_by(node))
    return (name for name in names if not name.startswith("_"))


def names_bound_by(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Assign):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return [node.target.id]
    return []


def test_a_line_says_one_thing() -> None:
    """Assignments and decisions stand on lines of their own; no decision hides in another."""
    nodes = [node for tree in trees().values() for node in ast.walk(tree)]
    files = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    thousands = sum(path.read_text(encoding="utf-8").count("\n") for path in files) / 1_000
    conditionals = [node for node in nodes if isinstance(node, ast.IfExp)]
    nested = [outer for outer in conditionals if holds_a_conditional(outer)]
    walruses = sum(isinstance(node, ast.NamedExpr) for node in nodes)
    assert nested == []
    assert walruses / thousands <= 1.5
    assert len(conditionals) / thousands <= 12


def holds_a_conditional(outer: ast.IfExp) -> bool:
    return any(isinstance(inner, ast.IfExp) for inner in ast.walk(outer) if inner is not outer)
