"""Imports at run time: no front end in the core, no Textual in commands.

Deferred imports count, so the commands are run and ``sys.modules`` is looked at afterwards.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.detector.trail import lines, sweep, write

ROOT = Path(__file__).parents[1]
HEAVY = {"textual", "rich"}
RARE = {"tarfile", "zipfile", "backports.zstd", "email.utils", "statistics", "multiprocessing"}
"""What only some logs need, or several processes: importing it takes a tenth of a start."""

EVERY_MODULE = """
import importlib, json, pkgutil, sys
import detector
skipped = []
for found in pkgutil.walk_packages(detector.__path__, "detector."):
    if found.name.endswith("__main__"):
        continue
    try:
        importlib.import_module(found.name)
    except ModuleNotFoundError as error:  # a library of an extra that is not installed
        if (error.name or "").split(".")[0] in ("detector", "tui", "textual", "rich"):
            raise
        skipped.append(found.name)
print(json.dumps([sorted(sys.modules), skipped]))
"""
A_COMMAND = """
import contextlib, io, json, sys
from tui.commandline.main import main
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    try:
        status = main(sys.argv[1:])
    except SystemExit as error:
        status = error.code
print(json.dumps([sorted(sys.modules), status]))
"""


def loaded(code: str, *args: object) -> tuple[set[str], object]:
    ran = subprocess.run(
        [sys.executable, "-c", code, *map(str, args)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    modules, rest = json.loads(ran.stdout)
    return {module.split(".")[0] for module in modules} | set(modules), rest


def test_core_imports_no_front_end() -> None:
    modules, skipped = loaded(EVERY_MODULE)
    assert {
        "detector.ingest.pipeline",
        "detector.store.decisions.triage_table",
        "detector.formats.records",
    } <= modules
    assert modules & (HEAVY | {"tui"}) == set()
    assert set(skipped) <= {"detector.backfill.spark.spark_engine"}


@pytest.mark.parametrize(
    "command",
    [
        "scan",
        "scan, several processes",
        "version",
        "help",
        "log",
        "suppress",
        "rules",
        "status",
        "an error",
        "the app without a terminal",
    ],
)
def test_commands_import_no_textual(command: str, tmp_path: Path) -> None:
    for number in range(3):
        write(tmp_path / "logs", f"{number}.jsonl", lines(sweep(10, 60 * number)))
    db = ["--db", tmp_path / "hunt.db"]
    args: list[object] = {
        "scan": ["scan", tmp_path / "logs", *db, "--exit-code"],
        "scan, several processes": ["scan", tmp_path / "logs", "--jobs", "2", "--exit-code"],
        "version": ["--version"],
        "help": ["--help"],
        "log": ["log", "export", *db],
        "suppress": ["suppress", "list", *db],
        "rules": ["rules", "list"],
        "status": ["status", *db],
        "an error": ["scan", "/no/such"],
        "the app without a terminal": [tmp_path / "logs"],
    }[command]
    modules, status = loaded(A_COMMAND, *args)
    assert status == {
        "scan": 10,
        "scan, several processes": 10,
        "an error": 1,
        "the app without a terminal": 1,
    }.get(command, 0)
    assert modules & HEAVY == set()
    if command == "scan":
        assert modules & RARE == set()


def test_scan_of_known_rules_imports_nothing_that_compiles_rules(tmp_path: Path) -> None:
    write(tmp_path / "logs", "a.json", sweep(10))
    loaded(A_COMMAND, "scan", tmp_path / "logs")  # fills the cache of rules
    modules, status = loaded(A_COMMAND, "scan", tmp_path / "logs", "--exit-code")
    assert status == 10
    assert modules & {"detector.rules.rule_maker", "detector.eql", "detector.rules.lint"} == set()


def test_tail_imports_no_textual(tmp_path: Path) -> None:
    write(tmp_path / "logs", "a.json", sweep(10))
    code = (
        """
import json, sys
from detector.ingest.pipeline import Pipeline
run = Pipeline.run
def once(self, stop, publish):
    run(self, stop, lambda update: (publish(update), update.live and stop.set()))
Pipeline.run = once
"""
        + A_COMMAND
    )
    modules, status = loaded(code, "tail", tmp_path / "logs", "--db", tmp_path / "hunt.db")
    assert (status, modules & HEAVY) == (0, set())


def test_version_imports_nothing_heavy() -> None:
    modules, _ = loaded(A_COMMAND, "--version")
    assert (
        modules
        & {
            "lark",
            "re2",
            "watchfiles",
            "sqlite3",
            "msgspec",
            "isal",
            "orjson",
            "multiprocessing",
            "asyncio",
        }
        == set()
    )
