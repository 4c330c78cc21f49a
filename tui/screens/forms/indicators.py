"""A form for a list of indicators: pasted, typed, or read from a file."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from textual.widget import Widget

from detector.detection.indicator import Indicator, IndicatorList, parse_indicators
from tui.presentation import format
from tui.screens.base.input_fields import LineField, TextField
from tui.screens.forms.base import FormScreen, labelled

_MAX_BYTES = 4 << 20


class IndicatorsForm(FormScreen):
    """A form for the indicators whose events to search for."""

    def __init__(self, heading: str) -> None:
        super().__init__()
        self.heading = heading
        self.indicators = IndicatorList(())
        """The indicators that were recognized."""

    def fields(self) -> Iterable[Widget]:
        yield labelled(
            "list",
            TextField(
                "list",
                "",
                "addresses, networks, access keys, ARNs, account ids, event ids, "
                "parts of user agents",
            ),
        )
        yield labelled("or file", LineField("file", "", "one per line; # begins a comment"))

    async def save(self) -> str:
        text, name = self.value("list"), self.value("file")
        if name:
            text += "\n" + await asyncio.to_thread(_read, Path(name).expanduser())
        self.indicators = parse_indicators(text)
        if not self.indicators.indicators:
            raise ValueError("Write or paste at least one address, key, ARN or id.")
        said = _described(self.indicators.indicators)
        if self.indicators.refused:
            said += f"; not looked for: {self.indicators.refused[0]}"
        return said


def _described(indicators: Sequence[Indicator]) -> str:
    """Return how many indicators were read, and their kinds."""
    kinds = Counter(each.kind for each in indicators)
    counts = ", ".join(f"{format.number(count)} {kind}" for kind, count in kinds.most_common())
    return f"{format.plural(len(indicators), 'indicator')}: {counts}"


def _read(path: Path) -> str:
    with path.open("rb") as file:
        data = file.read(_MAX_BYTES + 1)
    if len(data) > _MAX_BYTES:
        raise ValueError(f"{path}: over 4 MB: cut the list")
    return data.decode("utf-8", "replace")
