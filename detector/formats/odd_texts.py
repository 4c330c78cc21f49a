"""The general way to read a text: value by value, whatever surrounds its records.

CloudTrail's own files do not need it, and importing it takes a twentieth of the start-up time, so
it is only imported if needed.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator

import msgspec

from detector.formats.decompress import Budget
from detector.formats.errors import Incomplete, NotALog, Unreadable
from detector.formats.items import Item, NonRecord
from detector.formats.pieces import join_pieces
from detector.formats.search import NESTING_CAP, unwrap, unwrap_elements
from detector.formats.text_forms import BLANK, begins_json, is_comment
from detector.formats.whereabouts import foreign_detail, locate_records

ODD_CAP = 256 << 20
"""The greatest size in bytes of a document that is neither a trail file nor an array.

Such a document is copied, and may have to be walked."""
_BOM = b"\xef\xbb\xbf"


def refuse_too_deep(data: bytes) -> None:
    """Raise Unreadable, with the place, if a document's records are nested too deep."""
    located = locate_records(data)
    if located is not None:
        raise Unreadable(
            "nested-too-deep",
            f"holds {located.records} CloudTrail records at {located.path}, in over {NESTING_CAP} "
            "wrappers: cut them out with jq",
        )


def unwrap_lines(data: memoryview, budget: Budget) -> Iterator[Item]:
    """Yield the records in JSON Lines."""
    for line in join_pieces(bytes(data).split(b"\n")):
        text = line.strip(BLANK).removeprefix(_BOM)  # Concatenated files keep their BOMs.
        if text:
            yield from _unwrap_line(text, budget)


def _unwrap_line(text: bytes, budget: Budget) -> Iterator[Item]:
    try:
        yield from unwrap(text, budget)
    except RecursionError:
        yield NonRecord("rejected", "nested-too-deep")
    except json.JSONDecodeError:
        if b"\0" in text:
            # Zero bytes replace lost data, which may include the end of a line.
            for part in filter(None, text.split(b"\0")):
                yield from _unwrap_line(part.strip(BLANK), budget)
        elif is_comment(text):
            yield NonRecord("skipped", "comment")
        else:
            yield NonRecord("rejected", "not-json")


def unwrap_document(
    data: memoryview, elements: list[msgspec.Raw], budget: Budget
) -> Iterator[Item]:
    """Yield the records in a document; ``elements`` are those of its array, empty if unknown.

    Raises Unreadable if the document is too large, or not a log."""
    if elements:
        with contextlib.suppress(ValueError, RecursionError):
            return unwrap_elements(map(bytes, elements), budget)
    if len(data) > ODD_CAP:
        raise Unreadable(
            "too-large",
            f"a document of an odd form, over {ODD_CAP >> 20} MiB: make lines of it with jq",
        )
    return _unwrap_text(bytes(data), budget)


def _unwrap_text(data: bytes, budget: Budget) -> Iterator[Item]:
    try:
        yield from unwrap(data, budget)
    except RecursionError:
        yield NonRecord("rejected", "nested-too-deep")
    except json.JSONDecodeError as error:
        problem = _json_problem(error)
        if isinstance(problem, Incomplete) or begins_json(data.lstrip(BLANK)):
            raise problem from None
        raise NotALog("not-json", foreign_detail(data)) from None


def _json_problem(error: json.JSONDecodeError) -> Unreadable:
    if error.pos >= len(error.doc) or error.msg.startswith("Unterminated string"):
        return Incomplete("truncated-json", "the JSON ends too early")
    return Unreadable("corrupt-json", f"invalid JSON at character {error.pos}: {error.msg}")
