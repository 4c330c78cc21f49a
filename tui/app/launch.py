"""Run the app until the analyst leaves it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping

from tui.app.app import HuntApp
from tui.model.opened import Opening
from tui.presentation import safe


def run(
    opening: Opening,
    source_label: str,
    keys: Mapping[str, str],
    clock: Callable[[], float] = time.time,
) -> int:
    """Run the app until the analyst leaves it; return the exit status.

    The arguments are those of ``HuntApp``. Raises whatever ``opening`` raised.
    """
    app = HuntApp(opening, source_label, clock=clock, keys=keys)
    app.run()
    if app.opening_error is not None:
        raise app.opening_error
    if app.is_open and app.session.problem:
        print(f"trailhound: {safe.visible(app.session.problem)}", file=sys.stderr)
    return app.return_code or 0
