"""What the app works on once the store is open."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from detector.ingest.pipeline import Pipeline
    from detector.inventory.inventory_files import InventoryFiles
    from detector.rules.ruleset import RuleSet
    from detector.store import Store
    from tui.settings.session_file import SessionFile


@dataclass(frozen=True)
class Opened:
    """The open store, the rules, and what makes the pipeline that ingests by them.

    ``make_pipeline`` is called in a thread, once no other process ingests; None: this one only
    shows what others ingest. ``session`` None: how the app is left is not stored. ``names`` are the
    files of names that people gave. ``required_fields`` are those without which no suppression is
    made; ``bell`` is the severity from which new alerts ring, or ``off``. ``warning`` is a line to
    say at the start.
    """

    store: Store
    rules: RuleSet
    make_pipeline: Callable[[RuleSet], Pipeline] | None
    session: SessionFile | None = None
    names: InventoryFiles | None = None
    required_fields: Collection[str] = ()
    bell: str = "critical"
    warning: str = ""


Opening = Callable[[], Opened]
"""Opens the store; runs in a thread. What it raises closes the app and fails the command."""
