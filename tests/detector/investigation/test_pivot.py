"""Pivots, the guide and case files: exactly the right events, from the logs alone."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import stat
import threading
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from detector.cloudtrail.record import decode
from detector.detection.principal import PrincipalNames, RelatedPrincipals
from detector.detection.record_search import Selector
from detector.detection.signals.signal_finder import flagging_events
from detector.ecs.fields import field_table
from detector.investigation import pivot
from detector.investigation.case import CaseError
from detector.investigation.case_writer import gather_case, write_case
from detector.investigation.guide import OTHER_CALLS, OWN_CALLS, group_by_question, guide_answers
from detector.investigation.pivot import EventRow, Pivot
from detector.investigation.raw_record import raw_record
from detector.investigation.rule_guide import guide_queries, rule_answers
from detector.investigation.selectors import AllOf, Condition, FieldSelector, field_equals
from detector.rules.ruleset import load
from detector.sources.file_span import FileSpan
from detector.store import Store
from detector.triage.note import NoteBody
from tests.detector.delivery.test_list_export import read_html
from tests.detector.detection.test_correlate import (
    DAY,
    REFERENCE,
    ROLE,
    WHO,
    act,
    assume,
    rules,
    swept,
)
from tests.detector.trail import ANA, START, Raw, document, lines, scan
from tests.detector.trail import write as put
from tests.hostile.payloads import PAYLOADS


def files(folder: Path) -> list[FileSpan]:
    return [FileSpan(str(path), path.stat().st_size) for path in sorted(folder.rglob("*.json*"))]


def found(
    selector: Selector, folder: Path, start: int = -1800, end: int = 1830, **more: Any
) -> list[EventRow]:
    wanted = Pivot("", selector, START + start, START + end, START, **more)
    return [
        row
        for batch in pivot.read_pivot(wanted, files(folder), flagging_events(rules("tumbling")))
        for row in batch.rows
    ]


def ids(rows: list[EventRow]) -> set[str]:
    return {row.event.event_id for row in rows}


ANA_KEY = RelatedPrincipals(PrincipalNames(keys=[WHO["ana"]["accessKeyId"]]))
BY = {
    "principal": (
        RelatedPrincipals(PrincipalNames(arns=[ANA])),
        lambda r: r["userIdentity"].get("arn") == ANA,
    ),
    "key": (ANA_KEY, lambda r: r["userIdentity"].get("accessKeyId") == WHO["ana"]["accessKeyId"]),
    "role": (
        RelatedPrincipals(PrincipalNames(roles=[ROLE])),
        lambda r: "sessionContext" in r["userIdentity"],
    ),
    "source": (
        field_equals(field_table()["source.address"], "203.0.113.9"),
        lambda r: r["sourceIPAddress"] == "203.0.113.9",
    ),
    "action": (
        field_equals(field_table()["event.action"], "RunInstances"),
        lambda r: r["eventName"] == "RunInstances",
    ),
    "outcome": (
        field_equals(field_table()["event.outcome"], "failure"),
        lambda r: "errorCode" in r,
    ),
}


def trail() -> list[Raw]:
    return [
        *swept("ana", 0),
        *swept("bo", 5),
        *(
            act(what, who, at, **changed)
            for what, who, at, changed in [
                ("snapshot", "ana", 60, {}),
                ("snapshot", "ana", -1801, {}),
                ("snapshot", "ana", 1830, {}),
                ("instance-start", "one", 10, {"sourceIPAddress": "203.0.113.9"}),
                ("iam-change", "two", 20, {}),
                ("access-key", "ana's other key", 30, {"errorCode": "AccessDenied"}),
                ("nothing", "nobody", 40, {}),
            ]
        ),
    ]


LAYOUTS = {
    "trail": lambda records: document(records),
    "spaced": lambda records: document(records, indent=3),
    "lines": lines,
    "gzip": lambda records: gzip.compress(lines(records)),
    "escaped": lambda records: document(records).replace(b"/", b"\\/"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("by", BY)
def test_pivot_matches_oracle(tmp_path: Path, by: str, layout: str) -> None:
    records = trail()
    selector, meant = BY[by]
    for number in range(3):
        put(
            tmp_path,
            f"{number}.json" + (".gz" if layout == "gzip" else ""),
            LAYOUTS[layout](records[number::3]),
        )
    within = [
        record
        for record in records
        if record["eventID"] not in ("snapshot-ana--1801-us-east-1", "snapshot-ana-1830-us-east-1")
    ]
    rows = found(selector, tmp_path)
    assert ids(rows) == {record["eventID"] for record in within if meant(record)} != set()
    for row in rows:
        assert json.loads(row.raw) in records
        lean = row.without_json()
        assert (lean.event, lean.flags, lean.own, lean.raw) == (row.event, row.flags, row.own, b"")
        assert raw_record(lean.event) == row.raw, "what is not held is read again"


def test_duplicate_events_come_once(tmp_path: Path) -> None:
    for name in ("a.json", "b.json"):
        put(tmp_path, name, [act("snapshot", "ana", 60)] * 2)
    assert len(found(ANA_KEY, tmp_path)) == 1


def test_nearest_files_come_first(tmp_path: Path) -> None:
    spans = []
    for name, at in (("far.json", 1500), ("near.json", 30), ("before.json", -600)):
        path = put(tmp_path, name, [act("snapshot", "ana", at)])
        spans.append(FileSpan(str(path), path.stat().st_size, START + at, START + at))
    other = FileSpan("/nowhere", 10, START + DAY, START + DAY)
    gone = FileSpan(str(tmp_path / "gone.json"), 7, START + 1700, START + 1700)
    wanted = Pivot("", ANA_KEY, START - 1800, START + 1830, START)
    batches = list(
        pivot.read_pivot(wanted, [*spans, other, gone], flagging_events(rules("tumbling")))
    )
    assert [row.event.time - START for batch in batches for row in batch.rows] == [30, -600, 1500]
    progress = [batch.progress for batch in batches]
    assert (
        progress[0].share == 0
        and progress[-1].share == 1.0
        and progress[-1].files_done == progress[-1].files == 4
    )
    assert [each.bytes_done for each in progress] == sorted(each.bytes_done for each in progress)
    assert progress[-1].unread == (f"{gone.path}: No such file or directory",)


def test_pivot_stops(tmp_path: Path) -> None:
    for number in range(5):
        put(tmp_path, f"{number}.json", [act("snapshot", "ana", number)])
    stop = threading.Event()
    seen = 0
    wanted = Pivot("", ANA_KEY, START, START + 60, START)
    for batch in pivot.read_pivot(
        wanted, files(tmp_path), flagging_events(rules("tumbling")), stop=stop
    ):
        seen += len(batch.rows)
        if seen:
            stop.set()
    assert seen == 1


def test_flags_narrow_and_widening_keeps_center(tmp_path: Path) -> None:
    put(tmp_path, "a.json", trail())
    assert ids(
        found(
            RelatedPrincipals(PrincipalNames(arns=[ANA])), tmp_path, flags=frozenset({"snapshot"})
        )
    ) == {"snapshot-ana-60-us-east-1"}
    wanted = Pivot("", ANA_KEY, 0, 1, START)
    assert (wanted.within(60).start, wanted.within(60).end) == (START - 60, START + 61)


def test_conditions_negate_join_and_test_presence(tmp_path: Path) -> None:
    put(tmp_path, "a.json", trail())
    table = field_table()
    refused = Condition(table["event.outcome"], ("failure",))
    has_error = Condition(table["aws.cloudtrail.error_code"], None)
    mine = RelatedPrincipals(PrincipalNames(arns=[ANA]))
    refused_ones = ids(found(AllOf((mine, FieldSelector(((refused,),)))), tmp_path))
    assert (
        refused_ones
        == ids(found(AllOf((mine, FieldSelector(((has_error,),)))), tmp_path))
        == {"access-key-ana's other key-30-us-east-1"}
    )
    others = Condition(
        table["event.action"], ("DescribeInstances", "CreateAccessKey"), negated=True
    )
    assert ids(found(AllOf((mine, FieldSelector(((others,),)))), tmp_path)) == {
        "snapshot-ana-60-us-east-1"
    }


# the guide


class Case:
    """A store that has read a sweep with what goes with it."""

    def __init__(self, folder: Path) -> None:
        records = [
            *swept("ana", 0),
            act("caller-identity", "ana", -40),
            act("snapshot", "ana", 60),
            act("other-enumeration", "ana", 61),
            act("access-key", "ana", 90),
            assume("ana", "one", 100),
            act("iam-change", "one", 120),
            act("nothing", "bo", -12 * DAY),
        ]
        put(folder, "a.json", records[::2])
        put(folder, "b.json.gz", gzip.compress(document(records[1::2], indent=1)))
        self.records = {record["eventID"]: record for record in records}
        self.store = Store.open(None)
        scan(folder, store=self.store, by=rules("tumbling"))
        [self.alert] = self.store.alerts.all()

    @property
    def answers(self) -> dict[str, tuple[str, int | None, str]]:
        found = guide_answers(
            self.alert,
            self.store.context.signals(self.alert.alert_id),
            self.store.alerts.lineage(self.alert.alert_id),
            field_table(),
        )
        return {each.question: (each.verdict, each.count, each.detail) for each in found}


@pytest.fixture
def case(tmp_path: Path) -> Iterator[Case]:
    made = Case(tmp_path / "logs")
    with closing(made.store):
        yield made


def test_guide_answers(case: Case) -> None:
    said = case.answers
    assert said["Is this principal new to the account?"] == (
        "yes",
        1,
        "first seen 40 s earlier (12 d of history)",
    )
    assert said["Snapshot or image activity?"] == ("yes", 1, "1 call: CreateSnapshot 1")
    assert said["IAM changes (keys, roles, policies)?"] == (
        "yes",
        3,
        "3 calls: AssumeRole 1, CreateAccessKey 1, PutUserPolicy 1",
    )
    assert said["S3 writes or large downloads?"] == ("no", 0, "none within ±30 min")
    assert said["Regions this account normally doesn't use?"][:2] == ("yes", 10)
    assert said["Were any calls denied?"] == ("no", 0, "all 10 succeeded")


def test_answer_pivots_find_their_events(case: Case) -> None:
    store, alert = case.store, case.alert
    for answer in guide_answers(
        alert,
        store.context.signals(alert.alert_id),
        store.alerts.lineage(alert.alert_id),
        field_table(),
    ):
        if answer.pivot is None or not answer.pivot.flags:
            continue
        spans = store.chunks.file_spans(answer.pivot.start, answer.pivot.end, answer.pivot.selector)
        rows = [
            row
            for batch in pivot.read_pivot(
                answer.pivot, spans, flagging_events(rules("tumbling")), frozenset(alert.event_ids)
            )
            for row in batch.rows
            if not row.own
        ]
        assert len(rows) == answer.count


def test_short_baseline_is_said(tmp_path: Path) -> None:
    put(tmp_path, "a.json", [*swept("ana", 0), act("nothing", "bo", -7200)])
    with closing(Store.open(None)) as store:
        [alert] = scan(tmp_path, store=store, by=rules("tumbling")).alerts
        first = guide_answers(alert, {}, store.alerts.lineage(alert.alert_id), field_table())[0]
    assert (first.verdict, first.detail) == (
        "unknown",
        "not enough history yet (2 h of 10 d needed)",
    )


def test_rows_are_grouped_by_question(case: Case) -> None:
    lineage = case.store.alerts.lineage(case.alert.alert_id)
    around = pivot.pivot_around(case.alert, lineage, "")
    rows = [
        row
        for batch in pivot.read_pivot(
            around,
            case.store.chunks.file_spans(around.start, around.end, lineage),
            flagging_events(rules("tumbling")),
            frozenset(case.alert.event_ids),
        )
        for row in batch.rows
    ]
    groups = dict(group_by_question(pivot.sorted_by_time(rows)))
    assert (
        next(iter(groups)) == OWN_CALLS
        and len(groups[OWN_CALLS]) == 10
        and OTHER_CALLS not in groups
    )
    assert (
        pivot.count_actions(groups["IAM changes (keys, roles, policies)?"])
        == "AssumeRole 1, CreateAccessKey 1, PutUserPolicy 1"
    )


INVESTIGATE = """
[transform]

