"""Rules that are too deep, too long or too large are refused."""

from __future__ import annotations

import pytest

from detector.ecs.fields import field_table
from detector.esql.errors import EsqlError
from detector.esql.plan.planner import plan
from detector.rules.ruleset import load
from tests.detector.esql.conftest import record
from tests.detector.rules.rule_scan import RuleScan, raw_record, write_rule

DIGITS = "9" * 5000


@pytest.mark.parametrize(
    "query, says",
    [
        ("where " + "not " * 5000 + "true", "nested too deeply"),
        ("eval x = " + "+".join(["1"] * 3000), "nested too deeply"),
        ('where kql("' + "(" * 3000 + "event.action: x" + ")" * 3000 + '")', "nested too deeply"),
        (f"eval x = {DIGITS}", "too large"),
        ("eval x = 1e999", "too large"),
        (f"limit {DIGITS}", "too large"),
        (f"eval x = date_trunc({DIGITS} seconds, @timestamp)", "too large"),
        (f'eval x = @timestamp + "{DIGITS} days"', "a text beside a date is a date"),
        ("stats n = count(*) by w = date_trunc(400 days, @timestamp)", "over 365 days"),
        ("where `a\nb` == 1", r"no column a\nb"),
    ],
)
def test_query_refusal_is_one_line(query, says):
    with pytest.raises(EsqlError) as caught:
        plan(f"from logs-* | {query}", field_table())
    assert says in caught.value.message and caught.value.message.isprintable()


@pytest.mark.parametrize(
    "query, value",
    [
        ("eval x = " + "0" * 5000 + "7", 7),
        ("eval x = 9223372036854775807", 2**63 - 1),
        ("eval x = 9223372036854775808", 2.0**63),
        ("eval x = to_long(user_agent.original)", None),
        ("eval x = @timestamp + 99999999999999999 months", None),
        ("eval x = date_trunc(99999999999999999 months, @timestamp)", "0001-01-01T00:00:00Z"),
    ],
)
def test_out_of_range_value_is_null_or_clamped(query, value):
    ((emitted, _),) = plan(f"from logs-* | {query} | keep x", field_table()).filter_results(
        record(userAgent=DIGITS), 0
    )
    assert emitted["x"] == value


@pytest.mark.parametrize(
    "type, query, more, says",
    [
        ("query", "(" * 3000 + "event.action: x" + ")" * 3000, "", "nested too deeply"),
        ("query", "not " * 5000 + "event.action: x", "", "nested too deeply"),
        ("query", f"source.as.number > {DIGITS}", "", "is of type long"),
        ("query", "event.action: x", f"x = {DIGITS}", "too many digits"),
        ("query", "event.action: x", f"x = {'[' * 3000}", "nested too deeply"),
        (
            "query",
            "event.action: x",
            "[rule.alert_suppression.duration]\nvalue = 9999999\nunit = 'd'",
            "suppression",
        ),
        (
            "new_terms",
            "event.action: x",
            f"new_terms_fields = ['user.id']\nhistory_window_start = 'now-{DIGITS}d'",
            "history_window_start",
        ),
        ("esql", "from logs-* | stats n = count(*)", "", "over 365 days"),
    ],
)
def test_file_refusal_is_one_line(tmp_path, type, query, more, says):
    (problem,) = load(
        [write_rule(tmp_path, query, type, lookback="now-9999w", more=more)], builtin=False
    ).problems
    assert says in problem.message and problem.message.isprintable()


MANY = [{"ARN": "a"}, {"ARN": "b"}]
EXPANDED = (
    "from logs-aws.cloudtrail-* | mv_expand aws.cloudtrail.resources.arn | stats n = count(*) by "
)


def test_rows_of_one_event_must_not_share_a_group(tmp_path):
    """In a window, which is a set of events, they would be one."""
    apart = write_rule(tmp_path / "a", EXPANDED + "aws.cloudtrail.resources.arn, user.name")
    assert RuleScan(tmp_path, apart).add_file(raw_record(0, resources=MANY)).alert_spans() == [
        (0, 0),
        (0, 0),
    ]
    together = write_rule(tmp_path / "b", EXPANDED + "user.name")
    (problem,) = load([together], builtin=False).problems
    assert "count an event several times" in problem.message
    ((emitted, _),) = plan(EXPANDED + "user.name", field_table()).group_results(
        0, ("ana",), [(), ()]
    )
    assert emitted["n"] == 2  # a hunt looks at all rows


DOUBLINGS = (
    "concat(x, x)",
    'concat(x, "-", x)',
    'replace(x, "a{250}", "$0$0")',
    'replace(x, "^(.*)$", "$1$1")',
    "repeat(x, 2)",
    "repeat(x, 1000)",
    'mv_concat(mv_append(x, x), "-")',
    'mv_concat(split(x, "a"), x)',
    "mv_append(x, x)",
    "mv_zip(mv_append(x, x), x, x)",
    "url_encode(concat(x, x))",
    "to_base64(concat(x, x))",
)


@pytest.mark.parametrize("doubling", DOUBLINGS)
def test_text_that_doubles_stays_small(doubling):
    """It becomes null where it would be more than a function may make, and stays so."""
    grown = " | ".join(["eval x = user_agent.original", *[f"eval x = {doubling}"] * 40, "keep x"])
    query = plan(f"from logs-* | {grown}", field_table())
    ((emitted, _),) = query.filter_results(record(userAgent="a" * 2000), 0)
    assert emitted["x"] is None


@pytest.mark.parametrize(
    "made, size",
    [
        ('concat(x, "b")', 2**20),
        ("concat(x, x)", None),
        ('replace(x, "^a", "bb")', 2**20),
        ('replace(x, "^a", "bbb")', None),
        ("repeat(x, 1)", 2**20 - 1),
        ("repeat(x, 2)", None),
        ('mv_concat(split(concat(x, "b"), "b"), "")', 2**20 - 1),
        ('mv_concat(split(x, "b"), "bb")', 2**20 - 1),
    ],
)
def test_text_may_be_as_long_as_elasticsearch_makes_it(made, size):
    text = f"from logs-* | eval x = repeat(user_agent.original, {2**20 - 1}) | eval y = {made}"
    query = plan(text, field_table())
    ((emitted, _),) = query.filter_results(record(userAgent="a"), 0)
    assert len(emitted["y"]) == size if size else emitted.get("y") is None
