"""Completion scripts: bash completes, and no option is missing in any."""

from __future__ import annotations

import argparse
import contextlib
import os
import pty
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


FISH = {
    "sc": {"scan"},
    "note --verdict ben": {"benign"},
    "reo": {"reopen"},
    "suppress ": {"add", "list", "lift"},
    "suppress li": {"list", "lift"},
    "scan --format ": {"table", "jsonl", "csv", "md", "html", "ocsf"},
    "scan logs/ --window sl": {"sliding"},
    "log export --format m": {"md"},
    "completion f": {"fish"},
    "scan --db ": {"logs/"},
    "scan lo": {"logs/"},
    "status lo": set(),
    "--no-s": {"--no-session"},
    "pivot --pri": {"--principal"},
}


@pytest.mark.skipif(not shutil.which("fish"), reason="fish is not installed")
def test_fish_completes(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    script = tmp_path / ".script"
    script.write_text(SCRIPTS["fish"])
    asked = "".join(f'complete -C "trailhound {typed}"; echo ==; ' for typed in FISH)
    ran = subprocess.run(
        ["fish", "--no-config", "-c", f"source {script}; {asked}"],
        cwd=tmp_path,
        env={**os.environ, "HOME": str(tmp_path / ".home")},
        capture_output=True,
        text=True,
        check=True,
    )
    offered = [
        {line.split("\t")[0] for line in block.splitlines() if line}
        for block in ran.stdout.split("==\n")[: len(FISH)]
    ]
    assert dict(zip(FISH, offered, strict=True)) == FISH


ZSH = {
    "sc": "scan",
    "note --verdict ben": "note --verdict benign",
    "reo": "reopen",
    "suppress a": "suppress add",
    "scan --format js": "scan --format jsonl",
    "scan logs/ --window sl": "scan logs/ --window sliding",
    "log export --format m": "log export --format md",
    "completion f": "completion fish",
    "scan --db lo": "scan --db logs",
    "--no-s": "--no-session",
    "pivot --pri": "pivot --principal",
}


@pytest.mark.skipif(not shutil.which("zsh"), reason="zsh is not installed")
def test_zsh_completes(tmp_path: Path) -> None:
    """Type each line and TAB into a zsh of its own, which then prints the line."""
    (tmp_path / "logs").mkdir()
    script = tmp_path / ".script"
    script.write_text(SCRIPTS["zsh"])
    home, line_start, line_end = str(tmp_path / ".home"), "\x01", "\x05"
    typed = [
        "autoload -U compinit; compinit -u -D; LISTMAX=9999; unsetopt zle_bracketed_paste",
        f"source {script}",
        *(f"trailhound {line}\t{line_start}print -r -- '<{line_end}'" for line in ZSH),
        "exit",
    ]
    terminal, inner = pty.openpty()
    shell = subprocess.Popen(
        ["zsh", "-f", "-i"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "HOME": home, "TERM": "dumb", "PS1": ""},
        stdin=inner,
        stdout=inner,
        stderr=inner,
        start_new_session=True,
    )
    os.close(inner)
    os.write(terminal, "".join(f"{line}\n" for line in typed).encode())
    output = b""
    with contextlib.suppress(OSError):  # the terminal goes with the shell
        while block := os.read(terminal, 4096):
            output += block
    os.close(terminal)
    shell.wait()
    printed = re.findall(r"^<trailhound (.*?) ?\r$", output.decode(), re.MULTILINE)
    assert printed == list(ZSH.values())


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
