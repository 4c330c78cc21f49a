"""The command line: data to standard output, narration to standard error.

Each error is one line. Nothing heavy is imported before it is known what to do: a command's module
when it runs, Textual when the app opens.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module

from tui.commandline.parser import COMMANDS, app_parser, command_parser
from tui.settings.errors import EXIT_FAILED, EXIT_OK, CommandError


def main(argv: Sequence[str] | None = None) -> int:
    """Run trailhound and return its exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    is_command = bool(arguments) and arguments[0] in COMMANDS
    parser = command_parser() if is_command else app_parser()
    args = parser.parse_args(arguments)
    try:
        command = import_module(f"tui.commandline.commands.{args.module}")
        status = int(command.run(args))
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        # at exit Python flushes standard output once more, which must not fail again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_OK
    except KeyboardInterrupt:
        print("trailhound: interrupted", file=sys.stderr)
        return EXIT_FAILED
    except Exception as error:
        if not _is_expected(error):
            raise
        from detector.text.visible import visible

        print(f"trailhound: {visible(str(error))}", file=sys.stderr)
        if isinstance(error, CommandError):
            return error.status
        return EXIT_FAILED


def _is_expected(error: Exception) -> bool:
    if isinstance(error, CommandError):
        return True
    from detector.ecs.asn import AsnError
    from detector.store import StateError

    return isinstance(error, AsnError | StateError)
