"""The parts that a risk is summed up from."""

from __future__ import annotations

from detector.cloudtrail.tool_signatures import tool_signatures_of
from detector.detection.alert import Flag
from detector.detection.risk import load_risk_table, risk_sentence


def test_first_tool_of_each_leaning_is_named_and_counts_once() -> None:
    """Of several tools of one leaning the first by name stands for all."""
    tools = tool_signatures_of(
        ["pacu/1.0", "aws-cli/2.1 os/linux#6.8-kali2", "ScoutSuite/5", "prowler/4"]
    )
    assert [tool.name for tool in tools] == ["kali", "pacu", "prowler", "scoutsuite"]
    risk = load_risk_table().risk(21, [Flag("snapshot", 3, 0, 0)], tools)
    assert risk.parts == [
        ("rule", 21),
        ("snapshot", 50),
        ("kali (tool)", 20),
        ("prowler (tool)", -15),
    ]
    assert (
        risk_sentence(risk)
        == "76, high: rule 21 + snapshot 50 + kali (tool) 20 − prowler (tool) 15"
    )
