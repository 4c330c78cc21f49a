"""``trailhound completion``: print a shell script that completes trailhound's command line."""

from __future__ import annotations

import argparse
import sys

from tui.commandline.completion import SHELLS, command_spec
from tui.commandline.parser import app_parser, command_parser
from tui.settings.errors import EXIT_OK


def run(args: argparse.Namespace) -> int:
    program = command_spec(app_parser(), command_parser())
    sys.stdout.write(SHELLS[args.shell](program))
    return EXIT_OK
