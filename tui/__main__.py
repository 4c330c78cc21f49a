"""Run trailhound as ``python -m tui``."""

import sys

from tui.commandline.main import main

sys.exit(main())
