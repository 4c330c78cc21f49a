"""The default author of decisions."""

from __future__ import annotations

import os


def current_user() -> str:
    """Return the login name of the current user, or the numeric user id if it has no name."""
    import getpass  # on demand: it loads terminal handling, and few commands need a name

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
