"""A caller on its own, as a view of the record that contains it."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import msgspec

from detector.cloudtrail.record import CallerFacts, UserIdentity, loads

_decoder: msgspec.json.Decoder[UserIdentity | None] = msgspec.json.Decoder(UserIdentity | None)


class NotInView(Exception):
    """A field was read that the view of a record does not have."""


def decode_caller(raw: bytes | msgspec.Raw) -> UserIdentity | None:
    """Decode a caller. Raises ValueError or RecursionError if it has unexpected types."""
    return _decoder.decode(raw)


class CallerView(CallerFacts):
    """A record's caller fields only; reading any other field raises NotInView."""

    def __init__(self, identity: UserIdentity | None, raw: bytes | msgspec.Raw) -> None:
        self.user_identity = identity
        self._raw_identity = raw

    def __getattr__(self, name: str) -> Any:
        raise NotInView(name)

    @cached_property
    def identity_document(self) -> dict[str, Any]:
        """The caller's part of the record's document, as in the log."""
        identity = loads(self._raw_identity)
        if identity is None:  # the log may have flat field names instead
            raise NotInView("document")
        return {"userIdentity": identity}
