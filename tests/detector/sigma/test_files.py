"""Files of Sigma: collections, references, filters, refusals with their places."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from detector.rules.rule import Rule
from detector.rules.ruleset import RuleSet, load
from tests.detector.rules.rule_scan import RuleScan, raw_record

HEAD = """title: {title}
logsource:
  product: aws
  service: cloudtrail
"""
ID = "0f2b7c3e-5f0c-4b7f-9d57-1d2f5f0e3a11"


def rule(title: str, name: str, more: str = "") -> str:
    detection = f"detection:\n  sel:\n    eventName: {name}\n  condition: sel\n"
    return HEAD.format(title=title) + more + detection


def loaded(folder: Path, **files: str) -> RuleSet:
    for name, text in files.items():
        (folder / f"{name}.yml").write_text(text, encoding="utf-8")
    return load([folder], builtin=False)


def only(folder: Path, text: str) -> Rule:
    rules = loaded(folder, r=text)
    assert not rules.problems, rules.problems
    (one,) = rules
    return one


def refusals(folder: Path, text: str) -> list[tuple[int, int, str]]:
    rules = loaded(folder, r=text)
    assert not len(rules)
    return [(each.line, each.column, each.message) for each in rules.problems]


def test_what_a_rule_says_of_itself_is_kept(tmp_path):
    found = only(
        tmp_path,
        rule(
            "Buckets deleted",
            "DeleteBucket",
            f"""id: {ID}
level: high
description: Somebody deletes buckets.
author: Ana
references:
  - https://example.com/a
falsepositives: [Cleaning up]
tags: [attack.impact, attack.t1485, attack.t1078.004, cve.2021-1]
""",
        ),
    )
    assert (found.rule_id, found.name, found.severity, found.risk_score) == (
        ID,
        "Buckets deleted",
        "high",
        73,
    )
    assert found.false_positives == ["Cleaning up"]
    assert found.references == ["https://example.com/a"]
    assert [(each.id, each.tactic_id) for each in found.summary.attack] == [
        ("T1485", "TA0040"),
        ("T1078", "TA0040"),
        ("T1078.004", "TA0040"),
    ]
    for part in ("Somebody deletes buckets.", "https://example.com/a", "Cleaning up"):
        assert part in found.note
    assert found.query_text.startswith("detection:\n  sel:")


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("attack.t1078", [("T1078", "")]),
        ("attack.persistence", []),
        (
            "attack.initial_access, attack.persistence, attack.t1078",
            [("T1078", "Initial Access"), ("T1078", "Persistence")],
        ),
    ],
)
def test_tags_are_tactics_and_techniques(tmp_path, tags, expected):
    found = only(tmp_path, rule("A rule", "X", f"tags: [{tags}]\n"))
    assert [(each.id, each.tactic) for each in found.attack] == expected


@pytest.mark.parametrize(
    ("level", "severity", "score", "building_block"),
    [
        ("informational", "low", 1, True),
        ("low", "low", 21, False),
        ("medium", "medium", 47, False),
        ("high", "high", 73, False),
        ("critical", "critical", 99, False),
    ],
)
def test_level_is_severity(tmp_path, level, severity, score, building_block):
    found = only(tmp_path, rule("A rule", "X", f"level: {level}\n"))
    assert (found.severity, found.risk_score) == (severity, score)
    assert found.building_block is building_block


def test_an_id_is_made_where_there_is_none(tmp_path):
    first = only(tmp_path, rule("A rule", "X")).rule_id
    assert only(tmp_path, rule("A rule", "Y")).rule_id == first
    assert only(tmp_path, rule("Another rule", "X")).rule_id != first


def test_collections_share_what_is_global(tmp_path):
    text = f"""action: global
level: high
logsource: {{product: aws, service: cloudtrail}}
detection:
  condition: sel
