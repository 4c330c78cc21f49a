"""A hunt's queries: their languages, scope, what is new, and what is offered while one types."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.ecs.fields import field_table
from detector.esql.errors import EsqlError
from detector.investigation.hunt import EventReader
from detector.investigation.hunts.completion import WordOffer, offer_words
from detector.investigation.hunts.languages import EVENT_COLUMNS, EXAMPLES, plan_query
from detector.investigation.hunts.run import HuntResult, run_fingerprint, run_query
from detector.triage.hunt_record import QUERY_LANGUAGES, HuntQuery, HuntScope, QueryLanguage
from tests.detector.trail import ANA, START, Raw, call, write

FIELDS = field_table()
BEN = "arn:aws:sts::444455556666:assumed-role/app/ben"
ROLE = "arn:aws:iam::444455556666:role/app"
BY_BEN = {
    "type": "AssumedRole",
    "arn": BEN,
    "accountId": "444455556666",
    "sessionContext": {"sessionIssuer": {"type": "Role", "arn": ROLE}},
}
KEY = {"eventName": "CreateAccessKey", "eventSource": "iam.amazonaws.com"}


@pytest.fixture
def logs(tmp_path: Path) -> list[str]:
    """A key that Ana makes, one that Ben makes in another account, and listings."""
    records: list[Raw] = [
        call(0, arn=ANA, **KEY),
        call(60, userIdentity=BY_BEN, recipientAccountId="444455556666", **KEY),
        *(call(100 + second, "eu-west-1", arn=ANA) for second in range(5)),
    ]
    return [str(write(tmp_path, f"{number}.json", [each])) for number, each in enumerate(records)]


def run(text: str, language: QueryLanguage, logs: list[str], **options: Any) -> HuntResult:
    scope = options.pop("scope", HuntScope())
    return run_query(plan_query(text, language, FIELDS), EventReader(logs, scope), **options)


QUERIES: list[tuple[QueryLanguage, str]] = [
    ("esql", 'from logs-aws.cloudtrail-* | where event.action == "CreateAccessKey"'),
    ("kql", "event.action: CreateAccessKey"),
    ("lucene", "event.action:Create*"),
    ("eql", 'iam where event.action : "create*"'),
]


@pytest.mark.parametrize(("language", "text"), QUERIES)
def test_every_language_finds_the_same_events(
    language: QueryLanguage, text: str, logs: list[str]
) -> None:
    result = run(text, language, logs)
    column = "aws.cloudtrail.user_identity.arn"
    assert sorted(str(row[column]) for row in result.rows) == sorted([ANA, BEN])
    if language != "esql":
        assert result.columns == EVENT_COLUMNS


@pytest.mark.parametrize("language", QUERY_LANGUAGES)
def test_the_example_of_a_language_is_one_of_it(language: QueryLanguage) -> None:
    plan_query(EXAMPLES[language], language, FIELDS)


@pytest.mark.parametrize(
    ("language", "text", "line", "column", "why"),
    [
        ("esql", "from logs-aws.cloudtrail-*\n| where evnt.action == 1", 2, 9, "evnt.action"),
        ("esql", "  ", 1, 1, "no query yet"),
        ("kql", "event.action: (a or", 1, 20, ""),
        ("lucene", "event.action:(a OR", 1, None, ""),
        ("eql", "any where nothing.here == 1", 1, 11, "nothing.here"),
        ("eql", "sequence by user.id [any where true] [any where true]", 1, None, ""),
    ],
)
def test_refusals_name_the_place(
    language: QueryLanguage, text: str, line: int, column: int | None, why: str
) -> None:
    with pytest.raises(EsqlError) as refusal:
        plan_query(text, language, FIELDS)
    assert refusal.value.line == line
    assert column in (None, refusal.value.column)
    assert why in refusal.value.message


def test_a_sequence_is_refused_with_what_to_do() -> None:
    text = "sequence by user.id with maxspan=5m [any where true] [any where true]"
    with pytest.raises(EsqlError, match="a sequence needs a rule"):
        plan_query(text, "eql", FIELDS)


@pytest.mark.parametrize(
    ("scope", "count"),
    [
        (HuntScope(), 7),
        (HuntScope(since=int(START) + 60), 6),
        (HuntScope(until=int(START) + 60), 1),
        (HuntScope(accounts=frozenset({"444455556666"})), 1),
        (HuntScope(principals=frozenset({ANA})), 6),
        (HuntScope(principals=frozenset({ROLE})), 1),
        (HuntScope(principals=frozenset({BEN.rpartition("/")[0]})), 1),
        (HuntScope(principals=frozenset({"arn:aws:iam::111122223333:user/none"})), 0),
    ],
)
def test_only_events_in_scope_count(scope: HuntScope, count: int, logs: list[str]) -> None:
    text = "from logs-aws.cloudtrail-* | stats n = count(*)"
    assert [row["n"] for row in run(text, "esql", logs, scope=scope).rows] == [count]


def test_a_rerun_says_what_is_new(logs: list[str]) -> None:
    text = "from logs-aws.cloudtrail-* | stats n = count(*) by event.action"
    first = run(text, "esql", logs[:3])
    assert (first.compared, first.new_count, len(first.rows)) == (False, None, 2)
    again = run(text, "esql", logs[:3], last=set(first.digests))
    assert (again.compared, again.new_count) == (True, 0)
    later = run(text, "esql", logs, last=set(first.digests))
    new = [row for row, is_new in zip(later.rows, later.new, strict=True) if is_new]
    assert [(row["event.action"], row["n"]) for row in new] == [("DescribeInstances", 5)]


def test_a_reading_ends_where_it_is_told_to(logs: list[str]) -> None:
    class Enough(Exception):
        pass

    read: list[str] = []

    def stop_after_two(path: str, end: int) -> None:
        if len(read) == 2:
            raise Enough
        read.append(path)
        assert end > 0

    query = plan_query("from logs-aws.cloudtrail-*", "esql", FIELDS)
    with pytest.raises(Enough):
        run_query(query, EventReader(logs, on_chunk=stop_after_two))
    assert read == logs[:2]


def test_runs_of_another_text_or_scope_do_not_compare() -> None:
    query = HuntQuery("1", "q", "esql", "from logs-aws.cloudtrail-*")
    same = HuntQuery("2", "other", "esql", "from logs-aws.cloudtrail-*\n")
    scope = HuntScope(accounts=frozenset({"1", "2"}))
    assert run_fingerprint(query, scope) == run_fingerprint(same, scope)
    others = {
        run_fingerprint(query, HuntScope()),
        run_fingerprint(HuntQuery("1", "q", "kql", query.text), scope),
        run_fingerprint(HuntQuery("1", "q", "esql", query.text + " | limit 1"), scope),
    }
    assert len(others | {run_fingerprint(query, scope)}) == 4


@pytest.mark.parametrize(
    ("text", "language", "first"),
    [
        ("fr", "esql", "from logs-aws.cloudtrail-*"),
        ("from x | wh", "esql", "where"),
        ("from x |", "esql", "where"),
        ("from x | where event.act", "esql", "event.action"),
        ("from x | where access_key_id", "esql", "aws.cloudtrail.user_identity.access_key_id"),
        ("from x | eval hour = 1 | sort ho", "esql", "hour"),
        ("from x | stats n = count_d", "esql", "count_distinct("),
        ("cloud.reg", "kql", "cloud.region"),
        ("any whe", "eql", "where"),
    ],
)
def test_offers_continue_what_is_typed(text: str, language: QueryLanguage, first: str) -> None:
    offer = offer_words(text, len(text), language, FIELDS)
    assert offer.options[0] == first


@pytest.mark.parametrize("text", ['from x | where event.action == "Cre', "from x | where a == "])
def test_nothing_is_offered_in_a_string_or_without_a_word(text: str) -> None:
    assert offer_words(text, len(text), "esql", FIELDS) == WordOffer(len(text))


@settings(max_examples=60)
@given(st.text(max_size=60), st.sampled_from(QUERY_LANGUAGES), st.data())
def test_any_text_is_compiled_or_refused(
    text: str, language: QueryLanguage, data: st.DataObject
) -> None:
    cursor = data.draw(st.integers(0, len(text)))
    offer = offer_words(text, cursor, language, FIELDS)
    assert 0 <= offer.start <= cursor and len(offer.options) <= 8
    try:
        plan_query(text, language, FIELDS)
    except EsqlError as refusal:
        assert refusal.message
