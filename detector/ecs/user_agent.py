"""Parses user agents as Elasticsearch's user_agent processor does.

Both use the public list of user agents (uap-core), here from the library ua-parser; its edition may
be newer than the one in a release of Elasticsearch. AWS's own clients, which are nearly all agents,
are recognized without the list; it is loaded only for others.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING, Literal, NamedTuple

from detector.text.late_pattern import late_pattern

if TYPE_CHECKING:
    from ua_parser import OS, Device, Domain, UserAgent
    from ua_parser.core import Matchers, PartialResult, Resolver

_LONGEST_AGENT = 4096
"""Only this many characters of an agent are parsed; CloudTrail truncates at 1,024."""
_AWS_CLIENT = late_pattern(
    r"\[?(?:APN/1\.0 HashiCorp/1\.0 Terraform/\S+ \(\+https://www\.terraform\.io\) "
    r"terraform-provider-aws/[\d.]+ )?"
    r"(aws-cli|Boto3?|aws-sdk-(?:cpp|go(?:-v2)?|java|nodejs|ruby2?))"
    r"/(\d+\.\d+(?:\.\d+)?)(?=[ \]]|$)"
)
_NOT_LISTED = late_pattern(
    r"AWS Internal|[a-z0-9-]+(?:\.[a-z0-9-]+)*\.amazonaws\.com"
    r"|aws-sdk-(?:js|rust|php|dotnet|kotlin|swift)/[\d.]+(?: (?:ua|os|lang|md|cfg|m)/[\w.#,~-]+)*"
)
"""AWS's services and its newer clients, which the list does not recognize."""
_AS_WRITTEN = frozenset({"aws-cli", "Boto", "Boto3"})
"""The list assigns these client names only to agents that contain them."""
_UNKNOWN = "Other"
_Part = Literal["USER_AGENT", "OS", "DEVICE"]


class System(NamedTuple):
    """An operating system; ``full`` is name and version. Unknown parts are None."""

    name: str | None
    version: str | None
    full: str | None


class _Client(NamedTuple):
    name: str
    version: str | None


def client_name(agent: str | None) -> str | None:
    """Return the client's name: ``Other`` if unknown, None without an agent."""
    if agent is None:
        return None
    return _client(agent[:_LONGEST_AGENT]).name


def may_be_client(agent: str | None, name: str) -> bool:
    """Tell whether an agent's client could have this name; decided without loading the list."""
    return agent is None or name not in _AS_WRITTEN or name in agent


def client_version(agent: str | None) -> str | None:
    """Return the client's version; None if unknown."""
    if agent is None:
        return None
    return _client(agent[:_LONGEST_AGENT]).version


def device_name(agent: str | None) -> str | None:
    """Return the device's name: ``Other`` if unknown, None without an agent."""
    if agent is None:
        return None
    device = _device(agent[:_LONGEST_AGENT])
    if device is None:
        return _UNKNOWN
    return device.family


@lru_cache(4096)
def operating_system(agent: str | None) -> System:
    """Return the operating system that an agent names."""
    system: OS | None = None
    if agent is not None:
        system = _listed(agent[:_LONGEST_AGENT], "OS").os
    if system is None:
        return System(None, None, None)
    parts = (system.major, system.minor, system.patch, system.patch_minor)
    version = _version(parts)
    full = f"{system.family} {version}" if version else None
    return System(system.family, version, full)


@lru_cache(4096)
def _client(agent: str) -> _Client:
    match = _AWS_CLIENT.match(agent)
    if match:
        return _Client(match[1], match[2])
    if _NOT_LISTED.fullmatch(agent):
        return _Client(_UNKNOWN, None)
    return listed_client(agent)


def listed_client(agent: str) -> _Client:
    """Return the client that the list names, without the shortcuts for AWS's clients."""
    client: UserAgent | None = _listed(agent, "USER_AGENT").user_agent
    if client is None:
        return _Client(_UNKNOWN, None)
    parts = (client.major, client.minor, client.patch, client.patch_minor)
    return _Client(client.family, _version(parts))


@lru_cache(4096)
def _device(agent: str) -> Device | None:
    return _listed(agent, "DEVICE").device


def _listed(agent: str, part: _Part) -> PartialResult:
    from ua_parser import Domain

    domain = Domain[part]
    return _resolver(domain)(agent, domain)


@cache
def _resolver(domain: Domain) -> Resolver:
    """Load one part of the list; a part has hundreds of patterns, and most rules need only one."""
    from ua_parser import Domain
    from ua_parser.loaders import load_lazy_builtins
    from ua_parser.re2 import Resolver

    clients, systems, devices = load_lazy_builtins()
    parts: dict[Domain, Matchers] = {
        Domain.USER_AGENT: (clients, [], []),
        Domain.OS: ([], systems, []),
        Domain.DEVICE: ([], [], devices),
    }
    return Resolver(parts[domain])


def _version(parts: tuple[str | None, ...]) -> str | None:
    """Join the parts of a version up to the first missing one; None if there are none."""
    known: list[str] = []
    for part in parts:
        if part is None:
            break
        known.append(part)
    return ".".join(known) or None
