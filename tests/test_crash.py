"""A few lives of the crash harness; ``python -m tests.crash`` lives two hundred."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_a_state_that_is_killed_over_and_over_is_as_if_it_never_had_been() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "tests.crash", "--rounds", "12"],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "12 lives: " in ran.stdout
    assert "as if undisturbed" in ran.stdout
