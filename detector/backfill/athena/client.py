"""A boto3 client that runs a backfill's statements in Athena.

Each span has a marker next to its result: an interrupted run resumes where it stopped, and
leftovers of a failed attempt are never read as a result.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any, NamedTuple

from detector.backfill.athena.unload import Unload
from detector.backfill.spans import Span
from detector.sources.aws_errors import failure_of
from detector.sources.s3_objects import bucket_region, split_url
from detector.sources.source import NoSource
from detector.text.installation import extra_command
from detector.text.secrets import hide_secrets

_DONE_STATES = ("SUCCEEDED", "FAILED", "CANCELLED")
_POLL_SECONDS = 2.0
_MARKER = "_done"
_DELETE_AT_ONCE = 1000


class AthenaError(Exception):
    """A statement failed or could not be sent; the message says why."""


class SpanResult(NamedTuple):
    """An unloaded span; ``scanned`` bytes were read by Athena, None if an earlier run did it."""

    span: Span
    scanned: int | None


class AthenaClient:
    """A client of Athena and of the results bucket, in that bucket's region."""

    def __init__(
        self, output: str, workgroup: str, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        """Create the clients. Raises NoSource if boto3 is missing."""
        try:
            import boto3
        except ImportError:
            raise NoSource(f"to run statements in Athena, {extra_command('aws')}") from None
        bucket, _ = split_url(output)
        session = boto3.Session(region_name=bucket_region(bucket))
        self._athena = session.client("athena")
        self._s3 = session.client("s3")
        self._output = output
        self._workgroup = workgroup
        self._sleep = sleep

    def execute(self, statement: str, progress: Callable[[int], None] = lambda _: None) -> int:
        """Run a statement to its end, and return the bytes scanned.

        ``progress`` gets the bytes scanned so far. Raises AthenaError. If interrupted, stops the
        statement, which would otherwise keep running and be billed."""
        query = self._start(statement)
        try:
            while True:
                state, reason, scanned = self._look_at(query)
                if state in _DONE_STATES:
                    break
                progress(scanned)
                self._sleep(_POLL_SECONDS)
        except BaseException:
            self._stop(query)
            raise
        if state != "SUCCEEDED":
            raise AthenaError(f"Athena: {state.lower()}: {hide_secrets(reason)[:500]}")
        return scanned

    def unload(self, unload: Unload, span: Span, progress: Callable[[int], None]) -> SpanResult:
        """Unload a span, unless an earlier run has done so. Raises AthenaError."""
        bucket, prefix = split_url(f"{unload.folder}{span.name}/")
        if self._exists(bucket, prefix + _MARKER):
            return SpanResult(span, None)
        self._delete(bucket, prefix)  # leftovers of an unfinished attempt
        scanned = self.execute(unload.statement(span, uuid.uuid4().hex[:12]), progress)
        self._call(self._s3.put_object, Bucket=bucket, Key=prefix + _MARKER, Body=b"")
        return SpanResult(span, scanned)

    def clean(self, unload: Unload) -> int:
        """Delete the results and drop the table; return the number of objects deleted."""
        deleted = self._delete(*split_url(unload.folder))
        self.execute(unload.table.drop())
        return deleted

    def _start(self, statement: str) -> str:
        query: str = self._call(
            self._athena.start_query_execution,
            QueryString=statement,
            WorkGroup=self._workgroup,
            ResultConfiguration={"OutputLocation": f"{self._output}/athena-results/"},
        )["QueryExecutionId"]
        return query

    def _look_at(self, query: str) -> tuple[str, str, int]:
        reply = self._call(self._athena.get_query_execution, QueryExecutionId=query)
        execution = reply["QueryExecution"]
        status = execution["Status"]
        scanned = execution.get("Statistics", {}).get("DataScannedInBytes", 0)
        return status["State"], status.get("StateChangeReason", ""), scanned

    def _stop(self, query: str) -> None:
        try:
            self._athena.stop_query_execution(QueryExecutionId=query)
        except Exception:  # report what interrupted the statement, not this
            return

    def _exists(self, bucket: str, key: str) -> bool:
        reply = self._call(self._s3.list_objects_v2, Bucket=bucket, Prefix=key, MaxKeys=1)
        return any(each["Key"] == key for each in reply.get("Contents", []))

    def _delete(self, bucket: str, prefix: str) -> int:
        deleted = 0
        while True:
            reply = self._call(
                self._s3.list_objects_v2, Bucket=bucket, Prefix=prefix, MaxKeys=_DELETE_AT_ONCE
            )
            keys = [{"Key": each["Key"]} for each in reply.get("Contents", [])]
            if not keys:
                return deleted
            reply = self._call(
                self._s3.delete_objects, Bucket=bucket, Delete={"Objects": keys, "Quiet": True}
            )
            if reply.get("Errors"):
                error = reply["Errors"][0]
                raise AthenaError(f"s3://{bucket}/{error['Key']}: not deleted: {error['Code']}")
            deleted += len(keys)

    def _call(self, method: Callable[..., Any], **arguments: Any) -> Any:
        try:
            return method(**arguments)
        except Exception as error:  # botocore creates its error classes at run time
            failure = failure_of(error, "")
            detail = hide_secrets(str(error).partition("\n")[0])[:300]
            raise AthenaError(f"AWS: {failure.kind.replace('-', ' ')}: {detail}") from None
