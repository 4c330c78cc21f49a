"""The command line: data to standard output, narration to standard error.

Each error is one line. Slow imports wait until they are needed: a command's module is imported when
the command runs, and Textual when the app opens.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import io
import os
import re
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

from detector.ingest.garbage import uncollected
from tui.commandline.parser import COMMANDS, app_parser, command_first, command_parser
from tui.settings.errors import EXIT_FAILED, EXIT_MISUSED, EXIT_OK, CommandError, UsageError

_WORD = re.compile(r"[A-Za-z]+")
_WRITE_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EBADF)
"""Error numbers that occur only when writing."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run trailhound and return its exit status."""
    _encode_any_text()
    arguments = command_first(sys.argv[1:] if argv is None else argv)
    if arguments[:1] in (["help"], ["version"]) and not Path(arguments[0]).exists():
        arguments = [*arguments[1:2], f"--{arguments[0]}"]
    is_command = bool(arguments) and arguments[0] in COMMANDS
    parser = command_parser(arguments[0]) if is_command else app_parser()
    args = parser.parse_args(arguments)
    try:
        if not is_command:
            _refuse_misspelt_command(args.sources)
        with uncollected():
            command = import_module(f"tui.commandline.commands.{args.module}")
        if is_command:
            from tui.commandline.narration import be_quiet

            be_quiet(args.quiet)
        if getattr(args, "captures_output", False) and args.output:
            return _run_into_file(command.run, args)
        _require_output()
        status = int(command.run(args))
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        _abandon_output()
        return EXIT_OK
    except KeyboardInterrupt:
        print("trailhound: interrupted", file=sys.stderr)
        return EXIT_FAILED
    except MemoryError:
        print("trailhound: out of memory: read less at once", file=sys.stderr)
        return EXIT_FAILED
    except Exception as error:
        if not _is_expected(error):
            raise
        from detector.text.visible import visible

        print(f"trailhound: {visible(_line_of(error))}", file=sys.stderr)
        if isinstance(error, CommandError):
            return error.status
        return EXIT_FAILED


def _encode_any_text() -> None:
    """Let output accept any character, whatever the locale.

    A terminal with another encoding shows escapes; files and pipes are UTF-8, as JSON requires.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            encoding = stream.encoding if stream.isatty() else "utf-8"
            stream.reconfigure(encoding=encoding, errors="backslashreplace")


def _refuse_misspelt_command(sources: Sequence[str]) -> None:
    """Raise UsageError if the first source is a word that names no file or folder."""
    if not sources or not _WORD.fullmatch(sources[0]) or Path(sources[0]).exists():
        return
    from detector.text.suggest import nearest

    hint = nearest(sources[0], COMMANDS) or "; trailhound --help lists the commands"
    raise UsageError(f"{sources[0]}: no command, file or folder has this name{hint}")


def _run_into_file(run: Callable[[argparse.Namespace], int], args: argparse.Namespace) -> int:
    """Run a command and write its output to ``args.output``, completely or not at all.

    A command that failed without output leaves a previous export unchanged.
    """
    from detector.text import private_files

    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        status = int(run(args))
    if status in (EXIT_FAILED, EXIT_MISUSED) and not output.getvalue():
        return status
    try:
        private_files.write_export(Path(args.output).expanduser(), output.getvalue())
    except OSError as error:
        raise CommandError(f"{args.output}: {error.strerror}: name another file with -o") from None
    return status


def _require_output() -> None:
    """Raise CommandError if standard output is closed."""
    if sys.stdout is None:  # Python opens no stream on a closed descriptor
        raise CommandError("standard output is closed: redirect it to a terminal, pipe or file")


def _abandon_output() -> None:
    """Redirect standard output to the null device.

    Python flushes it once more at exit, which must not fail again.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _line_of(error: Exception) -> str:
    if not isinstance(error, OSError):
        return str(error)
    _abandon_output()
    return f"standard output: {error.strerror}: redirect it to a disk with free space"


def _is_output_error(error: Exception) -> bool:
    """Return whether the error comes from writing standard output, not from another file."""
    if not isinstance(error, OSError):
        return False
    return error.filename is None and error.errno in _WRITE_ERRORS


def _is_expected(error: Exception) -> bool:
    if isinstance(error, CommandError) or _is_output_error(error):
        return True
    from detector.ecs.address_database import AddressDatabaseError
    from detector.ingest.process_pool import NoProcess
    from detector.sources.source import NoSource
    from detector.store import StateError

    return isinstance(error, AddressDatabaseError | NoProcess | NoSource | StateError)
