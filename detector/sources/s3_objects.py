"""A reader of objects in S3; it never writes.

Access follows the environment of the AWS tools: AWS_PROFILE, AWS_ENDPOINT_URL, AWS_REGION, keys.
Without keys, the role of the container or the instance is used; profiles and single sign-on need
boto3. Errors are translated into sentences for a person.
"""

from __future__ import annotations

import hashlib
import io
import os
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from detector.sources.accounting import FileState
from detector.sources.source import NoSource, Requests, SourceFile, Unavailable

if TYPE_CHECKING:
    from obstore.store import S3Store

RETRIES: dict[str, Any] = {
    "max_retries": 10,
    "retry_timeout": timedelta(minutes=3),
    "backoff": {
        "init_backoff": timedelta(milliseconds=200),
        "max_backoff": timedelta(seconds=20),
        "base": 2,
    },
}
"""How a throttled or failing request is retried before it waits for the next sweep."""
_PAGE = 1000


class Usage:
    """A counter of requests to buckets and of bytes read."""

    def __init__(self) -> None:
        self.lists = self.gets = self.bytes = 0
        self._lock = threading.Lock()

    def add(self, lists: int = 0, gets: int = 0, read: int = 0) -> None:
        with self._lock:
            self.lists += lists
            self.gets += gets
            self.bytes += read

    def drain(self) -> Requests:
        """Return the counts and reset them."""
        with self._lock:
            drained = Requests(self.lists, self.gets, self.bytes)
            self.lists = self.gets = self.bytes = 0
        return drained

    def __str__(self) -> str:
        # Standard storage, us-east-1: LIST 0.005 and GET 0.0004 USD per thousand.
        dollars = (self.lists * 0.005 + self.gets * 0.0004) / 1000
        return (
            f"S3 {self.lists:,} LIST and {self.gets:,} GET requests, "
            f"{self.bytes / 1e6:,.1f} MB read, about ${dollars:,.4f} of requests"
        )


usage = Usage()
"""The counter of this process."""


def object_url(bucket: str, key: str) -> str:
    """Return the ``s3://`` URL of an object or a prefix."""
    return f"s3://{bucket}/{key}"


def split_url(path: str) -> tuple[str, str]:
    """Return the bucket and key of an ``s3://`` URL."""
    bucket, _, key = path.removeprefix("s3://").partition("/")
    return bucket, key


def object_file(bucket: str, key: str, size: int, etag: str | None) -> SourceFile:
    """Return an object as a sweep finds it.

    The inode is a hash of its ETag. Its time is left out: a bucket and a queue give different ones
    for the same object.
    """
    etag_hash = hashlib.blake2b((etag or "").strip('"').encode(), digest_size=7).digest()
    return SourceFile(object_url(bucket, key), 0, int.from_bytes(etag_hash), size, 0)


def open_object(path: str) -> BinaryIO:
    """Read an object's content. Raises Unavailable."""
    bucket, key = split_url(path)
    try:
        data = bucket_store(bucket).get(key).bytes()
    except Exception as error:
        raise translate_s3_error(path, error) from None
    finally:
        usage.add(gets=1)
    usage.add(read=len(data))
    return io.BytesIO(data)


def list_objects(
    bucket: str, prefix: str, after: str | None = None
) -> Iterator[tuple[str, int, str | None]]:
    """List the objects below ``prefix``, in order of keys. Raises Unavailable.

    Yields (key, size, ETag), from the key ``after`` on, exclusive.
    """
    try:
        for page in bucket_store(bucket).list(prefix or None, offset=after, chunk_size=_PAGE):
            usage.add(lists=1)
            yield from ((each["path"], each["size"], each["e_tag"]) for each in page)
    except Exception as error:
        raise translate_s3_error(object_url(bucket, prefix), error) from None


