"""Fixtures of all tests: a home folder and a terminal of their own.

Hypothesis is repeatable in CI; ``make deep`` tries other examples, round after round.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

from detector.store import database
from detector.store.opening.connections import migrate_file, temporary_folder
from tests.commandline.cli import Cli, Ran
from tui.commandline.main import main

settings.register_profile(
    "local", max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "repeatable", settings.get_profile("local"), derandomize=True, database=None
)
# The first example that fails tells that a change was noticed.
settings.register_profile(
    "mutants", settings.get_profile("repeatable"), phases=[Phase.explicit, Phase.generate]
)
settings.load_profile("repeatable" if os.environ.get("CI") else "local")

# Tests start hundreds of processes, of which each would compile every module anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


SLOW = (
    "commandline/",
    "crash/",
    "detector/formats/test_forms.py",
    "detector/ingest/",
    "detector/sources/",
    "detector/store/test_concurrency.py",
    "detector/store/test_errors.py",
    "hostile/",
    "render/",
    "test_benchmarks.py",
    "test_crash.py",
    "test_import_hygiene.py",
    "test_sample_logs.py",
    "tui/",
)
"""Below ``tests``: whole apps, processes, servers and large files."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the properties, and as slow these and what SLOW names."""
    for item in items:
        path = item.path.relative_to(Path(__file__).parent).as_posix()
        is_property = getattr(getattr(item, "obj", None), "is_hypothesis_test", False)
        if is_property:
            item.add_marker(pytest.mark.property)
        if path.startswith(SLOW) or is_property:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session", autouse=True)
def _isolated_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        patch.setenv("XDG_DATA_HOME", str(home / "data"))
        patch.setenv("XDG_CONFIG_HOME", str(home / "config"))
        patch.setenv("XDG_STATE_HOME", str(home / "state"))
        patch.setenv("TERM", "xterm-256color")
        patch.setenv("COLORTERM", "truecolor")
        patch.delenv("NO_COLOR", raising=False)
        yield


@pytest.fixture(scope="session", autouse=True)
def _tables_are_made_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Give each temporary state a copy of the tables: making them takes longer than most tests."""
    empty = tmp_path_factory.mktemp("state") / "hunt.db"
    migrate_file(empty)

    def folder_with_tables(cleanup: ExitStack) -> Path:
        folder = temporary_folder(cleanup)
        shutil.copy(empty, folder)
        return folder

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "temporary_folder", folder_with_tables)
        yield


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    """Run trailhound in this process."""

    def run(*args: object) -> Ran:
        try:
            status = main([str(arg) for arg in args])
        except SystemExit as error:
            status = error.code if isinstance(error.code, int) else 1
        return Ran(status, *capsys.readouterr())

    return run
