"""End the process when its terminal hangs up.

In a container or under a supervisor a terminal may go away without a signal, and Textual's threads
would run for ever. Nothing is lost by a sudden end: every decision is in the store already.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import threading


def watch_terminal() -> None:
    """Send this process SIGHUP once its terminal hangs up."""
    threading.Thread(target=_wait, args=(sys.stdin.fileno(),), name="hangup", daemon=True).start()


def _wait(terminal: int) -> None:
    poll = select.poll()
    poll.register(terminal, 0)
    if any(event & select.POLLHUP for _, event in poll.poll()):
        os.kill(os.getpid(), signal.SIGHUP)
