"""Every command line of README and docs/ runs, in a home and a folder of its own.

What needs a bucket, opens the app or runs until it is stopped is only parsed. The two lines of the
README that install trailhound are run by ``.ci/run``; other programs' lines are not run.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import detector.rules
from tests.commandline.cli import Cli
from tests.detector.trail import REFERENCE_FILE, sweep, write
from tests.tui.stage import CAT, aftermath, records
from tui.commandline.main import main
from tui.commandline.parser import COMMANDS, app_parser, command_first, command_parser

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BUILTIN = Path(detector.rules.__file__).with_name("builtin")
DEPLOY = "arn:aws:iam::111122223333:user/ci-deploy"
HUNT = """[hunt]
name = "Calls by name"
query = ["from logs-aws.cloudtrail-* | stats n = count(*) by event.action"]
"""


def lines_of(page: Path) -> Iterator[list[str]]:
    """Yield the words of each line that calls trailhound, without comments and the shell's part."""
    for block in re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        for line in block.splitlines():
            _, _, command = f"| {line}".rpartition("| trailhound")
            if f"| {line}" != command:
                words = shlex.split(f"trailhound{command}", comments=True)
                if ">" in words:
                    words = words[: words.index(">")]
                yield command_first(words[1:])


def only_parsed(arguments: list[str]) -> str:
    """Return why a line is not run, if it is not."""
    if not arguments or arguments[0] not in COMMANDS or arguments[0] == "demo":
        return "opens the app"
    if arguments[0] == "tail":
        return "runs until it is stopped"
    if arguments[:2] == ["backfill", "spark"]:
        return "needs Spark"
    if arguments[0] != "backfill" and any("s3://" in word for word in arguments):
        return "needs a bucket"
    return ""


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with all that the documents name."""
    folder = tmp_path_factory.mktemp("documented")
    write(folder, "logs/a.json", [*records(), *sweep(12, at=8_000, arn=DEPLOY)])
    write(folder, "more/b.json.gz", aftermath())
    (folder / "sample_logs").symlink_to(ROOT / "sample_logs")
    for name in ("detection-rules/rules/integrations/aws", "my-rules"):
        shutil.copytree(BUILTIN / "flags", folder / name)
    shutil.copy(REFERENCE_FILE, folder / "my-rule.toml")
    shutil.copy(REFERENCE_FILE, folder / "my-rules" / "sweep.toml")
    example = {"name": "ten regions at once", "fires": True, "records": sweep(10)}
    write(folder, "my-rules/sweep.examples.jsonl", json.dumps(example).encode())
    for name in ("some", "some_hunt"):
        write(folder, f"hunting/aws/queries/{name}.toml", HUNT.encode())
    for name in ("indicators.txt", "list.txt"):
        write(folder, name, b"203.0.113.60\n")
    for name in ("hunt.db", "theirs.db", "data/trailhound/hunt.db"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        assert (
            main(["scan", str(folder / "logs"), str(folder / "more"), "--db", str(folder / name)])
            == 0
        )
    return folder


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_line_runs(
    page: Path, prepared: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    shutil.copytree(prepared, home, symlinks=True)
    monkeypatch.chdir(home)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "data"))
    alerts = cli("alerts", "--format", "jsonl").objects
    known = {
        "ALERT_ID": alerts[0]["alert_id"],
        "ALERT_ID...": alerts[0]["alert_id"],
        "ARN": CAT,
        "RULE": "enumeration (burst)",
        "5f0c5c1e-7f6f-4b1f-8c3e-0d9f3d0b7a11": alerts[0]["event_ids"][0],
    }
    for arguments in lines_of(page):
        db = "hunt.db" if "--db" in arguments else "data/trailhound/hunt.db"
        if "WATCH_ID" in arguments:
            [*_, watch] = cli("watch", "list", "--db", "hunt.db", "--format", "jsonl").objects
            known["WATCH_ID"] = watch["watch_id"]
        if "HUNT_ID" in arguments:
            hunts = cli("hunts", "list", "--filter", "queries>0", "--format", "jsonl", "--db", db)
            known["HUNT_ID"] = hunts.objects[0]["hunt_id"]
        words = [known.get(word, word) for word in arguments]
        is_command = bool(words) and words[0] in COMMANDS
        (command_parser() if is_command else app_parser()).parse_args(words)
        if only_parsed(words):
            continue
        with open("logs/a.json" if words[0] == "scan" else "indicators.txt") as standard_input:
            monkeypatch.setattr(sys, "stdin", standard_input)
            ran = cli(*words)
        assert ran.status in ((0, 10) if "--exit-code" in words else (0,)), (words, ran)
        assert "Traceback" not in ran.err


def test_most_lines_are_run() -> None:
    lines = [arguments for page in PAGES for arguments in lines_of(page)]
    assert sum(not only_parsed(arguments) for arguments in lines) > 60
    assert {only_parsed(arguments) for arguments in lines} == {
        "",
        "opens the app",
        "runs until it is stopped",
        "needs a bucket",
        "needs Spark",
    }
