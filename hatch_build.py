"""Build the native cut where a C compiler is there; without one the wheel is pure Python.

``TRAILHOUND_NATIVE=0`` makes the pure wheel. ``TRAILHOUND_NATIVE_TARGET`` names another machine, as
``python -m ziglang`` does: docs/native.md has the command.
"""

from __future__ import annotations

import itertools
import os
import runpy
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDER = Path(__file__).parent / "detector" / "formats" / "native"
LIBRARY = FOLDER / "cut.library"
_FLAGS = ("-std=c99", "-O3", "-Wall", "-Wextra", "-shared", "-fPIC")

WHEEL_TAGS = {
    "x86_64-linux-gnu.2.17": "manylinux2014_x86_64",
    "aarch64-linux-gnu.2.17": "manylinux2014_aarch64",
    "x86_64-linux-musl": "musllinux_1_1_x86_64",
    "aarch64-linux-musl": "musllinux_1_1_aarch64",
    "x86_64-macos": "macosx_11_0_x86_64",
    "aarch64-macos": "macosx_11_0_arm64",
}
"""The platform tags of wheels, by the target of the compiler."""


class NativeCut(BuildHookInterface[Any]):
    """Compile the library, and name the platform of the wheel that holds it."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile before the files of a wheel are collected; a stale library goes."""
        LIBRARY.unlink(missing_ok=True)
        target = os.environ.get("TRAILHOUND_NATIVE_TARGET", "")
        if os.environ.get("TRAILHOUND_NATIVE") == "0" or not _compile(target):
            return
        build_data["artifacts"].append(f"/{LIBRARY.relative_to(self.root)}")
        if version == "editable":
            return
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{WHEEL_TAGS.get(target, platform)}"


def _compile(target: str) -> bool:
    """Compile the library; return whether it worked. Raises SystemExit for a failing target."""
    if target:
        compiler = [sys.executable, "-m", "ziglang", "cc", "-target", target, "-s"]
    else:
        words = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
        # Such as "ccache gcc -pthread": Python's own options are not for this library.
        compiler = list(itertools.takewhile(lambda word: not word.startswith("-"), words))
    digest = runpy.run_path(str(FOLDER / "sources.py"))["digest_sources"](FOLDER)
    named = f'-DTRAILHOUND_SOURCES="{digest}"'
    command = [*compiler, *_FLAGS, named, "-o", str(LIBRARY), str(FOLDER / "cut.c")]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
    except (OSError, subprocess.CalledProcessError) as error:
        if target:
            sys.exit(f"{target}: {error}: {getattr(error, 'stderr', '')}")
        LIBRARY.unlink(missing_ok=True)
        print(f"trailhound: no native cut: {error}", file=sys.stderr)
        return False
    return True
