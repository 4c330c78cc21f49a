"""``trailhound completion``: a script that a shell completes trailhound's command line by."""

from __future__ import annotations

import argparse
import sys

from tui.cli import RAN, parsers
from tui.completion import SHELLS, command


def run(args: argparse.Namespace) -> int:
    app, commands = parsers()
    sys.stdout.write(SHELLS[args.shell](command(app, commands)))
    return RAN
