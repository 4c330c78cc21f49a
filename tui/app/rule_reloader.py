"""Reload the rule files and the inventory files when one has changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from textual.app import App

if TYPE_CHECKING:
    from detector.inventory.inventory_files import InventoryFiles
    from detector.rules.ruleset import RuleSet


class RuleReloader:
    """Reloads the rule files of ``current()`` in a thread.

    Callbacks, all on the event loop: ``loaded`` receives the new rules, ``failed`` one line that
    says why loading failed, and ``renamed`` is called once changed names are in use. ``names`` are
    the inventory files with the names that people gave.
    """

    def __init__(
        self,
        app: App[Any],
        *,
        current: Callable[[], RuleSet],
        loaded: Callable[[RuleSet], None],
        failed: Callable[[str], None],
        names: InventoryFiles | None = None,
        renamed: Callable[[], None] = lambda: None,
    ) -> None:
        self._app = app
        self._current = current
        self._loaded = loaded
        self._failed = failed
        self._names = names
        self._renamed = renamed
        self.busy = False

    def reload(self, requested: bool) -> None:
        """Reload the rule files if one has changed or if requested."""
        if requested or not self.busy:
            self.busy = True
            self._app.run_worker(self._load(requested), group="rules", exit_on_error=False)

    async def _load(self, requested: bool) -> None:
        from detector.ecs.address_database import AddressDatabaseError

        try:
            await self._load_names()
            rules = await asyncio.to_thread(self._load_changed, requested)
        except AddressDatabaseError as error:
            self._failed(str(error))
            return
        finally:
            self.busy = False
        if rules is not None:
            self._loaded(rules)

    async def _load_names(self) -> None:
        """Use the names of inventory files that have changed; on an error keep the old names."""
        from detector.inventory.inventory_files import (
            InventoryError,
            current_inventory,
            use_inventory,
        )

        if self._names is None:
            return
        try:
            inventory = await asyncio.to_thread(self._names.load)
        except InventoryError as error:
            self._failed(str(error))
            return
        if inventory is not current_inventory():
            use_inventory(inventory)
            self._renamed()

    def _load_changed(self, requested: bool) -> RuleSet | None:
        rules = self._current()
        if requested or rules.changed:
            return rules.reloaded()
        return None
