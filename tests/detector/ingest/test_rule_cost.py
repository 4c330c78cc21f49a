"""The time that each rule takes, in whichever process."""

from __future__ import annotations

from pathlib import Path

import pytest

from detector.ingest.pipeline import Pipeline
from detector.rules.ruleset import load
from detector.sources.directory import Directory
from detector.store import Store
from tests.detector.trail import lines, sweep, write

REFERENCE = "393ef120-63d1-11ef-8e38-f661ea17fbce"


@pytest.mark.parametrize("jobs", [1, 2])
def test_rule_seconds_grow_with_records(jobs: int, tmp_path: Path) -> None:
    for name in ("a.jsonl", "b.jsonl"):
        write(tmp_path, name, lines(sweep(12)))
    store, rules = Store.open(None), load()
    pipeline = Pipeline(store, rules, Directory([tmp_path]), jobs)
    pipeline.scan(lambda update: None)
    store.close()
    spent = pipeline.rule_seconds()
    assert spent.keys() >= {rule.rule_id for rule in rules if rule.alerts}
    assert spent[REFERENCE] > 0
    assert min(spent.values()) == 0  # one that no record got to
