"""The app ends when its terminal hangs up."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("is_drawn", [True, False], ids=["drawn", "starting"])
@pytest.mark.parametrize("disposition", [signal.SIG_DFL, signal.SIG_IGN])
def test_app_ends_when_terminal_hangs_up(
    tmp_path: Path, disposition: signal.Handlers, is_drawn: bool
) -> None:
    """In a session without a controlling terminal, nothing sends SIGHUP.

    A parent such as nohup has it ignored; nothing waits by the clock. Where the terminal is gone
    before the app has looked at it, there is none to run on."""
    ours, its = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "tui", str(tmp_path), "--db", str(tmp_path / "hunt.db")],
        stdin=its,
        stdout=its,
        stderr=its,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, disposition),
    ) as app:
        os.close(its)
        try:
            if is_drawn:
                assert os.read(ours, 1), "it has begun to draw"
            os.close(ours)
            assert app.wait() in (-signal.SIGHUP, *([] if is_drawn else [1]))
        finally:
            app.kill()
