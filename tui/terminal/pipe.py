"""Run a shell command, with limits on time and output."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from dataclasses import dataclass

_TIMEOUT_SECONDS = 30.0

_MAX_OUTPUT = 1_000_000
"""Maximum number of bytes of output."""

_DRAIN_SECONDS = 1.0

_PLAIN_ENVIRONMENT = {"TERM": "dumb", "NO_COLOR": "1", "PAGER": "cat", "GIT_PAGER": "cat"}
"""Tells programs that output is not interactive and should have no colours."""


@dataclass(frozen=True)
class CommandOutput:
    """The output of a command; if it was stopped, ``status`` is None and ``why`` the reason."""

    output: bytes
    status: int | None
    why: str = ""


async def run_command(
    command: str, data: bytes, seconds: float = _TIMEOUT_SECONDS, limit: int = _MAX_OUTPUT
) -> CommandOutput:
    """Run a shell command with ``data`` as input; standard error is part of the output.

    The command and all processes that it started are killed if it takes longer than ``seconds``,
    writes more than ``limit`` bytes, or the caller is cancelled. Raises OSError.
    """
    shell = await asyncio.create_subprocess_exec(
        "/bin/sh",
        "-c",
        command,
        env={**os.environ, **_PLAIN_ENVIRONMENT},
        start_new_session=True,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert shell.stdin and shell.stdout
    feeding = asyncio.create_task(_feed(shell.stdin, data))
    output, why, ended = bytearray(), f"stopped after {seconds:.0f} s", False
    try:
        async with asyncio.timeout(seconds):
            while not ended and len(output) <= limit:
                block = await shell.stdout.read(65_536)
                output += block
                ended = not block
            if ended:
                return CommandOutput(bytes(output), await shell.wait())
            why = f"stopped after {limit:,} bytes"
    except TimeoutError:
        pass
    finally:
        feeding.cancel()
        if not ended or shell.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGKILL)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_DRAIN_SECONDS):
                    while await shell.stdout.read(65_536):  # drain so that the pipe closes
                        pass
        await shell.wait()
    return CommandOutput(bytes(output[:limit]), None, why)


async def _feed(stdin: asyncio.StreamWriter, data: bytes) -> None:
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it may not read all input
        stdin.write(data)
        await stdin.drain()
    stdin.close()
