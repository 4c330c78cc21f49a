"""``trailhound completion``: a script that a shell completes trailhound's command line by."""

from __future__ import annotations

import argparse
import sys

from tui.commandline.completion import SHELLS, command
from tui.commandline.parser import parsers
from tui.settings.errors import EXIT_OK


def run(args: argparse.Namespace) -> int:
    app, commands = parsers()
    sys.stdout.write(SHELLS[args.shell](command(app, commands)))
    return EXIT_OK
