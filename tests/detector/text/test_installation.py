"""Commands that add an extra fit how trailhound was installed."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from detector.text.installation import EXTRA_PACKAGES, add_command, extra_command

PREFIXES = {
    "/home/a/.local/share/pipx/venvs/trailhound": "pipx inject trailhound boto3",
    "/home/a/.local/pipx/venvs/trail-2": "pipx inject trail-2 boto3",
    "/opt/pipx/venvs/trailhound": "pipx inject trailhound boto3",
    "/home/a/.local/share/uv/tools/trailhound": (
        "uv pip install --python /home/a/.local/share/uv/tools/trailhound boto3"
    ),
    "/Users/a b/Library/uv/tools/trailhound": (
        "uv pip install --python '/Users/a b/Library/uv/tools/trailhound' boto3"
    ),
    "/srv/app/.venv": "/srv/app/.venv/bin/pip install boto3",
    "/usr": "/usr/bin/pip install boto3",
    "/home/pipx/app/.venv": "/home/pipx/app/.venv/bin/pip install boto3",
    "/home/uv/x/tools": "/home/uv/x/tools/bin/pip install boto3",
    "/venvs/pipx": "/venvs/pipx/bin/pip install boto3",
}


@pytest.mark.parametrize("prefix", PREFIXES)
def test_command_fits_the_environment(prefix: str) -> None:
    assert add_command(["boto3"], prefix) == PREFIXES[prefix]


def test_packages_are_those_of_the_extras() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    for extra, packages in EXTRA_PACKAGES.items():
        needed = " ".join(extras[extra]).replace("trailhound[s3]", " ".join(extras["s3"]))
        assert {re.split("[<>=]", each)[0] for each in needed.split()} == set(packages)
    assert extra_command("s3", "aws").endswith(" obstore boto3")
