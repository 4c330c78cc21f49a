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
    """End this process by SIGHUP once its terminal hangs up.

    Who starts it may have told it to ignore that signal: without a terminal the app has nothing to
    go on for.
    """
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    threading.Thread(target=_wait, args=(sys.stdin.fileno(),), name="hangup", daemon=True).start()


def _wait(terminal: int) -> None:
    poll = select.poll()
    poll.register(terminal, 0)
    poll.poll()  # without a wish for input only the end of the terminal is told, in any form
    os.kill(os.getpid(), signal.SIGHUP)
