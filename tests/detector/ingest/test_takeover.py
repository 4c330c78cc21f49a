"""The taking over of ingest from a process that was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

from detector.ingest.takeover import await_ingest
from detector.store import Store

_HOLD = """
import sys
from pathlib import Path
from detector.store import Store
store = Store.open(Path(sys.argv[1]))
store.take_ingest()
print("ingesting", flush=True)
sys.stdin.read()
"""


class _Patience(threading.Event):
    """An event that does not wait, but sums up what it would have waited since a death."""

    def __init__(self, holder: subprocess.Popen[bytes]) -> None:
        super().__init__()
        self._holder = holder
        self.seconds = 0.0

    def wait(self, timeout: float | None = None) -> bool:
        if self._holder.returncode is None:
            os.kill(self._holder.pid, signal.SIGKILL)
            self._holder.wait()
        assert timeout is not None
        self.seconds += timeout
        assert self.seconds <= 5, "nobody ingests for more than five seconds"
        return False


def test_place_of_killed_writer_is_taken_within_five_seconds(tmp_path: Path) -> None:
    state = tmp_path / "hunt.db"
    Store.open(state).close()
    named: list[str] = []
    command = [sys.executable, "-c", _HOLD, str(state)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"ingesting\n"
        patience = _Patience(holder)
        with closing(Store.open(state)) as store:
            assert await_ingest(store, patience, named.append)
            assert [str(holder.pid) in name for name in named] == [True]
            assert store.holder is None
    assert patience.seconds > 0
