"""The filter language: meaning, errors, and arbitrary text."""

from __future__ import annotations

import contextlib
import pickle
import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from detector.detection.alert import Handling, Risk
from detector.filter import (
    Field,
    Fields,
    FilterError,
    parse_filter,
    parse_unfinished,
    parser,
    people,
)
from detector.filter.field_types import Text
from detector.filter.hunt_schema import HUNTS
from detector.filter.principal_schema import PRINCIPALS
from detector.filter.quoting import field_values, format_term, quote_value
from detector.filter.schemas import ALERTS as FIELDS
from detector.filter.schemas import EVENTS, NOTES, SUPPRESSIONS
from detector.rules.rule_summary import AttackTechnique
from tests.detector.alerts import changed_alert
from tests.detector.filter.examples import ALERTS, AT, ERRORS, EXAMPLES, UNFINISHED
from tests.hostile.payloads import PAYLOADS
from tests.tui.build import alert, note, suppression
from tui.screens.admin.rule_rows import RULES
from tui.screens.admin.source_rows import SOURCES

DOCS = Path(__file__).parents[3] / "docs" / "filters.md"

TABLES = (FIELDS, EVENTS, PRINCIPALS, NOTES, SUPPRESSIONS, HUNTS, RULES, SOURCES)


def matching_ids(text: str) -> list[str]:
    wanted = parse_filter(text, FIELDS, AT)
    return [row.alert_id for row in ALERTS if wanted(row)]


@pytest.mark.parametrize(("text", "meaning", "wanted"), EXAMPLES, ids=lambda value: str(value)[:30])
def test_examples(text: str, meaning: str, wanted: str) -> None:
    assert matching_ids(text) == wanted.split()


@pytest.mark.parametrize(("text", "why"), ERRORS, ids=lambda value: value[:30])
def test_parse_error_gives_reason(text: str, why: str) -> None:
    with pytest.raises(FilterError) as refused:
        parse_filter(text, FIELDS, AT)
    assert why in str(refused.value)
    assert not refused.value.unfinished


@pytest.mark.parametrize(("text", "meanwhile", "why"), UNFINISHED, ids=lambda value: value[:30])
def test_unfinished_filter_applies_its_complete_part(text: str, meanwhile: str, why: str) -> None:
    assert parse_unfinished(text, FIELDS, AT).text == meanwhile
    with pytest.raises(FilterError, match=re.escape(why)):
        parse_filter(text, FIELDS, AT)


def test_empty_filter_passes_every_row() -> None:
    nothing = parse_filter("  ", FIELDS, AT)
    assert not nothing
    assert all(map(nothing, ALERTS))


def test_open_quotes_and_parentheses_are_closed() -> None:
    assert (
        parse_filter(' (severity:high or agent:"aws cli', FIELDS, AT).text
        == '(severity:high or agent:"aws cli")'
    )


@given(st.text(' "\\\\()ab:=-', max_size=12))
@example('agent="a ')
@example('agent="a\\\\')
@example('agent="a\\\\\\\\')
@example("a) or b")
def test_closed_text_means_the_same(text: str) -> None:
    """What is closed is saved, and stands in parentheses before a further term."""
    fields = Fields("rows", (Field("agent", "agent", lambda row: row, Text()),))
    try:
        wanted = parse_filter(text, fields, AT)
    except FilterError:
        return
    again = parse_filter(wanted.text, fields, AT)
    narrower = parse_filter(wanted.with_term("agent:a"), fields, AT)
    for agent in ("", "a", "b", "a ", "a b", "a\\", 'a"', "ab(", ")", "a:", "=a-"):
        assert again(agent) is wanted(agent)
        assert narrower(agent) is (wanted(agent) and "a" in agent)


