"""Operating system errors, described for people."""

from __future__ import annotations

import errno

GONE = (errno.ENOENT, errno.ENOTDIR)
"""The error numbers that say that nothing exists at a path."""

_ADVICE = {
    errno.ENOENT: "its link leads nowhere",
    errno.ENOTDIR: "its link leads nowhere",
    errno.EACCES: "allow reading it",
    errno.EPERM: "allow reading it",
    errno.EMFILE: "too many files are open: raise the limit (ulimit -n)",
    errno.ENFILE: "too many files are open: close other programs",
    errno.ENAMETOOLONG: "name it by a shorter path",
    errno.ELOOP: "its links lead in a circle",
    errno.ESTALE: "mount its file system again",
}


def describe_os_error(error: OSError) -> str:
    """Say what went wrong with a file, and how to fix it."""
    advice = _ADVICE.get(error.errno or 0, "look at its disk or mount")
    return f"{error.strerror or type(error).__name__}: {advice}"
