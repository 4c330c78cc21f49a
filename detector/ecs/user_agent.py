"""User agents: ECS's ``user_agent.name`` and ``user_agent.version``.

Elasticsearch takes the name from the public user-agent lists (uap-core). Here are those of its
clients that call AWS; one that is not among them is ``Other``, as there. Earlier entries win.
"""

from __future__ import annotations

import re
from functools import lru_cache

_CLIENTS: tuple[tuple[str, str | None], ...] = (
    (r"(okhttp|Go-http-client|Python-urllib|python-requests)/(\d+(?:\.\d+){0,2})", None),
    (
        r"\b(Boto3?|JetS3t|aws-(?:cli|sdk-(?:cpp|go|java|nodejs|ruby2?))|s3fs)/(\d+(?:\.\d+){0,2})",
        None,
    ),
    (r"(Cyberduck)/(\d+(?:\.\d+){0,2})", None),
    (r"\b(curl|Wget)/(\d+(?:\.\d+){0,2})", None),
    (r"(Apache-HttpClient)/(\d+(?:\.\d+){0,2})", None),
    (r"(Edge?|EdgA)/(\d+(?:\.\d+){0,2})", "Edge"),
    (r"(OPR)/(\d+(?:\.\d+){0,2})", "Opera"),
    (r"(HeadlessChrome|Chromium|Firefox|Chrome)/(\d+(?:\.\d+){0,2})", None),
    (r"Version/((\d+(?:\.\d+){0,2})).* Safari/", "Safari"),
    (r"\b(Java)/(\d+(?:\.\d+){0,2})", None),
)
_NAMES = {"python-requests": "Python Requests", "Python-urllib": "Python-urllib"}
_COMPILED = tuple((re.compile(pattern), name) for pattern, name in _CLIENTS)


@lru_cache(4096)
def _client(agent: str) -> tuple[str, str | None]:
    for pattern, name in _COMPILED:
        match = pattern.search(agent[:4096])
        if match:
            return name or _NAMES.get(match[1], match[1]), match[2]
    return "Other", None


def client_name(agent: str | None) -> str | None:
    """Return the client's name: ``Other`` if unknown, None without an agent."""
    if agent is None:
        return None
    return _client(agent)[0]


def client_version(agent: str | None) -> str | None:
    """Return the client's version; None if unknown."""
    if agent is None:
        return None
    return _client(agent)[1]