---
title: One
detection: {{sel: {{eventName: A}}}}
---
title: Two
level: low
detection: {{sel: {{eventName: B}}}}
---
action: repeat
title: Three
---
action: reset
---
{rule("Four", "D")}"""
    found = {each.name: each for each in loaded(tmp_path, r=text)}
    assert {name: each.severity for name, each in found.items()} == {
        "One": "high",
        "Two": "low",
        "Three": "low",
        "Four": "low",
    }
    repeated = found["Three"].query.canonical
    assert repeated == found["Two"].query.canonical != found["One"].query.canonical


CORRELATION = """title: Several
correlation:
  type: event_count
  rules: [{rules}]
  group-by: [userIdentity.arn]
  timespan: 5m
  condition: {{gte: 2}}
{more}"""


def correlation(*rules: str, more: str = "") -> str:
    return CORRELATION.format(rules=", ".join(rules), more=more)


@pytest.mark.parametrize("reference", [ID, "deleted", "Bucket deleted"])
def test_rules_are_referred_to_across_files(tmp_path, reference):
    base = rule("Bucket deleted", "DeleteBucket", f"id: {ID}\nname: deleted\n")
    rules = loaded(tmp_path, a=base, b=correlation(f'"{reference}"'))
    assert not rules.problems
    assert [each.name for each in rules] == ["Several"]
    ((path, notice),) = rules.notices
    assert (path.name, notice.title) == ("a.yml", "Bucket deleted")
    assert notice.sentence == "counted by Several; it gives no alerts of its own"


def test_example_of_the_documentation_runs(tmp_path):
    text = (Path(__file__).parents[3] / "docs" / "rules.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    rules = loaded(tmp_path, r=example)
    assert not rules.problems
    (found,) = rules
    assert found.meaning == "in any 10 min by userIdentity.arn: ≥10 events"


@pytest.mark.parametrize("place", ["  generate: true\n", "generate: true\n"])
def test_generate_lets_base_rules_alert(tmp_path, place):
    text = rule("Base", "X") + "---\n" + correlation("Base", more=place)
    assert [each.name for each in loaded(tmp_path, r=text)] == ["Base", "Several"]


def test_a_title_means_the_rule_in_the_same_file(tmp_path):
    files = {}
    for name in "ab":
        base = rule("Base", "X", f"id: x-{name}\n")
        files[name] = base + "---\n" + correlation("Base", more=f"id: y-{name}\n")
    rules = loaded(tmp_path, **files)
    assert not rules.problems
    assert [each.rule_id for each in rules] == ["y-a", "y-b"]
    third = loaded(tmp_path, c=correlation("Base", more="id: y-c\n"))
    assert [each.message for each in third.problems] == [
        "several rules are called Base: refer to one by its id"
    ]


FILTER = """title: Not the backup
logsource: {{product: aws, service: cloudtrail}}
filter:
  rules: {rules}
  robots:
    userAgent|startswith: backup
  condition: not robots
