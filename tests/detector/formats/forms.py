"""One sweep, written in every form and container in which CloudTrail arrives."""

from __future__ import annotations

import base64
import bz2
import csv
import gzip
import io
import json
import lzma
import sys
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from typing import Any

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

Json = dict[str, Any]
ROLE = "arn:aws:iam::111122223333:role/auditor"
ARN = "arn:aws:sts::111122223333:assumed-role/auditor/session"
REGIONS = (
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
    "eu-west-1",
    "eu-west-2",
    "eu-central-1",
    "sa-east-1",
    "ap-south-1",
    "ap-northeast-1",
    "ap-southeast-1",
    "ca-central-1",
)


def sweep(minute: int = 30) -> list[Json]:
    """Return DescribeInstances in twelve regions within twelve seconds."""
    return [
        {
            "eventVersion": "1.11",
            "userIdentity": {
                "type": "AssumedRole",
                "principalId": "AROAEXAMPLE:session",
                "arn": ARN,
                "accountId": "111122223333",
                "accessKeyId": "ASIAEXAMPLE",
                "sessionContext": {
                    "sessionIssuer": {
                        "type": "Role",
                        "principalId": "AROAEXAMPLE",
                        "arn": ROLE,
                        "accountId": "111122223333",
                        "userName": "auditor",
                    },
                    "attributes": {
                        "creationDate": "2026-03-01T11:00:00Z",
                        "mfaAuthenticated": "false",
                    },
                },
            },
            "eventTime": f"2026-03-01T11:{minute:02}:{index:02}Z",
            "eventSource": "ec2.amazonaws.com",
            "eventName": "DescribeInstances",
            "awsRegion": region,
            "sourceIPAddress": "203.0.113.7",
            "userAgent": 'aws-cli/2.15 "quoted" \u00e9',
            "requestParameters": {"instancesSet": {}, "filterSet": {}},
            "responseElements": None,
            "requestID": f"request-{index}",
            "eventID": f"00000000-0000-4000-8000-{minute:06}{index:06}",
            "readOnly": True,
            "eventType": "AwsApiCall",
            "managementEvent": True,
            "recipientAccountId": "111122223333",
            "eventCategory": "Management",
            **(
                {
                    "errorCode": "Client.UnauthorizedOperation",
                    "errorMessage": "You are not authorized.",
                }
                if index == 3
                else {}
            ),
        }
        for index, region in enumerate(REGIONS)
    ]


def text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def lines(values: Sequence[Any]) -> bytes:
    return "".join(text(value) + "\n" for value in values).encode()


def document(records: Sequence[Json]) -> bytes:
    return text({"Records": records}).encode()


