"""Texts that encode another text: base64, hexadecimal digits, URL or HTML escapes.

The encoded data may be compressed. A budget limits the bytes that it unpacks to.
"""

from __future__ import annotations

import ast
import base64
import binascii
import io
import re
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from detector.formats.decompress import (
    BLOCK,
    Budget,
    Content,
    GeneratedStream,
    bunzip,
    gunzip,
    unxz,
    unzstd,
)
from detector.formats.errors import Unreadable
from detector.text.late_pattern import late_pattern

_LITERAL_CAP = 1 << 20
_BASE64 = late_pattern(rb"[A-Za-z0-9+/_-]{40,}={0,2}")
_DATA_URL = late_pattern(rb"data:[^,]{0,200};base64,")
_HEX = late_pattern(rb"(?:0?x)?((?:[0-9a-fA-F]{2}){40,})")
_BYTES_LITERAL = late_pattern(rb"b(?:'.*'|\".*\")", re.DOTALL)
_BEGINS_URL = late_pattern(rb"\+*%(?:7[Bb]|5[Bb])")
_ESCAPED_BYTE = late_pattern(rb"%([0-9A-Fa-f]{2})")
_BYTES = [bytes([number]) for number in range(256)]
_BEGINS_HTML = late_pattern(rb"[\[{]\s*(?:\{\s*)?&(?:quot|#34|#[xX]22);")
_PACKED_JSON = late_pattern(
    rb"(?:data:[^,]{0,200};base64,)?"
    rb"(?:ey[AIJ]|ewo|ew0|W3s|WyB|Wwo|Ww0|H4sI|eJ[wyz]|eNr|eAE|QlpoO|KLUv/|/Td6)"
    rb"[A-Za-z0-9+/_-]{60}|"
    rb"(?:\\?x|0x)?(?:7[bB]|5[bB]|1[fF]8[bB])[0-9a-fA-F]{60}|"
    rb"%(?:7[Bb]|5[Bb])|[\[{](?:\{)?&(?:quot|#34);|b['\"][\[{]"
)
"""The beginning of a text that encodes JSON, plain or compressed."""


def begins_packed(text: bytes) -> bool:
    """Return whether a text begins like one that encodes JSON."""
    return _PACKED_JSON.match(text) is not None


def unpack_text(text: bytes, budget: Budget) -> bytes | None:
    """Decode the text that another text encodes; None if it encodes none.

    Raises Unreadable if it unpacks to more than the budget.
    """
    if _BEGINS_URL.match(text):
        return _ESCAPED_BYTE.sub(_escaped_byte, text.replace(b"+", b" "))
    if _BEGINS_HTML.match(text):
        import html  # large: has the names of all characters

        return html.unescape(text.decode("utf-8", "backslashreplace")).encode()
    if text[:1] == b"b" and _BYTES_LITERAL.fullmatch(text):
        return _bytes_literal(text)
    data_url = _DATA_URL.match(text)
    if data_url:
        text = text[data_url.end() :]
    encoded = text.translate(None, b" \r\n\t\\")
    digits = _HEX.fullmatch(encoded)
    if digits:
        return _decompressed(bytes.fromhex(digits[1].decode()), budget)
    if _BASE64.fullmatch(encoded) is None:
        return None
    encoded = encoded.replace(b"-", b"+").replace(b"_", b"/").rstrip(b"=")
    try:
        data = base64.b64decode(encoded + b"=" * (-len(encoded) % 4), validate=True)
    except binascii.Error:
        return None
    return _decompressed(data, budget)


def _escaped_byte(match: re.Match[bytes]) -> bytes:
    return _BYTES[int(match[1], 16)]


def _bytes_literal(text: bytes) -> bytes | None:
    """Return the bytes of a Python literal ``b'…'``; None if it is invalid or too long."""
    if len(text) > _LITERAL_CAP:
        return None
    try:
        value = ast.literal_eval(text.decode("utf-8", "backslashreplace"))
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    return value if isinstance(value, bytes) else None


def _inflate(stream: Any, budget: Budget) -> Content:
    return Content(GeneratedStream(_inflated(stream)), "zlib", budget)


def _inflated(stream: Any) -> Iterator[bytes]:
    inflater = zlib.decompressobj()
    data = stream.read()
    while data and not inflater.eof:
        yield inflater.decompress(data, BLOCK)
        data = inflater.unconsumed_tail
    if not inflater.eof:
        raise EOFError


_COMPRESSIONS: dict[bytes, Callable[[Any, Budget], Content]] = {
    b"\x1f\x8b": gunzip,
    b"BZh": bunzip,
    b"\xfd7zXZ\0": unxz,
    b"\x28\xb5\x2f\xfd": unzstd,
    b"x\x01": _inflate,
    b"x\x5e": _inflate,
    b"x\x9c": _inflate,
    b"x\xda": _inflate,
}


def _decompressed(data: bytes, budget: Budget) -> bytes | None:
    """Decompress data if it is compressed; None if it is damaged.

    Raises Unreadable if it exceeds the budget."""
    for magic, decompress in _COMPRESSIONS.items():
        if data.startswith(magic):
            try:
                return decompress(io.BytesIO(data), budget).read()
            except Unreadable as error:
                if error.reason.code == "bomb":
                    raise
                return None
    return data
