"""A generated organization of many sessions, each with its own usual calls.

The calls are those of the simulated organization, with their parameters, responses and programs.
They are spread over many sessions: a session is one run of a workload, with its own name, access
key and address, and is followed by another run after an hour. So a trail file has about as many
distinct calls as a real one: a quarter to a half of its records.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from random import Random
from typing import Any, NamedTuple

from detector.simulate import agents
from detector.simulate.noise import noise
from detector.simulate.organization import START, aws_id, number_of, resource_id, stamp
from detector.simulate.shapes import call, iam_user

Record = dict[str, Any]

PERIOD = 300
"""Seconds covered by one file of a trail."""
_HOUR = 12
"""Periods that a session lasts."""
_SESSIONS_PER_RECORD = 0.08
"""Sessions of an account in a region per record there in a period: 200 per 2,500-record file."""
_FEWEST_SESSIONS = 8
_CALLS = 8
"""Maximum kinds of calls that a session makes."""
_CLI_CALLS = 5
"""Fewer than a burst by the AWS CLI needs, so that no unplanned alert arises."""
_SKEW = 2
"""Few sessions make most of the calls, and few kinds of calls are most of a session's."""
_OTHERS = 0.15
"""Share of the sessions that belong to AWS services, other accounts and IAM users."""
_LISTERS = 0.3
"""Share of the sessions that list instances, among those whose workload does."""
_OWN = {"DescribeInstances", "ConsoleLogin", "AssumeRole", "AssumeRoleWithWebIdentity"}
"""Calls made only by the workloads whose usual calls they are."""
_SLOTS = ("eventTime", "requestID", "eventID")
_CUT = "\x1f"
"""Marks where a text is cut; JSON never contains it."""

_LISTINGS: Sequence[tuple[str, str, Record]] = (
    ("ec2", "DescribeVolumes", {"volumeSet": {}, "filterSet": {}}),
    ("ec2", "DescribeVpcs", {"vpcSet": {}, "filterSet": {}}),
    ("ec2", "DescribeSubnets", {"subnetSet": {}, "filterSet": {}}),
    ("ec2", "DescribeSecurityGroups", {"securityGroupSet": {}, "filterSet": {}}),
    ("ec2", "DescribeImages", {"ownersSet": {"items": [{"owner": "self"}]}, "imagesSet": {}}),
    ("s3", "ListBuckets", {"Host": "s3.amazonaws.com"}),
    ("s3", "GetBucketTagging", {"bucketName": "example-org-assets", "tagging": ""}),
    ("iam", "ListRoles", {"maxItems": 100}),
    ("iam", "ListAttachedRolePolicies", {"roleName": "app-server"}),
    ("lambda", "ListFunctions20150331", {"maxItems": 50}),
    ("rds", "DescribeDBInstances", {"maxRecords": 100}),
    ("ssm", "DescribeParameters", {"maxResults": 50}),
    ("logs", "DescribeLogGroups", {"limit": 50}),
    ("eks", "ListClusters", {"maxResults": 100}),
    ("secretsmanager", "ListSecrets", {"maxResults": 100}),
    ("cloudwatch", "DescribeAlarms", {"maxRecords": 100}),
)


class CommandLine(NamedTuple):
    """People on a command line, who make ``share`` of all records."""

    share: float = 0.02
    program: str = "aws-cli"
    """Listings by ``aws-cli`` are hits of a built-in rule, those by other programs are not."""


class Template(tuple[bytes, ...]):
    """A record in four parts, between which the time and ids are inserted."""

    def record(self, time: int, ids: bytes) -> bytes:
        """Return the record at ``time``; ``ids`` are 64 hexadecimal digits."""
        first, second, third, last = self
        return b"".join((first, _time(time), second, _uuid(ids[:32]), third, _uuid(ids[32:]), last))


@dataclass(frozen=True)
class _Workload:
    """The calls of one kind of session: records of one program."""

    calls: tuple[Record, ...]

    @property
    def identity(self) -> Record:
        return self.calls[0]["userIdentity"]  # type: ignore[no-any-return]

    @property
    def address(self) -> str:
        return str(self.calls[0]["sourceIPAddress"])

    @property
    def agent(self) -> str:
        return str(self.calls[0]["userAgent"])


class _Workloads(NamedTuple):
    callers: Sequence[_Workload]
    """Programs and people with their own addresses."""
    others: Sequence[_Workload]
    calls: Sequence[Record]
    """Calls that any caller may make in addition to its usual calls."""


USUAL = CommandLine()


