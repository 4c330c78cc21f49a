"""A record is known under any spelling, or rejected by the name of what it lacks."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.detector.formats import forms
from tests.detector.formats.sweeps import (
    RECORDS,
    Json,
    expected,
    flat,
    lines,
    positional,
    read,
    renamed,
    snake,
    struct_text,
    typed,
    users,
)
from tests.detector.trail import scan


def with_caller(
    rewrite: Callable[[Any], Any], name: str = "userIdentity"
) -> Callable[[Json], Json]:
    def change(record: Json) -> Json:
        others = {key: value for key, value in record.items() if key != "userIdentity"}
        return {**others, name: rewrite(record["userIdentity"])}

    return change


SPELLINGS: dict[str, Callable[[Json], Any]] = {
    "dotted": flat,
    "joined by underscores": lambda record: flat(record, "_"),
    "joined by two underscores": lambda record: flat(record, "__"),
    "joined by slashes": lambda record: flat(record, "/"),
    "lower case": lambda record: renamed(record, str.lower),
    "upper case": lambda record: renamed(record, str.upper),
    "snake case": lambda record: renamed(record, snake),
    "flat snake case": lambda record: flat(renamed(record, snake), "_"),
    "flat lower case": lambda record: renamed(flat(record, "."), str.lower),
    "capital letters first": lambda record: renamed(
        record, lambda name: name[:1].upper() + name[1:]
    ),
    "kebab case": lambda record: renamed(record, lambda name: snake(name).replace("_", "-")),
    "a prefix": lambda record: {f"detail.{name}": value for name, value in flat(record).items()},
    "a prefix of two parts": lambda record: {
        f"data_aws_{name}": value for name, value in flat(record, "_").items()
    },
    "caller as JSON text": with_caller(json.dumps),
    "caller as JSON text in lower case": lambda record: {
        name.lower(): json.dumps(renamed(value, str.lower)) if isinstance(value, dict) else value
        for name, value in record.items()
    },
    "caller as JSON text of JSON text": with_caller(lambda caller: json.dumps([caller])),
    "caller as struct text": with_caller(struct_text, "useridentity"),
    "caller as struct text without blanks": with_caller(
        lambda caller: struct_text(caller).replace(", ", ",")
    ),
    "caller as struct text without names": with_caller(positional),
    "caller as a Python literal": with_caller(str),
    "caller as an array": with_caller(lambda caller: [caller]),
    "caller as an array of texts": with_caller(lambda caller: [json.dumps(caller)]),
    "caller as pairs": with_caller(lambda caller: [[name, caller[name]] for name in caller]),
    "caller as entries of a map": with_caller(
        lambda caller: [{"key": name, "value": value} for name, value in caller.items()]
    ),
    "caller as parts": with_caller(lambda caller: [{name: caller[name]} for name in caller]),
    "caller as a map of texts": with_caller(
        lambda caller: {
            name: json.dumps(value) if isinstance(value, dict) else value
            for name, value in caller.items()
        }
    ),
    "caller whose values are lists": with_caller(
        lambda caller: {
            name: value if isinstance(value, dict) else [value] for name, value in caller.items()
        }
    ),
    "caller under another name": with_caller(dict, "caller"),
    "caller under another name, as text": with_caller(json.dumps, "user_identity_json"),
    "ARN under another name": lambda record: {
        **{name: value for name, value in record.items() if name != "userIdentity"},
        "principal_arn": record["userIdentity"]["arn"],
    },
    "caller in a member of its own": with_caller(lambda caller: {"value": caller}),
    "all typed": lambda record: {name: typed(value) for name, value in record.items()},
    "all lists": lambda record: {
        name: value if isinstance(value, dict) else [value] for name, value in record.items()
    },
    "region as a list": lambda record: {**record, "awsRegion": [record["awsRegion"]]},
    "region as an object": lambda record: {**record, "awsRegion": {"name": record["awsRegion"]}},
    "region under another name": lambda record: {
        **{name: value for name, value in record.items() if name != "awsRegion"},
        "cloud_region": record["awsRegion"],
    },
    "source under another name": lambda record: {
        **{name: value for name, value in record.items() if name != "eventSource"},
        "service_name": record["eventSource"],
    },
    "name under another name": lambda record: {
        **{name: value for name, value in record.items() if name != "eventName"},
        "api_call": record["eventName"],
    },
    "letters of types behind names": lambda record: {
        f"{name}_s": value for name, value in flat(record, "_").items()
    },
    "inner names in brackets": lambda record: {
        name.replace(".", "[", 1) + "]" * ("." in name): value
        for name, value in flat(record).items()
    },
    "paths": lambda record: {f"$.{name}": value for name, value in flat(record).items()},
    "arrows": lambda record: flat(record, "->"),
    "capital letters between": lambda record: {
        "".join(part[:1].upper() + part[1:] for part in name.split(".")): value
        for name, value in flat(record).items()
    },
    "caller as a text in a text": with_caller(lambda caller: json.dumps(json.dumps(caller))),
    "caller as base64": with_caller(
        lambda caller: base64.b64encode(json.dumps(caller).encode()).decode()
    ),
    "caller as hexadecimal digits": with_caller(lambda caller: json.dumps(caller).encode().hex()),
    "blanks around values": lambda record: {
        name: f" {value} " if name in ("awsRegion", "eventName", "eventSource") else value
        for name, value in flat(record).items()
    },
    "quotes around values": lambda record: {
        name: json.dumps(value) if name in ("awsRegion", "eventName", "eventTime") else value
        for name, value in flat(record).items()
    },
    "lists as text": lambda record: {
        name: json.dumps([value]) if name in ("awsRegion", "eventName") else value
        for name, value in flat(record).items()
    },
    "Sentinel's names": lambda record: {
        "TimeGenerated": record["eventTime"],
        "EventSource": record["eventSource"],
        "EventName": record["eventName"],
        "AWSRegion": record["awsRegion"],
        "AwsEventId": record["eventID"],
        "UserIdentityType": record["userIdentity"]["type"],
        "UserIdentityArn": record["userIdentity"]["arn"],
    },
    "event in an object": lambda record: {
        "event": {"name": record["eventName"], "source": record["eventSource"]}
        | {"id": record["eventID"], "time": record["eventTime"]},
        "aws": {"region": record["awsRegion"]},
        "user": {"identity": record["userIdentity"]},
    },
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_record_is_read_under_any_spelling(spelling: str) -> None:
    for records in (RECORDS, users()):
        changed = [SPELLINGS[spelling](record) for record in records]
        assert read(lines(changed)) == expected(records)
        assert read(json.dumps(changed).encode()) == expected(records)
        assert read(json.dumps({"Records": changed}, indent=1).encode()) == expected(records)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_calls_of_twelve_users_are_no_sweep(spelling: str, tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(lines([SPELLINGS[spelling](each) for each in users()]))
    run = scan(tmp_path)
    assert (run.alerts, run.accounting.records_read) == ([], 12)


def test_flat_record_keeps_what_its_rules_read(tmp_path: Path) -> None:
    record = {
        **RECORDS[3],
        "requestParameters": {"a": {"b": [1]}},
        "tlsDetails": {"tlsVersion": "x"},
    }
    deep = flat(record) | {"requestParameters.a.b": [1], "resources": [{"arn": "r"}]}
    del deep["requestParameters"]
    (tmp_path / "log").write_bytes(lines([deep]))
    from detector.formats import parse_records, read_chunks

    with (tmp_path / "log").open("rb") as file:
        records = parse_records(next(read_chunks(file)))
        found = records.record(0)
    assert json.loads(bytes(found.request_parameters)) == record["requestParameters"]
    assert json.loads(bytes(found.tls_details)) == record["tlsDetails"]
    assert json.loads(bytes(found.resources)) == [{"ARN": "r"}]
    assert found.role_arn == forms.ROLE
    assert (found.error_code, found.read_only) == ("Client.UnauthorizedOperation", True)
    context = found.caller.session_context
    assert context and context.attributes and context.attributes.mfa_authenticated == "false"


def without(record: Json, *names: str) -> Json:
    return {name: value for name, value in record.items() if name not in names}


LACKING: dict[str, tuple[Callable[[Json], Any], str]] = {
    "caller as other text": (with_caller(lambda _: "pat"), "no-caller-found"),
    "caller as a number": (with_caller(lambda _: 7), "no-caller-found"),
    "caller as several": (with_caller(lambda caller: [caller, {"arn": "x"}]), "no-caller-found"),
    "caller cut short": (with_caller(lambda c: struct_text(c)[:40]), "no-caller-found"),
    "caller of unknown names": (with_caller(lambda _: {"who": "pat"}), "no-caller-found"),
    "ARN left out of flat names": (
        lambda record: without(flat(record), "userIdentity.arn"),
        "no-caller-found",
    ),
    "ARN left out of lower-case names": (
        lambda record: renamed(
            {**record, "userIdentity": without(record["userIdentity"], "arn")}, str.lower
        ),
        "no-caller-found",
    ),
    "no caller among other names": (
        lambda record: renamed(without(record, "userIdentity"), str.lower),
        "no-caller-found",
    ),
    "a user's name alone": (
        lambda record: {**without(record, "userIdentity"), "user": "pat"},
        "no-caller-found",
    ),
    "an access key alone": (
        lambda record: {**without(record, "userIdentity"), "access_key": "AKIAEXAMPLE"},
        "no-caller-found",
    ),
    "two callers": (
        lambda record: {
            **without(record, "userIdentity"),
            "caller": {"arn": "arn:aws:iam::111122223333:user/a"},
            "actor": {"arn": "arn:aws:iam::111122223333:user/b"},
        },
        "no-caller-found",
    ),
    "several regions": (
        lambda record: {**record, "awsRegion": ["us-east-1", "us-east-2"]},
        "no-region-found",
    ),
    "region in words": (
        lambda record: {**without(record, "awsRegion"), "region": "Ohio"},
        "no-region-found",
    ),
    "no region among other names": (
        lambda record: renamed(without(record, "awsRegion"), str.lower),
        "no-region-found",
    ),
    "several names": (lambda record: {**record, "eventName": ["A", "B"]}, "no-name-found"),
    "no name among other names": (
        lambda record: renamed(without(record, "eventName"), str.lower),
        "no-name-found",
    ),
    "a source that is an object": (
        lambda record: {**record, "eventSource": {"a": 1, "b": 2}},
        "no-source-found",
    ),
    "no source among other names": (
        lambda record: renamed(without(record, "eventSource"), str.lower),
        "no-source-found",
    ),
    "time left out": (lambda record: without(flat(record), "eventTime"), "no-event-time"),
}


@pytest.mark.parametrize("lack", LACKING)
def test_record_is_rejected_by_name_of_what_it_lacks(lack: str, tmp_path: Path) -> None:
    change, reason = LACKING[lack]
    (tmp_path / "log").write_bytes(lines([*map(change, RECORDS), *users()]))
    run = scan(tmp_path)
    assert run.accounting.records_rejected == {reason: 12}
    assert (run.alerts, run.accounting.records_read) == ([], 12)


NOBODY: list[Json] = [
    without(RECORDS[0], "userIdentity"),
    {**RECORDS[0], "userIdentity": None},
    {**RECORDS[0], "userIdentity": {}},
    {
        **RECORDS[0],
        "userIdentity": {"type": "AWSService", "invokedBy": "autoscaling.amazonaws.com"},
    },
    {
        **RECORDS[0],
        "userIdentity": {"type": "WebIdentityUser", "principalId": "p", "userName": "u"},
    },
    {**RECORDS[0], "userIdentity": {"type": "AWSAccount", "accountId": "1", "principalId": "p"}},
    {
        **RECORDS[0],
        "userIdentity": {"type": "IAMUser", "userName": "HIDDEN_DUE_TO_SECURITY_REASONS"},
    },
    {**without(RECORDS[0], "userIdentity"), "sharedEventID": "x", "userAgent": "y"},
    without(RECORDS[0], "userIdentity", "awsRegion"),
    flat({**RECORDS[0], "userIdentity": {"type": "AWSService", "invokedBy": "x"}}),
    flat({**RECORDS[0], "userIdentity": {"type": "AWSAccount", "accountId": "1"}}),
    renamed({**RECORDS[0], "userIdentity": None}, str.lower),
]


@pytest.mark.parametrize("record", NOBODY)
def test_record_of_which_cloudtrail_named_nobody_is_kept(record: Json) -> None:
    (event,), reasons = read(lines([record]))
    assert (event[0], event[1], reasons) == (RECORDS[0]["eventID"], None, {})


FORGED = json.dumps({**RECORDS[1], "userIdentity": {"arn": "arn:aws:iam::999999999999:user/x"}})
WHERE = [
    "userAgent",
    "errorMessage",
    "requestParameters.policy",
    "responseElements.text",
    "userIdentity.userName",
    "additionalEventData",
    "serviceEventDetails.state",
]


@pytest.mark.parametrize("form", ["own names", "dotted", "lower case"])
@pytest.mark.parametrize("where", WHERE)
def test_record_inside_a_field_is_not_taken_for_one(where: str, form: str) -> None:
    """What a principal writes may look like a record: it stays a value."""
    name, _, inner = where.partition(".")
    record = dict(RECORDS[0])
    record[name] = {**(record.get(name) or {}), inner: FORGED} if inner else FORGED
    if form != "own names":
        record = flat(record) if form == "dotted" else renamed(record, str.lower)
    assert read(lines([record])) == expected(RECORDS[:1])


@given(
    st.sampled_from([".", "_", "__", "-", "/", ":", " "]),
    st.sampled_from([str, str.lower, str.upper, snake, str.title]),
    st.sampled_from(["", "x.", "detail_", "Records: "]),
    st.sampled_from([RECORDS, users()]),
)
def test_joint_case_and_prefix_do_not_matter(
    joint: str, case: Callable[[str], str], prefix: str, records: list[Json]
) -> None:
    changed = [
        {prefix + case(name): value for name, value in flat(record, joint).items()}
        for record in records
    ]
    assert read(lines(changed)) == expected(records)
