"""ENRICH and LOOKUP JOIN, against plain Python over lists of dictionaries."""

from __future__ import annotations

import csv
import os
import random
from pathlib import Path
from typing import Any

import pytest

from detector.ecs.fields import field_table
from detector.esql import parser
from detector.esql.errors import EsqlError
from detector.esql.expressions.scope import QueryOptions
from detector.esql.lookup import files
from detector.esql.lookup.files import Lookups, LookupSource
from detector.esql.plan.planner import plan, plan_tree
from detector.rules.ruleset import load
from tests.detector.esql.conftest import START, record
from tests.detector.rules.rule_scan import RuleScan, raw_record, write_rule

FROM = "from logs-aws.cloudtrail-*"
OWNERS = "account,owner,level,since\n111122223333,web,3,2026-01-02\n444455556666,data,,2025-12-31\n"
Row = dict[str, Any]


def write_table(path: Path, text: str = OWNERS) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def tables(**sources: tuple[Path, str]) -> Lookups:
    return Lookups({name: LookupSource(path, key) for name, (path, key) in sources.items()})


def rows_of(text: str, lookups: Lookups, *events: Row) -> list[Row]:
    """Run a query without STATS over events."""
    query = plan(f"{FROM} {text}", field_table(), QueryOptions(lookups=lookups))
    records = [record(**event) for event in events]
    return [dict(result) for each in records for result, _ in query.filter_results(each, START)]


def refusal_of(text: str, lookups: Lookups, separate: bool = False) -> EsqlError:
    whole = f"{FROM} {text}"
    with pytest.raises(EsqlError) as refusal:
        plan_tree(
            parser.parse_query(whole),
            whole,
            field_table(),
            QueryOptions(lookups=lookups),
            separate=separate,
        )
    return refusal.value


def test_enrich_adds_typed_columns(tmp_path: Path) -> None:
    lookups = tables(owners=(write_table(tmp_path / "o.csv"), "account"))
    query = "| enrich owners on cloud.account.id | keep owner, level, since"
    assert rows_of(query, lookups, {}, {"userIdentity": {"type": "IAMUser", "accountId": "9"}}) == [
        {"owner": "web", "level": 3, "since": "2026-01-02T00:00:00Z"},
        {"owner": None, "level": None, "since": None},
    ]


def test_enrich_with_renames_and_leaves_out(tmp_path: Path) -> None:
    lookups = tables(owners=(write_table(tmp_path / "o.csv"), "account"))
    query = (
        "| enrich _any:owners on cloud.account.id with team = owner, account | where team == "
        '"web" | keep team, account'
    )
    assert rows_of(query, lookups, {}) == [{"team": "web", "account": 111122223333}]
    assert "no column level" in refusal_of(f"{query} | keep level", lookups).message


def test_enrich_by_the_key_of_the_table(tmp_path: Path) -> None:
    table = write_table(tmp_path / "t.csv", "user.name,team\nana,red\n")
    query = "| enrich people | keep user.name, team"
    assert rows_of(query, tables(people=(table, "user.name")), {}) == [
        {"user.name": "ana", "team": "red"}
    ]


