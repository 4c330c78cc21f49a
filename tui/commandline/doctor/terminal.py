"""The terminal: what it is, what it can show, what it can tell of keys, and the way to the clipboard."""

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

_ANSWER_SECONDS = 0.3
"""How long a terminal may take to answer; one far away over SSH takes longer, and is then not asked
again."""

_KITTY, _ATTRIBUTES = b"\x1b[?u", b"\x1b[c"
"""Asks which of the kitty protocol's key reports are on; every terminal answers the second
question, so that silence about the first one can be told from slowness."""


def terminal_checks(environ: Mapping[str, str]) -> Iterator[Check]:
    yield _terminal(environ)
    yield _size()
    yield _letters()
    yield _colours(environ)
    yield _keys()
    yield _clipboard(environ)
    yield _editor(environ)


def _terminal(environ: Mapping[str, str]) -> Check:
    name = environ.get("TERM", "")
    around = [
        what
        for what, by in (("tmux", "TMUX"), ("screen", "STY"), ("SSH", "SSH_CONNECTION"))
        if environ.get(by)
    ]
    said = " in ".join([name or "none named", *around])
    if not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        return Check(
            "terminal",
            "warning",
            f"{said}, not connected here",
            "the app needs one; commands do not",
        )
    if name in ("", "dumb", "unknown"):
        return Check(
            "terminal", "problem", said, "set TERM to what your terminal is, e.g. xterm-256color"
        )
    return Check("terminal", "ok", said)


def _size() -> Check:
    columns, rows = shutil.get_terminal_size()
    said = f"{columns} columns, {rows} lines"
    if columns < 80 or rows < 24:
        return Check(
            "size", "warning", said, "80 by 24 shows the weightiest columns, 160 by 48 all of them"
        )
    return Check("size", "ok", said)


def _letters() -> Check:
    encoding = (getattr(sys.stdout, "encoding", None) or "unknown").lower()
    if encoding.replace("-", "") != "utf8":
        return Check(
            "letters", "problem", encoding, "lines and glyphs need UTF-8: export LC_ALL=C.UTF-8"
        )
    return Check("letters", "ok", "UTF-8")


def _colours(environ: Mapping[str, str]) -> Check:
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
    answer = _answer(_KITTY + _ATTRIBUTES)
    if answer is None:
        return Check("keys", "ok", "plain; the terminal was not asked, as there is none here")
    if b"c" not in answer:
        return Check(
            "keys",
            "warning",
            "the terminal does not answer",
            "over a slow line, wait a little after escape",
        )
    kitty = "told apart by the kitty protocol" if b"u" in answer else "plain"
    return Check(
        "keys", "ok", f"{kitty}; trailhound's own need no more than letters, ctrl and F1 to F10"
    )


def _answer(question: bytes) -> bytes | None:
    """What the terminal says to ``question``, up to its last answer (which ends in ``c``); None
    where there is none."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return None
    terminal, answer, until = sys.stdin.fileno(), b"", time.monotonic() + _ANSWER_SECONDS
    before = termios.tcgetattr(terminal)
    try:
        tty.setcbreak(terminal)
        os.write(sys.stdout.fileno(), question)
        while (
            not answer.endswith(b"c")
            and select.select([terminal], [], [], max(0.0, until - time.monotonic()))[0]
        ):
            answer += os.read(terminal, 100)
    finally:
        termios.tcsetattr(terminal, termios.TCSAFLUSH, before)
    return answer


def _clipboard(environ: Mapping[str, str]) -> Check:
    route = clipboard.find(environ)
    if not route.command:
        return Check("clipboard", "warning", f"by {route.name}", route.advice)
    return Check("clipboard", "ok", f"by {route.name}")


def _editor(environ: Mapping[str, str]) -> Check:
    named = environ.get("VISUAL") or environ.get("EDITOR")
    if not named:
        return Check(
            "editor",
            "warning",
            "none is named",
            "export EDITOR=vi, or another, to write notes in it",
        )
    with contextlib.suppress(ValueError, IndexError):
        if shutil.which(shlex.split(named)[0], path=environ.get("PATH")):
            return Check("editor", "ok", named)
    return Check(
        "editor", "problem", f"{named} cannot be found", "set EDITOR to a program that is installed"
    )
