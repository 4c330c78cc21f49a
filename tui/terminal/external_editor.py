"""Run another program in the app's terminal: an editor, a pager."""

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


class ProgramError(ValueError):
    """A program could not be run; the message is one line."""


def run_in_terminal(app: App[Any], command: Sequence[str], data: bytes | None = None) -> int:
    """Run ``command`` in the app's terminal, and return its exit status.

    ``data`` is the command's standard input; None leaves it on the terminal. The app waits until
    the command ends. Raises ProgramError.
    """
    handler = signal.getsignal(signal.SIGINT)
    try:
        with app.suspend():
            # ctrl+c reaches both processes but is meant only for the program
            signal.signal(signal.SIGINT, lambda *_: None)
            try:
                return subprocess.run(command, input=data, check=False).returncode  # noqa: S603 - the analyst's own
            finally:
                signal.signal(signal.SIGINT, handler)
    except SuspendNotSupported:
        raise ProgramError(
            "this terminal cannot run another program: use a real terminal"
        ) from None
    except OSError as error:
        raise ProgramError(f"{command[0]}: {error.strerror}") from None


def describe_status(status: int) -> str:
    """Describe an exit status in words."""
    if status < 0:
        return f"was ended by {signal.Signals(-status).name}"
    return f"ended with status {status}" if status else "has ended"


def edit_text(app: App[Any], text: str) -> str:
    """Let the analyst edit ``text`` in ``$VISUAL`` or ``$EDITOR``.

    Line breaks at the end are removed. Meanwhile the text is in a temporary file that only the
    analyst can read. Raises ProgramError.
    """
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if not editor:
        raise ProgramError("no editor set: export EDITOR=vi and restart")
    with tempfile.TemporaryDirectory(prefix="trailhound-") as folder:
        file = Path(folder, "note.md")
        file.touch(0o600)
        file.write_text(text, encoding="utf-8", errors="backslashreplace")
        try:
            command = [*shlex.split(editor), str(file)]
        except ValueError as error:
            raise ProgramError(f"EDITOR says {editor}: {error}") from None
        status = run_in_terminal(app, command)
        if status:
            raise ProgramError(f"{command[0]} {describe_status(status)}: the note is unchanged")
        try:
            return file.read_text(encoding="utf-8", errors="backslashreplace").rstrip("\r\n")
        except OSError as error:
            raise ProgramError(
                f"the edited note could not be read: {error.strerror}; it is unchanged"
            ) from None
