"""A command that runs for each notice and reads the alert from standard input."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

from detector.delivery.sinks.notice import Notice, SinkError
from detector.text.json_output import json_line

_TIMEOUT = 60


class AlertCommand:
    """A shell command line.

    The alert's JSON arrives on standard input as one line; the environment variables
    ``TRAILHOUND_KIND`` (alert or revision), ``TRAILHOUND_ALERT``, ``TRAILHOUND_SEVERITY`` and
    ``TRAILHOUND_SUMMARY`` describe it. Log text never becomes part of the command line itself. The
    command's output goes to standard error."""

    takes_watches = False

    def __init__(self, line: str) -> None:
        if not line.strip():
            raise ValueError("the command is empty")
        self._line = line
        self.sink_id = f"command-{hashlib.sha256(line.encode()).hexdigest()[:12]}"
        self.title = "command"

    def send(self, notice: Notice) -> None:
        environment = {
            **os.environ,
            "TRAILHOUND_KIND": notice.kind,
            "TRAILHOUND_ALERT": str(notice.alert["alert_id"]),
            "TRAILHOUND_SEVERITY": notice.severity,
            "TRAILHOUND_SUMMARY": notice.line.replace("\0", ""),
        }
        try:
            ended = subprocess.run(  # noqa: S603  the user's own line
                ["/bin/sh", "-c", self._line],
                input=(json_line(notice.alert) + "\n").encode(),
                stdout=sys.__stderr__,
                env=environment,
                timeout=_TIMEOUT,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise SinkError(f"did not end within {_TIMEOUT} s", retry=True) from None
        except OSError as error:
            raise SinkError(error.strerror or "cannot be run", retry=True) from None
        if ended.returncode:
            raise SinkError(f"exited with {ended.returncode}", retry=True)
