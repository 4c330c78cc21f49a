"""Start trailhound: its command, and ``python -m tui``."""

import gc
import sys


def run() -> int:
    """Run trailhound and return its exit status."""
    try:
        return _run()
    finally:
        gc.freeze()  # The process is ending, so Python need not search the rest for garbage.


def _run() -> int:
    """Run the command; return 1 if another distribution has overwritten trailhound's packages."""
    try:
        from tui.commandline.main import main
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in ("detector", "tui"):
            raise
        print(
            f"trailhound: {error.msg}: another distribution has overwritten its packages detector "
            "and tui: install trailhound in an environment of its own (pipx, uv tool)",
            file=sys.stderr,
        )
        return 1
    return main()


if __name__ == "__main__":
    sys.exit(run())
