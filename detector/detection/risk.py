"""The risk of an alert: its rule's score plus points for flags and tools."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import msgspec
import tomli

from detector.cloudtrail.tool_signatures import ToolSignature
from detector.detection.alert import Flag, Risk
from detector.text.abbreviations import flag_name


class RiskError(Exception):
    """A table that cannot be used; the message is one line."""


class RiskTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Points by flag (``flags``) and by tool leaning (``tells``); each severity's lowest score."""

    flags: dict[str, int]
    tells: dict[str, int]
    severity: dict[str, int]

    @property
    def fingerprint(self) -> str:
        """A hash of the table; it changes whenever a risk might."""
        return hashlib.sha256(msgspec.json.encode(self, order="sorted")).hexdigest()[:20]

    def risk(self, score: int, flags: Sequence[Flag], tools: Sequence[ToolSignature]) -> Risk:
        """Add the points of flags and tools to a rule's ``score``.

        Of the tools of one leaning, only the first counts."""
        parts = [("rule", score)]
        parts += [(flag.flag, self.flags.get(flag.flag, 0)) for flag in flags]
        by_leaning = {tool.leaning: tool.name for tool in reversed(tools)}
        for leaning, name in sorted(by_leaning.items()):
            parts.append((f"{name} (tool)", self.tells.get(leaning, 0)))
        parts[1:] = [part for part in parts[1:] if part[1]]
        total = min(100, max(0, sum(points for _, points in parts)))
        return Risk(total, self.severity_of(total), parts)

    def severity_of(self, score: int) -> str:
        """Return the severity of a score from 0 to 100."""
        return max(
            (name for name, lowest in self.severity.items() if score >= lowest),
            key=lambda name: self.severity[name],
            default="low",
        )


def risk_sentence(risk: Risk) -> str:
    """Format a risk: ``71, high: rule 21 + snapshot 50``."""
    (first, base), *added = risk.parts
    terms = [f"{first} {base}"]
    terms += [
        f"{'+' if points >= 0 else '−'} {flag_name(name)} {abs(points)}" for name, points in added
    ]
    total = sum(points for _, points in risk.parts)
    capped = f" = {total} → capped at {risk.score}" if total != risk.score else ""
    return f"{risk.score}, {risk.severity}: {' '.join(terms)}{capped}"


def load_risk_table(override: Path | None = None) -> RiskTable:
    """Load the built-in table, overridden by the TOML file ``override`` if it exists.

    Raises RiskError if that file is invalid.
    """
    table = _built_in_table()
    if override is None or not override.exists():
        return table
    try:
        own = msgspec.convert(
            tomli.loads(override.read_text(encoding="utf-8")), dict[str, dict[str, int]]
        )
        merged = {
            name: {**getattr(table, name), **own.pop(name, {})}
            for name in ("flags", "tells", "severity")
        }
        if own:
            raise ValueError(f"no table [{next(iter(own))}]")
    except (OSError, ValueError) as error:
        raise RiskError(f"{override}: {error}: correct the file or move it away") from None
    return RiskTable(**merged)


@cache
def _built_in_table() -> RiskTable:
    text = Path(__file__).with_name("risk.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomli.loads(text), RiskTable)
