"""A terminal as far as the app needs one: what stands on it after everything that was written, letter by letter."""

from __future__ import annotations

import re

from rich.cells import cell_len

_TOKEN = re.compile(
    r"\x1b\[(?P<codes>[\d;?]*)(?P<end>[A-Za-z])|\x1b\].*?(?:\x07|\x1b\\)|(?P<letter>[^\x1b])",
    re.DOTALL,
)

_ENDS = {"22": {"1", "2"}, "23": {"3"}, "24": {"4", "21"}, "27": {"7"}, "29": {"9"}}

Seen = tuple[str, frozenset[str], str, str]
"""A letter, its attributes, its colour and that of its ground."""


class Emulator:
    def __init__(self, width: int, height: int) -> None:
        self._width = width
        self._cells: list[list[Seen]] = [
            [(" ", frozenset(), "", "")] * width for _ in range(height)
        ]
        self._x = self._y = 0
        self._attributes: set[str] = set()
        self._colours = {"3": "", "4": ""}

    def feed(self, written: str) -> None:
        for token in _TOKEN.finditer(written):
            codes = (token["codes"] or "").split(";")
            match token["end"]:
                case "H":
                    row, column = [int(code or 1) for code in [*codes, ""][:2]]
                    self._y, self._x = row - 1, column - 1
                case "G":
                    self._x = int(codes[0] or 1) - 1
                case "m":
                    self._turn(codes)
                case None if token["letter"] == "\n":
                    self._y = min(self._y + 1, len(self._cells) - 1)
                case None if token["letter"]:
                    self._put(token["letter"])

    @property
    def seen(self) -> list[list[Seen]]:
        """What an analyst sees: the colour of a letter where there is one, or a line where it would
        be."""
        return [
            [
                cell
                if cell[0][:1] != " " or cell[1] & {"4", "7", "9"}
                else (cell[0], frozenset(), "", cell[3])
                for cell in line
            ]
            for line in self._cells
        ]

    @property
    def text(self) -> list[str]:
        return ["".join(cell[0] for cell in line).rstrip() for line in self._cells]

    def _turn(self, codes: list[str]) -> None:
        while codes:
            code = codes.pop(0)
            if code in ("38", "48"):
                length = 4 if codes[0] == "2" else 2
                self._colours[code[0]] = ";".join([code, *codes[:length]])
                del codes[:length]
            elif code in ("", "0"):
                self._attributes.clear()
                self._colours = {"3": "", "4": ""}
            elif code in _ENDS:
                self._attributes -= _ENDS[code]
            elif int(code) < 30:
                self._attributes.add(code)
            else:
                self._colours["3" if code[0] in "39" else "4"] = (
                    "" if code in ("39", "49") else code
                )

    def _put(self, letter: str) -> None:
        line, style = (
            self._cells[self._y],
            (frozenset(self._attributes), self._colours["3"], self._colours["4"]),
        )
        if not (cells := cell_len(letter)):
            place = next((x for x in range(self._x - 1, -1, -1) if line[x][0]), 0)
            line[place] = (line[place][0] + letter, *line[place][1:])
            return
        self._x = min(self._x, self._width - cells)
        for place in (self._x, self._x + cells):  # half a letter cannot stand
            if place < self._width and not line[place][0]:
                line[place - 1], line[place] = (" ", *line[place - 1][1:]), (" ", *line[place][1:])
        line[self._x : self._x + cells] = [(letter, *style), *[("", *style)] * (cells - 1)]
        self._x += cells
