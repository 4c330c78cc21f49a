"""An SQS queue that tells of new objects: ``sqs://QUEUE``, a queue's name or its address.

A message is deleted only when all objects that it names are in the state; otherwise it comes again.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import unquote_plus

from detector.sources.s3_objects import object_file
from detector.sources.source import NoSource, SourceFile

_AT_ONCE = 1000
"""Messages taken in one sweep."""


class SqsQueue:
    """Messages of S3, straight, by SNS or by EventBridge. Raises NoSource."""

    def __init__(self, url: str) -> None:
        try:
            import boto3
            from botocore.exceptions import BotoCoreError, ClientError
        except ImportError:
            raise NoSource(f"{url}: pip install 'trailhound[aws]' to read queues") from None
        self._errors = (BotoCoreError, ClientError)
        self._name = url
        self._open: dict[str, set[str]] = {}
        """Receipt of each message -> what is left to commit of it."""
        self._problems: list[str] = []
        name = url.removeprefix("sqs://").rstrip("/")
        try:
            self._client = boto3.client("sqs")
            self._queue = (
                f"https://{name}"
                if "/" in name
                else self._client.get_queue_url(QueueName=name)["QueueUrl"]
            )
        except self._errors as error:
            raise NoSource(
                f"{url}: {_words(error)}: check the name, AWS_REGION and AWS_PROFILE"
            ) from None

    def sweep(self) -> Iterator[SourceFile]:
        for _ in range(_AT_ONCE // 10):
            try:
                reply = self._client.receive_message(
                    QueueUrl=self._queue, MaxNumberOfMessages=10, WaitTimeSeconds=0
                )
            except self._errors as error:
                self._problems.append(f"{self._name}: {_words(error)}: it is tried again")
                return
            messages = reply.get("Messages", [])
            for message in messages:
                objects = parse_message(message["Body"])
                if objects is None:
                    self._problems.append(
                        f"{self._name}: message {message['MessageId']} tells of no S3 object: "
                        "it is left in the queue"
                    )
                    continue
                self._open[message["ReceiptHandle"]] = {each.path for each in objects}
                yield from objects
            if not messages:
                break
        self._delete_done()

    def in_scope(self, path: str) -> bool:  # noqa: ARG002 - a queue only tells what is new
        return False

    def committed(self, paths: Sequence[str]) -> None:
        for left in self._open.values():
            left.difference_update(paths)
        self._delete_done()

    def wait(self, stop: threading.Event, seconds: float) -> None:
        stop.wait(seconds)

    def problems(self) -> list[str]:
        problems, self._problems = self._problems, []
        return problems

    def ended(self) -> bool:
        return False

    def close(self) -> None:
        self._client.close()

    def _delete_done(self) -> None:
        for receipt in [receipt for receipt, left in self._open.items() if not left]:
            del self._open[receipt]
            try:
                self._client.delete_message(QueueUrl=self._queue, ReceiptHandle=receipt)
            except self._errors as error:  # it comes again, and is found to be read already
                self._problems.append(f"{self._name}: {_words(error)}: the message comes again")


def parse_message(body: str) -> list[SourceFile] | None:
    """The objects that a message tells of, none for S3's test message; None where it is another
    message."""
    try:
        message = json.loads(body)
        if isinstance(message.get("Message"), str):
            message = json.loads(message["Message"])
        if message.get("Event") == "s3:TestEvent":
            return []
        if "detail" in message:
            detail = message["detail"]
            return [_found(detail["bucket"]["name"], detail["object"], detail["object"]["key"])]
        return [
            _found(
                each["s3"]["bucket"]["name"],
                each["s3"]["object"],
                unquote_plus(each["s3"]["object"]["key"]),
            )
            for each in message["Records"]
            if not str(each.get("eventName", "")).startswith("ObjectRemoved")
        ]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _found(bucket: str, object_: dict[str, Any], key: str) -> SourceFile:
    return object_file(
        bucket, key, int(object_.get("size", 0)), object_.get("eTag") or object_.get("etag")
    )


def _words(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
