"""Start trailhound: its command, and ``python -m tui``."""

import sys


def run() -> int:
    """Run trailhound, and say where other packages stand in the place of its own."""
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
