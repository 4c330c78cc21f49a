"""The collector of cyclic garbage, while logs are read and while modules are imported.

What is read makes hardly any (of 320,000 records with 20,000 alerts less than 2,000 objects), and
the collector looks through all that is held again and again. What is imported lasts.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

_ALLOCATIONS = 500_000
"""Objects that are made, and not freed, between collections: cyclic garbage of these may take some
fifty megabytes."""
_LIVE_ALLOCATIONS = 50_000
"""The same where a screen waits for each collection."""


def collect_rarely() -> None:
    """Have this process collect cyclic garbage rarely, and never look at what it holds now."""
    gc.freeze()
    gc.set_threshold(_ALLOCATIONS, *gc.get_threshold()[1:])


@contextlib.contextmanager
def rare_collections() -> Iterator[None]:
    """Collect cyclic garbage rarely for a while."""
    threshold = gc.get_threshold()
    collect_rarely()
    try:
        yield
    finally:
        take_for_old()
        gc.set_threshold(*threshold)


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Collect no garbage for a while, in which only what lasts is made."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        take_for_old()
        if was_enabled:
            gc.enable()


def take_for_old() -> None:
    """Have what is held now count as old, so that it is not looked through soon."""
    gc.freeze()
    gc.unfreeze()


@contextlib.contextmanager
def fewer_collections() -> Iterator[None]:
    """Collect cyclic garbage less often for a while, without a pause that a screen would show.

    What is held stays where it is: the other threads of an app do make garbage."""
    threshold = gc.get_threshold()
    gc.set_threshold(_LIVE_ALLOCATIONS, *threshold[1:])
    try:
        yield
    finally:
        gc.set_threshold(*threshold)