[[transform.investigate]]
label = "Its snapshots"
providers = [
  [{ field = "aws.cloudtrail.user_identity.arn", queryType = "phrase", \
value = "{{aws.cloudtrail.user_identity.arn}}" },
   { excluded = false, field = "event.action", queryType = "phrase", value = "CreateSnapshot", \
valueType = "string" }],
]
relativeFrom = "now-48h/h"
relativeTo = "now+1h"

[[transform.investigate]]
label = "On its host"
providers = [[{ excluded = false, field = "host.name", queryType = "phrase", value = "x", \
valueType = "string" }]]
"""
INLINE = (
    '!{investigate{"label":"By name","providers":[[{"excluded":"false","field":"user.name",'
    '"queryType":"phrase","value":"{{user.name}}"}],[{"excluded":false,'
    '"field":"aws.cloudtrail.error_code","queryType":"exists"}]]}}'
)


def test_rule_guide_queries(case: Case, tmp_path: Path) -> None:
    path = tmp_path / "rule.toml"
    text = REFERENCE.read_text(encoding="utf-8")
    # Quotes may stand in a multi-line string of TOML as they are, three in a row apart.
    noted = text.replace('note = """', f'note = """{INLINE} and !{{investigate{{broken', 1)
    path.write_text(noted + INVESTIGATE, encoding="utf-8")
    [rule] = load([path], builtin=False)
    assert [each.label for each in guide_queries(rule)] == [
        "Its snapshots",
        "On its host",
        "By name",
    ]
    record = decode(
        json.dumps(
            {
                **case.records["snapshot-ana-60-us-east-1"],
                "userIdentity": {**WHO["ana"], "userName": "ana"},
            }
        ).encode()
    )
    snapshots, host, named = rule_answers(rule, case.alert, field_table(), record)
    assert snapshots.pivot is not None and snapshots.pivot.start == START // 3600 * 3600 - 48 * 3600
    rows = [
        row
        for batch in pivot.read_pivot(
            snapshots.pivot,
            case.store.chunks.file_spans(snapshots.pivot.start, snapshots.pivot.end),
            flagging_events(rules("tumbling")),
        )
        for row in batch.rows
    ]
    assert ids(rows) == {"snapshot-ana-60-us-east-1"}
    assert (host.verdict, host.pivot, host.detail) == (
        "unknown",
        None,
        "host.name is not a CloudTrail field",
    )
    assert named.pivot is not None
    assert (
        rule_answers(rule, case.alert, field_table(), None)[2].detail
        == "the alert has no user.name"
    )


# the case file

PAGE_TAGS = {
    *("html", "head", "meta", "title", "style", "body", "h1", "h2", "footer", "p", "strong"),
    *("code", "ul", "ol", "li", "table", "thead", "tbody", "tr", "th", "td"),
}


def made(case: Case, out: Path) -> Path:
    return write_case(gather_case(case.store, case.alert, rules("tumbling"), field_table()), out)


def test_manifest_lists_hashes_and_positions(case: Case, tmp_path: Path) -> None:
    case.store.triage.add_notes(
        [case.alert], NoteBody("It was **them** <b>", "escalated", "SEC-1", "me")
    )
    out = made(case, tmp_path / "case")
    manifest = json.loads((out / "manifest.json").read_bytes())
    pieces = {piece["name"]: piece for piece in manifest["pieces"]}
    there = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    assert there == {*pieces, "manifest.json", "manifest.json.sha256"}
    digest = hashlib.sha256((out / "manifest.json").read_bytes()).hexdigest()
    assert (out / "manifest.json.sha256").read_text() == f"{digest}  manifest.json\n"
    for source in manifest["sources"]:
        content = Path(source["path"]).read_bytes()
        assert (source["bytes"], source["sha256"]) == (
            len(content),
            hashlib.sha256(content).hexdigest(),
        )
    assert sum(source["records"] for source in manifest["sources"]) == len(manifest["records"])
    for name, piece in pieces.items():
        content = (out / name).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (
            piece["bytes"],
            piece["sha256"],
        )
    assert {record["event_id"] for record in manifest["records"]} == set(case.records) - {
        f"nothing-bo-{-12 * DAY}-us-east-1"
    }
    for record in manifest["records"]:
        raw, source = (out / record["name"]).read_bytes(), Path(record["source"])
        content = (
            source.read_bytes()
            if source.suffix == ".json"
            else gzip.decompress(source.read_bytes())
        )
        assert raw in content and json.loads(raw)["eventID"] == record["event_id"]
    assert manifest["missing"] == []


def test_case_file_is_private(case: Case, tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        out = made(case, tmp_path / "case")
        packed = made(case, tmp_path / "case.zip")
    finally:
        os.umask(old)
    for path in [out, *out.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    assert stat.S_IMODE(packed.stat().st_mode) == 0o600
    with zipfile.ZipFile(packed) as archive:
        assert archive.testzip() is None
        assert set(archive.namelist()) == {
            str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()
        }
        assert archive.read("records/00001.json") == (out / "records" / "00001.json").read_bytes()


def test_case_file_never_overwrites_or_stays_partial(case: Case, tmp_path: Path) -> None:
    (tmp_path / "case").mkdir()
    for out in (tmp_path / "case", tmp_path / "nowhere" / "case"):
        with pytest.raises(CaseError, match="choose another"):
            made(case, out)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["case", "logs"]


def test_report_is_complete(case: Case, tmp_path: Path) -> None:
    case.store.triage.add_notes(
        [case.alert], NoteBody("Asked the owner.", "suspicious", "SEC-1", "me")
    )
    report = (made(case, tmp_path / "case") / "report.md").read_text(encoding="utf-8")
    heads = [line[3:] for line in report.splitlines() if line.startswith("## ")]
    assert heads == [
        "Verdict",
        "What",
        "Who",
        "When",
        "Where",
        "Correlation",
        "ATT&CK",
        "Indicators",
        "Objects",
        "Timeline",
        "Related alerts",
        "Next steps",
        "Source files",
        "Evidence",
    ]
    for said in (
        ANA,
        "made 10 calls (`DescribeInstances`) in 10 regions",
        "first seen 40 s earlier (12 d of history)",
        "CreateAccessKey",
        "**suspicious · SEC-1 · me**",
        "rule 21 + access key 50",
        "One AssumeRole away",
        "`ASIAONEEXAMPLE`",
    ):
        assert said in report, said


def test_missing_evidence_is_named(case: Case, tmp_path: Path) -> None:
    (tmp_path / "logs" / "b.json.gz").unlink()
    out = made(case, tmp_path / "case")
    manifest = json.loads((out / "manifest.json").read_bytes())
    assert len(manifest["missing"]) + len(manifest["records"]) == len(case.records) - 1
    assert len(manifest["unread"]) == 1 and "b.json.gz" in manifest["unread"][0]
    assert "No longer available" in (out / "report.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "payload", PAYLOADS.values() if isinstance(PAYLOADS, dict) else PAYLOADS, ids=str
)
def test_log_text_is_inert_in_report(tmp_path: Path, payload: Any) -> None:
    text = payload if isinstance(payload, str) else payload[-1]
    records = [{**record, "userAgent": text} for record in swept("ana", 0)]
    put(tmp_path / "logs", "a.json", records)
    with closing(Store.open(None)) as store:
        [alert] = scan(tmp_path / "logs", store=store, by=rules("tumbling")).alerts
        out = write_case(
            gather_case(store, alert, rules("tumbling"), field_table()), tmp_path / "case"
        )
    report = (out / "report.md").read_text(encoding="utf-8")
    assert all(ord(char) >= 0x20 or char == "\n" for char in report) and "\x9b" not in report
    assert report.count("\n## ") == 14
    page = read_html((out / "report.html").read_text(encoding="utf-8"))
    tags = {tag for tag, _ in page.tags}
    assert tags <= PAGE_TAGS, tags - PAGE_TAGS
    assert page.tags.count(("h2", ())) == 14
