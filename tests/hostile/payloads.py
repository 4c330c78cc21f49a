"""The payloads of an attacker, and checks of a harmless screen."""

from __future__ import annotations

import unicodedata
from typing import Any

from textual.app import App

PAYLOADS: dict[str, str] = {
    "closing-tag": "agent [/] end",
    "two-closing-tags": "'[/foo]' as \"[/bar]\"",
    "bold-tag": "[bold]loud",
    "action": "[@click=app.bell]press[/]",
    "link": "[link=https://evil.example]press[/link]",
    "open-tag": "[b + $accent on",
    "template": "$accent ${x} {x} %s %(x)s",
    "window-title": "\x1b]0;OWNED\x07agent",
    "clear-screen": "\x1b[2J\x1b[1;1H\x1b[31mred",
    "terminal-reset": "\x1bcagent",
    "hyperlink": "\x1b]8;;https://evil.example\x1b\\press\x1b]8;;\x1b\\",
    "clipboard": "\x1b]52;c;cHduZWQ=\x07agent",
    "c1-controls": "\x9b31mred\x9d0;title\x9c",
    "bidi-override": "user/\u202enimda\u202c",
    "bidi-isolates": "\u2067user\u2069/\u2066x\u2069 \u061c",
    "zero-width": "ad\u200bm\u2060in\ufeff",
    "lone-surrogate": "agent \ud800 end \udfff\ud800",
    "tag-characters": "aws\U000e0061\U000e0062\U000e007f",
    "variation-selectors": "aws\ufe0f\U000e0101",
    "fillers": "aws\u3164\u115f\uffa0\u2800",
    "odd-spaces": "user\u00a0admin\u3000x",
    "line-breaks": "one\ntwo\r\nthree\u2028four\x0bfive\x85six",
    "tab-and-backspace": "real\b\b\b\bfake\tend",
    "nul-and-delete": "a\x00b\x7fc",
    "smear": "z" + "\u0301" * 60 + "algo",
    "mark-first": "\u0301mark",
    "wide": "日本語テスト",
    "emoji-joined": "👩\u200d👩\u200d👧 🏴\U000e0067\U000e0062\U000e007f",
    "private-use": "\ue0b0\U0010fffd\ufffe",
    "right-to-left": "משתמש admin",
    "markdown": "[x](https://evil.example) `code` # head",
    "html": "<script>alert(1)</script>",
    "formula": "=cmd|' /C calc'!A0",
    "huge": "A" * 250_000,
    "huge-controls": "\x1b[31m" * 50_000,
    "empty": "",
}


def screen_text(app: App[Any]) -> str:
    """Return the lines on the screen, without trailing blanks."""
    return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in _strips(app))


def harm(app: App[Any]) -> list[str]:
    """Return the harm that log text has done to the screen."""
    harms = []
    for strip in _strips(app):
        for segment in strip:
            if segment.control or not segment.text.isprintable() or _is_smear(segment.text):
                harms.append(f"characters that act: {segment.text!r}")
            if segment.style and segment.style.link:
                harms.append(f"a link: {segment.style.link!r}")
            if segment.style and any(key.startswith("@") for key in segment.style.meta):
                harms.append(f"an action: {segment.style.meta!r}")
    return harms


def _is_smear(text: str) -> bool:
    marks = 0 if text.isascii() else sum(unicodedata.category(each) == "Mn" for each in text)
    return marks > 10


def _strips(app: App[Any]) -> Any:
    return app.screen._compositor.render_strips()
