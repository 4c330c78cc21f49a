"""Hunts: rows of a query over files, and what the command prints."""

from __future__ import annotations

import csv
import io
import json
import random
from collections import Counter

import orjson
import pytest

from detector.ecs.fields import field_table
from detector.investigation.hunt import Reader, asks_now, compiled, read_hunt, rows
from detector.rules.rule_file import RuleError
from tests.detector.esql.conftest import CALL
from tui.commandline.main import main

FROM = "from logs-aws.cloudtrail-*"


def call(number, **changed):
    found = {
        **CALL,
        "eventTime": f"2026-01-01T00:{number // 60:02d}:{number % 60:02d}Z",
        "eventID": f"e-{number}",
        **changed,
    }
    return {name: value for name, value in found.items() if value is not None}


@pytest.fixture
def logs(tmp_path):
    """One file a call, so that order on disk can be chosen."""

    def write(*calls):
        folder = tmp_path / "logs"
        folder.mkdir(exist_ok=True)
        for place, each in enumerate(calls):
            (folder / f"{place:03d}.json").write_bytes(orjson.dumps({"Records": [each]}))
        return folder

    return write


def asked(query, folder, now=None):
    return list(
        rows(
            compiled(f"{FROM} {query}", field_table(), now),
            Reader(map(str, sorted(folder.iterdir()))),
        )
    )


def test_a_query_without_stats_gives_rows_in_the_order_of_the_files(logs):
    folder = logs(call(2, awsRegion="b"), call(1, awsRegion="a"), call(3, eventName="Other"))
    found = asked('| where event.action == "DescribeInstances" | keep cloud.region', folder)
    assert found == [{"cloud.region": "b"}, {"cloud.region": "a"}]


def test_rows_come_before_all_files_are_read(logs):
    folder = logs(call(1), call(2))
    reader = Reader([str(folder / "000.json"), str(folder / "gone.json")])
    found = rows(compiled(f"{FROM} | keep event.id", field_table(), None), reader)
    assert next(found) == {"event.id": "e-1"} and not reader.problems
    assert list(found) == [] and "No such file" in reader.problems[str(folder / "gone.json")]


def test_a_limit_ends_the_reading(logs):
    folder = logs(call(1), call(2))
    reader = Reader([str(folder / "000.json"), str(folder / "gone.json")])
    assert (
        len(list(rows(compiled(f"{FROM} | keep event.id | limit 1", field_table(), None), reader)))
        == 1
    )
    assert not reader.problems


@pytest.mark.parametrize(
    "order, expected",
    [
        ("n", [1, 3, 3, None]),
        ("n desc", [None, 3, 3, 1]),
        ("n desc nulls last", [3, 3, 1, None]),
        ("n asc nulls first", [None, 1, 3, 3]),
    ],
)
def test_sort_puts_nulls_where_the_language_does(logs, order, expected):
    folder = logs(*(call(place, errorCode=n) for place, n in enumerate(("3", None, "1", "3"))))
    query = f"| eval n = to_long(aws.cloudtrail.error_code) | keep n | sort {order}"
    assert [row["n"] for row in asked(query, folder)] == expected
    assert [row["n"] for row in asked(query + " | limit 2", folder)] == expected[:2]


def test_sort_by_several_columns_in_groups(logs):
    folder = logs(
        *(
            call(place, awsRegion=region, eventName=action)
            for place, (region, action) in enumerate(
                [("a", "X"), ("b", "X"), ("b", "Y"), ("a", "Y"), ("a", "Y")]
            )
        )
    )
    found = asked(
        "| stats n = count(*) by event.action, cloud.region | sort n desc, event.action desc, cloud.region",
        folder,
    )
    assert [(r["n"], r["event.action"], r["cloud.region"]) for r in found] == [
        (2, "Y", "a"),
        (1, "Y", "b"),
        (1, "X", "a"),
        (1, "X", "b"),
    ]


def test_each_event_counts_once(logs):
    folder = logs(call(1), call(1), call(2))
    assert asked("| stats n = count(*)", folder) == [{"n": 2}]
    assert asked("| keep event.id", folder) == [{"event.id": "e-1"}, {"event.id": "e-2"}]


def test_without_by_there_is_a_row_even_of_nothing(logs):
    assert asked(
        '| where event.action == "None" | stats n = count(*), r = values(cloud.region)',
        logs(call(1)),
    ) == [{"n": 0, "r": None}]


def test_mv_expand_after_stats_gives_every_row(logs):
    folder = logs(call(1, awsRegion="a"), call(2, awsRegion="b"))
    assert asked(
        "| stats r = values(cloud.region) by event.action | mv_expand r | keep r | sort r", folder
    ) == [{"r": "a"}, {"r": "b"}]