@pytest.mark.parametrize("seed", range(15))
def test_enrich_and_join_match_oracle(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    names = ["a", "b", "B", "c d", "ü"]
    table = [
        {"arn": rng.choice(names), "region": rng.choice(["r-1", "r-2"]), "tag": f"t{number}"}
        for number in range(rng.randrange(8))
    ]
    path = tmp_path / "t.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["arn", "region", "tag"], delimiter=rng.choice(",;\t"))
        writer.writeheader()
        writer.writerows(table)
    lookups = tables(t=(path, "arn"))
    for _ in range(10):
        arns, region = rng.sample(names, rng.randrange(4)), rng.choice(["r-1", "r-2", "r-3"])
        event: Row = {"awsRegion": region, "resources": [{"ARN": arn} for arn in arns] or None}
        enriched = rows_of("| enrich t on aws.cloudtrail.resources.arn | keep tag", lookups, event)
        tags = sorted(row["tag"] for row in table if row["arn"] in arns)
        assert enriched == [{"tag": tags or None}], (table, arns)

        joined = rows_of("| eval arn = aws.cloudtrail.resources.arn, region = cloud.region "
            "| lookup join t on arn, region | keep arn, region, tag", lookups, event)  # fmt: skip
        matching = [row["tag"] for row in table if arns == [row["arn"]] and row["region"] == region]
        expected = [
            {"arn": sorted(arns) or None, "region": region, "tag": tag}
            for tag in matching or [None]
        ]
        assert [{**row, "arn": sorted(row["arn"] or []) or None} for row in joined] == expected


def test_join_shadows_columns_and_compares_names(tmp_path: Path) -> None:
    table = write_table(tmp_path / "t.csv", "who,cloud.region\nana,home\n")
    query = "| lookup join t on user.name == who | keep user.name, who, cloud.region"
    assert rows_of(query, tables(t=(table, "who")), {}) == [
        {"user.name": "ana", "who": "ana", "cloud.region": "home"}
    ]


def test_join_after_stats(tmp_path: Path) -> None:
    table = write_table(tmp_path / "t.csv", "who,tag\nana,x\nana,y\n")
    lookups = QueryOptions(lookups=tables(t=(table, "who")))
    text = f"{FROM} | stats n = count(*) by who = user.name | lookup join t on who | keep n, tag"
    query = plan_tree(parser.parse_query(text), text, field_table(), lookups)
    ((key, inputs),) = query.rows(record(), START)
    assert [row for row, _ in query.group_results(START, key, [inputs])] == [
        {"n": 1, "tag": "x"},
        {"n": 1, "tag": "y"},
    ]


def test_addresses_and_numbers_are_compared_as_such(tmp_path: Path) -> None:
    table = write_table(tmp_path / "t.csv", "ip,name\n203.0.113.7,office\n")
    query = '| enrich nets on source.ip | where name == "office" | keep name'
    assert rows_of(query, tables(nets=(table, "ip")), {}) == [{"name": "office"}]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1", "20"], [1, 20]),
        (["01", "20"], ["01", "20"]),
        (["1.5", "2"], [1.5, 2.0]),
        (["true", "false"], [True, False]),
        (["true", "no"], ["true", "no"]),
        (["2026-01-01", "2026-01-01T10:00:00Z"], [1767225600000, 1767261600000]),
        (["1e5", "-7"], [100000.0, -7.0]),
        (["", ""], [None, None]),
        (["99999999999999999999", "1"], [1e20, 1.0]),
    ],
)
def test_column_has_the_type_that_all_cells_fit(
    tmp_path: Path, cells: list[str], expected: list[Any]
) -> None:
    lines = "".join(f"{index},{cell}\n" for index, cell in enumerate(cells))
    table = write_table(tmp_path / "t.csv", f"key,value\n{lines}")
    values = files.read_lookup(LookupSource(table, "key")).columns["value"].values
    assert list(values) == expected
    assert [type(value) for value in values] == [type(value) for value in expected]


def test_parquet_has_the_types_of_the_file(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    table = pyarrow.table(
        {
            "account": ["111122223333"],
            "level": [3],
            "teams": [["a", "b"]],
            "since": pyarrow.array([1767225600000], pyarrow.timestamp("ms", tz="UTC")),
        }
    )
    parquet.write_table(table, tmp_path / "t.parquet")
    lookups = tables(owners=(tmp_path / "t.parquet", "account"))
    query = "| enrich owners on cloud.account.id | keep level, teams, since"
    assert rows_of(query, lookups, {}) == [
        {"level": 3, "teams": ["a", "b"], "since": "2026-01-01T00:00:00Z"}
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("account,account\n1,2\n", "two columns have the name account"),
        ("account,\n1,2\n", "must name each column"),
        ("", "must name each column"),
        ("account,x\n1,2,3\n", "line 2 has more cells than the first"),
        ('account,x\n1,"2\n', "no CSV"),
        ("name\nx\n", "no column account for its key; it has name"),
        (b"\xff\xfe1", "no UTF-8 text"),
        (b"PAR1\0\0\0\0PAR1", "damaged Parquet data"),
    ],
)
def test_file_that_is_no_table_is_refused(
    tmp_path: Path, content: str | bytes, message: str
) -> None:
    path = tmp_path / "t"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    refusal = refusal_of("| enrich t on user.name", tables(t=(path, "account")))
    assert message in refusal.message
    assert str(path) in refusal.message
    assert refusal.column == len(FROM) + 4


