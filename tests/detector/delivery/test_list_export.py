"""Lists as CSV, JSON Lines, Markdown and HTML."""

from __future__ import annotations

import csv
import io
import json
import re
from html.parser import HTMLParser
from typing import Any

import msgspec
import pytest

from detector import __version__
from detector.delivery.alert_export import ALERT_EXPORT
from detector.delivery.list_export import LIST_FORMATS
from detector.delivery.navigator import navigator_layer
from detector.detection.alert import Handling
from detector.inventory.inventory import Inventory, KnownCaller
from detector.inventory.inventory_files import read_inventory, use_inventory
from detector.rules.rule_summary import AttackTechnique, RuleSummary
from tests.detector.trail import REFERENCE_FILE, rules
from tests.detector.triage.test_export import PAYLOADS
from tests.tui.build import ANA, START, alert

NOW = START + 3600.0
FULL = alert(
    "full",
    rule=RuleSummary(
        "rule-1",
        "Many regions",
        "low",
        21,
        True,
        [AttackTechnique("T1580", "Cloud Infrastructure Discovery", "TA0007", "Discovery")],
    ),
    flags=("snapshot",),
    handling=Handling("dana", 1, "escalated", ["T-1", "T-2"]),
)


class Reader(HTMLParser):
    """Collects tags with attributes, and the text of each cell."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.cells: list[str] = []
        self._open = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(name for name, _ in attrs)))
        if tag in ("td", "th"):
            self.cells.append("")
            self._open = True

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._open = False

    def handle_data(self, data: str) -> None:
        if self._open:
            self.cells[-1] += data


def read_html(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    reader.close()
    return reader


def hostile(payload: str) -> Any:
    return alert(
        "hostile",
        arns=[payload],
        user_agents=[payload],
        source_addresses=[payload],
        accounts=[payload],
        handling=Handling(payload, 1, "benign", [payload]),
        rule=RuleSummary("r", payload, "low", 21, False),
    )


def test_csv_row_has_what_a_lead_asks_for() -> None:
    (row,) = csv.DictReader(io.StringIO(ALERT_EXPORT.text([FULL], "csv"), newline=""))
    assert {
        name: row[name]
        for name in ("assignee", "verdict", "tickets", "techniques", "tactics", "principal_name")
    } == {
        "assignee": "dana",
        "verdict": "escalated",
        "tickets": "T-1; T-2",
        "techniques": "T1580",
        "tactics": "Discovery",
        "principal_name": "user/ana",
    }
    assert (row["principal"], row["calls"], row["flags"]) == (ANA, "12", "snapshot")
    assert row["first_event"] == "2026-03-01T10:00:00Z"


def test_csv_for_spreadsheets_has_mark_and_their_times() -> None:
    text = ALERT_EXPORT.text([FULL], "csv", spreadsheet=True)
    assert text.startswith("\ufeffalert_id,")
    (row,) = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    assert row["first_event"] == "2026-03-01 10:00:00"
    assert not ALERT_EXPORT.text([FULL], "csv").startswith("\ufeff")


def test_json_lines_have_the_flat_core() -> None:
    (line,) = ALERT_EXPORT.text([FULL], "jsonl").splitlines()
    found = json.loads(line)
    assert {name: found[name] for name in list(found)[-11:]} == {
        "principal": ANA,
        "accounts": ["111122223333"],
        "regions": FULL.facets.regions,
        "source_ips": ["203.0.113.7"],
        "user_agents": ["aws-cli/2.17.0"],
        "severity": "low",
        "risk_score": 21,
        "calls": 12,
        "techniques": ["T1580"],
        "tactics": ["Discovery"],
        "assignee": "dana",
    }


def test_markdown_is_a_table_under_its_title() -> None:
    text = ALERT_EXPORT.text([FULL, FULL], "md", subtitle="severity>=high", now=NOW)
    lines = text.split("\n")
    assert lines[0] == "# Alerts"
    assert lines[2] == "2 alerts: severity\\>=high."
    assert {line.count(" | ") for line in lines if line.startswith("|")} == {18}
    assert "| `T-1`, `T-2` |" in text
    assert text.endswith(f"Generated 2026-03-01T11:00:00Z, trailhound {__version__}.\n")


@pytest.mark.parametrize("payload", PAYLOADS)
def test_markdown_list_neutralises_text(payload: str) -> None:
    usual = ALERT_EXPORT.text([hostile("usual")], "md", now=NOW)
    text = ALERT_EXPORT.text([hostile(payload)], "md", subtitle=payload, now=NOW)
    acting = re.sub(r"\\.|(`+)(?!`).*?(?<!`)\1(?!`)", "", text)
    assert not re.search(r"<\w|</|<!|\]\(|\]:|https?://|ftp://|www\.|!\[|`|\*\*|~~|\x1b|‮", acting)
    assert len([line for line in text.split("\n") if line.startswith("|")]) == len(
        [line for line in usual.split("\n") if line.startswith("|")]
    )


@pytest.mark.parametrize("payload", PAYLOADS)
def test_html_list_neutralises_text(payload: str) -> None:
    """The tags are those of a harmless list, and the cell of the principal has its text."""
    usual = read_html(ALERT_EXPORT.text([hostile("usual")], "html", subtitle="x", now=NOW))
    text = ALERT_EXPORT.text([hostile(payload)], "html", subtitle=payload, now=NOW)
    found = read_html(text)
    assert [tag for tag in found.tags if tag[0] != "code"] == [
        tag for tag in usual.tags if tag[0] != "code"
    ]
    assert {tag for tag, _ in found.tags}.isdisjoint({"script", "a", "img", "iframe", "link"})
    assert "\x1b" not in text
    assert len(found.cells) == len(usual.cells)


def test_html_list_fetches_nothing() -> None:
    text = ALERT_EXPORT.text([FULL], "html", now=NOW)
    assert text.startswith("<!doctype html>")
    assert "default-src 'none'" in text
    assert "http" not in text.replace("http-equiv", "")
    assert "dana" in read_html(text).cells


@pytest.mark.parametrize("format", LIST_FORMATS)
def test_list_of_nothing_is_well_formed(format: Any) -> None:
    text = ALERT_EXPORT.text([], format, now=NOW)
    assert (text == "") == (format == "jsonl")


def test_names_that_people_gave_are_beside_the_ids(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "names.toml"
    file.write_text(
        '[accounts]\n111122223333 = "Production"\n[networks]\noffice = ["203.0.113.0/24"]\n'
        '[[known]]\nname = "scanner"\nprincipal = "*:user/ana"\nowner = "sec"\nticket = "CHG-9"\n'
    )
    use_inventory(read_inventory([file]))
    try:
        (row,) = csv.DictReader(io.StringIO(ALERT_EXPORT.text([FULL], "csv"), newline=""))
        found = json.loads(ALERT_EXPORT.text([FULL], "jsonl"))
    finally:
        use_inventory(Inventory())
    assert (row["account_names"], row["own_networks"], row["known"]) == (
        "Production",
        "office",
        "scanner (sec, CHG-9)",
    )
    assert found["account_names"] == ["Production"]
    assert found["own_networks"] == ["office"]
    assert found["known"] == [{"name": "scanner", "owner": "sec", "ticket": "CHG-9"}]
    assert found["accounts"] == ["111122223333"]


def test_known_caller_says_who_answers_for_it() -> None:
    assert KnownCaller("scanner").label() == "scanner"
    assert KnownCaller("scanner", owner="sec").label() == "scanner (sec)"


# the Navigator


def test_navigator_layer_scores_what_fired() -> None:
    loaded = rules(REFERENCE_FILE)
    (rule,) = loaded
    silent = navigator_layer(loaded, {})
    fired = navigator_layer(loaded, {rule.rule_id: 7, "other": 9})
    assert [each["score"] for each in silent["techniques"]] == [0]
    assert [
        (each["techniqueID"], each["tactic"], each["score"]) for each in fired["techniques"]
    ] == [("T1580", "discovery", 7)]
    assert (silent["gradient"]["maxValue"], fired["gradient"]["maxValue"]) == (1, 7)
    assert fired["versions"]["layer"] == "4.5"
    assert msgspec.json.decode(msgspec.json.encode(fired)) == fired
