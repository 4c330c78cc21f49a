"""The workflows of CI run nothing that can change under them, and end."""

from __future__ import annotations

import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PINNED = re.compile(r"uses: [\w./-]+@[0-9a-f]{40} # v\d+(\.\d+)*")


def jobs(workflow: Path) -> dict[str, Any]:
    read = yaml.safe_load(workflow.read_text())["jobs"]
    assert isinstance(read, dict)
    return read


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_workflow_is_pinned_and_limited(workflow: Path) -> None:
    text = workflow.read_text()
    uses = [line.strip().removeprefix("- ") for line in text.splitlines() if "uses:" in line]
    assert uses
    for line in uses:
        assert PINNED.fullmatch(line), line
    assert yaml.safe_load(text)["permissions"] == {"contents": "read"}
    assert "concurrency" in yaml.safe_load(text)
    for name, job in jobs(workflow).items():
        assert job["timeout-minutes"] <= 60, name
        for step in job["steps"]:
            if "actions/checkout" in step.get("uses", ""):
                assert step["with"]["persist-credentials"] is False


def test_nightly_changes_every_module_that_make_mutants_changes() -> None:
    targets = jobs(ROOT / ".github/workflows/nightly.yml")["long"]["strategy"]["matrix"]["target"]
    patterns = [
        found[1] for target in targets if (found := re.fullmatch(r"mutants OF='(.+)'", target))
    ]
    changed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mutmut"]["only_mutate"]
    modules = [path.removesuffix(".py").replace("/", ".") for path in changed]
    assert modules and all(any(fnmatch(name, of) for of in patterns) for name in modules)


def test_contributing_lists_every_job() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text()
    for workflow in WORKFLOWS:
        for name in jobs(workflow):
            assert f"| {workflow.stem}: `{name}` |" in page


@pytest.mark.parametrize("script", sorted((ROOT / ".ci").iterdir()), ids=lambda path: path.name)
def test_script_of_ci_is_run_by_a_workflow(script: Path) -> None:
    """By a step, by another script, or by a command of make, which a workflow runs."""
    scripts = [path for path in (ROOT / ".ci").iterdir() if path != script]
    lines = [
        line.partition("#")[0]
        for caller in (*WORKFLOWS, ROOT / "Makefile", *scripts)
        for line in caller.read_text().splitlines()
    ]
    assert any(f".ci/{script.name}" in line for line in lines)
