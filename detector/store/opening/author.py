"""The author of decisions, where none is named."""

from __future__ import annotations

import getpass
import os


def current_user() -> str:
    """Return the login name of the current user, or their id."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
