"""Arguments that are slips are told, and output takes any character."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from itertools import chain
from pathlib import Path

import pytest

from detector import __version__
from detector.simulate.__main__ import main as simulate
from tests.commandline.cli import ONLY_REFERENCE, Cli, one_line
from tests.detector.trail import sweep, write
from tui.commandline.parser import COMMANDS, command_parser

SLIPS = {
    "stauts": "status",
    "scna": "scan",
    "tial": "tail",
    "alert": "alerts",
    "rule": "rules",
    "supress": "suppress",
    "pivto": "pivot",
    "completions": "completion",
    "docter": "doctor",
    "principal": "principals",
}


@pytest.mark.parametrize("word", SLIPS)
def test_misspelt_command_is_told(
    word: str, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    one_line(cli(word), 2, f"did you mean {SLIPS[word]}?")
    one_line(cli(word, tmp_path), 2, f"did you mean {SLIPS[word]}?")


def test_word_like_no_command_is_told(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    one_line(cli("zzzzz"), 2, "no command, file or folder has this name", "--help")


@pytest.mark.parametrize("command", ["scan", "log export", "rules check", "hunts list"])
def test_unknown_option_points_to_the_help_of_its_command(command: str, cli: Cli) -> None:
    told = f"trailhound {command}: unrecognized arguments: --nope; see trailhound {command} --help"
    one_line(
        cli(*command.split(), *["x"] * (command in ("scan", "rules check")), "--nope"), 2, told
    )


def test_sources_may_stand_behind_options(cli: Cli, tmp_path: Path) -> None:
    calls = sweep(12)
    first, second = write(tmp_path, "a.json", calls[:6]), write(tmp_path, "b.json", calls[6:])
    ran = cli("scan", first, *ONLY_REFERENCE, "--format", "jsonl", second)
    assert ran.out.count("alert_id") == 1
    one_line(cli("scan", first, "--format", "jsonl", tmp_path / "c.json"), 1, "no such file")


def test_folder_of_a_command_like_name_is_opened(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "stauts").mkdir()
    one_line(cli("stauts"), 1, "the app needs a terminal")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["version"], f"trailhound {__version__}"),
        (["help"], "usage: trailhound [-h]"),
        (["help", "scan"], "usage: trailhound scan [-h]"),
    ],
)
def test_help_and_version_are_words_too(
    words: list[str],
    expected: str,
    cli: Cli,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = cli(*words)
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.startswith(expected)


def test_check_of_a_folder_without_rules_is_one_line(cli: Cli, tmp_path: Path) -> None:
    one_line(cli("rules", "check", tmp_path), 1, str(tmp_path), "no rule files in it")


def test_scan_that_cannot_start_leaves_no_state(cli: Cli, tmp_path: Path) -> None:
    state = tmp_path / "s.db"
    one_line(cli("scan", tmp_path / "none", "--db", state), 1, "no such file or folder")
    one_line(
        cli("scan", tmp_path / "none", "--db", state, "--since", "2026-01-01"), 1, "no such file"
    )
    assert not [*tmp_path.iterdir()]


def test_simulation_explains_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        simulate(["--help"])
    assert ended.value.code == 0
    assert "DIRECTORY" in capsys.readouterr().out
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("encoding", ["iso-8859-1", "ascii", "cp1252"])
@pytest.mark.parametrize("output_format", ["table", "jsonl"])
def test_output_takes_any_character_in_any_locale(
    encoding: str, output_format: str, tmp_path: Path
) -> None:
    arn = "arn:aws:iam::111122223333:user/åß…漢🐕"
    write(tmp_path / "logs", "a.json", sweep(10, arn=arn))
    ran = subprocess.run(
        [
            sys.executable,
            "-m",
            "tui",
            "scan",
            str(tmp_path / "logs"),
            "--format",
            output_format,
            *ONLY_REFERENCE,
        ],
        env={**os.environ, "PYTHONUTF8": "0", "PYTHONIOENCODING": encoding},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        check=False,
    )
    assert (ran.returncode, b"Traceback" in ran.stderr) == (0, False)
    text = ran.stdout.decode()
    assert "åß" in text
    if output_format == "jsonl":
        assert json.loads(text)["key"] == {"aws.cloudtrail.user_identity.arn": arn}


def test_overwritten_packages_are_said() -> None:
    """Another distribution may have a package of the same name."""
    program = (
        "import sys, types; sys.modules['detector'] = types.ModuleType('detector'); "
        "from tui.__main__ import run; sys.exit(run())"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (1, "", 1)
    assert "another distribution has overwritten its packages" in ran.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_parser_of_one_command_takes_what_that_of_all_takes(command: str) -> None:
    one, every = help_texts(command_parser(command)), help_texts(command_parser())
    assert set(one) == {command}
    assert one[command] == every[command]


def help_texts(parser: argparse.ArgumentParser) -> dict[str, list[str]]:
    """Return the help of each command, with that of the commands below it."""
    return {
        name: [below.format_help(), *chain.from_iterable(help_texts(below).values())]
        for action in parser._actions
        if isinstance(action, argparse._SubParsersAction)
        for name, below in action.choices.items()
    }
