"""What takes long to make and is always made the same, kept in the user's cache folder: parser tables, parsed queries.

It is ours to read again: pickled, in a folder that only its owner may write to. Where that cannot be, it is made again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pickle
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TypeVar

_T = TypeVar("_T")


def kept(name: str, made_from: str, make: Callable[[], _T]) -> _T:
    """What ``make`` makes from a text and the code in this folder; from an earlier time where
    neither has changed.

    ``make`` raises what it raises, and nothing is kept then.
    """
    place = (
        _folder() / f"{name}-{hashlib.sha256(f'{_code()}{made_from}'.encode()).hexdigest()[:24]}"
    )
    with contextlib.suppress(Exception), place.open("rb") as file:  # none yet, or none of use
        if os.fstat(file.fileno()).st_uid == os.getuid():
            found: _T = pickle.load(file)  # noqa: S301 (whoever can write there is who runs this)
            return found
    made = make()
    with contextlib.suppress(
        OSError, RecursionError
    ):  # no place, or nested deeper than pickle goes
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = place.with_name(f"{place.name}.{os.getpid()}")
        fresh.write_bytes(pickle.dumps(made))
        fresh.replace(place)
    return made


def _folder() -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("trailhound")


@cache
def _code() -> str:
    """What tells whether the language is still the same: the grammar, what reads it, and Python."""
    here = Path(__file__).parent
    read = b"".join(
        (here / name).read_bytes() for name in ("esql.lark", "transformer.py", "ast.py")
    )
    return f"{hashlib.sha256(read).hexdigest()} {sys.version}"