def list_level(bucket: str, prefix: str) -> tuple[list[str], list[tuple[str, int, str | None]]]:
    """List the folders and objects right below ``prefix``. Raises Unavailable.

    Folders have no final slash; an object is (key, size, ETag).
    """
    try:
        level = bucket_store(bucket).list_with_delimiter(prefix or None)
    except Exception as error:
        raise translate_s3_error(object_url(bucket, prefix), error) from None
    objects = [(each["path"], each["size"], each["e_tag"]) for each in level["objects"]]
    usage.add(lists=1 + (len(objects) + len(level["common_prefixes"])) // _PAGE)
    return list(level["common_prefixes"]), objects


@lru_cache(64)
def bucket_store(bucket: str) -> S3Store:
    """Return a client of a bucket, in the bucket's region. Raises NoSource."""
    try:
        from obstore.store import S3Store
    except ImportError:
        raise NoSource(f"s3://{bucket}: pip install 'trailhound[s3]' to read buckets") from None
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    options: dict[str, Any] = {"region": _region(bucket, endpoint)}
    if endpoint:
        options["endpoint"] = endpoint
    provider = _credentials(bucket)
    if provider:
        options["credential_provider"] = provider
    return S3Store(
        bucket,
        client_options={"allow_http": bool(endpoint and endpoint.startswith("http:"))},
        retry_config=RETRIES,  # type: ignore[arg-type]
        **options,
    )


def _region(bucket: str, endpoint: str | None) -> str:
    """Return a bucket's region.

    AWS tells it to everyone, whatever the response's status; other stores have one region.
    """
    configured = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    if endpoint:
        return configured
    request = urllib.request.Request(f"https://s3.amazonaws.com/{bucket}", method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:  # noqa: S310 - https
            headers = reply.headers
    except urllib.error.HTTPError as error:
        headers = error.headers
    except OSError:
        return configured
    return headers.get("x-amz-bucket-region") or configured


def _credentials(bucket: str) -> Any:
    """Return boto3's credentials for a profile; None where obstore finds them itself."""
    if os.environ.get("AWS_ACCESS_KEY_ID") and not os.environ.get("AWS_PROFILE"):
        return None
    home = Path.home() / ".aws"
    if not (
        os.environ.get("AWS_PROFILE")
        or (home / "config").exists()
        or (home / "credentials").exists()
    ):
        return None
    try:
        import boto3
        from obstore.auth.boto3 import Boto3CredentialProvider

        return Boto3CredentialProvider(boto3.Session())
    except ImportError:
        raise NoSource(
            f"s3://{bucket}: pip install 'trailhound[aws]' to use AWS profiles, "
            "or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        ) from None
    except Exception as error:  # boto3 has no common class of errors; each says what is wrong.
        raise NoSource(
            f"s3://{bucket}: {str(error).splitlines()[0]}: check AWS_PROFILE, or aws sso login"
        ) from None


_MEANINGS: tuple[tuple[tuple[str, ...], FileState, str, str], ...] = (
    (
        ("InvalidObjectState",),
        "quarantined",
        "archived",
        "archived: restore the object, then retry",
    ),
    (
        ("ExpiredToken", "TokenRefreshRequired", "InvalidToken", "RequestExpired", "SSOToken"),
        "waiting",
        "credentials",
        "the credentials have expired: renew them (aws sso login); it is tried again",
    ),
    (
        (
            "InvalidAccessKeyId",
            "SignatureDoesNotMatch",
            "missing credentials",
            "CredentialsError",
            "NoCredentials",
        ),
        "waiting",
        "credentials",
        "the credentials are not accepted: check AWS_PROFILE or the access key",
    ),
    (
        ("SlowDown", "TooManyRequests", "429", "503", "Throttl", "ServiceUnavailable"),
        "waiting",
        "throttled",
        "S3 asks to slow down: it is tried again",
    ),
    (
        (
            "redirect",
            "PermanentRedirect",
            "AuthorizationHeaderMalformed",
            "IllegalLocationConstraint",
        ),
        "quarantined",
        "wrong-region",
        "the bucket is in another region: set AWS_REGION to it",
    ),
    (
        ("AccessDenied", "403"),
        "quarantined",
        "denied",
        "access denied: allow s3:GetObject and s3:ListBucket on it, and "
        "kms:Decrypt where it is encrypted with a key",
    ),
    (("NoSuchBucket",), "quarantined", "no-bucket", "no such bucket: check the name"),
)
"""(phrases in the error, state, reason, detail), the first that fits."""


def translate_s3_error(path: str, error: Exception) -> Unavailable:
    """Translate an error of S3 into a sentence for a person."""
    if isinstance(error, Unavailable):
        return error
    if isinstance(error, NoSource):
        return Unavailable("waiting", "unreachable", str(error))
    text = f"{type(error).__name__}: {error}"
    for phrases, state, code, detail in _MEANINGS:
        if any(phrase in text for phrase in phrases):
            return Unavailable(state, code, detail)
    if isinstance(error, FileNotFoundError):
        return Unavailable("skipped", "gone", "deleted before it was read")
    return Unavailable(
        "waiting", "unreachable", f"{path}: {' '.join(text.split())[:200]}: it is tried again"
    )
