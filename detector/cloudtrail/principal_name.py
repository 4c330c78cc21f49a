"""Readable names of principals."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from detector.text.abbreviations import short_arn
from detector.text.late_pattern import late_pattern

_SSO_ROLE = late_pattern(r"AWSReservedSSO_(.+)_[0-9a-f]{16}")
"""The role of an IAM Identity Center permission set; its sessions are named after users."""
_INSTANCE = late_pattern(r"i-(?:[0-9a-f]{8}|[0-9a-f]{17})")
_MAX_PATH = 32
"""Characters of a resource above which its path is left out."""
_NO_NAMES: Mapping[str, str] = MappingProxyType({})


def principal_name(arn: str, home: str = "", account_names: Mapping[str, str] = _NO_NAMES) -> str:
    """Name the principal of an ARN.

    ``name@example.com · ReadOnly`` for an Identity Center session, ``app · i-0a1b2c3d`` for an
    instance, ``user/…/ana`` for a long path, ``root of Production`` for a root user. If the account
    is not ``home`` (where the call was made), its name or number follows: ``user/ana in
    Production``. Text that is not an ARN is returned unchanged. The text is the log's own, and not
    escaped."""
    parts = arn.split(":", 5)
    if parts[0] != "arn" or len(parts) < 6:
        return arn
    account, resource = parts[4], parts[5]
    account_name = account_names.get(account) or account
    if resource == "root" and account:
        return f"root of {account_name}"
    name = _session_name(resource) or _without_path(short_arn(arn))
    if home and account.isdecimal() and account != home:
        return f"{name} in {account_name}"
    return name


def _session_name(resource: str) -> str:
    """Name a session by its user or instance; ``""`` for other sessions."""
    kind, _, rest = resource.partition("/")
    role, _, session = rest.partition("/")
    if kind != "assumed-role" or not session:
        return ""
    permission_set = _SSO_ROLE.fullmatch(role)
    if permission_set:
        return f"{session} · {permission_set[1]}"
    if _INSTANCE.fullmatch(session):
        return f"{role} · {session}"
    return ""


def _without_path(resource: str) -> str:
    """Leave out the path of a long resource: kind and name are enough."""
    kind, *path = resource.split("/")
    is_session = kind == "role" and len(path) == 2
    if len(resource) <= _MAX_PATH or len(path) < 2 or is_session:
        return resource
    return f"{kind}/…/{path[-1]}"
