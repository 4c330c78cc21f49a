"""Settings of the cyclic garbage collector while logs are read and modules are imported.

Reading creates hardly any cyclic garbage (320,000 records with 20,000 alerts leave fewer than 2,000
objects), but the collector would traverse all live objects again and again. Imported objects live
as long as the process.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

_ALLOCATIONS = 500_000
"""The net number of objects allocated between collections; as cyclic garbage, these may take some
fifty megabytes."""
_LIVE_ALLOCATIONS = 50_000
"""The same for an app whose screen waits for each collection."""


def collect_rarely() -> None:
    """Collect cyclic garbage rarely in this process, and exempt all current objects for good."""
    gc.freeze()
    gc.set_threshold(_ALLOCATIONS, *gc.get_threshold()[1:])


@contextlib.contextmanager
def rare_collections() -> Iterator[None]:
    """Collect cyclic garbage rarely within the context."""
    threshold = gc.get_threshold()
    collect_rarely()
    try:
        yield
    finally:
        take_for_old()
        gc.set_threshold(*threshold)


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Collect no cyclic garbage within the context, which should create only lasting objects."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        take_for_old()
        if was_enabled:
            gc.enable()


def take_for_old() -> None:
    """Move all current objects to the oldest generation, so that they are not traversed soon."""
    gc.freeze()
    gc.unfreeze()


@contextlib.contextmanager
def fewer_collections() -> Iterator[None]:
    """Collect cyclic garbage less often within the context, without pauses visible on a screen.

    Current objects keep their generation, because the other threads of an app create garbage."""
    threshold = gc.get_threshold()
    gc.set_threshold(_LIVE_ALLOCATIONS, *threshold[1:])
    try:
        yield
    finally:
        gc.set_threshold(*threshold)
