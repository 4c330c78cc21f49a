"""The command that installs an extra's packages, depending on how trailhound was installed."""

from __future__ import annotations

import itertools
import shlex
import sys
from collections.abc import Iterable
from pathlib import PurePath

EXTRA_PACKAGES = {
    "s3": ("obstore",),
    "aws": ("obstore", "boto3"),
    "parquet": ("pyarrow",),
    "spark": ("pyspark[connect]", "pandas", "pyarrow"),
}
"""The packages of each extra. They are on the package index; ``trailhound[s3]`` itself is not."""


def extra_command(*extras: str) -> str:
    """Return the command that adds the extras' packages to this installation."""
    return add_command(dict.fromkeys(each for extra in extras for each in EXTRA_PACKAGES[extra]))


def add_command(packages: Iterable[str], prefix: str = sys.prefix) -> str:
    """Return the command that adds packages to the environment at ``prefix``."""
    names = shlex.join(packages)
    parts = PurePath(prefix).parts
    folders = set(itertools.pairwise(parts))
    if ("pipx", "venvs") in folders:
        return f"pipx inject {shlex.quote(parts[-1])} {names}"
    if ("uv", "tools") in folders:
        return f"uv pip install --python {shlex.quote(prefix)} {names}"
    return f"{shlex.quote(prefix)}/bin/pip install {names}"
