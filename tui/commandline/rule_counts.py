"""Count how many rule files run, and why the others do not."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from detector.text.visible import visible

_REASONS = (
    (r"reads .*CloudTrail only", "reads other data: trailhound holds CloudTrail only"),
    (r".*no fields .*\*$", "names fields of other data: trailhound holds CloudTrail only"),
    (r"(?:\w+: )?no (?:column|field) ", "names a field that CloudTrail's integration lacks"),
    (r"the same (?:rule_id|id) as", "has the id of another file"),
    (r"(?:no function|the function) ", "calls a function that is not known here"),
    (r"the command \w+", "uses a command that is not known here"),
)
"""Beginnings of errors, and the reason each counts under; others count by their first part."""
_EFFECTS = {
    "the rule can never fire here": "can never fire here",
    "no event gets through": "let no event through",
    "the rule fires more often here": "fire more often than in Elastic",
    "this condition is never true here": "find less than in Elastic",
}
"""Effects to count for rules that run, by how a note on them begins."""


class RuleCounts:
    """Counts the results of reading rule files."""

    def __init__(self) -> None:
        self._runs = 0
        self._reasons: Counter[str] = Counter()
        self._effects: Counter[str] = Counter()

    def add_refused(self, message: str) -> None:
        """Count a rule or hunt that is refused."""
        self._reasons[_reason(message)] += 1

    def add_read(self, lines: list[str]) -> None:
        """Count a rule or hunt that runs; ``lines`` is the report on it."""
        self._runs += 1
        notes = "\n".join(lines)
        self._effects.update(
            effect for beginning, effect in _EFFECTS.items() if f"note: {beginning}" in notes
        )

    def lines(self) -> Iterator[str]:
        """Yield the counts in words, the largest first."""
        refused = self._reasons.total()
        total = self._runs + refused
        yield f"{total:,} rules and hunts: {self._runs:,} run, {refused:,} refused"
        if self._effects:
            yield "of those that run, without the databases that are not named:"
            yield from _counted(self._effects)
        if refused:
            yield "refused:"
            yield from _counted(self._reasons)


def _counted(counts: Counter[str]) -> Iterator[str]:
    for words, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        yield f"{count:7,}  {visible(words)}"


def _reason(message: str) -> str:
    for pattern, reason in _REASONS:
        if re.match(pattern, message):
            return reason
    first = re.split(r"[;:]", re.sub(r" \([^)]*\)", "", message))[0]
    return first.strip() or message
