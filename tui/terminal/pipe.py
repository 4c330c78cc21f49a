"""A command of the analyst's fed with JSON, its output caught: for so long, and so much, and no more."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from dataclasses import dataclass

SECONDS = 30.0
LIMIT = 1_000_000
"""Bytes of output that are kept."""

_DRAIN_SECONDS = 1.0

_PLAIN = {"TERM": "dumb", "NO_COLOR": "1", "PAGER": "cat", "GIT_PAGER": "cat"}
"""What tells programs that nobody can answer them or wants colours."""


@dataclass(frozen=True)
class Piped:
    """``status`` is the command's exit status, None where it was stopped; ``why`` says then why."""

    output: bytes
    status: int | None
    why: str = ""


async def run(command: str, data: bytes, seconds: float = SECONDS, limit: int = LIMIT) -> Piped:
    """``command``, run by the shell with ``data`` as its standard input; errors are part of the
    output. When it takes too long, says too much, or the caller is cancelled, it is stopped with
    all that it has started. Raises OSError."""
    shell = await asyncio.create_subprocess_exec(
        "/bin/sh",
        "-c",
        command,
        env={**os.environ, **_PLAIN},
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
                return Piped(bytes(output), await shell.wait())
            why = f"stopped after {limit:,} bytes"
    except TimeoutError:
        pass
    finally:
        feeding.cancel()
        if not ended or shell.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGKILL)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(
                    _DRAIN_SECONDS
                ):  # to its end, so that the pipe is closed
                    while await shell.stdout.read(65_536):
                        pass
        await shell.wait()
    return Piped(bytes(output[:limit]), None, why)


async def _feed(stdin: asyncio.StreamWriter, data: bytes) -> None:
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it need not read all of it
        stdin.write(data)
        await stdin.drain()
    stdin.close()
