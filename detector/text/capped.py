"""Caps on values, so that a few bytes of a log cannot fill memory and state.

A cut value ends with its length and a hash of the whole, so that different values stay different.
"""

from __future__ import annotations

import hashlib
from typing import Any

TEXT_CAP = 4096
"""Maximum characters of a field such as a user agent; AWS writes at most 2,048."""
VALUE_CAP = 1 << 17
"""Maximum characters of a query column's value, in total for a multivalue.

AWS writes at most 100 KB of parameters."""


def capped(text: str, cap: int = TEXT_CAP) -> str:
    """Cut a text longer than ``cap`` characters."""
    if len(text) <= cap:
        return text
    whole = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]
    return f"{text[:cap]}…(+{len(text) - cap:,} characters, sha256 {whole})"


def capped_value(value: Any) -> Any:
    """Cut a query's value: a text, or a multivalue containing texts."""
    if value is None:
        return None  # the common case: most columns of a wide row are empty
    if isinstance(value, str):
        return value if len(value) <= VALUE_CAP else capped(value, VALUE_CAP)
    if not isinstance(value, list):
        return value
    if sum(len(item) if isinstance(item, str) else 1 for item in value) <= VALUE_CAP:
        return value
    return _cut_list(value)


def _cut_list(values: list[Any]) -> list[Any]:
    capped: list[Any] = []
    size = 0
    for item in values:
        size += len(item) if isinstance(item, str) else 1
        if size > VALUE_CAP:
            break
        capped.append(item)
    rest = values[len(capped) :]
    if isinstance(rest[0], str):
        whole = hashlib.sha256("\0".join(rest).encode(errors="surrogatepass")).hexdigest()[:16]
        capped.append(f"{rest[0][:TEXT_CAP]}…(+{len(rest):,} values, sha256 {whole})")
    return capped