"""


@pytest.mark.parametrize("rules", ["any", f"[{ID}]", "[deleted]"])
def test_filters_tune_rules(tmp_path, rules):
    text = rule("Bucket deleted", "DeleteBucket", f"id: {ID}\nname: deleted\n")
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "rule.yml").write_text(text)
    (folder / "filter.yml").write_text(FILTER.format(rules=rules))
    agents = ["backup/1", "aws-cli", None]
    records = [
        raw_record(second, eventName="DeleteBucket", userAgent=agent)
        for second, agent in enumerate(agents)
    ]
    scan = RuleScan(tmp_path, folder).add_file(*records)
    assert [alert.event_ids for alert in scan.alerts()] == [["e-1"], ["e-2"]]
    ((_, notice),) = scan.rules.notices
    assert notice.sentence == "a filter of 1 rule: Bucket deleted"


def test_filters_tune_what_correlations_count(tmp_path):
    text = "---\n".join([rule("Base", "X"), correlation("Base"), FILTER.format(rules="[Base]")])
    (tmp_path / "r.yml").write_text(text)
    records = [raw_record(second, eventName="x", userAgent="backup") for second in range(5)]
    assert RuleScan(tmp_path, tmp_path / "r.yml").add_file(*records).alerts() == []


@pytest.mark.parametrize(
    "source", ["{service: cloudtrail}", "{product: aws}", "{product: AWS, service: CloudTrail}"]
)
def test_log_source_may_name_less_than_all(tmp_path, source):
    text = rule("T", "X").replace(
        "logsource:\n  product: aws\n  service: cloudtrail\n", f"logsource: {source}\n"
    )
    assert source in text and only(tmp_path, text).name == "T"


def test_folders_hold_rules_of_all_forms(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").write_text("x")
    (tmp_path / "deep" / "a.yaml").write_text(rule("Yaml", "X"))
    (tmp_path / "README.md").write_text("# Rules")
    (tmp_path / "b.toml").write_text(
        '[rule]\nrule_id = "t"\nname = "Toml"\ntype = "query"\nquery = "event.action: X"\n'
    )
    rules = load([tmp_path], builtin=False)
    assert sorted(each.name for each in rules) == ["Toml", "Yaml"]
    assert [path.name for path, _ in rules.notices] == ["README.md"]
    assert not rules.problems


# --- refusals

REFUSED: dict[str, tuple[str, tuple[int, int, str]]] = {
    "another product": (
        "title: T\nlogsource: {product: windows, category: process_creation}\n"
        "detection: {s: {a: b}, condition: s}\n",
        (
            2,
            1,
            "reads product windows, category process_creation: trailhound holds AWS CloudTrail "
            "only (product aws, service cloudtrail)",
        ),
    ),
    "an unknown selection": (
        HEAD.format(title="T") + "detection:\n  sel: {eventName: x}\n  condition: sel and sell\n",
        (7, 22, "no selection sell; did you mean sel?"),
    ),
    "an unknown selection in quotes": (
        HEAD.format(title="T") + "detection:\n  sel: {eventName: x}\n  condition: 'sel or xyz'\n",
        (7, 22, "no selection xyz"),
    ),
    "no such pattern": (
        HEAD.format(title="T") + "detection:\n  sel: {eventName: x}\n  condition: 1 of filter*\n",
        (7, 19, "no selection has a name like filter*"),
    ),
    "an unknown modifier": (
        HEAD.format(title="T") + "detection:\n  s:\n    eventName|contain: x\n  condition: s\n",
        (7, 5, "no modifier contain; did you mean contains?"),
    ),
    "an open bracket": (
        HEAD.format(title="T") + "detection:\n  s: {eventName: x}\n  condition: (s or s\n",
        (7, 14, "this bracket is not closed"),
    ),
    "an old aggregation": (
        HEAD.format(title="T") + "detection:\n  s: {eventName: x}\n  condition: s | count() > 5\n",
        (
            7,
            16,
            "aggregations in a condition are Sigma's old form: write a correlation instead",
        ),
    ),
    "look-around": (
        HEAD.format(title="T") + "detection:\n  s:\n    eventName|re: (?=ab)c\n  condition: s\n",
        (
            7,
            19,
            "look-around of more than one character is not supported, since every text must be "
            "matched in linear time; write the expression without it",
        ),
    ),
    "no network": (
        HEAD.format(title="T")
        + "detection:\n  s:\n    sourceIPAddress|cidr: 10/x\n  condition: s\n",
        (7, 27, "10/x is not a network such as 10.0.0.0/8"),
    ),
    "a placeholder without values": (
        HEAD.format(title="T") + "detection:\n  s:\n    userAgent|expand: '%ua%'\n  condition: s\n",
        (
            7,
            23,
            "the placeholder %ua% has no values: give them in the configuration, "
            '[placeholders] ua = ["…"]',
        ),
    ),
    "no condition": (
        HEAD.format(title="T") + "detection:\n  s: {eventName: x}\n",
        (6, 3, "the condition is missing"),
    ),
    "another taxonomy": (
        "taxonomy: ecs\n" + rule("T", "x"),
        (1, 11, "the taxonomy ecs is not supported: name fields as CloudTrail does"),
    ),
    "an unknown level": (
        rule("T", "x", "level: hgih\n"),
        (
            5,
            8,
            "no level hgih; did you mean high?: informational, low, medium, high, critical",
        ),
    ),
    "no rule at all": (
        "- a\n- b\n",
        (1, 1, "no Sigma rule: a rule is a map of title, detection, …"),
    ),
    "an empty file": ("# nothing\n", (1, 1, "no Sigma rule: the file is empty")),
    "two keys of a name": (
        rule("T", "x") + "level: low\nlevel: high\n",
        (10, 1, "the key level stands here twice"),
    ),
    "no YAML": ("title: a: b\n", (1, 9, "no YAML: mapping values are not allowed in this context")),
    "control characters": ("title: a\x01\n", (1, 1, "no YAML: control characters are not allowed")),
    "a lost rule": (
        correlation("Nobody"),
        (4, 11, "no rule has the id, name or title Nobody"),
    ),
    "a timespan of no unit": (
        correlation("Nobody").replace("Nobody", "T").replace("5m", "300")
        + "---\n"
        + rule("T", "x", "level: low\n").replace("condition: sel", "condition: sel and"),
        (4, 11, "T cannot be used: a selection is missing after this"),
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals_say_where_and_what_to_do(tmp_path, case):
    text, expected = REFUSED[case]
    assert refusals(tmp_path, text)[0] == expected


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("timespan: 5m", "timespan: 300", 6, "no timespan 300: write it like 30s, 5m, 1h, 7d"),
        ("timespan: 5m", "timespan: 99y", 6, "over 365 days are not supported"),
        ("event_count", "event_counts", 3, "no correlation type event_counts; did you mean"),
        ("gte: 2", "at_least: 2", 7, "no operator at_least: gt, gte, lt, lte, eq, neq"),
        ("gte: 2", "gte: two", 7, "gte takes a number"),
        ("event_count", "value_count", 7, "value_count needs the field of which it takes"),
        ("event_count", "value_percentile", 7, "value_percentile needs the field of which"),
        ("{gte: 2}", "{gte: 2, field: eventName}", 7, "event_count takes no field"),
        ("[Base]", "[]", 3, "the correlation names no rules"),
    ],
)
def test_refusals_of_correlations(tmp_path, old, new, line, message):
    text = correlation("Base").replace(old, new) + "---\n" + rule("Base", "X")
    rules = loaded(tmp_path, r=text)
    (problem,) = rules.problems
    assert problem.line == line
    assert problem.message.startswith(message)


def test_other_documents_of_a_file_in_error_run(tmp_path):
    text = rule("Bad", "x").replace("condition: sel", "condition: 1 of them or") + "---\n"
    rules = loaded(tmp_path, r=text + rule("Good", "x"))
    assert [each.name for each in rules] == ["Good"]
    assert len(rules.problems) == 1


def _bomb() -> str:
    """A billion values of nine aliases."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for number in range(1, 10):
        aliases = ", ".join([f"*a{number - 1}"] * 10)
        lines.append(f"a{number}: &a{number} [{aliases}]")
    return "\n".join(lines)


