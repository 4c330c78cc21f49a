"""Hits that are told by a view of their records, against whole records."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.cloudtrail.caller_view import NotInView
from detector.cloudtrail.record import decode
from detector.detection import hits
from detector.detection.digest import DigestResult, Partial, digest
from detector.detection.event import inputs_at
from detector.detection.record_view import RecordView
from detector.detection.signature_cache import SignatureCache
from detector.ecs.fields import field_table
from detector.esql.plan.planner import plan
from detector.esql.plan.query import Query
from detector.formats import Chunk, RawRecords, Records, read_chunks
from detector.formats.decoded import hit_runs
from detector.formats.decoded.hit_runs import DecodedRuns
from detector.formats.heads import known_heads
from detector.rules.dispatch import Dispatch
from detector.rules.rule import CompileContext, Rule
from detector.rules.ruleset import load
from detector.rules.sigma_rules import read_sigma_files
from tests.detector.rules.rule_scan import write_rule
from tests.detector.trail import call, document

RULES = load()
PATHS = ("type", "sessionContext.sessionIssuer.arn", "sessionContext", "none", "arn.of")
SIGMA = "---\n".join(
    f"""title: Caller {number}
id: 6d1a8f8e-3a5f-4a57-9a0d-00000000000{number}
logsource: {{product: aws, service: cloudtrail}}
detection:
  named: {{userIdentity.{path}{modifier}: {value}}}
  condition: named
"""
    for number, (path, (modifier, value)) in enumerate(
        product(PATHS, [("|contains", "e"), ("|exists", "true")])
    )
)
"""Rules of paths in the caller, which a view has too."""
SAMPLES = Path(__file__).parents[3] / "sample_logs"


SIGMA_RULES = [
    rule
    for _, rule in read_sigma_files({Path("rules.yml"): SIGMA}, CompileContext(field_table()))
    if isinstance(rule, Rule)
]


def _refuse(_: object) -> None:
    raise ValueError("decoded whole")


def _whole(source: str, chunk: Chunk, rules: list[Rule]) -> DigestResult:
    """Digest with every record that a rule may match decoded whole."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hits, "read_hit_fields", lambda _: None)
        patch.setattr(hit_runs, "read_views", _refuse)
        patch.setattr(Records, "raw_hit", lambda *_: None)
        patch.setattr(Records, "hit_runs", lambda self, groups, _: DecodedRuns(self._raws, groups))
        return digest(source, chunk, Dispatch(rules), SignatureCache())


def _both(chunk: Chunk, rules: list[Rule]) -> tuple[Partial, Partial]:
    viewed = digest("file", chunk, Dispatch(rules), SignatureCache())
    return viewed.partial, _whole("file", chunk, rules).partial


FURTHER = {
    "parameters": ("query", "aws.cloudtrail.request_parameters: *bucketName*", ""),
    "request": ("query", "aws.cloudtrail.request_id: r", ""),
    "absent": ("query", "not aws.cloudtrail.flattened.request_parameters.bucketName: *", ""),
    "caller": ("query", "user.name: an* and not event.action: ListUsers", ""),
    "either": (
        "query",
        "event.action: ListUsers or aws.cloudtrail.user_identity.type: Root",
        "",
    ),
    "first": (
        "new_terms",
        "event.outcome: success",
        'new_terms_fields = ["cloud.region"]\nhistory_window_start = "now-7d"',
    ),
    "issued": (
        "esql",
        "from logs-* | grok aws.cloudtrail.response_elements "
        '"accessKeyId=%{WORD:key}" | stats n = count(*), t = min(@timestamp), '
        "i = values(event.id) by key",
        "",
    ),
    "regions": (
        "esql",
        "from logs-* | eval u = to_upper(cloud.region) | stats n = count_distinct(cloud.region), "
        "v = values(cloud.region), u = values(u) by user.name",
        "",
    ),
    "elsewhere": (
        "esql",
        'from logs-* | where event.action == "ListUsers" or cloud.region != "us-east-1" '
        "| stats v = values(cloud.region), i = values(event.id) by source.ip",
        "",
    ),
    "swept": ("esql", "from logs-* | stats v = values(cloud.region), n = count(*) by user.id", ""),
    "hour": (
        "esql",
        'from logs-* | where date_extract("hour_of_day", @timestamp) == 9 '
        "| stats n = count(*) by aws.cloudtrail.request_parameters",
        "",
    ),
}
"""Rules that read further than a view: by name type, query and more."""