def forms(records: Sequence[Json]) -> dict[str, bytes]:
    """Return a sample of every format, by its name in docs/formats.md."""
    message = {
        "messageType": "DATA_MESSAGE",
        "owner": "111122223333",
        "logGroup": "trail",
        "logStream": "s",
        "subscriptionFilters": ["f"],
        "logEvents": [
            {"id": str(index), "timestamp": 0, "message": text(record)}
            for index, record in enumerate(records)
        ],
    }
    control = {
        "messageType": "CONTROL_MESSAGE",
        "owner": "CloudwatchLogs",
        "logGroup": "",
        "logStream": "",
        "logEvents": [
            {"id": "", "timestamp": 0, "message": "CWL CONTROL MESSAGE: Checking health."}
        ],
    }
    bridge = [
        {
            "version": "0",
            "id": str(index),
            "detail-type": "AWS API Call via CloudTrail",
            "source": "aws.ec2",
            "region": record["awsRegion"],
            "detail": record,
        }
        for index, record in enumerate(records)
    ]
    notification = [
        {"Type": "Notification", "MessageId": "m", "TopicArn": "t", "Message": text(each)}
        for each in bridge
    ]
    sqs = {
        "Messages": [
            {"MessageId": "m", "ReceiptHandle": "h", "Body": text(each)} for each in notification
        ]
    }
    hits = [
        {"_index": "i", "_id": str(index), "_source": ecs(record, original=index % 2 == 0)}
        for index, record in enumerate(records)
    ]
    return {
        "trail file": document(records),
        "trail file, pretty": json.dumps({"Records": records}, indent=2).encode(),
        "trail file, BOM": b"\xef\xbb\xbf" + document(records),
        "trail file, UTF-16": document(records).decode().encode("utf-16"),
        "array": text(records).encode(),
        "JSON Lines": lines(records),
        "JSON Lines, CRLF": lines(records).replace(b"\n", b"\r\n"),
        "records one after the other": "".join(map(text, records)).encode(),
        "trail files one after the other": document(records[:5]) + document(records[5:]),
        "trail files as lines": document(records[:5]) + b"\n" + document(records[5:]) + b"\n",
        "lookup-events": json.dumps(
            {
                "Events": [
                    {
                        "EventId": record["eventID"],
                        "EventName": record["eventName"],
                        "EventTime": 1772364600.0,
                        "CloudTrailEvent": text(record),
                    }
                    for record in records
                ]
            },
            indent=4,
        ).encode(),
        "CloudWatch export": "".join(
            f"{record['eventTime'][:-1]}.000Z {text(record)}\n" for record in records
        ).encode(),
        "CloudWatch subscription": text(control).encode() + text(message).encode(),
        "CloudWatch to Lambda": text(
            {"awslogs": {"data": base64.b64encode(gzip.compress(text(message).encode())).decode()}}
        ).encode(),
        "CloudWatch filter-log-events": text(
            {
                "events": [
                    {"logStreamName": "s", "timestamp": 0, "message": text(record), "eventId": "1"}
                    for record in records
                ],
                "searchedLogStreams": [],
            }
        ).encode(),
        "CloudWatch Insights": text(
            {
                "results": [
                    [
                        {"field": "@timestamp", "value": "x"},
                        {"field": "@message", "value": text(record)},
                    ]
                    for record in records
                ],
                "statistics": {},
            }
        ).encode(),
        "EventBridge": lines(bridge),
        "EventBridge, no newlines": "".join(map(text, bridge)).encode(),
        "SNS": lines(notification),
        "SQS": text(sqs).encode(),
        "Lambda: SQS": text(
            {
                "Records": [
                    {"messageId": "m", "body": text(each), "eventSource": "aws:sqs"}
                    for each in notification
                ]
            }
        ).encode(),
        "Lambda: SNS": text(
            {"Records": [{"EventSource": "aws:sns", "Sns": each} for each in notification]}
        ).encode(),
        "Lambda: Kinesis": text(
            {
                "Records": [
                    {
                        "kinesis": {
                            "data": base64.b64encode(gzip.compress(text(message).encode())).decode()
                        },
                        "eventSource": "aws:kinesis",
                    }
                ]
            }
        ).encode(),
        "elasticdump": lines(hits),
        "bulk": lines(
            [each for hit in hits for each in ({"index": {"_index": "i"}}, hit["_source"])]
        ),
        "search reply": json.dumps(
            {"took": 1, "hits": {"total": 12, "hits": hits}}, indent=1
        ).encode(),
        "search reply, fields": text(
            {
                "hits": {
                    "hits": [
                        {
                            "_index": "i",
                            "fields": {name: [value] for name, value in flat(ecs(record)).items()},
                        }
                        for record in records
                    ]
                }
            }
        ).encode(),
        "ECS": lines([ecs(record) for record in records]),
        "ECS, dotted": lines([flat(ecs(record)) for record in records]),
        "ECS, original": lines([ecs(record, original=True) for record in records]),
        "ECS, original only": lines(
            [{"@timestamp": "x", "event.original": text(record)} for record in records]
        ),
        "Filebeat": lines(
            [
                {
                    "@timestamp": "2026-01-01T00:00:00Z",
                    "@metadata": {"beat": "filebeat"},
                    "message": text(record),
                    "event": {"dataset": "x"},
                }
                for record in records
            ]
        ),
        "Vector": lines(
            [
                {
                    "bucket": "b",
                    "object": "o",
                    "source_type": "aws_s3",
                    "message": document(records).decode(),
                }
            ]
        ),
        "Fluent Bit": lines([{"date": 1.7e9, "log": text(record)} for record in records]),
        "Splunk": lines(
            [
                {"preview": False, "result": {"_raw": text(record), "sourcetype": "aws:cloudtrail"}}
                for record in records
            ]
        ),
        "Splunk HTTP event": lines(
            [{"time": 1.7e9, "sourcetype": "aws:cloudtrail", "event": record} for record in records]
        ),
        "Lake, eventJson": lines(
            [{"eventID": record["eventID"], "eventJson": text(record)} for record in records]
        ),
        "Lake, eventJson among others": lines(
            [
                {
                    "eventTime": "2026-03-01 11:30:00.000",
                    "eventName": "DescribeInstances",
                    "eventSource": "ec2.amazonaws.com",
                    "eventJson": text(record),
                }
                for record in records
            ]
        ),
        "Lake, eventJson and time": lines(
            [
                {"eventTime": "2026-03-01 11:30:00.000", "eventJson": text(record)}
                for record in records
            ]
        ),
        "Lake, eventjson": lines([{"eventjson": text(record)} for record in records]),
        "Athena": lines([athena(record) for record in records]),
        "OCSF": lines([ocsf(record) for record in records]),
        "Lake CSV": lake_csv(records),
        "a string of everything": text(text(text({"Records": records}))).encode(),
    }


