"""Classification of S3 and SQS errors.

An error is classified by its class and by the response's status and code, never by digits or words
anywhere in its text: the text quotes keys and addresses, which may contain anything.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

Kind = Literal[
    "archived",
    "expired",
    "refused-credentials",
    "no-credentials",
    "throttled",
    "wrong-region",
    "denied",
    "no-such-place",
    "gone",
    "failing",
    "unreachable",
    "refused",
]
"""The kinds of errors.

``failing``: the service has trouble; ``unreachable``: there was no response at all; ``refused``:
the request was rejected for a reason not listed here."""


class Failure(NamedTuple):
    """An error's kind, with the response's status and code if there was a response."""

    kind: Kind
    status: int | None = None
    code: str = ""


_KIND_OF_CODE: dict[str, Kind] = {
    "InvalidObjectState": "archived",
    "ExpiredToken": "expired",
    "ExpiredTokenException": "expired",
    "TokenRefreshRequired": "expired",
    "InvalidToken": "expired",
    "RequestExpired": "expired",
    "InvalidAccessKeyId": "refused-credentials",
    "InvalidClientTokenId": "refused-credentials",
    "UnrecognizedClientException": "refused-credentials",
    "SignatureDoesNotMatch": "refused-credentials",
    "RequestTimeTooSkewed": "refused-credentials",
    "SlowDown": "throttled",
    "Throttling": "throttled",
    "ThrottlingException": "throttled",
    "RequestThrottled": "throttled",
    "RequestLimitExceeded": "throttled",
    "TooManyRequestsException": "throttled",
    "PermanentRedirect": "wrong-region",
    "AuthorizationHeaderMalformed": "wrong-region",
    "IllegalLocationConstraintException": "wrong-region",
    "AccessDenied": "denied",
    "AccessDeniedException": "denied",
    "NoSuchBucket": "no-such-place",
    "QueueDoesNotExist": "no-such-place",
    "AWS.SimpleQueueService.NonExistentQueue": "no-such-place",
    "NoSuchKey": "gone",
}
_KIND_OF_STATUS: dict[int, Kind] = {
    301: "wrong-region",
    307: "wrong-region",
    401: "refused-credentials",
    403: "denied",
    404: "gone",
    429: "throttled",
    503: "throttled",
}
_KIND_OF_CLASS: dict[str, Kind] = {
    # obstore
    "PermissionDeniedError": "denied",
    "UnauthenticatedError": "no-credentials",  # if there is a response, its status says more
    "FileNotFoundError": "gone",
    # botocore
    "NoCredentialsError": "no-credentials",
    "PartialCredentialsError": "no-credentials",
    "ProfileNotFound": "no-credentials",
    "SSOError": "expired",
    "TokenRetrievalError": "expired",
    "CredentialRetrievalError": "expired",
    "RefreshWithMFAUnsupportedError": "expired",
}
"""The kinds of errors by class name, since the classes' packages may not be installed."""

_RESPONSE = re.compile(
    r"Error performing [A-Z]+ [a-z]+://(?P<host>[^/\s?]+)\S* in [^\n]*? - "
    r"(?:Server returned non-2xx status code: (?P<status>\d{3})\b[^:\n]*:?(?P<body>.*)"
    r"|(?P<redirect>Received redirect without LOCATION)|)",
    re.DOTALL,
)
"""The end of the first line of an obstore error: quoted address, duration, status and body."""
_CODE = re.compile(r"<Error>\s*<Code>([A-Za-z.]+)</Code>")
_CREDENTIAL_HOSTS = ("169.254.169.254", "169.254.170.2", "169.254.170.23", "[fd00:ec2::254]")
"""Where an instance or a container requests its role's credentials."""


def failure_of(error: Exception, key: str = "") -> Failure:
    """Classify an obstore or botocore error about the object with this key."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        return _by_response(status, str(response.get("Error", {}).get("Code", "")))
    classes = [_KIND_OF_CLASS.get(each.__name__) for each in type(error).__mro__]
    by_class = next((kind for kind in classes if kind is not None), None)
    text = str(error)
    # The unescaped key precedes the response, and may itself look like one.
    for quotation in (f" for path {key}: ", f" at location {key} not found: "):
        text = text.replace(quotation, "", 1)
    response = _RESPONSE.search(text.partition("\n\nDebug source:")[0])
    if response is None:
        return Failure(by_class or "unreachable")
    if (
        response["host"].partition(":")[0] in _CREDENTIAL_HOSTS
        or response["host"] in _CREDENTIAL_HOSTS
    ):
        return Failure("no-credentials")
    if response["redirect"]:
        return Failure("wrong-region", 301)
    if response["status"] is None:
        return Failure(by_class or "unreachable")
    code = _CODE.search(response["body"])
    return _by_response(int(response["status"]), code[1] if code else "")


def _by_response(status: int | None, code: str) -> Failure:
    kind = _KIND_OF_CODE.get(code)
    if kind is None and status is not None:
        kind = _KIND_OF_STATUS.get(status)
        if kind is None:
            kind = "failing" if status >= 500 else "refused"
    return Failure(kind or "unreachable", status, code)