@pytest.fixture(scope="module")
def further_rules(tmp_path_factory: pytest.TempPathFactory) -> list[Rule]:
    folder = tmp_path_factory.mktemp("rules")
    for name, (type, query, more) in FURTHER.items():
        path = write_rule(folder, query, type=type, more=more, name=f"{name}.toml")
        path.write_text(path.read_text().replace('"r-1"', f'"{name}"'))
    rules = load([folder], builtin=False)
    assert not rules.problems
    return list(rules)


CALLERS = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["IAMUser", "AssumedRole", "Root", 7]),
        "arn": st.sampled_from(["arn:aws:iam::111122223333:user/ana", "", None]),
        "accountId": st.just("111122223333"),
        "accessKeyId": st.sampled_from(["AKIAEXAMPLE000000001", "ASIAEXAMPLE000000001"]),
        "sessionContext": st.sampled_from(
            [
                {"attributes": {"mfaAuthenticated": "true"}},
                {"sessionIssuer": {"arn": "arn:aws:iam::111122223333:role/reader"}},
                "odd",
            ]
        ),
    },
)
RECORDS = st.fixed_dictionaries(
    {
        "eventVersion": st.just("1.08"),
        "userIdentity": CALLERS,
        "eventTime": st.sampled_from(
            [f"2026-03-01T09:15:0{second}Z" for second in range(3)] + ["2026-03-01T10:00:00Z"]
        ),
        "eventSource": st.sampled_from(
            ["ec2.amazonaws.com", "sts.amazonaws.com", "s3.amazonaws.com", "iam.amazonaws.com"]
        ),
        "eventName": st.sampled_from(
            ["DescribeInstances", "GetCallerIdentity", "GetBucketAcl", "ListUsers", "AssumeRole"]
        ),
        "awsRegion": st.sampled_from(["eu-west-1", "us-east-1"]),
        "sourceIPAddress": st.sampled_from(["198.51.100.7", "AWS Internal"]),
        "userAgent": st.sampled_from(["aws-cli/2.15.0 md/Botocore", "Boto3/1.28", "x" * 5000]),
        "eventID": st.sampled_from(
            [f"0c0e1f3a-1111-4222-8333-44445555666{digit}" for digit in range(4)]
            + ["0C0E1F3A-1111-4222-8333-444455556669", "own", "", None, 12]
        ),
    },
    optional={
        "errorCode": st.sampled_from(["AccessDenied", "", "Client.UnauthorizedOperation"]),
        "errorMessage": st.sampled_from(["no", "", None, 5]),
        "requestParameters": st.sampled_from([None, {"bucketName": "b"}, "text"]),
        "responseElements": st.just({"credentials": {"accessKeyId": "ASIAEXAMPLE000000009"}}),
        "recipientAccountId": st.sampled_from(["111122223333", "444455556666"]),
        "readOnly": st.booleans(),
        "requestID": st.sampled_from(["r", 9, "\udc00"]),
    },
)


@settings(max_examples=60)
@given(st.lists(RECORDS, min_size=1, max_size=12))
def test_view_gives_the_hits_of_whole_records(records: list[dict[str, Any]]) -> None:
    data = json.dumps({"Records": records}).encode()
    for rules in (list(RULES), SIGMA_RULES):
        viewed, whole = _both(Chunk(0, memoryview(bytearray(data)), lines=False), rules)
        assert _content(viewed) == _content(whole)
        assert (viewed.chunks, viewed.observations) == (whole.chunks, whole.observations)


def _content(partial: Partial) -> dict[bytes, Any]:
    """Return the hits: matches in the order of their series, time and region filled in."""
    return {
        identity: (
            msgspec.structs.replace(event, matches=()),
            sorted(
                [
                    (series, inputs_at(inputs, event.time, event.region))
                    for series, inputs in event.matches
                ],
                key=repr,
            ),
        )
        for identity, event in partial.hits.items()
    }


REGIONS = ("eu-west-1", "us-east-1", "", None, "-")


