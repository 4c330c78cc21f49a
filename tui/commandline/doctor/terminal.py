"""Checks of the terminal: size, colors, keys, clipboard, editor."""

from __future__ import annotations

import contextlib
import os
import select
import shlex
import shutil
import sys
import termios
import time
import tty
from collections.abc import Iterator, Mapping

from tui.commandline.doctor import Check
from tui.terminal import clipboard
from tui.terminal.encoding import doubtful_locale, is_utf8
from tui.terminal.output import is_terminal

_ANSWER_SECONDS = 0.3
"""How long to wait for a terminal's answer. A distant one over SSH may take longer; it is not asked
again."""

_ASK_KITTY_KEYS = b"\x1b[?u"
_ASK_ATTRIBUTES = b"\x1b[c"
"""Queries the kitty protocol's key reports, then something that every terminal answers: if only the
latter is answered, the protocol is unknown; if neither is, the terminal is slow."""


def terminal_checks(environ: Mapping[str, str]) -> Iterator[Check]:
    """Check the terminal that trailhound runs in, its clipboard and the editor."""
    yield _name(environ)
    yield _size()
    yield _encoding(environ)
    yield _colors(environ)
    yield _keys()
    yield _clipboard(environ)
    yield _editor(environ)


def _name(environ: Mapping[str, str]) -> Check:
    name = environ.get("TERM", "")
    layers = [
        layer
        for layer, variable in (("tmux", "TMUX"), ("screen", "STY"), ("SSH", "SSH_CONNECTION"))
        if environ.get(variable)
    ]
    finding = " in ".join([name or "none set", *layers])
    if not is_terminal(sys.stdin) or not is_terminal(sys.stdout):
        return Check(
            "terminal",
            "warning",
            f"{finding}, not connected here",
            "the app needs one; commands do not",
        )
    if name in ("", "dumb", "unknown"):
        return Check(
            "terminal", "problem", finding, "set TERM to your terminal type, e.g. xterm-256color"
        )
    return Check("terminal", "ok", finding)


def _size() -> Check:
    columns, rows = shutil.get_terminal_size()
    finding = f"{columns} columns, {rows} lines"
    if columns < 80 or rows < 24:
        return Check(
            "size",
            "warning",
            finding,
            "80x24 shows the main columns, 160x48 all of them",
        )
    return Check("size", "ok", finding)


def _encoding(environ: Mapping[str, str]) -> Check:
    encoding = (getattr(sys.stdout, "encoding", None) or "unknown").lower()
    advice = "lines and glyphs need UTF-8: export LC_ALL=C.UTF-8"
    if not is_utf8(encoding):
        return Check("letters", "problem", encoding, advice)
    setting = doubtful_locale(environ)
    if setting:
        return Check("letters", "warning", setting, advice)
    return Check("letters", "ok", "UTF-8")


def _colors(environ: Mapping[str, str]) -> Check:
    if "NO_COLOR" in environ:
        return Check("colours", "ok", "none, as NO_COLOR asks")
    if environ.get("COLORTERM", "").lower() in ("truecolor", "24bit"):
        return Check("colours", "ok", "16 million")
    if "256" in environ.get("TERM", ""):
        return Check(
            "colours", "ok", "256; with COLORTERM=truecolor, where the terminal can, 16 million"
        )
    return Check(
        "colours",
        "warning",
        "16: the theme is the terminal's own",
        "set TERM to e.g. xterm-256color if the terminal can show more",
    )


def _keys() -> Check:
    answer = _answer(_ASK_KITTY_KEYS + _ASK_ATTRIBUTES)
    if answer is None:
        return Check("keys", "ok", "plain; the terminal was not asked, as there is none here")
    if b"c" not in answer:
        return Check(
            "keys",
            "warning",
            "no answer from the terminal",
            "over a slow line, wait a little after escape",
        )
    protocol = "told apart by the kitty protocol" if b"u" in answer else "plain"
    return Check(
        "keys", "ok", f"{protocol}; trailhound's own need no more than letters, ctrl and F1 to F10"
    )


def _answer(question: bytes) -> bytes | None:
    """Send a query to the terminal, and read up to its last answer.

    Returns None if standard input or output is not a terminal.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return None
    terminal = sys.stdin.fileno()
    deadline = time.monotonic() + _ANSWER_SECONDS
    attributes = termios.tcgetattr(terminal)
    answer = b""
    try:
        tty.setcbreak(terminal)
        os.write(sys.stdout.fileno(), question)
        while not answer.endswith(b"c"):
            seconds_left = max(0.0, deadline - time.monotonic())
            if not select.select([terminal], [], [], seconds_left)[0]:
                break
            answer += os.read(terminal, 100)
    finally:
        termios.tcsetattr(terminal, termios.TCSAFLUSH, attributes)
    return answer


def _clipboard(environ: Mapping[str, str]) -> Check:
    route = clipboard.find_method(environ)
    if not route.command:
        return Check("clipboard", "warning", f"by {route.name}", route.advice)
    return Check("clipboard", "ok", f"by {route.name}")


def _editor(environ: Mapping[str, str]) -> Check:
    command = environ.get("VISUAL") or environ.get("EDITOR")
    if not command:
        return Check(
            "editor",
            "warning",
            "none set",
            "export EDITOR=vi, or another, to write notes in it",
        )
    with contextlib.suppress(ValueError, IndexError):
        if shutil.which(shlex.split(command)[0], path=environ.get("PATH")):
            return Check("editor", "ok", command)
    return Check(
        "editor",
        "problem",
        f"{command} cannot be found",
        "set EDITOR to a program that is installed",
    )
