"""What attackers use calls for: every line is whole, and is found by its call."""

from __future__ import annotations

import re
import tomllib
from importlib.resources import files

import pytest

from detector.cloudtrail.attacker_use import attacker_use

USES = tomllib.loads(
    files("detector.cloudtrail").joinpath("attacker_uses.toml").read_text(encoding="utf-8")
)


def test_every_line_has_a_technique_and_a_sentence() -> None:
    lines = [use for uses in USES.values() for use in uses.values()]
    assert len(lines) > 200
    for technique, purpose in lines:
        assert re.fullmatch(r"T\d{4}(\.\d{3})?", technique)
        assert re.fullmatch(r"[A-Z].{7,100}\.", purpose), purpose


@pytest.mark.parametrize(
    ("source", "name", "technique"),
    [
        ("iam.amazonaws.com", "CreateAccessKey", "T1098.001"),
        ("sts.amazonaws.com", "GetCallerIdentity", "T1087.004"),
        ("ec2.amazonaws.com", "CreateAccessKey", None),
        ("", "", None),
    ],
)
def test_use_is_found_by_service_and_call(source: str, name: str, technique: str | None) -> None:
    use = attacker_use(source, name)
    assert (use and use.technique) == technique
