"""The objects that the app works on once the store is open."""

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
    """The open store, the rules, and a function that makes the pipeline.

    ``make_pipeline`` is called in a thread once no other process ingests; if it is None, this
    process only shows what others ingest. If ``session`` is None, the session is not stored.
    ``names`` are the inventory files with the names that people gave. ``required_fields`` are the
    fields that every suppression must have. ``bell`` is the lowest severity at which new alerts
    ring, or ``off``. ``warning`` is a line to show at the start.
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
"""Opens the store; runs in a thread. An error from it closes the app and fails the command."""
