"""What attackers use an API call for: one line with its ATT&CK technique.

The lines in ``attacker_uses.toml`` are our own; the technique ids are MITRE ATT&CK's.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import tomli


class AttackerUse(NamedTuple):
    """A technique's id, and one line on what the call is used for."""

    technique: str
    purpose: str


def attacker_use(source: str, name: str) -> AttackerUse | None:
    """Return what attackers use a call for; None for calls that reveal little.

    ``source`` is the event source, such as ``iam.amazonaws.com``."""
    return _uses().get((source.partition(".")[0], name))


@lru_cache(1)
def _uses() -> Mapping[tuple[str, str], AttackerUse]:
    text = Path(__file__).with_name("attacker_uses.toml").read_text("utf-8")
    return {
        (service, name): AttackerUse(*use)
        for service, uses in tomli.loads(text).items()
        for name, use in uses.items()
    }
