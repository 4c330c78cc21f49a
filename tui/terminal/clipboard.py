"""Which way text gets to the analyst's clipboard, and taking it there.

A local program where one can reach the clipboard that the analyst sees; over SSH, and where there is none, the terminal
itself by OSC 52, which never answers.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace

_SECONDS = 5.0
"""How long a clipboard program may take."""

_CERTAIN = 74_994
"""Bytes that every terminal with OSC 52 is said to take (xterm's limit, before base64)."""


class ClipboardError(Exception):
    """A clipboard program did not take the text; one line says why."""


@dataclass(frozen=True)
class Route:
    """``command`` reads the text from standard input; empty: the terminal takes it by OSC 52.
    ``advice`` is what to do where nothing arrives."""

    name: str
    command: tuple[str, ...] = ()
    encoding: str = "utf-8"
    advice: str = ""


TERMINAL = Route("the terminal (OSC 52)")


def find(environ: Mapping[str, str]) -> Route:
    """The route from this process to the clipboard of whoever looks at its terminal."""
    if not (environ.get("SSH_CONNECTION") or environ.get("SSH_TTY")):
        for route, reaches in _local(environ):
            if reaches and shutil.which(route.command[0], path=environ.get("PATH")):
                return route
    advice = (
        "tmux passes it on with “set -g set-clipboard on”"
        if environ.get("TMUX")
        else "the terminal must allow programs to set the clipboard"
    )
    return replace(TERMINAL, advice=advice)


def _local(environ: Mapping[str, str]) -> list[tuple[Route, bool]]:
    wayland, display = bool(environ.get("WAYLAND_DISPLAY")), bool(environ.get("DISPLAY"))
    return [
        (Route("pbcopy", ("pbcopy",)), sys.platform == "darwin"),
        (Route("wl-copy", ("wl-copy",)), wayland),
        (Route("xclip", ("xclip", "-selection", "clipboard")), display),
        (Route("xsel", ("xsel", "--clipboard", "--input")), display),
        (Route("clip.exe", ("clip.exe",), "utf-16-le"), bool(environ.get("WSL_DISTRO_NAME"))),
    ]


def give(route: Route, text: str) -> None:
    """Hand ``text`` to the route's program and wait for it. Raises ClipboardError."""
    try:
        # its own output goes nowhere: some stay behind to serve the clipboard, and would hold a
        # pipe open
        done = subprocess.run(  # noqa: S603 - one of the programs above
            route.command,
            input=text.encode(route.encoding, "backslashreplace"),
            timeout=_SECONDS,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ClipboardError(f"{route.name} did not answer within {_SECONDS:.0f} s") from None
    except OSError as error:
        raise ClipboardError(f"{route.name}: {error.strerror}") from None
    if done.returncode:
        raise ClipboardError(f"{route.name} failed with status {done.returncode}")


def caution(text: str) -> str:
    """What to say of OSC 52 for this text, where it may not arrive whole."""
    size = len(text.encode("utf-8", "backslashreplace"))
    return (
        f"{size:,} bytes: some terminals cut what is longer than {_CERTAIN:,}"
        if size > _CERTAIN
        else ""
    )
