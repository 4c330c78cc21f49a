"""A sweep whose records are rewritten, and what must be read of it."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from detector.formats import parse_records, read_chunks
from detector.formats.records import Records
from tests.detector.formats.forms import sweep

Json = dict[str, Any]
RECORDS = sweep()


class Read(NamedTuple):
    """What was read: each event with its caller, region and time; and what was not."""

    events: list[tuple[str | None, ...]]
    reasons: dict[str, int]


def expected(records: Sequence[Json] = RECORDS) -> Read:
    return Read(
        [
            (
                record["eventID"],
                record["userIdentity"].get("arn"),
                record["awsRegion"],
                record["eventSource"],
                record["eventName"],
                record["eventTime"],
            )
            for record in records
        ],
        {},
    )


def read(data: bytes) -> Read:
    """Read a file; its events are in order."""
    events: list[tuple[str | None, ...]] = []
    reasons: Counter[str] = Counter()
    for chunk in read_chunks(io.BytesIO(data)):
        records = parse_records(chunk)
        reasons.update(records.rejected)
        reasons.update(records.skipped)
        events += _events(records)
    return Read(events, dict(reasons))


def _events(records: Records) -> list[tuple[str | None, ...]]:
    events = []
    for index in range(len(records)):
        record = records.record(index)
        time = records.times[index]
        events.append(
            (
                record.event_id,
                record.caller.arn,
                record.aws_region,
                record.event_source,
                record.event_name,
                None if time is None else _stamp(time),
            )
        )
    return events


def _stamp(seconds: int) -> str:
    from detector.text.time import format_time

    return format_time(seconds)


def users(records: Sequence[Json] = RECORDS) -> list[Json]:
    """The sweep by twelve users, one call each."""
    return [
        {
            **record,
            "userIdentity": {
                "type": "IAMUser",
                "principalId": f"AIDAUSER{number}",
                "arn": f"arn:aws:iam::111122223333:user/user{number}",
                "accountId": "111122223333",
                "accessKeyId": f"AKIAUSEREXAMPLE{number:02}",
                "userName": f"user{number}",
            },
        }
        for number, record in enumerate(records)
    ]


def flat(value: Json, joint: str = ".", within: str = "") -> Json:
    """An object with the names of its leaves joined; free structures stay whole."""
    leaves: Json = {}
    for name, inner in value.items():
        path = f"{within}{joint}{name}" if within else name
        if isinstance(inner, dict) and name not in ("requestParameters",):
            leaves |= flat(inner, joint, path)
        else:
            leaves[path] = inner
    return leaves


def snake(name: str) -> str:
    return (
        "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
        .replace("_i_d", "_id")
        .replace("_i_p_", "_ip_")
    )


def renamed(value: Any, rename: Callable[[str], str]) -> Any:
    """A value with all names in it changed."""
    if isinstance(value, dict):
        return {rename(name): renamed(inner, rename) for name, inner in value.items()}
    if isinstance(value, list):
        return [renamed(inner, rename) for inner in value]
    return value


def struct_text(value: Any) -> str:
    """An object as Athena and Presto write a struct."""
    if isinstance(value, dict):
        inner = ", ".join(f"{name.lower()}={struct_text(part)}" for name, part in value.items())
        return f"{{{inner}}}"
    return "null" if value is None else str(value)


def positional(value: Any) -> str:
    """An object as Spark writes a struct: without names."""
    if isinstance(value, dict):
        return "{" + ", ".join(map(positional, value.values())) + "}"
    return str(value)


def typed(value: Any) -> Any:
    """A value as DynamoDB writes it in JSON."""
    if isinstance(value, dict):
        return {"M": {name: typed(inner) for name, inner in value.items()}}
    if isinstance(value, bool):
        return {"BOOL": value}
    return {"NULL": True} if value is None else {"S": value}


def lines(values: Sequence[Any]) -> bytes:
    return "".join(json.dumps(value) + "\n" for value in values).encode()
