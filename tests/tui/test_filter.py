"""The filter: words, fields, negation."""

from __future__ import annotations

import pytest

from tests.tui.build import alert, note
from tui.filter import ALERT_FIELDS, NOTE_FIELDS, FilterError, parse

KALI = alert("kali", severity="high", user_agents=["aws-cli/2 os/linux#6.8-kali2"], flags=("snapshot",))
TOOL = alert("tool", arns=["arn:aws:sts::444455556666:assumed-role/inventory/x"], accounts=["444455556666"])


@pytest.mark.parametrize(("text", "found"), [
    ("", ["kali", "tool"]),
    ("KALI", ["kali"]),
    ("ana kali", ["kali"]),
    ("ana nothing", []),
    ("!kali", ["tool"]),
    ("account:4444", ["tool"]),
    ("!account:4444 severity:high", ["kali"]),
    ("flag:snap", ["kali"]),
    ('agent:"cli/2 os"', ["kali"]),
    ('"arn:aws:sts"', ["tool"]),
    ('rule:"many regions"', ["kali", "tool"]),
    ("  principal:ana   ", ["kali"]),
    ('"unfinished', []),
    ("!", ["kali", "tool"]),
])
def test_alerts(text: str, found: list[str]) -> None:
    wanted = parse(text, ALERT_FIELDS)
    assert [row.alert_id for row in (KALI, TOOL) if wanted(row)] == found


def test_an_unknown_field_says_which_one_is_near() -> None:
    with pytest.raises(FilterError, match="no field acount: did you mean account"):
        parse("acount:1", ALERT_FIELDS)


def test_a_field_that_is_far_from_all_lists_them_and_tells_how_to_search_for_the_text() -> None:
    with pytest.raises(FilterError, match=r"no field arn: known: principal, .*quote"):
        parse("arn:aws:iam", ALERT_FIELDS)


def test_notes() -> None:
    wanted = parse("verdict:benign ticket:chg", NOTE_FIELDS)
    assert wanted(note(verdict="benign", ticket="CHG-7"))
    assert not wanted(note(verdict="escalated", ticket="CHG-7"))
