"""Short words for flags and ARNs, in lists and in filters."""

from __future__ import annotations

FLAG_WORDS = {
    "first-seen-principal": "new",
    "caller-identity": "whoami",
    "discovery-burst": "burst",
    "other-enumeration": "enum",
    "snapshot": "snap",
    "image-export": "image",
    "access-key": "key",
    "role-assumption": "role",
    "iam-change": "iam",
    "s3-write": "s3-write",
    "s3-egress": "s3-out",
    "unused-region": "rare",
    "denied-calls": "denied",
    "tool-tell": "tool",
    "instance-start": "run",
    "session-start": "session",
}


def short_arn(arn: str) -> str:
    """Shorten an ARN to its resource: ``user/ci-deploy``, ``role/app/i-0a1``, ``root``."""
    parts = arn.split(":", 5)
    resource = parts[-1] if parts[0] == "arn" and len(parts) == 6 else arn
    if resource.startswith("assumed-role/"):
        return "role/" + resource.removeprefix("assumed-role/")
    return resource
