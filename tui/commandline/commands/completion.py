"""``trailhound completion``: a script that a shell completes trailhound's command line by."""

from __future__ import annotations

import argparse
import sys

from tui.commandline.completion import SHELLS, command
from tui.commandline.parser import app_parser, command_parser
from tui.settings.errors import EXIT_OK


def run(args: argparse.Namespace) -> int:
    app, commands = app_parser(), command_parser()
    sys.stdout.write(SHELLS[args.shell](command(app, commands)))
    return EXIT_OK
