"""From a rule's score and an alert's flags to a risk, by a table that a user can read and override."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import msgspec

from detector.cloudtrail.tool_signatures import ToolSignature
from detector.detection.alert import Flag, Risk


class RiskError(Exception):
    """The table cannot be used; one line says why."""


class RiskTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Points by flag and by the leaning of a tell; ``severity`` says from which score on each
    begins."""

    flags: dict[str, int]
    tells: dict[str, int]
    severity: dict[str, int]

    @property
    def fingerprint(self) -> str:
        """Changes when a sum could."""
        return hashlib.sha256(msgspec.json.encode(self, order="sorted")).hexdigest()[:20]

    def risk(self, score: int, flags: Sequence[Flag], tells: Sequence[ToolSignature]) -> Risk:
        """``score`` is the rule's own. The worst and the best tell count, whatever their number."""
        parts = [("rule", score)]
        parts += [(flag.flag, points) for flag in flags if (points := self.flags.get(flag.flag, 0))]
        by_leaning = {tell.leaning: tell.name for tell in reversed(tells)}
        parts += [
            (f"{name} (tool)", points)
            for leaning, name in sorted(by_leaning.items())
            if (points := self.tells.get(leaning, 0))
        ]
        total = min(100, max(0, sum(points for _, points in parts)))
        severity = max(
            (name for name, least in self.severity.items() if total >= least),
            key=lambda name: self.severity[name],
            default="low",
        )
        return Risk(total, severity, parts)


def risk_sentence(risk: Risk) -> str:
    """The sum as a sentence: ``86, high: rule 21 + snapshot 50 + first-seen-principal 15``."""
    total = sum(points for _, points in risk.parts)
    (first, begin), *rest = risk.parts
    terms = "".join(f" {'+' if points >= 0 else '−'} {name} {abs(points)}" for name, points in rest)
    held = f", held at {risk.score}" if total != risk.score else ""
    return f"{risk.score}, {risk.severity}: {first} {begin}{terms}{f' = {total}' if held else ''}{held}"


def load_risk_table(override: Path | None = None) -> RiskTable:
    """The table, with the lines of ``override`` where that file is there. Raises RiskError."""
    table = _built_in()
    if override is None or not override.exists():
        return table
    try:
        own = msgspec.convert(
            tomllib.loads(override.read_text(encoding="utf-8")), dict[str, dict[str, int]]
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
def _built_in() -> RiskTable:
    text = Path(__file__).with_name("risk.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), RiskTable)
