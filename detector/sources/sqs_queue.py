"""An SQS queue of notifications about new objects.

A message is deleted only when all objects that it names are in the state; otherwise SQS delivers it
again. Messages are not trusted: the analyst's credentials are not used on a bucket that the analyst
has not named.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence, Set
from typing import Any, NamedTuple

from detector.sources.aws_errors import Kind, failure_of
from detector.sources.s3_notification import NotifiedObject, parse_message
from detector.sources.s3_objects import head_object, object_file
from detector.sources.source import NoSource, SourceFile, Unavailable
from detector.text.installation import extra_command
from detector.text.secrets import hide_secrets

_BATCH = 10
"""Messages per request, the maximum that SQS allows."""
_SWEEP_MESSAGES = 1000
"""Maximum messages received in one sweep."""


class _Received(NamedTuple):
    """A message whose objects are being read."""

    receipt: str
    paths: set[str]
    """The objects that are not committed yet."""


class SqsQueue:
    """A source of messages from S3 or CloudTrail, sent directly, by SNS or by EventBridge.

    The URL is ``sqs://QUEUE``, with the queue's name or address. Objects in buckets other than
    ``buckets`` are not read. Raises NoSource.
    """

    def __init__(self, url: str, buckets: Set[str] = frozenset()) -> None:
        self._name = hide_secrets(url)
        try:
            import boto3
            from botocore.exceptions import BotoCoreError, ClientError
            from botocore.parsers import ResponseParserError
        except ImportError:
            raise NoSource(f"{self._name}: to read queues, {extra_command('aws')}") from None
        self._errors = (BotoCoreError, ClientError, ResponseParserError)
        self._buckets = buckets
        self._uncommitted: dict[str, _Received] = {}
        """The messages with uncommitted paths, by message id."""
        self._problems: list[str] = []
        self._refused_buckets: set[str] = set()
        """The ids of messages already reported as left in the queue."""
        name = url.removeprefix("sqs://").rstrip("/")
        try:
            # Unlike other AWS tools, boto3 does not read AWS_REGION.
            self._client = boto3.client("sqs", region_name=os.environ.get("AWS_REGION"))
            if "/" in name:
                self._queue = f"https://{name}"
            else:
                self._queue = self._client.get_queue_url(QueueName=name)["QueueUrl"]
        except (*self._errors, ValueError) as error:
            raise NoSource(f"{self._name}: {_describe(error)}") from None

    def sweep(self) -> Iterator[SourceFile]:
        seen: set[str] = set()
        for _ in range(_SWEEP_MESSAGES // _BATCH):
            try:
                reply = self._client.receive_message(
                    QueueUrl=self._queue, MaxNumberOfMessages=_BATCH, WaitTimeSeconds=0
                )
            except self._errors as error:
                self._problems.append(f"{self._name}: {_describe(error)}: retrying")
                yield self._unread("receive", "queue", _describe(error))
                return
            # SQS hides received messages for a while, unless the visibility timeout is 0.
            messages = {message["MessageId"]: message for message in reply.get("Messages", [])}
            if messages.keys() <= seen:
                break
            for name, message in messages.items():
                if name not in seen:
                    yield from self._message_files(message)
            seen |= messages.keys()
        self._delete_done()

    def in_scope(self, path: str) -> bool:
        """Tell whether a path stands for the queue itself, which every sweep asks."""
        return path == f"{self._name}/receive"

    def committed(self, paths: Sequence[str]) -> None:
        for received in self._uncommitted.values():
            received.paths.difference_update(paths)
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

    def _message_files(self, message: dict[str, Any]) -> Iterator[SourceFile]:
        """Yield a message's objects; a message left in the queue is yielded as one unread file."""
        objects = parse_message(message.get("Body", ""))
        if objects is None:
            name, detail = message["MessageId"], "names no S3 object: left in the queue"
            if name not in self._refused_buckets:
                self._refused_buckets.add(name)
                self._problems.append(f"{self._name}: message {name} {detail}")
            yield self._unread(name, "no-object", detail)
            return
        foreign = [each for each in objects if each.bucket not in self._buckets]
        if not foreign:
            # SQS may redeliver a message whose objects are being read: the last receipt counts.
            self._uncommitted[message["MessageId"]] = _Received(
                message["ReceiptHandle"], {each.path for each in objects}
            )
        for each in objects:
            yield _foreign_file(each) if each in foreign else _file(each)

    def _unread(self, name: str, reason: str, detail: str) -> SourceFile:
        return SourceFile(f"{self._name}/{name}", 0, 0, 0, 0, ("quarantined", reason, detail))

    def _delete_done(self) -> None:
        done = {
            name: received.receipt
            for name, received in self._uncommitted.items()
            if not received.paths
        }
        for name in done:
            del self._uncommitted[name]
        for start in range(0, len(done), _BATCH):
            names = [*done][start : start + _BATCH]
            entries = [{"Id": name, "ReceiptHandle": done[name]} for name in names]
            try:
                reply = self._client.delete_message_batch(QueueUrl=self._queue, Entries=entries)
            except self._errors as error:
                # The messages will come again, and their objects will be known as read.
                self._problems.append(f"{self._name}: {_describe(error)}: the message comes again")
                continue
            for failed in reply.get("Failed", []):
                self._problems.append(
                    f"{self._name}: message {failed['Id']} cannot be deleted "
                    f"({failed['Code']}): it comes again"
                )


def _file(notified: NotifiedObject) -> SourceFile:
    """Return a notified object in the form that a listing yields."""
    if notified.size is not None and notified.etag is not None:
        return object_file(notified.bucket, notified.key, notified.size, notified.etag)
    try:
        return head_object(notified.bucket, notified.key)
    except Unavailable as error:
        file = object_file(notified.bucket, notified.key, 0, None)
        return file._replace(problem=(error.state, error.code, str(error.strerror)))


def _foreign_file(notified: NotifiedObject) -> SourceFile:
    """Return an object in a bucket that the analyst has not named as a quarantined file."""
    detail = (
        f"a message names the bucket {notified.bucket}, which you did not: "
        f"--allow-bucket {notified.bucket} reads it"
    )
    file = object_file(notified.bucket, notified.key, notified.size or 0, notified.etag)
    return file._replace(problem=("quarantined", "bucket-not-named", detail))


_SENTENCES: dict[Kind, str] = {
    "expired": "credentials expired: renew them (aws sso login)",
    "refused-credentials": "credentials rejected: check AWS_PROFILE or the access key",
    "no-credentials": "no credentials: set AWS_PROFILE or an access key",
    "throttled": "SQS throttles requests",
    "denied": "access denied: allow sqs:GetQueueUrl, ReceiveMessage and DeleteMessage on it",
    "no-such-place": "no such queue: check the name, AWS_REGION and AWS_PROFILE",
    "gone": "no such queue: check the name, AWS_REGION and AWS_PROFILE",
    "failing": "SQS fails",
}


def _describe(error: Exception) -> str:
    sentence = _SENTENCES.get(failure_of(error).kind)
    if sentence is not None:
        return sentence
    text = hide_secrets(" ".join(str(error).split()))[:200]
    return f"{text}: check the name, AWS_REGION and AWS_PROFILE"