def test_missing_lookup_and_file_say_what_to_do(tmp_path: Path) -> None:
    refusal = refusal_of("| lookup join owners on user.name", tables())
    assert "no lookup owners: name its file in the configuration" in refusal.message
    missing = tables(t=(tmp_path / "none.csv", "key"))
    assert "No such file or directory" in refusal_of("| enrich t", missing).message
    folder = tables(t=(tmp_path, "key"))
    assert "Is a directory" in refusal_of("| enrich t", folder).message
    os.mkfifo(tmp_path / "pipe")
    pipe = tables(t=(tmp_path / "pipe", "key"))
    assert "no plain file" in refusal_of("| enrich t", pipe).message


def test_too_large_tables_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lookups = tables(t=(write_table(tmp_path / "t.csv"), "account"))
    monkeypatch.setattr(files, "ROWS_CAP", 1)
    assert "over 1 rows" in refusal_of("| enrich t on user.name", lookups).message
    monkeypatch.setattr(files, "FILE_CAP", 10)
    assert "leave out rows and columns" in refusal_of("| enrich t on user.name", lookups).message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("| enrich t on usr.name", "did you mean user.name?"),
        ("| enrich t on user.name with level = lvel", "did you mean level?"),
        ("| lookup join t on user.name", "the lookup t has no column user.name"),
        ("| lookup join t on user.name != owner", "compares by == only"),
        ("| lookup join t on account, user.name == owner", "names or comparisons, not both"),
        ("| lookup join t", "unexpected end of the query; expected on"),
    ],
)
def test_wrong_names_are_refused(tmp_path: Path, text: str, message: str) -> None:
    lookups = tables(t=(write_table(tmp_path / "t.csv"), "account"))
    assert message in refusal_of(text, lookups).message


def test_join_that_would_count_an_event_twice_is_refused_in_rules(tmp_path: Path) -> None:
    twice = write_table(tmp_path / "t.csv", "who,tag\nana,x\nana,y\n")
    text = "| lookup join t on user.name == who | stats n = count(*) by tag"
    assert (
        "would count an event several times"
        in refusal_of(text, tables(t=(twice, "who")), separate=True).message
    )


def test_rule_follows_its_table(tmp_path: Path) -> None:
    table = write_table(tmp_path / "t.csv", "who,tag\nana,red\n")
    query = f'{FROM} | enrich t on user.name | where tag == "red" | keep user.name'
    path = write_rule(tmp_path / "r", query)
    sources = {"t": LookupSource(table, "who")}
    rules = load([path], builtin=False, lookups=sources)
    assert rules.problems == []
    assert not rules.changed
    before = rules.get("r-1")

    write_table(table, "who,tag\nana,blue\nbob,red\n")
    assert rules.changed
    after = rules.reloaded().get("r-1")
    assert before is not None and after is not None
    assert after.fingerprint != before.fingerprint


def test_lookup_of_a_rule_decides_its_alerts(tmp_path: Path) -> None:
    table = write_table(tmp_path / "t.csv", "who,tag\nbob,red\n")
    query = f'{FROM} | enrich t on user.name | where tag == "red" | keep user.name'
    path = write_rule(tmp_path / "r", query)
    rules = load([path], builtin=False, lookups={"t": LookupSource(table, "who")})
    users = ["ana", "bob"]
    events = [
        raw_record(second, userIdentity={"type": "IAMUser", "userName": user, "arn": user})
        for second, user in enumerate(users)
    ]
    alerts = RuleScan(tmp_path, path, rules=rules).add_file(*events).alerts()
    assert [alert.columns for alert in alerts] == [{"user.name": "bob"}]