@pytest.mark.parametrize("seed", range(4))
def test_groups_are_those_of_plain_python(logs, seed):
    chance = random.Random(seed)
    calls = [
        call(chance.randrange(300), eventID=f"x-{number}", awsRegion=chance.choice("abc"))
        for number in range(60)
    ]
    found = asked(
        "| stats n = count(*), r = count_distinct(cloud.region) by w = date_trunc(30 seconds, @timestamp) "
        "| where r >= 2 | sort w",
        logs(*calls),
    )
    counts = Counter()
    regions: dict[int, set[str]] = {}
    for each in calls:
        minute, second = int(each["eventTime"][14:16]), int(each["eventTime"][17:19])
        window = (60 * minute + second) // 30 * 30
        counts[window] += 1
        regions.setdefault(window, set()).add(each["awsRegion"])
    expected = [
        (f"2026-01-01T00:{w // 60:02d}:{w % 60:02d}Z", counts[w], len(regions[w]))
        for w in sorted(counts)
        if len(regions[w]) >= 2
    ]
    assert [(row["w"], row["n"], row["r"]) for row in found] == expected


def test_now_is_what_it_is_told(logs):
    folder = logs(call(0), call(50))
    query = "| where @timestamp > now() - 10 seconds | keep event.id"
    start = 1_767_225_600
    assert asked(query, folder, now=start + 55) == [{"event.id": "e-50"}]
    assert asks_now(f"{FROM} {query}") and not asks_now(f'{FROM} | where user.name == "now()"')
    assert Reader(map(str, folder.iterdir())).newest() == start + 50


def written(tmp_path, text):
    path = tmp_path / "hunt.toml"
    path.write_text(text)
    return path


HUNT = """[hunt]
name = "Two questions"
author = "someone"
uuid = "u"
language = ["ES|QL"]
mitre = ["T1580"]
query = ['''
from logs-aws.cloudtrail-*
| where @timestamp > now() - 7 day
| stats n = count(*) by cloud.region
''', "from logs-aws.cloudtrail-* | keep event.id, user_agent.original"]
"""


def test_a_hunt_file_has_several_queries(tmp_path):
    hunt, _ = read_hunt(written(tmp_path, HUNT))
    assert (hunt.name, len(hunt.queries)) == ("Two questions", 2)
    with pytest.raises(RuleError, match="no hunt"):
        read_hunt(written(tmp_path, "[metadata]\nx = 1"))


def run(capsys, *arguments):
    status = main(["hunt", *map(str, arguments)])
    return (status, *capsys.readouterr())


def test_the_command_prints_the_rows_of_every_query(tmp_path, logs, capsys):
    folder = logs(call(1), call(2))
    status, out, err = run(capsys, written(tmp_path, HUNT), folder, "--format", "jsonl")
    assert status == 0
    assert [json.loads(line) for line in out.splitlines()] == [
        {"n": 2, "cloud.region": "us-east-1"},
        {"event.id": "e-1", "user_agent.original": "aws-cli/2.17.0"},
        {"event.id": "e-2", "user_agent.original": "aws-cli/2.17.0"},
    ]
    assert "now() is 2026-01-01T00:00:02Z" in err and "query 2 of 2: 2 rows" in err


def test_the_command_prints_tables_and_csv_that_are_safe(logs, capsys):
    folder = logs(call(1, userAgent="=cmd|x\x1b[2J", awsRegion=None))
    query = f"{FROM} | keep user_agent.original, cloud.region, aws.cloudtrail.read_only"
    _, out, _ = run(capsys, "--query", query, folder, "--format", "csv")
    assert list(csv.reader(io.StringIO(out))) == [
        ["user_agent.original", "cloud.region", "aws.cloudtrail.read_only"],
        ["'=cmd|x\\x1b[2J", "", ""],
    ]
    _, out, err = run(capsys, "--query", query, folder)
    assert out.splitlines()[1].split() == ["=cmd|x\\x1b[2J", "-", "-"]
    assert err == "1 row\n"


def test_what_is_wrong_is_pointed_at_before_anything_is_read(tmp_path, logs, capsys):
    path = written(tmp_path, HUNT.replace("by cloud.region", "by cloud.regoin"))
    status, out, err = run(capsys, path, logs(call(1)))
    assert (status, out) == (1, "")
    line, excerpt, caret = err.splitlines()
    assert line == f"{path}:10:25: no column cloud.regoin here; did you mean cloud.region?"
    assert excerpt.index("cloud.regoin") == caret.index("^")


def test_a_hunt_without_a_source_says_what_is_missing(tmp_path, capsys):
    status, _, err = run(capsys, written(tmp_path, HUNT))
    assert status == 2 and "no source" in err


def test_a_query_in_error_on_the_command_line_is_wrong_usage(logs, capsys):
    status, out, err = run(capsys, "--query", f"{FROM} | keep cloud.regoin", logs(call(1)))
    assert (status, out) == (2, "")
    assert err.startswith("--query:1:") and "did you mean cloud.region?" in err


def test_a_record_nested_too_deep_is_named_and_costs_itself_only(logs):
    folder = logs(call(1), call(2))
    deep = orjson.dumps(call(3, requestParameters="deep")).replace(
        b'"deep"', b'{"a":' * 900 + b"1" + b"}" * 900
    )
    (folder / "deep.json").write_bytes(b'{"Records":[%s]}' % deep)
    reader = Reader(map(str, sorted(folder.iterdir())))
    query = compiled(
        f"{FROM} | keep event.id, aws.cloudtrail.request_parameters", field_table(), None
    )
    assert [row["event.id"] for row in rows(query, reader)] == ["e-1", "e-2"]
    (problem,) = reader.problems.values()
    assert "deep.json: a record in it is nested too deep" in problem