def records(
    rng: Random, account: str, region: str, period: int, count: int, people: CommandLine
) -> Iterator[tuple[int, bytes]]:
    """Yield the times and records of an account in a region and period."""
    sessions = _FEWEST_SESSIONS + int(count * _SESSIONS_PER_RECORD)
    start = START + PERIOD * period
    for _ in range(count):
        index = int(rng.random() ** _SKEW * sessions)
        if rng.random() < people.share:
            calls = _command_line(account, region, index // 2, people.program)
        else:
            calls = _session(account, region, index, (period + index % _HOUR) // _HOUR)
        template = calls[int(rng.random() ** _SKEW * len(calls))]
        time = start + int(rng.random() * PERIOD)
        yield time, template.record(time, b"%064x" % rng.getrandbits(256))


@lru_cache(1 << 15)
def _session(account: str, region: str, index: int, hour: int) -> Sequence[Template]:
    """Return the calls of a session.

    Another run of the workload follows every hour. A session belongs to one region: otherwise a
    large trail would contain sweeps that were not planted.
    """
    name = f"{account}/{region}/{index}"
    rng = Random(name)
    workloads = _workloads()
    workload = rng.choice(workloads.others if rng.random() < _OTHERS else workloads.callers)
    usual = [it for it in workload.calls if not _lists_instances(it) or rng.random() < _LISTERS]
    calls = rng.sample(usual, min(len(usual), _CALLS))
    if workload in workloads.callers:
        room = _CALLS - len(calls)
        calls += rng.sample(workloads.calls, rng.randint(min(3, room), room))
    rng.shuffle(calls)
    if workload.identity["type"] == "IAMUser":
        hour = 0  # a long-term key stays the same
    issued = START + (hour * _HOUR - index % _HOUR) * PERIOD
    identity = _own_identity(workload.identity, account, f"{region}-{index}", issued)
    address = _own_address(workload.address, f"{name}/{hour}")
    agent = _own_program(workload.agent, rng)
    return [_template(it, identity, address, agent, account, region, name) for it in calls]


@lru_cache(1 << 15)
def _command_line(account: str, region: str, index: int, program: str) -> Sequence[Template]:
    """Return the listings that a person makes on a command line."""
    name = f"cli/{account}/{region}/{index}"
    rng = Random(name)
    agent = agents.LINUX_CLI.replace("aws-cli", program)
    who = iam_user(account, f"ops-{region}-{index}", _own_address("198.51.100.1", name), agent)
    return [
        _template(
            call(rng, who, START, source, action, region, parameters).record,
            who.identity,
            who.address,
            agent.replace("{command}", f"{source}.{action}"),
            account,
            region,
            name,
        )
        for source, action, parameters in rng.sample(_LISTINGS, _CLI_CALLS)
    ]


@cache
def _workloads() -> _Workloads:
    """Group the simulated records by caller and program."""
    groups: dict[tuple[str, str], dict[tuple[str, str], Record]] = {}
    for event in noise():
        who = event.record["userIdentity"]
        by = _generic(who.get("arn") or who.get("invokedBy") or who["type"])
        program = event.record["userAgent"].partition("md/command")[0]
        kind = (event.record["eventSource"], event.record["eventName"])
        groups.setdefault((by, program), {}).setdefault(kind, event.record)
    all_ = [
        _Workload(tuple(kinds.values()))
        for (_, program), kinds in groups.items()
        if not program.startswith("aws-cli")
    ]
    callers = [
        it for it in all_ if it.identity["type"] == "AssumedRole" and it.address[0].isdigit()
    ]
    return _Workloads(
        callers,
        [it for it in all_ if it not in callers],
        [call for it in callers for call in it.calls if call["eventName"] not in _OWN],
    )


def _generic(name: str) -> str:
    """Return an ARN without its account and session numbers."""
    return re.sub(r"[0-9a-f]{6,}|\d+", "", name)


def _own_identity(identity: Record, account: str, name: str, issued: int) -> Record:
    """Return ``identity`` with its own name, access key and session."""
    text = json.dumps(identity).replace(identity.get("accountId", account), account)
    own: Record = json.loads(text)
    arn, key, session = (own.get(field) for field in ("arn", "accessKeyId", "sessionContext"))
    if arn:
        before, _, last = arn.rpartition("/")
        named = name if own["type"] == "IAMUser" else f"{name}-{issued // PERIOD}"
        own["arn"] = f"{before}/{last}-{named}"
        if own["type"] == "IAMUser":
            own |= {"userName": f"{last}-{named}", "principalId": aws_id("AIDA", own["arn"])}
        else:
            own["principalId"] = f"{own['principalId'].partition(':')[0]}:{last}-{named}"
    if key:
        own["accessKeyId"] = aws_id(key[:4], f"{account}/{name}/{issued}")
    if session:
        session["attributes"]["creationDate"] = stamp(issued)
    return own


def _own_address(address: str, name: str) -> str:
    """Return an address of the same kind: host, person, or service."""
    if address.endswith(".amazonaws.com") or not address[0].isdigit():
        return address
    host = number_of(name, 1 << 16)
    if address.startswith("10."):
        return f"10.{number_of(name + '/net', 64)}.{host >> 8}.{host & 255}"
    return f"2001:db8:{number_of(name + '/net', 1 << 16):x}::{host:x}"


def _lists_instances(record: Record) -> bool:
    return bool(record["eventName"] == "DescribeInstances")


def _own_program(agent: str, rng: Random) -> str:
    """Return ``agent`` in one of several versions."""
    head, dot, rest = agent.rpartition(".")
    return head + dot + re.sub(r"^\d+", str(rng.randrange(10)), rest)


def _template(
    record: Record,
    identity: Record,
    address: str,
    agent: str,
    account: str,
    region: str,
    name: str,
) -> Template:
    """Make a template of a record, with its own caller and resources."""
    own = record | dict.fromkeys(_SLOTS, _CUT)
    own |= {"userIdentity": identity, "sourceIPAddress": address, "userAgent": agent}
    text = json.dumps(own, separators=(",", ":"))
    text = text.replace(record["recipientAccountId"], account).replace(record["awsRegion"], region)
    text = re.sub(
        r"\b(i|vol|vpce|eni)-0[0-9a-f]{16}", lambda old: resource_id(old[1], old[0] + name), text
    )
    return Template(part.encode() for part in text.split(json.dumps(_CUT)[1:-1]))


@lru_cache(1 << 12)
def _time(seconds: int) -> bytes:
    return stamp(seconds).encode()


def _uuid(digits: bytes) -> bytes:
    return b"-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