@settings(max_examples=60)
@given(records=st.lists(RECORDS, min_size=1, max_size=12), copies=st.integers(1, len(REGIONS)))
def test_alike_records_have_the_hits_of_each_asked_for_itself(
    further_rules: list[Rule], records: list[dict[str, Any]], copies: int
) -> None:
    """Copies differ in id, and every second time in the region."""
    alike = [
        {**record, "eventID": f"0c0e1f3a-0000-4222-8333-{number:06}{copy:06}"}
        | ({"awsRegion": REGIONS[copy]} if number % 2 else {})
        for number, record in enumerate(records)
        for copy in range(copies)
    ]
    data = json.dumps({"Records": alike}).encode()
    chunk = Chunk(0, memoryview(bytearray(data)), lines=False)
    viewed, whole = _both(chunk, further_rules)
    assert _content(viewed) == _content(whole)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Query]:
    """The queries that were asked for the rows of a record, one for each time."""
    asked: list[Query] = []
    evaluate = Query.shared_rows

    def counted(query: Query, record: Any) -> Any:
        asked.append(query)
        return evaluate(query, record)

    monkeypatch.setattr(Query, "shared_rows", counted)
    return asked


def test_alike_records_are_evaluated_once(further_rules: list[Rule], asked: list[Query]) -> None:
    rules = [rule for rule in further_rules if rule.rule_id in ("parameters", "first", "caller")]
    base = {
        "userIdentity": {"type": "IAMUser", "userName": "bob"},
        "eventTime": "2026-03-01T09:15:00Z",
        "eventSource": "s3.amazonaws.com",
        "eventName": "GetBucketAcl",
        "awsRegion": "eu-west-1",
        "requestParameters": {"bucketName": "b"},
    }
    alike = [
        {**base, "eventID": f"0c0e1f3a-0000-4222-8333-{number:012}", "requestID": str(number)}
        for number in range(5)
    ]
    other = {**alike[0], "eventID": "own", "requestParameters": {"bucketName": "c"}}
    data = json.dumps({"Records": [*alike, other]}).encode()
    hits = digest(
        "file",
        Chunk(0, memoryview(bytearray(data)), lines=False),
        Dispatch(rules),
        SignatureCache(),
    ).partial.hits
    assert len(hits) == 6
    # Both parameters were asked for by two rules; the caller refused the third.
    assert sorted(query.shape for query in asked) == ["filter", "filter", "terms", "terms"]
    matches = {repr(match) for event in hits.values() for match in event.matches}
    assert len(matches) == 12, "each hit has its own request"


def test_alike_records_are_evaluated_once_where_only_their_ids_are_read(
    tmp_path: Path, asked: list[Query]
) -> None:
    write_rule(tmp_path, 'from logs-* | where event.action == "ListUsers" | keep event.id')
    dispatch, cache = Dispatch(load([tmp_path], builtin=False)), SignatureCache()
    ids = [f"0c0e1f3a-0000-4222-8333-{number:012}" for number in range(5)]
    records = [call(eventName="ListUsers", event_id=event_id) for event_id in ids]
    chunk = Chunk(0, memoryview(bytearray(document(records))), lines=False)
    hits = digest("file", chunk, dispatch, cache).partial.hits
    assert sorted(inputs for event in hits.values() for _, (inputs,) in event.matches) == ids
    assert len(asked) == 1


@pytest.mark.parametrize(("name", "times"), [("swept", 1), ("regions", 3), ("elsewhere", 3)])
def test_a_sweep_is_asked_for_in_its_first_region(
    name: str, times: int, further_rules: list[Rule], asked: list[Query]
) -> None:
    """Unless a rule decides by the region, or makes another value of it."""
    regions = ["eu-west-1", "us-west-2", "sa-east-1"]
    records = [
        call(at, region, event_id=f"0c0e1f3a-0000-4222-8333-{at:012}")
        for at, region in enumerate(regions)
    ]
    dispatch = Dispatch([rule for rule in further_rules if rule.rule_id == name])
    chunk = Chunk(0, memoryview(bytearray(document(records))), lines=False)
    hits = digest("file", chunk, dispatch, SignatureCache()).partial.hits
    assert sorted(event.region for event in hits.values()) == sorted(regions)
    assert len(asked) == times


def test_view_has_the_paths_of_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    record = {
        "userIdentity": {"type": "Root", "sessionContext": {"sessionIssuer": {"arn": "one"}}},
        "eventTime": "2026-03-01T09:15:00Z",
        "eventSource": "s3.amazonaws.com",
        "eventName": "ListBuckets",
        "awsRegion": "eu-west-1",
        "eventID": "0c0e1f3a-1111-4222-8333-444455556661",
    }
    monkeypatch.delattr(RawRecords, "record")
    chunk = Chunk(0, memoryview(bytearray(json.dumps(record).encode())), lines=True)
    (event,) = digest("file", chunk, Dispatch(SIGMA_RULES), SignatureCache()).partial.hits.values()
    # One has the type and one that it exists; the same of the issuer and of its session.
    assert len(event.matches) == 5


