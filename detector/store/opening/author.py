"""The author of decisions, where none is named."""

from __future__ import annotations

import os


def current_user() -> str:
    """Return the login name of the current user, or their id."""
    import getpass  # for the terminal: few commands ask for a name

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
