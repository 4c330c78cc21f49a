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
from detector.investigation import hunt
from detector.investigation.hunt import (
    EventReader,
    compile_hunt_query,
    read_hunt,
    result_rows,
    uses_now,
)
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


def evaluate(query, folder, now=None):
    return list(
        result_rows(
            compile_hunt_query(f"{FROM} {query}", field_table(), now),
            EventReader(map(str, sorted(folder.iterdir()))),
        )
    )


def test_query_without_stats_keeps_file_order(logs):
    folder = logs(call(2, awsRegion="b"), call(1, awsRegion="a"), call(3, eventName="Other"))
    found = evaluate('| where event.action == "DescribeInstances" | keep cloud.region', folder)
    assert found == [{"cloud.region": "b"}, {"cloud.region": "a"}]


def test_rows_stream_before_all_files_are_read(logs):
    folder = logs(call(1), call(2))
    reader = EventReader([str(folder / "000.json"), str(folder / "gone.json")])
    found = result_rows(compile_hunt_query(f"{FROM} | keep event.id", field_table(), None), reader)
    assert next(found) == {"event.id": "e-1"} and not reader.problems
    assert list(found) == [] and "No such file" in reader.problems[str(folder / "gone.json")]


def test_limit_ends_reading(logs):
    folder = logs(call(1), call(2))
    reader = EventReader([str(folder / "000.json"), str(folder / "gone.json")])
    assert (
        len(
            list(
                result_rows(
                    compile_hunt_query(f"{FROM} | keep event.id | limit 1", field_table(), None),
                    reader,
                )
            )
        )
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
def test_sort_orders_nulls_as_esql(logs, order, expected):
    folder = logs(*(call(place, errorCode=n) for place, n in enumerate(("3", None, "1", "3"))))
    query = f"| eval n = to_long(aws.cloudtrail.error_code) | keep n | sort {order}"
    assert [row["n"] for row in evaluate(query, folder)] == expected
    assert [row["n"] for row in evaluate(query + " | limit 2", folder)] == expected[:2]


@pytest.mark.parametrize("order", ["cloud.region", "cloud.region desc, event.action"])
def test_first_rows_in_order_are_those_of_all(logs, monkeypatch, order):
    """Rows that are equal in order stay as they were read, however few are held at a time."""
    calls = [call(n, awsRegion="abc"[n * 7 % 3], eventName="XY"[n * 5 % 2]) for n in range(40)]
    folder = logs(*calls)
    query = f"| keep event.id, event.action, cloud.region | sort {order}"
    ordered = evaluate(query, folder)
    monkeypatch.setattr(hunt, "_SORTED_AT_ONCE", 0)
    for limit in (0, 1, 5, 39, 50):
        assert evaluate(f"{query} | limit {limit}", folder) == ordered[:limit]


@pytest.mark.parametrize(("order", "expected"), [("", "XYZ"), (" asc", "XYZ"), (" desc", "ZXY")])
def test_sort_takes_least_value_ascending_and_greatest_descending(logs, order, expected):
    places = [("X", "a"), ("X", "k"), ("Y", "b"), ("Y", "c"), ("Z", "d"), ("Z", "z")]
    folder = logs(
        *(
            call(place, awsRegion=region, eventName=action)
            for place, (action, region) in enumerate(places)
        )
    )
    query = f"| stats r = values(cloud.region) by event.action | sort r{order}"
    assert "".join(row["event.action"] for row in evaluate(query, folder)) == expected


def test_sort_by_several_columns(logs):
    folder = logs(
        *(
            call(place, awsRegion=region, eventName=action)
            for place, (region, action) in enumerate(
                [("a", "X"), ("b", "X"), ("b", "Y"), ("a", "Y"), ("a", "Y")]
            )
        )
    )
    found = evaluate(
        "| stats n = count(*) by event.action, cloud.region | sort n desc, event.action desc, "
        "cloud.region",
        folder,
    )
    assert [(r["n"], r["event.action"], r["cloud.region"]) for r in found] == [
        (2, "Y", "a"),
        (1, "Y", "b"),
        (1, "X", "a"),
        (1, "X", "b"),
    ]


def test_duplicate_events_count_once(logs):
    folder = logs(call(1), call(1), call(2))
    assert evaluate("| stats n = count(*)", folder) == [{"n": 2}]
    assert evaluate("| keep event.id", folder) == [{"event.id": "e-1"}, {"event.id": "e-2"}]


def test_stats_without_by_returns_one_row(logs):
    assert evaluate(
        '| where event.action == "None" | stats n = count(*), r = values(cloud.region)',
        logs(call(1)),
    ) == [{"n": 0, "r": None}]


def test_mv_expand_after_stats(logs):
    folder = logs(call(1, awsRegion="a"), call(2, awsRegion="b"))
    assert evaluate(
        "| stats r = values(cloud.region) by event.action | mv_expand r | keep r | sort r", folder
    ) == [{"r": "a"}, {"r": "b"}]


@pytest.mark.parametrize("seed", range(4))
def test_groups_match_oracle(logs, seed):
    chance = random.Random(seed)
    calls = [
        call(chance.randrange(300), eventID=f"x-{number}", awsRegion=chance.choice("abc"))
        for number in range(60)
    ]
    found = evaluate(
        "| stats n = count(*), r = count_distinct(cloud.region) by w = date_trunc(30 seconds, "
        "@timestamp) "
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


def test_now_is_the_given_time(logs):
    folder = logs(call(0), call(50))
    query = "| where @timestamp > now() - 10 seconds | keep event.id"
    start = 1_767_225_600
    assert evaluate(query, folder, now=start + 55) == [{"event.id": "e-50"}]
    assert uses_now(f"{FROM} {query}") and not uses_now(f'{FROM} | where user.name == "now()"')
    assert EventReader(map(str, folder.iterdir())).newest() == start + 50


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


def test_hunt_file_with_several_queries(tmp_path):
    hunt, _ = read_hunt(written(tmp_path, HUNT))
    assert (hunt.name, len(hunt.queries)) == ("Two questions", 2)
    with pytest.raises(RuleError, match="not a hunt"):
        read_hunt(written(tmp_path, "[metadata]\nx = 1"))


def run(capsys, *arguments):
    status = main(["hunt", *map(str, arguments)])
    return (status, *capsys.readouterr())


def test_command_prints_rows_of_every_query(tmp_path, logs, capsys):
    folder = logs(call(1), call(2))
    status, out, err = run(capsys, written(tmp_path, HUNT), folder, "--format", "jsonl")
    assert status == 0
    assert [json.loads(line) for line in out.splitlines()] == [
        {"n": 2, "cloud.region": "us-east-1"},
        {"event.id": "e-1", "user_agent.original": "aws-cli/2.17.0"},
        {"event.id": "e-2", "user_agent.original": "aws-cli/2.17.0"},
    ]
    assert "now() is 2026-01-01T00:00:02Z" in err and "query 2 of 2: 2 rows" in err


def test_command_output_is_escaped(logs, capsys):
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


def test_query_errors_come_before_reading(tmp_path, logs, capsys):
    path = written(tmp_path, HUNT.replace("by cloud.region", "by cloud.regoin"))
    status, out, err = run(capsys, path, logs(call(1)))
    assert (status, out) == (1, "")
    line, excerpt, caret = err.splitlines()
    assert line == f"{path}:10:25: no column cloud.regoin here; did you mean cloud.region?"
    assert excerpt.index("cloud.regoin") == caret.index("^")


def test_missing_source_is_named(tmp_path, capsys):
    status, _, err = run(capsys, written(tmp_path, HUNT))
    assert status == 2 and "no source" in err


def test_query_error_is_wrong_usage(logs, capsys):
    status, out, err = run(capsys, "--query", f"{FROM} | keep cloud.regoin", logs(call(1)))
    assert (status, out) == (2, "")
    assert err.startswith("--query:1:") and "did you mean cloud.region?" in err


def test_deeply_nested_record_is_named(logs):
    folder = logs(call(1), call(2))
    deep = orjson.dumps(call(3, requestParameters="deep")).replace(
        b'"deep"', b'{"a":' * 900 + b"1" + b"}" * 900
    )
    (folder / "deep.json").write_bytes(b'{"Records":[%s]}' % deep)
    reader = EventReader(map(str, sorted(folder.iterdir())))
    query = compile_hunt_query(
        f"{FROM} | keep event.id, aws.cloudtrail.request_parameters", field_table(), None
    )
    assert [row["event.id"] for row in result_rows(query, reader)] == ["e-1", "e-2"]
    (problem,) = reader.problems.values()
    assert "deep.json: a record in it is nested too deep" in problem
