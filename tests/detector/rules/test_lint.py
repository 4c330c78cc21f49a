"""Tests of the notes and errors of ``rules check``."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from detector.rules.ruleset import load
from detector.text.excerpt import caret_excerpt
from tests.detector.rules.rule_scan import raw_record, write_rule
from tui.commandline.main import main

FROM = "from logs-aws.cloudtrail-*\n"
CONSOLE = "aws.cloudtrail.session_credential_from_console"


def lint_notes(tmp_path, query, **options):
    (rule,) = load([write_rule(tmp_path / "rules", query, **options)], builtin=False)
    return [advice.sentence for advice in rule.advice]


@pytest.mark.parametrize(
    "condition",
    [
        f'not {CONSOLE} == "true"',
        f'{CONSOLE} != "true"',
        f'not {CONSOLE} in ("true", "yes")',
        f'event.action == "X" and not {CONSOLE} == "true"',
    ],
)
def test_lint_reports_negation_that_no_event_passes(tmp_path, condition):
    (note,) = lint_notes(tmp_path, f"{FROM}| where {condition} | keep event.id")
    assert note.startswith("no event gets through:") and f'write "{CONSOLE} is null or' in note


@pytest.mark.parametrize(
    "condition",
    [
        'user.name != "AWSServiceRoleForConfig"',
        'not user.name == "x"',
        'not user.name like "AWS*"',
        'user.name not in ("a", "b")',
        'not starts_with(user.name, "AWS")',
    ],
)
def test_lint_reports_negation_that_drops_missing_field(tmp_path, condition):
    (note,) = lint_notes(tmp_path, f"{FROM}| where {condition} | keep event.id")
    assert note.startswith("events without user.name are dropped")


@pytest.mark.parametrize(
    "condition",
    [
        'event.action != "X"',
        'user.name is not null and user.name != "x"',
        'user.name is null or user.name != "x"',
        'user.name like "a*" and user.name != "abc"',
        "user.name is not null",
        'user.name == "x"',
    ],
)
def test_lint_is_silent_where_nothing_is_dropped(tmp_path, condition):
    assert lint_notes(tmp_path, f"{FROM}| where {condition} | keep event.id") == []


@pytest.mark.parametrize("call", ["acos(2)", "log(-1)", "mv_percentile([1, 2], 101)", "cosh(800)"])
def test_lint_reports_constants_outside_of_a_domain(tmp_path, call):
    (note,) = lint_notes(tmp_path, f"{FROM}| where length(event.action) > {call} | keep event.id")
    assert note.startswith(f"{call.partition('(')[0]} of these constants is null:")


@pytest.mark.parametrize("call", ["acos(1)", "acos(null)", "pi()", "acos(length(event.action))"])
def test_lint_is_silent_on_calls_that_may_have_a_value(tmp_path, call):
    query = f"{FROM}| where length(event.action) > {call} | keep event.id"
    assert lint_notes(tmp_path, query) == []


def test_lint_is_silent_with_intended_nulls(tmp_path):
    query = f'{FROM}| where not {CONSOLE} == "true" | keep event.id'
    assert lint_notes(tmp_path, query, more='[trailhound]\nnulls = "intended"') == []


GEO = "source.geo.city_name is always null here: no City or Country database is named (--geo-db)"
NEVER = f"the rule can never fire here, since {GEO}"
MORE = (
    "the rule fires more often here than in Elastic: this condition holds back nothing, since "
    + GEO
)
PART = f"this condition is never true here, since {GEO}; the others still find events"
SHOWN = "the column source.geo.city_name stays empty here: no City or Country database is named"
CITY = "source.geo.city_name"


@pytest.mark.parametrize(
    "type, query, expected",
    [
        ("query", f"{CITY}: Berlin", NEVER),
        ("query", f"event.action: x and {CITY}: *", NEVER),
        ("query", f"event.action: x and not {CITY}: Berlin", MORE),
        ("query", f"event.action: x and not ({CITY}: Berlin or {CITY}: Bonn)", MORE),
        ("query", f"event.action: x or {CITY}: Berlin", PART),
        ("query", f"event.action: x or not {CITY}: Berlin", MORE),
        ("query", f"not (event.action: x and {CITY}: Berlin)", MORE),
        ("eql", f'any where {CITY} == "Berlin"', NEVER),
        ("eql", f'any where {CITY} != "Berlin"', MORE),
        ("eql", f'any where not stringContains({CITY}, "B")', MORE),
        ("eql", f'any where length({CITY}) > 3 or event.action == "x"', PART),
        ("eql", f"sequence by {CITY} [any where true] [iam where true]", NEVER),
        ("eql", f"sequence by ?{CITY} [any where true] [iam where true]", SHOWN),
        ("eql", f'sequence [any where true] [iam where {CITY} : "B*"]', NEVER),
        (
            "eql",
            'any where ?no.such == "x" or true',
            "this condition is never true here, since no.such is always null here: CloudTrail has",
        ),
        ("eql", f"any where {CITY} == null", MORE),
        ("eql", f"any where length({CITY}) == null", MORE),
        ("query", f"not user.name: x and (event.action: y or {CITY}: Berlin)", PART),
        ("esql", f'where {CITY} != "Berlin" | keep event.id', NEVER),
        ("esql", f'where not {CITY} == "Berlin" | keep event.id', NEVER),
        ("esql", f"where {CITY} is null | keep event.id", MORE),
        ("esql", f'where event.action == "x" | keep event.id, {CITY}', SHOWN),
        ("esql", f"stats n = count_distinct({CITY}) by user.name | where n > 1", NEVER),
        ("esql", f"stats n = count_distinct({CITY}) by user.name | where n < 9", MORE),
        ("esql", f"stats n = count(*), c = values({CITY}) by user.name | where n > 1", SHOWN),
        ("esql", f"stats c = values({CITY}) by user.name | where c is not null", NEVER),
        ("esql", f'eval c = concat({CITY}, "x") | where c like "B*" | keep event.id', NEVER),
        ("esql", f'eval c = coalesce({CITY}, "x") | where c == "x" | keep event.id', SHOWN),
    ],
)
def test_lint_tells_what_an_always_null_field_does(tmp_path, type, query, expected):
    if type == "esql":
        query = f"{FROM}| {query}"
    (note,) = lint_notes(tmp_path, query, type=type)
    assert note.startswith(expected)


@pytest.mark.parametrize(
    "query",
    [
        f'dissect user_agent.original "%{{{CITY}}} %{{x}}" | where {CITY} == "Berlin"',
        f'eval {CITY} = "Berlin" | where {CITY} == "Berlin" | keep event.id',
        f'inline stats {CITY} = max(user.name) by event.action | where {CITY} == "Berlin"',
    ],
)
def test_lint_knows_columns_that_a_query_fills_itself(tmp_path, query):
    assert not [note for note in lint_notes(tmp_path, f"{FROM}| {query}") if CITY in note]


def test_lint_is_silent_on_optional_fields_that_exist(tmp_path):
    assert lint_notes(tmp_path, 'any where ?user.name == "x"', type="eql") == []


@pytest.mark.parametrize(
    "type, more",
    [
        ("threshold", f'[rule.threshold]\nfield = ["{CITY}"]\nvalue = 2'),
        (
            "threshold",
            '[rule.threshold]\nfield = ["user.name"]\nvalue = 2\n'
            f'[[rule.threshold.cardinality]]\nfield = "{CITY}"\nvalue = 2',
        ),
        (
            "new_terms",
            f'[rule.new_terms]\nfield = "new_terms_fields"\nvalue = ["user.name", "{CITY}"]\n'
            "[[rule.new_terms.history_window_start]]\n"
            'field = "history_window_start"\nvalue = "now-9d"',
        ),
    ],
)
def test_lint_tells_of_fields_beside_the_query(tmp_path, type, more):
    (note,) = lint_notes(tmp_path, "event.action: x", type=type, more=more)
    assert note == NEVER


def test_lint_with_intended_nulls_tells_that_a_rule_fires_more_often(tmp_path):
    query = f'{FROM}| where not {CITY} == "Berlin" | keep event.id'
    (note,) = lint_notes(tmp_path, query, more='[trailhound]\nnulls = "intended"')
    assert note == MORE


def test_lint_reports_coarse_suppression(tmp_path):
    query = f"{FROM}| stats n = count(*) by user.name, cloud.region | where n > 1"
    (note,) = lint_notes(tmp_path, query, more='[rule.alert_suppression]\ngroup_by = ["user.name"]')
    assert "stay apart here" in note


@pytest.mark.parametrize(
    "more, note",
    [
        ("max_signal = 5", "max_signal is no key of Elastic's rules, so it is not read; did you"),
        ('rule_name_override = "event.action"', "alerts bear the name of the rule"),
        (
            '[[rule.severity_mapping]]\nfield = "event.outcome"\nvalue = "x"\nseverity = "high"',
            "severity_mapping by event.outcome is not applied",
        ),
        (
            '[[rule.risk_score_mapping]]\nfield = "cloud.region"\nvalue = ""',
            "risk_score_mapping by cloud.region is not applied",
        ),
    ],
)
def test_lint_tells_of_keys_that_change_nothing(tmp_path, more, note):
    path = write_rule(tmp_path / "rules", "event.action: x", type="query", more=more)
    (rule,) = load([path], builtin=False)
    (advice,) = rule.advice
    assert advice.line == 10 and note in advice.sentence


@pytest.mark.parametrize(
    "more",
    ['rule_name_override = "message"', 'timestamp_override = "event.ingested"\nenabled = false'],
)
def test_lint_passes_over_keys_that_change_nothing_in_elastic_either(tmp_path, more):
    assert lint_notes(tmp_path, "event.action: x", type="query", more=more) == []


def check(capsys, *paths):
    status = main(["rules", "check", *map(str, paths)])
    return (status, *capsys.readouterr())


def test_check_describes_each_file(tmp_path, capsys):
    query = f"{FROM}| stats n = count(*) by user.name | where n > 4"
    look_back = write_rule(tmp_path / "rules", query, lookback="now-61m")
    hunt = tmp_path / "rules" / "z.toml"
    hunt.write_text("[hunt]\nname = 'Who'\nquery = ['from logs-* | keep event.id']\n")
    status, out, err = check(capsys, tmp_path / "rules")
    assert (status, err) == (0, "")
    assert out.splitlines() == [
        f"{look_back}: A rule: in any 61 min by user.name: >4 events",
        f"{hunt}: Who: a hunt of one query",
    ]


def make_link_to_itself(path):
    path.symlink_to(path.name)


def make_device(path):
    path.symlink_to("/dev/zero")


def make_huge_file(path):
    with path.open("wb") as file:
        file.truncate(4_000_001)  # sparse: it takes no room


@pytest.mark.parametrize(
    "name, make, reason",
    [
        ("none.toml", lambda path: None, "cannot be read: No such file or directory"),
        ("empty.yml", lambda path: path.write_text(" \n"), "the file is empty"),
        ("bytes.ndjson", lambda path: path.write_bytes(b'{"a": "\xff"}'), "not UTF-8 text"),
        ("pipe.toml", os.mkfifo, "cannot be read: a pipe"),
        ("device.toml", make_device, "cannot be read: a pipe or device; name a file"),
        ("link.yml", make_link_to_itself, "Too many levels of symbolic links"),
        ("huge.toml", make_huge_file, "cannot be read: over 4 MB"),
        ("other.toml", lambda path: path.write_text("x = 1\n"), "no [rule] table"),
    ],
)
def test_check_of_a_file_without_a_wrong_place_is_one_line(tmp_path, capsys, name, make, reason):
    path = tmp_path / name
    make(path)
    status, out, err = check(capsys, path)
    assert (status, out) == (1, "")
    (line,) = err.splitlines()
    assert line.startswith(f"{path}: ") and reason in line


def test_link_to_a_folder_is_not_followed_and_named(tmp_path, capsys):
    path = write_rule(tmp_path / "rules", f"{FROM}| stats n = count(*) by user.name | where n > 4")
    for name in ("team", ".hidden"):
        (tmp_path / "rules" / name).symlink_to(tmp_path / "rules", target_is_directory=True)
    (tmp_path / "named").symlink_to(tmp_path / "rules", target_is_directory=True)

    status, out, err = check(capsys, tmp_path / "named")

    assert status == 0 and len(out.splitlines()) == 1
    link = tmp_path / "named" / "team"
    assert err == f"links to folders, not followed: name the folders themselves: {link}\n"
    assert [rule.path.name for rule in load([path.parent], builtin=False)] == [path.name]


def test_folder_that_cannot_be_opened_is_named(tmp_path, monkeypatch):
    closed = tmp_path / "rules" / "closed"
    write_rule(tmp_path / "rules", f"{FROM}| keep event.id")
    closed.mkdir()
    scan = os.scandir

    def refuse(path):
        if Path(path) == closed:
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    (problem,) = load([tmp_path / "rules"], builtin=False).problems
    assert problem.path == closed and problem.line == 0


def test_check_points_at_errors_and_fails(tmp_path, capsys):
    bad = write_rule(tmp_path / "rules", f"{FROM}\t| where event.acton == 1 | keep event.id")
    status, out, err = check(capsys, bad)
    line, excerpt, caret = err.splitlines()
    assert (status, out) == (1, "")
    assert line == f"{bad}:9:10: no column event.acton here; did you mean event.action?"
    assert excerpt.index("event.acton") == caret.index("^")


@pytest.mark.parametrize(
    "query, words",
    [
        ("where kubernetes.audit.verb == 1", "no fields kubernetes.*"),
        ('where host.os.type == "linux"', "no fields host.*"),
        ("where event.acton == 1", "did you mean event.action?"),
    ],
)
def test_check_tells_of_fields_of_other_data(tmp_path, capsys, query, words):
    bad = write_rule(tmp_path / "rules", f"{FROM}| {query} | keep event.id")
    _, _, err = check(capsys, bad)
    assert words in err.splitlines()[0]
    assert ("trailhound holds CloudTrail only" in err) == ("no fields" in words)


def test_check_positions_notes_in_file(tmp_path, capsys):
    path = write_rule(tmp_path / "rules", f'{FROM}| where user.name != "x" | keep event.id')
    status, out, _ = check(capsys, path)
    assert status == 0
    assert out.splitlines()[1].startswith(f"{path}:9:9: note: events without user.name are dropped")


def test_check_escapes_hostile_text(tmp_path, capsys):
    path = write_rule(
        tmp_path / "rules", f"{FROM}| where a\u202e\x1b == 1".replace("\x1b", "\u200b")
    )
    _, _, err = check(capsys, path)
    assert "\u202e" not in err and "\\u202e" in err


def test_caret_is_under_column():
    assert caret_excerpt("a\nbcd\n", 2, 3) == "  2 | bcd\n    |   ^"
    assert caret_excerpt("a", 5, 1) == ""


def test_summary_counts_what_runs_and_what_is_refused_by_reason(tmp_path, capsys):
    folder = tmp_path / "rules"
    queries = [
        ("query", "event.action: x"),
        ("query", f"{CITY}: Berlin"),
        ("eql", f'any where {CITY} != "x"'),
        ("query", "kubernetes.audit.verb: x"),
        ("query", "host.os.type: x and event.action: y"),
        ("query", "event.acton: x"),
        ("machine_learning", ""),
        ("machine_learning", ""),
    ]
    for number, (type, query) in enumerate(queries):
        path = write_rule(folder, query, type=type, name=f"{number}.toml")
        path.write_text(path.read_text().replace('"r-1"', f'"r-{number}"'))
    (folder / "h.toml").write_text("[hunt]\nname = 'H'\nquery = ['from logs-* | keep event.id']\n")
    assert main(["rules", "check", "--summary", str(folder)]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.splitlines() == [
        "9 rules and hunts: 4 run, 5 refused",
        "of those that run, without the databases that are not named:",
        "      1  can never fire here",
        "      1  fire more often than in Elastic",
        "refused:",
        "      2  a machine learning job runs in Elasticsearch only",
        "      2  names fields of other data: trailhound holds CloudTrail only",
        "      1  names a field that CloudTrail's integration lacks",
    ]


def test_check_reads_exports(tmp_path, capsys):
    export = tmp_path / "rules.ndjson"
    query = "event.action:RunInstances OR user.name:ana AND cloud.region:eu-west-1"
    rule = {"rule_id": "k", "name": "Exported", "type": "query", "language": "lucene"}
    bad = {"rule_id": "b", "name": "Bad", "type": "query", "query": "usr.name: x"}
    export.write_text(f"{json.dumps({**rule, 'query': query})}\n{json.dumps(bad)}\n")
    status, out, err = check(capsys, export)
    assert status == 1
    assert out.splitlines()[0] == f"{export}: Exported: every event that matches its query"
    assert "decides nothing, since other clauses are required" in out
    assert f"{export}:2:1: Bad: line 1, column 1 of its query: no column usr.name" in err


def test_hunt_reads_the_tables_of_the_configuration(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "trailhound").mkdir()
    table = tmp_path / "owners.csv"
    table.write_text("who,team\nana,red\n")
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "a.json").write_text(json.dumps({"Records": [raw_record(0)]}))
    query = f"{FROM} | enrich owners on user.name | stats n = count(*) by team"
    command = ["hunt", "--query", query, str(logs), "--format", "jsonl"]

    assert main(command) == 2
    assert "no lookup owners: name its file in the configuration" in capsys.readouterr().err

    config = f'[lookups.owners]\nfile = "{table}"\nkey = "who"\n'
    (tmp_path / "trailhound" / "config.toml").write_text(config)
    assert main(command) == 0
    assert json.loads(capsys.readouterr().out) == {"n": 1, "team": "red"}
