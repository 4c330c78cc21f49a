"""Secrets in texts that a person may pass on: what libraries say quotes addresses whole."""

from __future__ import annotations

import re

_USER_INFO = re.compile(r"(?<=//)[^/\s@\"'<>]*@")
_SIGNED = re.compile(
    r"(?i)((?:X-Amz-(?:Signature|Credential|Security-Token)|AWSAccessKeyId|Signature)=)[^&\s\"']+"
)
"""What a presigned address of S3 grants access by."""


def hide_secrets(text: str) -> str:
    """Hide the user and password, and the signature, of each address in a text."""
    return _SIGNED.sub(r"\1***", _USER_INFO.sub("***@", text))
