"""Read-only access to objects in S3.

Access follows the environment variables of the AWS tools: AWS_PROFILE, AWS_ENDPOINT_URL,
AWS_REGION, keys. Without keys, the role of the container or instance is used; profiles and single
sign-on need boto3. Errors are translated into sentences for people.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from detector.sources.accounting import FileState
from detector.sources.aws_errors import Kind, failure_of
from detector.sources.s3_raw_keys import Listed, head_raw, is_path, list_raw, read_raw
from detector.sources.source import NoSource, Requests, SourceFile, Unavailable
from detector.text.installation import extra_command
from detector.text.secrets import hide_secrets

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
_UNCLEAR_WITHOUT_CODE = (400, 403, 404)
"""The statuses shared by several kinds of errors."""


class Level(NamedTuple):
    """The contents of a prefix, one level deep."""

    folders: list[str]
    """Prefixes without their final slash, to descend to."""
    objects: list[Listed]
    raw_prefixes: list[str]
    """Prefixes that are not paths, with their final slash."""


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
    """Return an object in the form that a sweep yields.

    The inode is a hash of the object's ETag. The time is left out: a bucket and a queue give
    different times for the same object.
    """
    etag_hash = hashlib.blake2b((etag or "").strip('"').encode(), digest_size=7).digest()
    return SourceFile(object_url(bucket, key), 0, int.from_bytes(etag_hash), size, 0)


def open_object(path: str) -> BinaryIO:
    """Read an object's content. Raises Unavailable."""
    bucket, key = split_url(path)
    try:
        if is_path(key):
            data = _read_path(bucket, key)
        else:
            data = read_raw(bucket, bucket_region(bucket), key)
    except Exception as error:
        raise translate_s3_error(path, error) from None
    finally:
        usage.add(gets=1)
    usage.add(read=len(data))
    return io.BytesIO(data)


def _read_path(bucket: str, key: str) -> bytes:
    """Read an object whose key obstore can list. Raises obstore's errors."""
    try:
        data: bytes = bucket_store(bucket).get(key).bytes()  # type: ignore[assignment]
    except FileNotFoundError as missing:
        # obstore lists a key that ends with a slash without that slash.
        try:
            return read_raw(bucket, bucket_region(bucket), f"{key}/")
        except Exception:
            raise missing from None
    return data


def head_object(bucket: str, key: str) -> SourceFile:
    """Get an object's size and ETag without reading it. Raises Unavailable."""
    try:
        if is_path(key):
            head = bucket_store(bucket).head(key)
            listed = key, head["size"], head["e_tag"]
        else:
            listed = head_raw(bucket, bucket_region(bucket), key)
    except Exception as error:
        explained = _explain_head(bucket, key, error)
        raise translate_s3_error(object_url(bucket, key), explained) from None
    finally:
        usage.add(gets=1)
    return object_file(bucket, *listed)


def _explain_head(bucket: str, key: str, error: Exception) -> Exception:
    """Return the error of a one-byte GET in place of a HEAD's error.

    A response to HEAD has no body, hence no code: expired credentials are just a 400.
    """
    if failure_of(error, key).status not in _UNCLEAR_WITHOUT_CODE:
        return error
    usage.add(gets=1)
    try:
        if is_path(key):
            bucket_store(bucket).get_range(key, start=0, length=1)
        else:
            read_raw(bucket, bucket_region(bucket), key, first_byte=True)
    except Exception as explained:
        return explained
    return error


def list_objects(bucket: str, prefix: str, after: str | None = None) -> Iterator[Listed]:
    """List the objects below ``prefix``, in order of keys. Raises Unavailable.

    Starts after the key ``after``, exclusive.
    """
    last = after
    try:
        for page in bucket_store(bucket).list(prefix or None, offset=after, chunk_size=_PAGE):
            usage.add(lists=1)
            for each in page:
                last = each["path"]
                yield last, each["size"], each["e_tag"]
    except Exception as error:
        if not _is_refused_key(error):
            raise translate_s3_error(object_url(bucket, prefix), error) from None
    else:
        return
    yield from list_raw_objects(bucket, f"{prefix}/" if prefix else "", last)


def list_raw_objects(bucket: str, prefix: str, after: str | None = None) -> Iterator[Listed]:
    """List the objects whose keys begin with ``prefix``, including keys that are not paths.

    Raises Unavailable.
    """
    try:
        for page in list_raw(bucket, bucket_region(bucket), prefix, after):
            usage.add(lists=1)
            yield from page.objects
    except Exception as error:
        raise translate_s3_error(object_url(bucket, prefix), error) from None


