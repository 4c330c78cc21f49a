"""The parameters of rules in every language, their variants, and the files that keep one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from detector.rules.rule import Rule
from detector.rules.ruleset import load
from detector.workbench.settings import cells_of, moved, parse_grid, parse_settings
from detector.workbench.variant import VariantError, VariantMaker
from tests.detector.workbench.rules_of_all_kinds import KINDS, RULE_ID, WINDOW, write_kind

LABELS = {
    "window": ["regions ≥ 9", "events > 8", "window 30 s"],
    "several values": ["place > 8", "window 30 s"],
    "lookback": ["events ≥ 9", "span > 4", "window 1 min"],
    "few": ["events ≤ 8", "window 20 s"],
    "filtered": ["m ≥ 10", "events ≥ 8", "window 20 s"],
    "threshold": ["regions ≥ 9", "events ≥ 8", "window 40 s"],
    "merged": ["events ≥ 6", "suppression-seconds = 40", "window 20 s"],
    "sequence": ["runs = 2", "window 20 s"],
    "new terms": ["history 30 s"],
    "sigma": ["regions ≥ 9", "window 30 s"],
    "ranged": ["events ≥ 8", "id ≥ 1", "window 40 s"],
    "suppressed": ["suppression-seconds = 20"],
    "sigma range": ["recipientAccountId ≥ 7"],
}


def maker_of(path: Path) -> VariantMaker:
    rules = load([path], builtin=False)
    rule = rules.get(RULE_ID)
    assert rule is not None, rules.problems
    return VariantMaker(rules, rule)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_parameters_are_found_and_set(kind: str, tmp_path: Path) -> None:
    maker = maker_of(write_kind(tmp_path, kind))
    found = maker.parameters.found
    assert [each.label for each in found][: len(LABELS[kind])] == LABELS[kind]
    rereads = {"filtered": ["m"], "ranged": ["id"], "sigma range": ["recipientAccountId"]}
    assert [each.name for each in found if not each.keeps_hits] == rereads.get(kind, [])
    for parameter in found:
        values = {parameter.name: parameter.value + 1}
        changed = maker_of(write_kind(tmp_path / "other", kind, maker.text_with(values)))
        told = {each.name: each.value for each in changed.parameters.found}
        assert told == {each.name: each.value for each in found} | values


def test_a_number_is_found_among_others_like_it(tmp_path: Path) -> None:
    """The right one of many tens changes, however the query is quoted."""
    query = (
        'from logs-aws.cloudtrail-*\\n| where source.ip != \\"10.0.0.10\\"\\n'
        "| stats n = count(*), m = count(*) by b = bucket(@timestamp, 10 seconds)\\n"
        "| where n >= 10 and m <= 10"
    )
    text = f"""# 10 of 10
