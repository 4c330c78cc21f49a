"""Run trailhound as ``python -m tui``."""

import sys

from tui.commandline.main import main

if __name__ == "__main__":
    sys.exit(main())
