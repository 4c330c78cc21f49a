"""Parse the paths of ES|QL's ``json_extract``: a subset of JSONPath (RFC 9535).

Examples are ``user.name``, ``items[0]`` and ``['user.name']``; a leading ``$.`` is optional.
"""

from __future__ import annotations

from functools import lru_cache

from detector.text.late_pattern import late_pattern

_KEY = late_pattern(r"[^.\[\]]+")
_QUOTED = late_pattern(
    r"""(?s)\[[ \t\n\r]*+(?:'((?:\\.|[^\\'])*+)'|"((?:\\.|[^\\"])*+)")[ \t\n\r]*+\]"""
)
_INDEX = late_pattern(r"\[[ \t\n\r]*+(0|[1-9][0-9]*+|[+-][0-9]++)[ \t\n\r]*+\]")
_ESCAPED = late_pattern(r"(?s)\\(.)")
_MOST_INDEX = 2**31 - 1


@lru_cache(1024)
def parse_json_path(path: str) -> tuple[str | int, ...]:
    """Return the keys and indexes of a path from the root. Raises ValueError if it is invalid."""
    position = 0
    if path.startswith("$"):
        if path[1:2] not in ("", ".", "["):
            raise ValueError("a path goes on with . or [ after $")
        position = 2 if path[1:2] == "." else 1
    if path.startswith(".", position):
        raise ValueError("a path does not begin with a dot")
    segments: list[str | int] = []
    is_first = True
    while position < len(path):
        if path[position] == "[":
            segment, position = _bracket(path, position)
        else:
            if not is_first:
                if path[position] != ".":
                    raise ValueError(f"a dot or [ must stand before {path[position:][:20]}")
                position += 1
            match = _KEY.match(path, position)
            if match is None:
                raise ValueError("a name is missing in the path")
            segment, position = match[0], match.end()
        segments.append(segment)
        is_first = False
    return tuple(segments)


def _bracket(path: str, position: int) -> tuple[str | int, int]:
    """Parse a quoted key or an index in brackets; return it and the position after it."""
    match = _QUOTED.match(path, position)
    if match is not None:
        quoted = match[1] if match[1] is not None else match[2]
        return _ESCAPED.sub(r"\1", quoted), match.end()
    match = _INDEX.match(path, position)
    if match is None:
        raise ValueError("in brackets stands an index from 0 on, or a name in quotes")
    index = int(match[1])
    if not 0 <= index <= _MOST_INDEX:
        raise ValueError("an index counts from 0 on")
    return index, match.end()
