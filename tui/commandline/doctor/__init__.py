"""What ``trailhound doctor`` checks: the installation, the terminal, the state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

CheckStatus = Literal["ok", "warning", "problem"]


@dataclass(frozen=True)
class Check:
    """The result of one check.

    ``finding`` may quote a file name; ``advice`` says what to do if the status is not ok.
    """

    name: str
    status: CheckStatus
    finding: str
    advice: str = ""

    def __str__(self) -> str:
        line = f"{self.status:8} {self.name:13} {self.finding}"
        if self.advice:
            return f"{line}: {self.advice}"
        return line