HOSTILE: dict[str, str] = {
    "nested lists": "[" * 200_000,
    "nested blocks": "- " * 20_000,
    "nested maps": "".join(" " * depth + "a:\n" for depth in range(500)),
    "aliases": _bomb(),
    "an alias of itself": "a: &a [*a]",
    "a large file": "a: " + "x" * 5_000_000,
    "many documents": "--- [a]\n" * 200_000,
    "a class of Python": "!!python/object/apply:os.system ['true']",
    "a long number": "title: " + "9" * 5000 + "\nlogsource: {product: aws}\ndetection: {a: 1}",
    "brackets in a condition": rule("T", "x").replace("condition: sel", "condition: " + "(" * 5000),
    "nots in a condition": rule("T", "x").replace("condition: sel", "condition: " + "not " * 5000),
    "wildcards": rule("T", "x").replace("eventName: x", "eventName|re: '(a{1000}){1000}'"),
    "dashes": rule("T", "x").replace("eventName: x", f"eventName|windash: '{' -a' * 40}'"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_files_are_refused_in_a_line(tmp_path, case):
    rules = loaded(tmp_path, bad=HOSTILE[case], good=rule("Good", "x"))
    assert [each.name for each in rules] == ["Good"]
    assert rules.problems
    for problem in rules.problems[:3]:
        assert "\n" not in problem.message
        assert len(problem.message) <= 420


def test_aliases_and_merges_of_yaml_stand_for_what_they_name(tmp_path):
    text = HEAD.format(title="T") + (
        "detection:\n  a: &a {eventName: x}\n  b: {<<: *a, awsRegion: eu-west-1}\n"
        "  condition: b or a\n"
    )
    canonical = only(tmp_path, text).query.canonical
    assert canonical.count("name='eventName'") > 1
    assert "eu-west-1" in canonical


# --- notes


def notes(folder: Path, detection: str) -> list[tuple[int, str]]:
    found = only(folder, HEAD.format(title="T") + detection)
    return [(each.line, each.sentence) for each in found.advice]


def test_notes_on_what_never_matches(tmp_path):
    detection = """detection:
  s:
    status: ok
    sourceIpAddress: x
    requestParameters.anything: y
  t:
    additionalEventData.MFAUsed: No
  unused: {eventName: z}
  condition: s and t
"""
    assert notes(tmp_path, detection) == [
        (7, "status is not a CloudTrail field, so this never matches"),
        (
            8,
            "sourceIpAddress is not a CloudTrail field, so this never matches; did you mean "
            "sourceIPAddress?",
        ),
        (11, "YAML reads No as false: put it in quotes if the text is meant"),
        (12, "the condition does not use unused"),
    ]


def test_rules_reload_when_a_sigma_file_changes(tmp_path):
    rules = loaded(tmp_path, r=rule("One", "X"))
    assert not rules.changed
    (tmp_path / "r.yml").write_text(rule("Another", "X"))
    assert rules.changed
    assert [each.name for each in rules.reloaded()] == ["Another"]


def test_rule_set_travels_with_its_placeholders(tmp_path):
    import pickle

    text = rule("T", "x").replace("eventName: x", "eventName|expand: '%names%'")
    (tmp_path / "r.yml").write_text(text)
    values: dict[str, Any] = {"names": ["A", "B"]}
    rules = load([tmp_path], builtin=False, placeholders=values)
    assert pickle.loads(pickle.dumps(rules)).fingerprint == rules.fingerprint
