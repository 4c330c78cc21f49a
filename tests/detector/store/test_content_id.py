"""The numbers of what is stored once."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from detector.store import Store
from detector.store.packing import content_id as numbering
from detector.store.packing.content_id import content_id, name_number
from tests.detector.trail import REGIONS, call, scan, sweep, write

CODE = """
from detector.store.packing.content_id import content_id, name_number
print(content_id(b"body"), name_number("AKIA1"))
"""


def test_number_of_a_body_cannot_be_foretold_and_that_of_a_name_is_the_same_everywhere() -> None:
    ran = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    elsewhere, name = map(int, ran.stdout.split())
    assert content_id(b"body") == content_id(b"body") != elsewhere
    assert name_number("AKIA1") == name


def test_names_of_accounts_have_negative_numbers() -> None:
    assert name_number("111122223333") < 0 <= name_number("AKIA1")


def test_alert_that_another_process_derives_alike_is_not_revised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs = tmp_path / "logs"
    write(logs, "a.json", sweep(12))
    with closing(Store.open(tmp_path / "hunt.db")) as store:
        scan(logs, store=store, mode="sliding")
    monkeypatch.setattr(numbering, "_KEY", b"another")
    write(logs, "b.json", [call(45, REGIONS[0])])  # of its bucket, and of none of its windows
    with closing(Store.open(tmp_path / "hunt.db")) as store:
        (alert,) = scan(logs, store=store, mode="sliding").alerts
    assert alert.revision == 1


def test_summary_of_a_rule_is_stored_once_by_several_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs = tmp_path / "logs"
    for number in range(3):
        monkeypatch.setattr(numbering, "_KEY", bytes([number]))
        write(logs, f"{number}.json", sweep(12, number * 86_400))
        with closing(Store.open(tmp_path / "hunt.db")) as store:
            scan(logs, store=store)
            assert store.database.value("SELECT count(*) FROM alert") == number + 1
            assert store.database.value("SELECT count(*) FROM rule_summary") == 1