def test_relative_times_are_described() -> None:
    filter = parse_filter("last 2h", FIELDS, AT)
    assert (filter.is_relative, filter.time_descriptions) == (
        True,
        ("time since 2026-03-01 10:00:00Z",),
    )
    assert parse_filter("2026-03-01", FIELDS, AT).time_descriptions == ()
    assert parse_filter("23:00..01:00", FIELDS, AT).time_descriptions == (
        "time 2026-02-28 23:00:00–2026-03-01 01:01:00Z",
    )
    assert parse_filter("since 23:00", FIELDS, AT).time_descriptions == (
        "time since 2026-02-28 23:00:00Z",
    )


def test_with_term_keeps_alternatives_together() -> None:
    assert parse_filter("a or b", FIELDS, AT).with_term("c") == "(a or b) c"
    assert parse_filter("a b", FIELDS, AT).with_term("c") == "a b c"
    assert parse_filter("", FIELDS, AT).with_term("c") == "c"


@pytest.mark.parametrize("fields", TABLES, ids=lambda fields: fields.rows)
def test_field_names_are_unique_and_parse(fields: Fields[object]) -> None:
    names = [field.name for field in fields]
    assert len(set(names)) == len(names)
    for field in fields:
        parse_filter(f'{field.name}:""', fields, AT)
        pickle.dumps(field)


def test_time_expression_needs_a_time_field() -> None:
    with pytest.raises(FilterError, match="rules have no time field"):
        parse_filter("last 2h", RULES, AT)


def test_notes_and_suppressions() -> None:
    assert parse_filter(
        "verdict:benign ticket:chg flag:snap principal=user/ana calls:12 2026-03-01", NOTES, AT
    )(note(of=alert(flags=("snapshot",)), verdict="benign", ticket="CHG-7"))
    assert parse_filter(
        'scope:principal value:ana rule=all hidden<1 lifted:"" ends<now', SUPPRESSIONS, AT
    )(suppression())


def parse_or_refuse(text: str) -> None:
    with contextlib.suppress(FilterError):
        parse_unfinished(text, FIELDS, AT)


@given(
    st.one_of(
        st.text(max_size=60),
        st.lists(
            st.sampled_from(
                [
                    *'()!-"*?,:=<>\\ ',
                    "..",
                    "or ",
                    "and ",
                    "not ",
                    "last ",
                    "since ",
                    "time:",
                    "severity>=",
                    "calls:",
                    "source:",
                    "agent:",
                    "2h",
                    "11:30",
                    "2026-03-01",
                    "10.0.0.0/8",
                    "high",
                    "now-1h",
                    "é",
                    "\x1b",
                    "\ud800",
                ]
            ),
            max_size=14,
        ).map("".join),
    )
)
def test_any_text_parses_or_is_refused(text: str) -> None:
    try:
        filter = parse_filter(text, FIELDS, AT)
    except FilterError as error:
        assert 0 <= error.offset <= len(text)
        if error.unfinished:
            parse_or_refuse(text[: error.offset])
        return
    copy = pickle.loads(pickle.dumps(filter))
    for row in ALERTS:
        assert filter(row) == copy(row) == parse_filter(filter.text, FIELDS, AT)(row)


@pytest.mark.parametrize("name", PAYLOADS)
def test_quoted_value_finds_its_row(name: str) -> None:
    value = PAYLOADS[name][:1_000]
    row, other = (
        alert("it", user_agents=[value], flags=(value,)),
        alert("other", user_agents=["other"]),
    )
    if value:
        assert parse_filter(f"agent={quote_value(value)}", FIELDS, AT)(row)
    for field in FIELDS:
        values = field_values(field, row)
        assert parse_filter(format_term(field, values, wanted=True), FIELDS, AT)(row)
        assert not parse_filter(format_term(field, values, wanted=False), FIELDS, AT)(row)
    agent: Field[object] = FIELDS["agent"]
    assert not parse_filter(
        format_term(agent, field_values(agent, row) or ["x"], wanted=True), FIELDS, AT
    )(other)


