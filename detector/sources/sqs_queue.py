"""An SQS queue of notifications of new objects.

A message is deleted only when all objects that it names are in the state; otherwise SQS delivers it
again.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import unquote_plus

from detector.sources.s3_objects import object_file
from detector.sources.source import NoSource, SourceFile

_SWEEP_MESSAGES = 1000
"""Messages received in one sweep."""


class SqsQueue:
    """A source of S3's messages, sent directly, by SNS or by EventBridge.

    The URL is ``sqs://QUEUE``, with the queue's name or address. Raises NoSource.
    """

    def __init__(self, url: str) -> None:
        try:
            import boto3
            from botocore.exceptions import BotoCoreError, ClientError
        except ImportError:
            raise NoSource(f"{url}: pip install 'trailhound[aws]' to read queues") from None
        self._errors = (BotoCoreError, ClientError)
        self._name = url
        self._uncommitted: dict[str, set[str]] = {}
        """The paths of each message that are not committed yet, by receipt."""
        self._problems: list[str] = []
        name = url.removeprefix("sqs://").rstrip("/")
        try:
            self._client = boto3.client("sqs")
            if "/" in name:
                self._queue = f"https://{name}"
            else:
                self._queue = self._client.get_queue_url(QueueName=name)["QueueUrl"]
        except self._errors as error:
            raise NoSource(
                f"{url}: {_describe(error)}: check the name, AWS_REGION and AWS_PROFILE"
            ) from None

    def sweep(self) -> Iterator[SourceFile]:
        for _ in range(_SWEEP_MESSAGES // 10):
            try:
                reply = self._client.receive_message(
                    QueueUrl=self._queue, MaxNumberOfMessages=10, WaitTimeSeconds=0
                )
            except self._errors as error:
                self._problems.append(f"{self._name}: {_describe(error)}: it is tried again")
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
                self._uncommitted[message["ReceiptHandle"]] = {file.path for file in objects}
                yield from objects
            if not messages:
                break
        self._delete_done()

    def in_scope(self, path: str) -> bool:  # noqa: ARG002 - a queue only names what is new
        return False

    def committed(self, paths: Sequence[str]) -> None:
        for uncommitted in self._uncommitted.values():
            uncommitted.difference_update(paths)
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
        done = [receipt for receipt, paths in self._uncommitted.items() if not paths]
        for receipt in done:
            del self._uncommitted[receipt]
            try:
                self._client.delete_message(QueueUrl=self._queue, ReceiptHandle=receipt)
            except self._errors as error:
                # It comes again, and its objects are found to be read already.
                self._problems.append(f"{self._name}: {_describe(error)}: the message comes again")


def parse_message(body: str) -> list[SourceFile] | None:
    """Return the objects that a message names, none for S3's test message.

    Returns None for a message of another kind.
    """
    try:
        message = json.loads(body)
        if isinstance(message.get("Message"), str):
            message = json.loads(message["Message"])
        if message.get("Event") == "s3:TestEvent":
            return []
        if "detail" in message:
            detail = message["detail"]
            return [_object_file(detail, detail["object"]["key"])]
        return [
            _object_file(record["s3"], unquote_plus(record["s3"]["object"]["key"]))
            for record in message["Records"]
            if not str(record.get("eventName", "")).startswith("ObjectRemoved")
        ]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _object_file(notification: dict[str, Any], key: str) -> SourceFile:
    named = notification["object"]
    etag = named.get("eTag") or named.get("etag")
    return object_file(notification["bucket"]["name"], key, int(named.get("size", 0)), etag)


def _describe(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
