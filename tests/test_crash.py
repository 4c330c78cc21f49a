"""Run a few rounds of the crash harness.

``python -m tests.crash`` runs two hundred.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_killed_state_equals_undisturbed_state() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "tests.crash", "--rounds", "8"],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "8 lives: " in ran.stdout
    assert "as if undisturbed" in ran.stdout