@pytest.mark.parametrize(
    ("glob", "agent", "found"),
    [
        ("a*a", "a", False),
        ("a*a", "aa", True),
        ("a*a", "aba", True),
        ("ab*ba", "aba", False),
        ("ab*ba", "abba", True),
        ("a*b*a", "aba", True),
        ("a*b*b*a", "aba", False),
        ("a*?a", "aa", False),
        ("a*?a", "aaa", True),
    ],
)
def test_pieces_of_a_wildcard_do_not_overlap(glob: str, agent: str, found: bool) -> None:
    assert parse_filter(f"agent:{glob}", FIELDS, AT)(alert(user_agents=[agent])) is found


@pytest.mark.parametrize("word", ["a\x00b", "a\x00\x01b", "ab", "a\nb", "a b"])
def test_word_is_not_found_across_two_values(word: str) -> None:
    wanted = parse_filter(quote_value(word), FIELDS, AT)
    assert not wanted(alert(user_agents=["xa", "bx"], regions=["xa", "bx"], accounts=["a", "b"]))
    assert wanted(alert(user_agents=["x", f"x{word}x"]))


@pytest.mark.parametrize("text", ["a..b", "..", "1..2", "2026-03-01..", "..x", "a...b"])
def test_quoted_dots_are_no_range(text: str) -> None:
    written = quote_value(text)
    tree, _ = parser.parse(f"agent={written}")
    assert isinstance(tree, parser.FieldTerm)
    assert [(value.text, value.dots) for value in tree.values] == [(text, None)]
    assert parse_filter(written, FIELDS, AT)(alert(user_agents=[f"x{text}x"]))
    assert not parse_filter(written, FIELDS, AT)(alert(user_agents=["other"]))


def test_docs_list_examples_and_fields() -> None:
    page = DOCS.read_text(encoding="utf-8")
    for text, meaning, _ in EXAMPLES:
        assert f"| `{text}` | {meaning} |" in page
    for fields in TABLES:
        lines = [
            f"| `{field.name}` | {field.kind.description} | {field.meaning} |" for field in fields
        ]
        assert "\n".join(lines) in page, fields.rows


def test_me_is_who_filters() -> None:
    rows = [
        alert(name or "nobody", handling=Handling(assignee=name)) for name in ("dana", "danar", "")
    ]

    def assigned(text: str) -> list[str]:
        wanted = parse_filter(text, FIELDS, AT)
        return [row.alert_id for row in rows if wanted(row)]

    people.use_my_name("dana")
    try:
        assert assigned("assignee:me") == assigned("assignee=ME") == ["dana"]
        assert assigned('-assignee:me,""') == ["danar"]
        assert assigned('assignee:""') == ["nobody"]
        assert assigned('assignee:"me"') == []
        assert pickle.loads(pickle.dumps(parse_filter("assignee:me", FIELDS, AT)))(rows[0])
    finally:
        people.use_my_name("")
    assert assigned("assignee:me") == []


def test_every_prefix_of_a_field_name_keeps_the_list() -> None:
    """While it is typed; half a name is no word yet that rows could lack."""
    for field in FIELDS:
        for end in range(1, len(field.name) + 1):
            for before in ("", "severity>=low ", "-"):
                wanted = parse_unfinished(before + field.name[:end], FIELDS, AT)
                assert [row for row in ALERTS if wanted(row)] == list(ALERTS), field.name[:end]


def test_fields_of_triage_and_risk_filter() -> None:
    technique = AttackTechnique("T1580", "Cloud Infrastructure Discovery", "TA0007", "Discovery")
    held = Handling("dana", 2, "escalated", ["IR-1"])
    taken, other = alert("taken", handling=held), alert("other")
    rule = msgspec.structs.replace(taken.rule, attack=[technique])
    taken = changed_alert(taken, rule=rule, risk=Risk(88, "high", []))
    for term in (
        "rule:regions risk:88",
        "risk>50",
        "assignee:dana",
        "verdict:escalated",
        "ticket:IR-1",
        "noted:yes",
        "technique:T1580",
        "technique:discovery",
    ):
        wanted = parse_filter(term, FIELDS, AT)
        assert (wanted(taken), wanted(other)) == (True, False), term
