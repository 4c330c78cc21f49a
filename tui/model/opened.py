"""Hold what the app works on once the store is open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from detector.ingest.pipeline import Pipeline
    from detector.rules.ruleset import RuleSet
    from detector.store import Store
    from tui.settings.session_file import SessionFile


@dataclass(frozen=True)
class Opened:
    """The state, the rules, and what reads into the state; None: another trailhound does, and this
    one looks on.

    ``session`` is where it is kept how the app is left; None: nowhere.
    """

    store: Store
    rules: RuleSet
    pipeline: Pipeline | None
    session: SessionFile | None = None


Opening = Callable[[], Opened]
"""Opens all of it; in a thread. What it raises closes the app, and is what the command fails
with."""
