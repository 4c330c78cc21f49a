"""Short names of flags and ARNs, for lists and filters."""

from __future__ import annotations

FLAG_WORDS = {
    "first-seen-principal": "new",
    "caller-identity": "caller-id",
    "discovery-burst": "burst",
    "other-enumeration": "enum",
    "snapshot": "snap",
    "image-export": "image",
    "access-key": "key",
    "role-assumption": "role",
    "iam-change": "iam",
    "s3-write": "s3-write",
    "s3-egress": "s3-out",
    "unused-region": "region",
    "denied-calls": "denied",
    "tool-tell": "tool",
    "instance-start": "ec2-start",
    "session-start": "session",
}

"""The one-word name of each flag, for columns and filters."""

FLAG_NAMES = {
    "first-seen-principal": "first seen",
    "caller-identity": "caller identity",
    "discovery-burst": "discovery burst",
    "other-enumeration": "other enumeration",
    "snapshot": "snapshot",
    "image-export": "image export",
    "access-key": "access key",
    "role-assumption": "role assumption",
    "iam-change": "IAM change",
    "s3-write": "S3 write",
    "s3-egress": "large S3 download",
    "unused-region": "unusual region",
    "denied-calls": "denied calls",
    "tool-tell": "known tool",
    "instance-start": "instance launch",
    "session-start": "shell on instance",
    "new-network": "new network",
    "new-agent": "new user agent",
    "new-region": "new region",
}
"""How sentences and reports name a flag or a novelty."""


def flag_name(flag: str) -> str:
    """Return a flag's name for a sentence; flags of user rules are returned unchanged."""
    return FLAG_NAMES.get(flag, flag)


def short_arn(arn: str) -> str:
    """Shorten an ARN to its resource: ``user/ci-deploy``, ``role/app/i-0a1``, ``root``."""
    parts = arn.split(":", 5)
    resource = parts[-1] if parts[0] == "arn" and len(parts) == 6 else arn
    if resource.startswith("assumed-role/"):
        return "role/" + resource.removeprefix("assumed-role/")
    return resource
