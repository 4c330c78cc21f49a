"""A real attack, as invictus-ir published it: every record and every file is accounted for.

The 55 files are not part of the repository. TRAILHOUND_DATA names the folder that has them.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from detector.rules.ruleset import load
from detector.store import Store
from tests.detector import oracle
from tests.detector.trail import REFERENCE, scan

DATA = Path(
    os.environ.get("TRAILHOUND_DATA") or Path(__file__).parents[2] / "shared" / "data",
    "invictus-ir",
)


@pytest.fixture(scope="module")
def data() -> Path:
    if not DATA.is_dir():
        pytest.skip(f"no folder {DATA}: TRAILHOUND_DATA names the one that holds invictus-ir")
    return DATA


@pytest.mark.parametrize("mode", ["tumbling", "sliding"])
def test_accounting_adds_up(mode: str, data: Path) -> None:
    store = Store.open(None)
    run = scan(data, store=store, by=load(mode=mode))  # type: ignore[arg-type]
    sums = run.accounting
    assert (sums.files_read, sums.files_skipped) == (55, {"not-json": 1})  # its licence lies there
    assert (sums.files_waiting, sums.files_quarantined) == (0, {})
    assert (sums.records_seen, sums.records_skipped, sums.records_rejected) == (2900, {}, {})
    assert sums.records_read == 2900
    again = scan(data, store=store, by=load(mode=mode))  # type: ignore[arg-type]
    assert (again.accounting, again.problems) == (sums, [])
    store.close()


@pytest.mark.parametrize("mode", ["tumbling", "sliding"])
def test_reference_rule_matches_oracle(mode: str, data: Path) -> None:
    records = [
        record
        for path in data.glob("*.json")
        for record in json.loads(path.read_bytes())["Records"]
    ]
    found = [alert for alert in scan(data, mode=mode).facts if alert["rule"]["id"] == REFERENCE]
    assert len(records) == 2900
    assert [alert["columns"] for alert in found] == [
        alert["columns"] for alert in oracle.alerts(records, mode)
    ]
