"""The app on a terminal that receives all output and shows nothing."""

from __future__ import annotations

import inspect
from pathlib import Path

from textual.driver import Driver
from textual.drivers.headless_driver import HeadlessDriver

from detector.ingest.pipeline import Pipeline
from detector.rules.ruleset import RuleSet
from detector.store import Store
from tui.app.app import HuntApp
from tui.model.opened import Opened


class DrawnApp(HuntApp):
    """An app whose ``written`` is called with everything written to the terminal."""

    CSS_PATH = str(Path(inspect.getfile(HuntApp)).parent / HuntApp.CSS_PATH)

    def __init__(self, store: Store, rules: RuleSet, pipeline: Pipeline) -> None:
        super().__init__(lambda: Opened(store, rules, lambda _: pipeline), "benchmark")

    def get_driver_class(self) -> type[Driver]:
        return _Terminal

    def written(self, text: str) -> None:
        """Handle text that has just been written."""


class _Terminal(HeadlessDriver):
    @property
    def is_headless(self) -> bool:
        return False

    def write(self, data: str) -> None:
        if isinstance(self._app, DrawnApp):
            self._app.written(data)
