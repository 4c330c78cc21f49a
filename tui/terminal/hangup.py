"""Leaving with the terminal.

Where it goes away without a signal, as it may in a container or under a supervisor, Textual's threads would turn or
wait for ever. Nothing is lost by a sudden end: all that was decided is in the state.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import threading


def watch() -> None:
    """End this process when its terminal hangs up, by the signal that tells of it elsewhere."""
    threading.Thread(target=_wait, args=(sys.stdin.fileno(),), name="hangup", daemon=True).start()


def _wait(terminal: int) -> None:
    poll = select.poll()
    poll.register(terminal, 0)
    if any(event & select.POLLHUP for _, event in poll.poll()):
        os.kill(os.getpid(), signal.SIGHUP)
