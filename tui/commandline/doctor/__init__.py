"""What ``trailhound doctor`` looks into: each module finds out one thing about where trailhound runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

CheckStatus = Literal["ok", "warning", "problem"]


@dataclass(frozen=True)
class Check:
    """One thing looked at. ``advice`` is what to do, where it is not ok; ``said`` may quote a file
    name."""

    name: str
    status: CheckStatus
    said: str
    advice: str = ""

    def __str__(self) -> str:
        return f"{self.status:8} {self.name:13} {self.said}" + (
            f": {self.advice}" if self.advice else ""
        )
