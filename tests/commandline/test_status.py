"""``trailhound status`` for an organization of many regions."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.commandline.cli import Cli
from tests.detector.trail import REGIONS, START, call, write

ACCOUNTS = ("111122223333", "444455556666")
SILENT = (ACCOUNTS[1], "sa-east-1")


@pytest.fixture
def state(tmp_path: Path, cli: Cli) -> Path:
    """Two accounts in fourteen regions, a file every five minutes; one region has stopped, and one
    file is no good."""
    for account in ACCOUNTS:
        for region in REGIONS:
            for minute in range(0, 20 if (account, region) == SILENT else 80, 5):
                label = time.strftime("%Y%m%dT%H%MZ", time.gmtime(START + 60 * minute))
                name = f"logs/{account}_CloudTrail_{region}_{label}_{minute:016}.json"
                write(tmp_path, name, [call(60 * minute, region)])
    for number in range(22):
        name = f"logs/{ACCOUNTS[0]}_CloudTrail_eu-west-1_20260301T1115Z_{number + 90:016}.json"
        write(tmp_path, name, b'{"Records": [')
    assert cli("scan", tmp_path / "logs", "--db", tmp_path / "hunt.db").status == 0
    return tmp_path / "hunt.db"


def lines_of(out: str, name: str) -> list[str]:
    return [line for line in out.splitlines() if line.startswith(name + " ")]


def test_status_lists_only_regions_that_need_attention(state: Path, cli: Cli) -> None:
    out = cli("status", "--db", state).out
    (summary,) = lines_of(out, "regions")
    assert "28 in 2 accounts: 1 late, 27 up to date" in summary and "--all" in summary
    assert [line.split()[1:3] for line in lines_of(out, "region")] == [
        [ACCOUNTS[0], "eu-west-1"],
        [*SILENT],
    ]
    assert "22 in quarantine" in lines_of(out, "region")[0] and lines_of(out, "region")[1].endswith(
        "every 5 min, late"
    )
    assert len(lines_of(out, "quarantine")) == 20 and "and 2 more" in out
    every = cli("status", "--all", "--db", state).out
    assert len(lines_of(every, "region")) == 28 and len(lines_of(every, "quarantine")) == 22
    assert "more" not in every
