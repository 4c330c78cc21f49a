"""Copy text to the analyst's clipboard.

A local program copies if one reaches the clipboard that the analyst sees. Over SSH, or without such
a program, the terminal copies by OSC 52, which never confirms success.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace

_TIMEOUT_SECONDS = 5.0
"""How long a clipboard program may take."""

_SAFE_BYTES = 74_994
"""Size in bytes that every terminal with OSC 52 accepts: xterm's limit, before base64."""


class ClipboardError(Exception):
    """A clipboard program did not accept the text; the message is one line."""


@dataclass(frozen=True)
class ClipboardMethod:
    """A way to copy to the clipboard.

    ``command`` reads the text from standard input; if empty, the terminal receives it by OSC 52.
    ``advice`` says what to do if nothing arrives.
    """

    name: str
    command: tuple[str, ...] = ()
    encoding: str = "utf-8"
    advice: str = ""


TERMINAL = ClipboardMethod("the terminal (OSC 52)")


def find_method(environ: Mapping[str, str]) -> ClipboardMethod:
    """Choose how this process reaches the analyst's clipboard."""
    if not (environ.get("SSH_CONNECTION") or environ.get("SSH_TTY")):
        for method, reaches in _local(environ):
            if reaches and shutil.which(method.command[0], path=environ.get("PATH")):
                return method
    advice = (
        "tmux needs “set -g set-clipboard on”"
        if environ.get("TMUX")
        else "the terminal must allow clipboard access"
    )
    return replace(TERMINAL, advice=advice)


def _local(environ: Mapping[str, str]) -> list[tuple[ClipboardMethod, bool]]:
    wayland, display = bool(environ.get("WAYLAND_DISPLAY")), bool(environ.get("DISPLAY"))
    return [
        (ClipboardMethod("pbcopy", ("pbcopy",)), sys.platform == "darwin"),
        (ClipboardMethod("wl-copy", ("wl-copy",)), wayland),
        (ClipboardMethod("xclip", ("xclip", "-selection", "clipboard")), display),
        (ClipboardMethod("xsel", ("xsel", "--clipboard", "--input")), display),
        (
            ClipboardMethod("clip.exe", ("clip.exe",), "utf-16-le"),
            bool(environ.get("WSL_DISTRO_NAME")),
        ),
    ]


def copy_by_command(method: ClipboardMethod, text: str) -> None:
    """Give ``text`` to the program of the method. Raises ClipboardError."""
    try:
        # no output pipes: programs that keep running to serve the clipboard would hold them open
        done = subprocess.run(  # noqa: S603 - one of the programs above
            method.command,
            input=text.encode(method.encoding, "backslashreplace"),
            timeout=_TIMEOUT_SECONDS,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ClipboardError(
            f"{method.name} did not answer within {_TIMEOUT_SECONDS:.0f} s"
        ) from None
    except OSError as error:
        raise ClipboardError(f"{method.name}: {error.strerror}") from None
    if done.returncode:
        raise ClipboardError(f"{method.name} failed with status {done.returncode}")


def size_warning(text: str) -> str:
    """Return a warning if OSC 52 may truncate this text; otherwise an empty string."""
    size = len(text.encode("utf-8", "backslashreplace"))
    if size <= _SAFE_BYTES:
        return ""
    return f"{size:,} bytes: some terminals truncate above {_SAFE_BYTES:,}"
