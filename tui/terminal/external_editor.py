"""The terminal given to another program for a while: an editor, a pager."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from textual.app import App, SuspendNotSupported


class NotHandedOver(ValueError):
    """The program could not be run in the terminal; one line says why and what to do."""


def run(app: App[Any], command: Sequence[str], data: bytes | None = None) -> int:
    """Run ``command`` in the app's terminal until it ends, with ``data`` as its standard input
    where there is any; its exit status. What is read meanwhile waits. Raises NotHandedOver."""
    interrupted = signal.getsignal(signal.SIGINT)
    try:
        with app.suspend():
            signal.signal(
                signal.SIGINT, lambda *_: None
            )  # ctrl+c is for the program, which gets it too
            try:
                return subprocess.run(command, input=data, check=False).returncode  # noqa: S603 - the analyst's own
            finally:
                signal.signal(signal.SIGINT, interrupted)
    except SuspendNotSupported:
        raise NotHandedOver(
            "this terminal cannot be given to another program: run trailhound in a real one"
        ) from None
    except OSError as error:
        raise NotHandedOver(f"{command[0]}: {error.strerror}") from None


def outcome(status: int) -> str:
    """What an exit status of ``run`` means, in words."""
    if status < 0:
        return f"was ended by {signal.Signals(-status).name}"
    return f"ended with status {status}" if status else "has ended"


def edited(app: App[Any], text: str) -> str:
    """``text`` as it is after the analyst's ``$VISUAL`` or ``$EDITOR``, without line breaks at its
    end.

    It lies meanwhile in a file that only the analyst can read. Raises NotHandedOver; ``text`` is
    then as it was."""
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if not editor:
        raise NotHandedOver(
            "no editor is named: set EDITOR, e.g. export EDITOR=vi, and start again"
        )
    with tempfile.TemporaryDirectory(prefix="trailhound-") as folder:
        file = Path(folder, "note.md")
        file.touch(0o600)
        file.write_text(text, encoding="utf-8", errors="backslashreplace")
        try:
            command = [*shlex.split(editor), str(file)]
        except ValueError as error:
            raise NotHandedOver(f"EDITOR says {editor}: {error}") from None
        if status := run(app, command):
            raise NotHandedOver(f"{command[0]} {outcome(status)}: the note is as it was")
        try:
            return file.read_text(encoding="utf-8", errors="backslashreplace").rstrip("\r\n")
        except OSError as error:
            raise NotHandedOver(
                f"the edited note could not be read: {error.strerror}; it is as it was"
            ) from None