ASIDE: dict[str, list[Any]] = {
    "digest": [
        {"awsAccountId": "111122223333", "digestStartTime": "2026-03-01T11:00:00Z", "logFiles": []}
    ],
    "lake-sign": [
        {
            "version": "1",
            "region": "us-east-1",
            "files": [{"fileHashValue": "x"}],
            "hashSignature": "y",
        },
        {"version": "1", "region": "us-east-1", "files": [{"fileHashValue": "x"}]},
    ],
    "s3-notification": [
        {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b"},
        {
            "Records": [
                {
                    "eventVersion": "2.1",
                    "eventSource": "aws:s3",
                    "eventTime": "2026-03-01T11:00:00Z",
                    "eventName": "ObjectCreated:Put",
                    "s3": {},
                }
            ]
        },
        {"version": "0", "detail-type": "Object Created", "detail": {}},
    ],
    "delivery-notification": [{"s3Bucket": "b", "s3ObjectKey": ["k"]}],
    "other-event": [
        {"version": "0", "detail-type": "EC2 Instance State-change Notification", "detail": {}}
    ],
    "control-message": [
        {"messageType": "CONTROL_MESSAGE", "logEvents": []},
        {"messageType": "CONTROL_MESSAGE"},
        {"Type": "SubscriptionConfirmation", "Message": "confirm", "SubscribeURL": "u"},
    ],
    "aggregated": [
        [{"eventCategory": "Aggregated", "eventType": "AwsAggregatedEvent", "timeWindow": {}}],
        {"Records": [{**sweep()[0], "eventCategory": "Aggregated"}]},
    ],
    "insight": [{"Records": [{**sweep()[0], "eventCategory": "Insight"}]}],
    "network-activity": [{"Records": [{**sweep()[0], "eventCategory": "NetworkActivity"}]}],
}
"""What is skipped, by its reason: each value is one thing."""


def zipped(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


def tarred(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return file.getvalue()


def gzip_members(data: bytes) -> bytes:
    """Return ``data`` in two members of gzip."""
    half = len(data) // 2
    return gzip.compress(data[:half]) + gzip.compress(data[half:])


CONTAINERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "gzip, members": gzip_members,
    "gzip, doubled": lambda data: gzip.compress(gzip.compress(data)),
    "zstd": zstd.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zip": lambda data: zipped({"a/readme.txt": b"nothing", "a/log.json": data}),
    "zip of gzip": lambda data: zipped({"log.json.gz": gzip.compress(data)}),
    "tar": lambda data: tarred({"readme.txt": b"nothing", "log.json": data}),
    "tar.gz of gzip": lambda data: gzip.compress(tarred({"log.json.gz": gzip.compress(data)})),
    "tar.zst of zip": lambda data: zstd.compress(tarred({"log.zip": zipped({"log": data})})),
}


def athena(record: Json) -> Json:
    """Return a row of AWS's table as UNLOAD writes it.

    Keys are in lower case, free structures are text.
    """

    def lower(value: Any) -> Any:
        return (
            {name.lower(): lower(inner) for name, inner in value.items()}
            if isinstance(value, dict)
            else value
        )

    row = {
        **record,
        "requestParameters": text(record["requestParameters"]),
        "responseElements": "null",
        "readOnly": "true",
    }
    return dict(lower(row))


def ecs(record: Json, original: bool = False) -> Json:
    """Return a record as Elastic's integration writes it."""
    who = record["userIdentity"]
    issuer = who["sessionContext"]["sessionIssuer"]
    trail = {
        "event_version": record["eventVersion"],
        "event_type": "AwsApiCall",
        "event_category": "Management",
        "request_id": record["requestID"],
        "recipient_account_id": record["recipientAccountId"],
        "read_only": True,
        "management_event": True,
        "user_identity": {
            "type": who["type"],
            "arn": who["arn"],
            "access_key_id": who["accessKeyId"],
            "session_context": {
                "mfa_authenticated": "false",
                "creation_date": "2026-03-01T11:00:00.000Z",
                "session_issuer": {
                    "type": "Role",
                    "arn": issuer["arn"],
                    "account_id": issuer["accountId"],
                    "principal_id": issuer["principalId"],
                },
            },
        },
    }
    if "errorCode" in record:
        trail |= {"error_code": record["errorCode"], "error_message": record["errorMessage"]}
    return {
        "@timestamp": record["eventTime"][:-1] + ".000Z",
        "event": {
            "action": record["eventName"],
            "provider": record["eventSource"],
            "id": record["eventID"],
            **({"original": text(record)} if original else {}),
        },
        "cloud": {"region": record["awsRegion"], "account": {"id": who["accountId"]}},
        "source": {"address": record["sourceIPAddress"], "ip": record["sourceIPAddress"]},
        "user": {"id": who["principalId"], "name": issuer["userName"]},
        "user_agent": {"original": record["userAgent"]},
        "aws": {"cloudtrail": trail},
    }


def flat(value: Json, prefix: str = "") -> Json:
    flattened: Json = {}
    for name, inner in value.items():
        flattened |= (
            flat(inner, f"{prefix}{name}.") if isinstance(inner, dict) else {prefix + name: inner}
        )
    return flattened


def ocsf(record: Json) -> Json:
    """Return a record as version 2 of Security Lake's source writes it."""
    who = record["userIdentity"]
    second = int(record["eventTime"][17:19])
    minute = int(record["eventTime"][14:16])
    return {
        "metadata": {
            "uid": record["eventID"],
            "event_code": "AwsApiCall",
            "product": {"name": "CloudTrail", "vendor_name": "AWS"},
        },
        "time": (1772362800 + 60 * minute + second) * 1000,
        "class_uid": 6003,
        "cloud": {
            "region": record["awsRegion"],
            "provider": "AWS",
            "account": {"uid": who["accountId"]},
        },
        "api": {
            "operation": record["eventName"],
            "service": {"name": record["eventSource"]},
            "request": {"uid": record["requestID"]},
            "response": {"error": record.get("errorCode"), "message": record.get("errorMessage")},
        },
        "actor": {
            "user": {
                "type": who["type"],
                "uid": who["arn"],
                "uid_alt": who["principalId"],
                "account": {"uid": who["accountId"]},
                "credential_uid": who["accessKeyId"],
            },
            "session": {"issuer": who["sessionContext"]["sessionIssuer"]["arn"], "is_mfa": False},
        },
        "src_endpoint": {"ip": record["sourceIPAddress"]},
        "http_request": {"user_agent": record["userAgent"]},
    }


def lake_csv(records: Sequence[Json], others: Sequence[str] = ("eventTime",)) -> bytes:
    """Return a CSV of CloudTrail Lake.

    ``others`` are the columns before the record's.
    """
    file = io.StringIO()
    rows = csv.writer(file, quoting=csv.QUOTE_ALL)
    rows.writerow([*others, "eventJson"])
    rows.writerows([*(record["eventTime"] for _ in others), text(record)] for record in records)
    return file.getvalue().encode()
