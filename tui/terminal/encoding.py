"""Check for UTF-8, which the terminal needs to show lines and glyphs."""

from __future__ import annotations

from collections.abc import Mapping

_COERCED = "C.UTF-8"
"""Python sets LC_CTYPE to this in a C locale (PEP 538), so it says nothing about the terminal."""

_PLAIN = ("C", "POSIX")


def is_utf8(encoding: str | None) -> bool:
    """Return whether an encoding, by any of its names, is UTF-8."""
    return (encoding or "").lower().replace("-", "") == "utf8"


def doubtful_locale(environ: Mapping[str, str]) -> str:
    """Return the locale setting, as NAME=VALUE, that is not UTF-8; empty if there is none."""
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        value = environ.get(name, "")
        is_coerced = name == "LC_CTYPE" and value == _COERCED and environ.get("LANG") in _PLAIN
        if value and not is_coerced:
            codeset = value.partition("@")[0].partition(".")[2]
            return "" if is_utf8(codeset) else f"{name}={value}"
    return ""


def locale_warning(environ: Mapping[str, str]) -> str:
    """Return a one-line warning about a locale that is not UTF-8; empty if all is well."""
    setting = doubtful_locale(environ)
    if not setting:
        return ""
    return f"{setting} is not UTF-8: if lines and glyphs look wrong, export LC_ALL=C.UTF-8"