[rule]
rule_id = "11111111-2222-4333-8444-555555555555"
name = "10 regions"
risk_score = 10
type = "esql"
query = "{query}"
"""
    maker = maker_of(write_kind(tmp_path, "window", text))
    assert [each.label for each in maker.parameters.found] == [
        "events ≥ 10",
        "events-2 ≤ 10",
        "window 10 s",
    ]
    changed = maker.text_with({"events-2": 11, "window": 120})
    assert changed == text.replace("m <= 10", "m <= 11").replace("10 seconds", "2 minutes")


def test_variant_that_cannot_run_says_why(tmp_path: Path) -> None:
    maker = maker_of(write_kind(tmp_path, "window"))
    with pytest.raises(VariantError, match="no parameter region; did you mean regions"):
        maker.rule_with({"region": 8})
    with pytest.raises(VariantError, match="a number such as 8"):
        parse_settings("regions=60s", maker)
    with pytest.raises(VariantError, match="a duration such as 60s"):
        parse_settings("window=60", maker)
    with pytest.raises(VariantError, match="1 or more"):
        parse_settings("regions=0", maker)
    with pytest.raises(VariantError, match="write it like"):
        parse_settings("regions", maker)
    with pytest.raises(VariantError, match="at most 400"):
        parse_grid("regions=1..100,events=1..100", maker)


def test_grid_has_every_pair_of_values(tmp_path: Path) -> None:
    maker = maker_of(write_kind(tmp_path, "window"))
    axes = parse_grid("regions=6..8,window=45s..2m", maker)
    cells = list(cells_of(axes))
    assert cells == [
        {"regions": regions, "window": window}
        for regions in (6, 7, 8)
        for window in (45, 60, 90, 120)
    ]


def test_moving_a_value_forth_and_back_is_no_change(tmp_path: Path) -> None:
    maker = maker_of(write_kind(tmp_path, "window"))
    count, window = maker.parameter("regions"), maker.parameter("window")
    assert [moved(count, 9, step) for step in (-20, -1, 1)] == [1, 8, 10]
    assert [moved(window, 30, step) for step in (-1, 1, 2)] == [20, 45, 60]
    assert moved(window, moved(window, 30, 3), -3) == 30


@pytest.mark.parametrize(
    "kind",
    [
        "window",
        "threshold",
        "sequence",
        "new terms",
        "sigma",
        "ranged",
        "suppressed",
        "sigma range",
    ],
)
def test_saved_variant_is_a_rule_of_its_own(kind: str, tmp_path: Path) -> None:
    folder = tmp_path / "rules"
    maker = maker_of(write_kind(folder, kind))
    parameter = maker.parameters.found[0]
    values = {parameter.name: parameter.value + 1}
    path = folder / f"mine{maker.suffix}"
    maker.save(path, values, "Fewer  of them", 'CHG-9: "noisy"')
    both = load([folder], builtin=False)
    assert both.problems == []
    (saved,) = (rule for rule in both if rule.rule_id != RULE_ID)
    wanted = maker.rule_with(values)
    assert (saved.name, saved.path) == ("Fewer of them", path)
    assert (saved.query.canonical, saved.query.window) == (
        wanted.query.canonical,
        wanted.query.window,
    )
    assert "CHG-9: 'noisy'" in path.read_text(encoding="utf-8").replace('"noisy"', "'noisy'")
    assert RULE_ID in path.read_text(encoding="utf-8")
    with pytest.raises(VariantError, match="exists: name a new file"):
        maker.save(path, values, "Again", "why not")
    with pytest.raises(VariantError, match="a name and a reason"):
        maker.save(folder / f"no{maker.suffix}", values, "Again", " ")
    with pytest.raises(VariantError, match=r"name a \..* file"):
        maker.save(folder / "no.txt", values, "Again", "why")


def test_saved_variant_keeps_its_own_table(tmp_path: Path) -> None:
    text = f'{WINDOW}\n[trailhound]\nflag = "many"\nalerts = true\n'
    maker = maker_of(write_kind(tmp_path, "window", text))
    path = tmp_path / "mine.toml"
    maker.save(path, {"regions": 8}, "Mine", "why")
    saved = next(rule for rule in load([path], builtin=False))
    assert (saved.flag, saved.alerts) == ("many", True)


def test_variants_of_a_rule_that_kibana_exported(tmp_path: Path) -> None:
    rule = {
        "rule_id": RULE_ID,
        "name": "Exported",
        "description": "9 and 8",
        "type": "threshold",
        "language": "kuery",
        "risk_score": 21,
        "severity": "low",
        "from": "now-9m",
        "query": "event.action : DescribeInstances",
        "threshold": {"field": [], "value": 9},
    }
    other = {**rule, "rule_id": "another", "name": "Another"}
    path = tmp_path / "export.ndjson"
    path.write_text(f"{json.dumps(other)}\n{json.dumps(rule)}\n", encoding="utf-8")
    maker = maker_of(path)
    assert [each.label for each in maker.parameters.found] == ["events ≥ 9", "window 9 min"]
    variant: Rule = maker.rule_with({"events": 4, "window": 60})
    assert (variant.thresholds, variant.window) == (("≥4 events",), 60)
