"""Sigma on the command line: `rules check`, `rules list`, `scan`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.detector.rules.rule_scan import raw_record
from tests.detector.sigma.test_files import FILTER, HEAD, correlation, rule
from tui.commandline.main import main


def ran(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    status = main([*map(str, words)])
    return (status, *capsys.readouterr())


def test_check_describes_rules_correlations_and_filters(tmp_path, capsys):
    file = tmp_path / "rules.yml"
    texts = [correlation("Base"), rule("Base", "X"), FILTER.format(rules="[Base]")]
    file.write_text("---\n".join(texts))
    (tmp_path / "notes.txt").write_text("not a rule")
    status, out, err = ran(capsys, "rules", "check", tmp_path)
    assert status == 0
    assert out.splitlines() == [
        f"{file}: Several: in any 5 min by userIdentity.arn: ≥2 events",
        f"{file}: Base: counted by Several; it gives no alerts of its own",
        f"{file}: Not the backup: a filter of 1 rule: Base",
    ]
    assert err.splitlines() == [f"no rule files, not read: {tmp_path / 'notes.txt'}"]


def test_check_points_at_the_word_that_is_wrong(tmp_path, capsys):
    file = tmp_path / "rules.yml"
    file.write_text(rule("A rule", "X").replace("condition: sel", "condition: sel or salt"))
    status, out, err = ran(capsys, "rules", "check", file)
    assert (status, out) == (1, "")
    line, excerpt, caret = err.splitlines()
    assert line.startswith(f"{file}:8:21: no selection salt")
    assert excerpt[caret.index("^") :].startswith("salt")


def test_check_notes_what_never_matches(tmp_path, capsys):
    file = tmp_path / "rules.yml"
    file.write_text(rule("A rule", "X").replace("eventName", "eventname"))
    _, out, _ = ran(capsys, "rules", "check", file)
    assert f"{file}:7:5: note: eventname is not a CloudTrail field" in out
    assert "did you mean eventName?" in out


def test_list_names_base_rules(tmp_path, capsys):
    file = tmp_path / "rules.yml"
    file.write_text(correlation("Base") + "---\n" + rule("Base", "X"))
    _, out, _ = ran(capsys, "rules", "list", "--no-builtin", "--rules", file)
    assert "Base\n    counted by Several; it gives no alerts of its own" in out


def test_scan_prints_alerts_of_a_correlation(tmp_path, capsys):
    """The alert is as any other: key, columns, techniques, severity."""
    file = tmp_path / "rules.yml"
    more = "level: high\ntags: [attack.discovery, attack.t1580]\n"
    counted = correlation("Base", more=more).replace("event_count", "value_count")
    counted = counted.replace("{gte: 2}", "{gte: 2, field: awsRegion}")
    file.write_text(counted + "---\n" + rule("Base", "listbuckets"))
    regions = ["eu-west-1", "us-east-1", "eu-west-1"]
    records = [
        raw_record(second, eventName="ListBuckets", awsRegion=region)
        for second, region in enumerate(regions)
    ]
    log = tmp_path / "log.json"
    log.write_text(json.dumps({"Records": records}))
    options = ["--no-builtin", "--rules", file, "--format", "jsonl"]
    status, out, _ = ran(capsys, "scan", log, *options)
    alert = json.loads(out)
    assert status == 0
    assert alert["rule"]["name"] == "Several"
    assert (alert["rule"]["severity"], alert["rule"]["risk_score"]) == ("high", 73)
    assert (alert["techniques"], alert["tactics"]) == (["T1580"], ["Discovery"])
    assert alert["key"] == {"userIdentity.arn": records[0]["userIdentity"]["arn"]}
    assert alert["columns"]["value_count"] == 2
    assert alert["columns"]["awsRegion values"] == ["eu-west-1", "us-east-1"]
    assert alert["event_ids"] == ["e-0", "e-1", "e-2"]


def test_placeholders_are_those_of_the_configuration(tmp_path, capsys, monkeypatch):
    folder = tmp_path / "config"
    monkeypatch.setattr("tui.settings.config.config_path", lambda: folder / "config.toml")
    folder.mkdir()
    (folder / "config.toml").write_text('[placeholders]\nnames = ["X", "Y*"]\n')
    file = tmp_path / "rules.yml"
    file.write_text(
        HEAD.format(title="T") + "detection:\n  s: {eventName|expand: '%names%'}\n  condition: s\n"
    )
    status, out, _ = ran(capsys, "rules", "check", file)
    assert status == 0
    assert Path(out.partition(":")[0]) == file
