"""Completion scripts: bash completes, and no option is missing in any."""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tui.commandline.completion import SHELLS, command_spec
from tui.commandline.parser import app_parser, command_parser

SCRIPTS = {
    shell: write(command_spec(app_parser(), command_parser())) for shell, write in SHELLS.items()
}


def completed(typed: str, folder: Path) -> set[str]:
    """Return the words that bash offers after ``typed``."""
    script = (
        f"{SCRIPTS['bash']}\nCOMP_WORDS=({typed}); COMP_CWORD=$(({len(typed.split()) - 1}))\n"
        '_trailhound; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    ran = subprocess.run(
        ["bash", "-u", "-c", script], cwd=folder, capture_output=True, text=True, check=True
    )
    assert ran.stderr == ""
    return set(ran.stdout.split())


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("trailhound sc", {"scan"}),
        ("trailhound s", {"scan", "suppress", "status"}),
        ("trailhound note --verdict ben", {"benign"}),
        ("trailhound reo", {"reopen"}),
        ("trailhound suppress ''", {"add", "list", "lift", "-h", "--help"}),
        ("trailhound scan --format ''", {"table", "jsonl", "csv", "md", "html", "ocsf"}),
        ("trailhound scan logs/ --window sl", {"sliding"}),
        ("trailhound log export --format m", {"md"}),
        ("trailhound completion f", {"fish"}),
        ("trailhound scan --db ''", set()),
        ("trailhound scan lo", set()),
        ("trailhound --no-s", {"--no-session"}),
        ("trailhound pivot --pri", {"--principal"}),
    ],
)
def test_bash_script_completes(typed: str, offered: set[str], tmp_path: Path) -> None:
    assert completed(typed, tmp_path) == offered


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shell_accepts_script(shell: str, tmp_path: Path) -> None:
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    script = tmp_path / "script"
    script.write_text(SCRIPTS[shell])
    ran = subprocess.run([shell, "-n", script], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")


def everything(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        yield from action.option_strings
        if isinstance(action, argparse._SubParsersAction):
            for name, below in action.choices.items():
                yield name
                yield from everything(below)


@pytest.mark.parametrize("shell", SHELLS)
def test_script_has_every_command_and_option(shell: str) -> None:
    words = set(re.findall(r"[\w-]+", SCRIPTS[shell]))
    for parser in (app_parser(), command_parser()):
        for word in everything(parser):
            assert word in words or (shell == "fish" and word.lstrip("-") in words), word
    script = SCRIPTS[shell]
    for quoted in ("\\'", "'\\''", "'\"'\"'"):  # quotes that are said, and do not quote
        script = script.replace(quoted, "")
    quotes = script.count("'")
    assert quotes % 2 == 0