def test_views_of_hits_are_bounded_with_their_heads(monkeypatch: pytest.MonkeyPatch) -> None:
    path = max(SAMPLES.rglob("*.json*"), key=lambda path: path.stat().st_size)
    with open(path, "rb") as file:
        [chunk] = read_chunks(file)
    free, bounded = SignatureCache(), SignatureCache()
    expected = digest("file", chunk, Dispatch(RULES), free)
    monkeypatch.setattr(known_heads, "_KEPT_LIMIT", 1)
    found = digest("file", chunk, Dispatch(RULES), bounded)
    assert found.partial.hits and found.partial == expected.partial
    assert bounded.heads.generation > free.heads.generation


def test_view_gives_the_hits_of_whole_samples() -> None:
    path = max(SAMPLES.rglob("*.json*"), key=lambda path: path.stat().st_size)
    with open(path, "rb") as file:
        for chunk in read_chunks(file):
            viewed, whole = _both(chunk, [rule for rule in RULES if rule.alerts])
            assert _content(viewed) == _content(whole)


def test_view_refuses_what_it_does_not_have() -> None:
    view = object.__new__(RecordView)
    with pytest.raises(NotInView):
        _ = view.request_parameters


TIMES = [
    (
        'where event.action == "x" | stats c = count(*), t = values(@timestamp) by cloud.region',
        (0,),
    ),
    ("where @timestamp > now() | stats c = count(*) by cloud.region", None),
    ("eval t = @timestamp | where t is not null | stats c = count(*) by cloud.region", None),
    ("eval d = date_trunc(1 day, @timestamp) | stats c = values(d) by cloud.region", None),
    ("rename @timestamp as t | stats c = values(t) by cloud.region", (0,)),
    ("eval @timestamp = now() | stats c = values(@timestamp) by cloud.region", None),
    ('stats c = count(*) by d = date_format("HH", @timestamp)', None),
    ("keep @timestamp, event.action", (0,)),
]


@pytest.mark.parametrize(("commands", "times"), TIMES)
def test_inputs_that_are_the_time(commands: str, times: tuple[int, ...] | None) -> None:
    query = plan(f"from logs-aws.cloudtrail-* | {commands}", field_table())
    assert query.time_inputs == times


def test_rules_are_not_taken_for_others_that_are_gone(tmp_path: Path) -> None:
    """What is remembered of rules by their objects lasts as long as these."""
    write_rule(tmp_path, 'from logs-* | where event.action == "DescribeInstances" | keep source.ip')
    (rule,) = load([tmp_path], builtin=False)
    record = call(event_id="0c0e1f3a-0000-4222-8333-000000000000")
    chunk = Chunk(0, memoryview(bytearray(document([record]))), lines=False)
    cache = SignatureCache()
    for number in range(150):
        name = f"rule-{number}"
        dispatch = Dispatch([msgspec.structs.replace(rule, rule_id=name)])
        (event,) = digest("file", chunk, dispatch, cache).partial.hits.values()
        assert [series.rule_id for series, _ in event.matches] == [name]


def test_a_chunk_without_hits_is_not_held(further_rules: list[Rule]) -> None:
    """A rule has to look at the record, and does not want it."""
    rules = [rule for rule in further_rules if rule.rule_id == "request"]
    for request, held in (("r", [("file", 0)]), ("other", [])):
        data = document([call(0, eventName="ListUsers", requestID=request)])
        for partial in _both(Chunk(0, memoryview(bytearray(data)), lines=False), rules):
            assert partial.hits.chunks == held


@given(st.lists(RECORDS, min_size=1, max_size=4))
def test_inputs_that_are_fields_are_read_of_the_record_by_itself(
    records: list[dict[str, Any]],
) -> None:
    """As they are read of its row, where a query has more."""
    shown = plan("from logs-*", field_table())
    assert len(shown.shared_inputs.fields) == len(shown.inputs)
    more = plan('from logs-* | eval x = concat(user.name, "")', field_table())
    assert not more.shared_inputs.fields
    for record in records:
        whole = decode(json.dumps(record).encode())
        ((_, inputs),) = shown.shared_rows(whole)
        ((_, by_row),) = more.shared_rows(whole)
        assert inputs == by_row[: len(inputs)]
