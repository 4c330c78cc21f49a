"""End the process when its terminal hangs up.

In a container or under a supervisor, a terminal may disappear without a signal, and Textual's
threads would run for ever. A sudden end loses nothing: every decision is already in the store.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import threading


def watch_terminal() -> None:
    """End this process by SIGHUP once its terminal hangs up.

    The parent process may have set SIGHUP to be ignored, so its default action is restored: without
    a terminal the app has no reason to continue.
    """
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    threading.Thread(target=_wait, args=(sys.stdin.fileno(),), name="hangup", daemon=True).start()


def _wait(terminal: int) -> None:
    poll = select.poll()
    poll.register(terminal, 0)
    poll.poll()  # with no events requested, poll reports only hangups and errors
    os.kill(os.getpid(), signal.SIGHUP)
