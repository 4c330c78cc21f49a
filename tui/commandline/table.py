"""Tables as the commands print them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

Cells = Sequence[str]


def format_table(
    headings: Cells, rows: Sequence[Cells], right_aligned: Collection[str] = frozenset()
) -> str:
    """Lay out rows under their headings; empty if there are no rows."""
    if not rows:
        return ""
    lines = [headings, *rows]
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    rights = [heading in right_aligned for heading in headings]
    return "".join(_line(cells, widths, rights) for cells in lines)


def _line(cells: Cells, widths: Sequence[int], rights: Sequence[bool]) -> str:
    aligned = []
    for cell, width, is_right in zip(cells, widths, rights, strict=True):
        aligned.append(cell.rjust(width) if is_right else cell.ljust(width))
    return "  ".join(aligned).rstrip() + "\n"
