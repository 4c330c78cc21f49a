"""Garbage is not looked for in what starting makes, which all lasts, nor when all ends."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path

from detector.ingest.garbage import uncollected

ROOT = Path(__file__).parents[2]
A_START = """
import gc, sys
from importlib import import_module
import tui.commandline.main
collected = []
gc.callbacks.append(lambda phase, info: collected.append(phase))
def counted(name):
    before = len(collected)
    module = import_module(name)
    print(name, len(collected) - before)
    return module
tui.commandline.main.import_module = counted
from tui.__main__ import run
status = run()
print(status, gc.get_freeze_count() > 10_000)
"""


def test_what_is_made_meanwhile_is_not_collected_and_counts_as_old() -> None:
    with uncollected():
        assert not gc.isenabled()
        made = [[] for _ in range(10)]  # type: ignore[var-annotated]
    assert gc.isenabled()
    young = {id(it) for generation in (0, 1) for it in gc.get_objects(generation)}
    assert not young & {id(it) for it in made}


def test_collections_stay_off_where_they_were_off() -> None:
    gc.disable()
    try:
        with uncollected():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_a_start_looks_for_no_garbage_in_its_imports_nor_at_its_end(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", A_START, "scan", str(tmp_path), "--quiet"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.split("\n")[-3:] == [
        "tui.commandline.commands.scan 0",
        "0 True",
        "",
    ]
