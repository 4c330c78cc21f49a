"""A caller by itself, read as the record that it is of."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import msgspec

from detector.cloudtrail.record import CallerFacts, UserIdentity, loads

_decoder: msgspec.json.Decoder[UserIdentity | None] = msgspec.json.Decoder(UserIdentity | None)


class NotInView(Exception):
    """A field of a record was read that its view does not have."""


def decode_caller(raw: bytes | msgspec.Raw) -> UserIdentity | None:
    """Decode a caller. Raises ValueError or RecursionError where it has odd types."""
    return _decoder.decode(raw)


class CallerView(CallerFacts):
    """What a caller tells of a record. Any other field raises NotInView, whatever it is."""

    def __init__(self, identity: UserIdentity | None, raw: bytes | msgspec.Raw) -> None:
        self.user_identity = identity
        self._raw_identity = raw

    def __getattr__(self, name: str) -> Any:
        raise NotInView(name)

    @cached_property
    def identity_document(self) -> dict[str, Any]:
        """The part of the record's document that the caller is, as the log has it."""
        identity = loads(self._raw_identity)
        if identity is None:  # the log may have flat names in its place
            raise NotInView("document")
        return {"userIdentity": identity}
