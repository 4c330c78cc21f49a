"""Masking of secrets in texts that may be shared: library messages quote whole addresses."""

from __future__ import annotations

import re

_USER_INFO = re.compile(r"(?<=//)[^/\s@\"'<>]*@")
_SIGNED = re.compile(
    r"(?i)((?:X-Amz-(?:Signature|Credential|Security-Token)|AWSAccessKeyId|Signature)=)[^&\s\"']+"
)
"""The parameters of a presigned S3 address that grant access."""


def hide_secrets(text: str) -> str:
    """Mask the user, password and signature of each address in a text."""
    return _SIGNED.sub(r"\1***", _USER_INFO.sub("***@", text))
