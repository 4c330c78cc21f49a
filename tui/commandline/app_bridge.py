"""The one module of the command line that opens the app.

The import contract of the command line exempts only this module. It imports the app inside
functions, so that a command that does not open the app does not spend time importing Textual.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from detector.ingest.garbage import uncollected

if TYPE_CHECKING:
    from tui.app.key_listing import KeyGroup as KeyGroup
    from tui.model.opened import Opened


def run_app(
    opening: Callable[[], Opened],
    sources: str,
    keys: Mapping[str, str],
    clock: Callable[[], float] = time.time,
) -> int:
    """Run the app and return its exit status.

    ``sources`` names the sources in a few words. Raises whatever ``opening`` raised.
    """
    with uncollected():
        from tui.app import launch

    return launch.run(opening, sources, keys, clock)


def choose_source(keys: Mapping[str, str]) -> tuple[list[str], bool] | None:
    """Ask for sources; return them and whether the demo was chosen, or None to leave."""
    from tui.app import welcome_app

    choice = welcome_app.ask(keys)
    if choice is None:
        return None
    if choice == welcome_app.DEMO:
        return [], True
    return [choice], False


def configured_keys() -> Mapping[str, str]:
    """Read the configured keys by binding id. Raises CommandError."""
    from tui.app import key_remap

    return key_remap.configured()


def list_keys() -> list[KeyGroup]:
    """List every key of the app, including configured keys."""
    from tui.app import key_listing

    return key_listing.key_groups()
