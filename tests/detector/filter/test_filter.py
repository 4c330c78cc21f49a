"""The filter language: what it means, what it refuses, and that it stands any text."""

from __future__ import annotations

import contextlib
import pickle
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.filter import Field, Fields, FilterError, parse, parse_so_far
from detector.filter.quoting import term, values_of, written
from detector.filter.schemas import ALERTS as FIELDS
from detector.filter.schemas import EVENTS, NOTES, SUPPRESSIONS
from tests.detector.filter.examples import ALERTS, AT, ERRORS, EXAMPLES, UNFINISHED
from tests.hostile.payloads import PAYLOADS
from tests.tui.build import alert, note, suppression
from tui.screens.admin.rules import RULES
from tui.screens.admin.source_rows import SOURCES

DOCS = Path(__file__).parents[3] / "docs" / "filters.md"

TABLES = (FIELDS, EVENTS, NOTES, SUPPRESSIONS, RULES, SOURCES)


def found(text: str) -> list[str]:
    wanted = parse(text, FIELDS, AT)
    return [row.alert_id for row in ALERTS if wanted(row)]


@pytest.mark.parametrize(("text", "meaning", "wanted"), EXAMPLES, ids=lambda value: str(value)[:30])
def test_examples(text: str, meaning: str, wanted: str) -> None:
    assert found(text) == wanted.split()


@pytest.mark.parametrize(("text", "why"), ERRORS, ids=lambda value: value[:30])
def test_what_cannot_be_understood_is_refused_with_a_reason(text: str, why: str) -> None:
    with pytest.raises(FilterError) as refused:
        parse(text, FIELDS, AT)
    assert why in str(refused.value)
    assert not refused.value.unfinished


@pytest.mark.parametrize(("text", "meanwhile", "why"), UNFINISHED, ids=lambda value: value[:30])
def test_while_it_is_typed_what_makes_sense_so_far_holds(
    text: str, meanwhile: str, why: str
) -> None:
    assert parse_so_far(text, FIELDS, AT).text == meanwhile
    with pytest.raises(FilterError, match=re.escape(why)):
        parse(text, FIELDS, AT)


def test_nothing_asks_nothing() -> None:
    nothing = parse("  ", FIELDS, AT)
    assert not nothing
    assert all(map(nothing, ALERTS))


def test_what_is_left_open_is_closed() -> None:
    assert (
        parse(' (severity:high or agent:"aws cli', FIELDS, AT).text
        == '(severity:high or agent:"aws cli")'
    )


def test_relative_times_say_which_they_are_and_that_they_move() -> None:
    filter = parse("last 2h", FIELDS, AT)
    assert (filter.moves, filter.whens) == (True, ("time since 2026-03-01 10:00:00Z",))
    assert parse("2026-03-01", FIELDS, AT).whens == ()
    assert parse("23:00..01:00", FIELDS, AT).whens == (
        "time 2026-02-28 23:00:00–2026-03-01 01:01:00Z",
    )
    assert parse("since 23:00", FIELDS, AT).whens == ("time since 2026-02-28 23:00:00Z",)


def test_a_term_that_is_added_does_not_join_an_alternative() -> None:
    assert parse("a or b", FIELDS, AT).with_term("c") == "(a or b) c"
    assert parse("a b", FIELDS, AT).with_term("c") == "a b c"
    assert parse("", FIELDS, AT).with_term("c") == "c"


@pytest.mark.parametrize("fields", TABLES, ids=lambda fields: fields.rows)
def test_names_are_unique_and_can_be_written(fields: Fields[object]) -> None:
    names = [field.name for field in fields]
    assert len(set(names)) == len(names)
    for field in fields:
        parse(f'{field.name}:""', fields, AT)
        pickle.dumps(field)


def test_rows_without_a_time_refuse_times() -> None:
    with pytest.raises(FilterError, match="rules have no time to be found by"):
        parse("last 2h", RULES, AT)


def test_notes_and_suppressions() -> None:
    assert parse(
        "verdict:benign ticket:chg flag:snap principal=user/ana calls:12 2026-03-01", NOTES, AT
    )(note(of=alert(flags=("snapshot",)), verdict="benign", ticket="CHG-7"))
    assert parse(
        'scope:principal value:ana rule=all hidden<1 lifted:"" ends<now', SUPPRESSIONS, AT
    )(suppression())


def parse_or_refuse(text: str) -> None:
    with contextlib.suppress(FilterError):
        parse_so_far(text, FIELDS, AT)


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
def test_any_text_is_a_filter_or_refused_and_a_filter_reads_the_same_again(text: str) -> None:
    try:
        filter = parse(text, FIELDS, AT)
    except FilterError as error:
        assert 0 <= error.place <= len(text)
        if error.unfinished:
            parse_or_refuse(text[: error.place])
        return
    again = pickle.loads(pickle.dumps(filter))
    for row in ALERTS:
        assert filter(row) == again(row) == parse(filter.text, FIELDS, AT)(row)


@pytest.mark.parametrize("name", PAYLOADS)
def test_a_value_of_a_log_is_found_by_what_is_written_of_it(name: str) -> None:
    value = PAYLOADS[name][:1_000]
    row, other = (
        alert("it", user_agents=[value], flags=(value,)),
        alert("other", user_agents=["other"]),
    )
    if value:
        assert parse(f"agent={written(value)}", FIELDS, AT)(row)
    for field in FIELDS:
        held = values_of(field, row)
        assert parse(term(field, held, wanted=True), FIELDS, AT)(row)
        assert not parse(term(field, held, wanted=False), FIELDS, AT)(row)
    agent: Field[object] = FIELDS["agent"]
    assert not parse(term(agent, values_of(agent, row) or ["x"], wanted=True), FIELDS, AT)(other)


def test_the_page_shows_the_examples_and_the_fields_as_they_are() -> None:
    page = DOCS.read_text(encoding="utf-8")
    for text, meaning, _ in EXAMPLES:
        assert f"| `{text}` | {meaning} |" in page
    for fields in TABLES:
        lines = [f"| `{field.name}` | {field.kind.said} | {field.meaning} |" for field in fields]
        assert "\n".join(lines) in page, fields.rows
