"""Start trailhound: its command, and ``python -m tui``."""

import gc
import sys


def run() -> int:
    """Run trailhound, and say where other packages stand in the place of its own."""
    try:
        return _run()
    finally:
        gc.freeze()  # What is left goes with the process: Python need not look for garbage in it.


def _run() -> int:
    """Run the command; the status is 1 where the packages are not ours."""
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