def list_level(bucket: str, prefix: str) -> Level:
    """List the folders and objects directly below ``prefix``. Raises Unavailable."""
    try:
        level = bucket_store(bucket).list_with_delimiter(prefix or None)
    except Exception as error:
        if not _is_refused_key(error):
            raise translate_s3_error(object_url(bucket, prefix), error) from None
        return _raw_level(bucket, prefix)
    folders = list(level["common_prefixes"])
    if "" in folders:  # A folder's name is empty: obstore would list this level again for it.
        return _raw_level(bucket, prefix)
    objects = [(each["path"], each["size"], each["e_tag"]) for each in level["objects"]]
    usage.add(lists=1 + (len(objects) + len(folders)) // _PAGE)
    return Level(folders, objects, [])


def _raw_level(bucket: str, prefix: str) -> Level:
    folders: list[str] = []
    objects: list[Listed] = []
    raw_prefixes: list[str] = []
    start = f"{prefix}/" if prefix else ""
    try:
        for page in list_raw(bucket, bucket_region(bucket), start, delimiter="/"):
            usage.add(lists=1)
            objects += page.objects
            for each in page.prefixes:
                folder = each.removesuffix("/")
                if is_path(folder):
                    folders.append(folder)
                else:
                    raw_prefixes.append(each)
    except Exception as error:
        raise translate_s3_error(object_url(bucket, prefix), error) from None
    return Level(folders, objects, raw_prefixes)


def _is_refused_key(error: Exception) -> bool:
    """Tell whether obstore rejected a listing because of one of its keys."""
    return type(error).__name__ == "InvalidPathError"


@lru_cache(64)
def bucket_store(bucket: str) -> S3Store:
    """Return a client of a bucket, in the bucket's region. Raises NoSource."""
    try:
        from obstore.store import S3Store
    except ImportError:
        raise NoSource(f"s3://{bucket}: to read buckets, {extra_command('s3')}") from None
    endpoint = _endpoint()
    options: dict[str, Any] = {"region": bucket_region(bucket)}
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


def _endpoint() -> str | None:
    """Return the address of another S3-compatible store. Raises NoSource."""
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"):
        address = os.environ.get(name)
        if not address:
            continue
        if not _is_address(address):
            raise NoSource(f"{name}: no address like https://HOST:PORT: mend it, or unset it")
        return address
    return None


def _is_address(text: str) -> bool:
    """Tell whether obstore accepts an address; it panics on others."""
    try:
        parts = urllib.parse.urlsplit(text)
        is_sound = parts.port is None or parts.port > 0
    except ValueError:
        return False
    host = parts.hostname or ""
    return bool(is_sound and parts.scheme in ("http", "https") and _HOST.fullmatch(host))


_HOST = re.compile(r"[\w.-]+|[0-9a-f:.]+")


@lru_cache(64)
def bucket_region(bucket: str) -> str:
    """Return a bucket's region.

    AWS names the region in every response, whatever its status; other stores have one region.
    """
    configured = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    if _endpoint():
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
    """Return boto3's credentials for a profile; None if obstore can find them itself."""
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
            f"s3://{bucket}: to use AWS profiles, {extra_command('aws')}, "
            "or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        ) from None
    except Exception as error:  # boto3 has no common class of errors; each says what is wrong.
        raise NoSource(
            f"s3://{bucket}: {str(error).splitlines()[0]}: check AWS_PROFILE, or aws sso login"
        ) from None


_MEANINGS: dict[Kind, tuple[FileState, str, str]] = {
    "archived": ("quarantined", "archived", "archived: restore the object, then retry"),
    "expired": (
        "waiting",
        "credentials",
        "credentials expired: renew them (aws sso login); retrying",
    ),
    "refused-credentials": (
        "waiting",
        "credentials",
        "credentials rejected: check AWS_PROFILE or the access key",
    ),
    "no-credentials": (
        "waiting",
        "credentials",
        "no credentials: renew them (aws sso login), or set AWS_PROFILE or an access key",
    ),
    "throttled": ("waiting", "throttled", "S3 throttles requests: retrying"),
    "wrong-region": (
        "quarantined",
        "wrong-region",
        "the bucket is in another region: set AWS_REGION to it",
    ),
    "denied": (
        "quarantined",
        "denied",
        "access denied: allow s3:GetObject and s3:ListBucket on it, and "
        "kms:Decrypt where it is encrypted with a key",
    ),
    "no-such-place": ("quarantined", "no-bucket", "no such bucket: check the name"),
    "gone": ("skipped", "gone", "deleted before it was read"),
    "failing": ("waiting", "unreachable", "S3 fails"),
    "unreachable": ("waiting", "unreachable", "no answer"),
    "refused": ("quarantined", "refused", "S3 refuses the request"),
}
"""A file's state, reason and sentence, by the kind of its error."""


def translate_s3_error(path: str, error: Exception) -> Unavailable:
    """Translate an S3 error into a sentence for people."""
    if isinstance(error, Unavailable):
        return error
    if isinstance(error, NoSource):
        return Unavailable("waiting", "unreachable", str(error))
    failure = failure_of(error, split_url(path)[1])
    state, reason, detail = _MEANINGS[failure.kind]
    if failure.kind in ("failing", "refused"):
        detail = f"{detail} ({failure.status} {failure.code})".replace(" )", ")")
    if failure.kind == "unreachable":
        first_line = hide_secrets(str(error).partition("\n")[0])
        detail = f"{detail}: {type(error).__name__}: {first_line[:200]}"
    if failure.kind in ("failing", "unreachable"):
        detail += ": retrying"
    return Unavailable(state, reason, detail)
