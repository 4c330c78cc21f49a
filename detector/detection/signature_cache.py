"""The cache of what follows from an event signature alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from detector.cloudtrail.record import Caller, EventSignature, skip_reason
from detector.detection.baseline import BaselineKey, baseline_key_of
from detector.detection.principal import STS, caller_keys
from detector.detection.principal_index import PrincipalHashes, hashes_of

DEFAULT_LIMIT = 12_000


class SignatureInfo(NamedTuple):
    """What a signature says of each of its records.

    ``skip_reason`` says why they are no events, None where they are; ``may_open_session`` is true
    for calls to STS, whose responses may carry a session's access key."""

    signature: EventSignature
    baseline_key: BaselineKey
    principal_hashes: PrincipalHashes
    skip_reason: str | None
    may_open_session: bool


class SignatureCache(dict[EventSignature, SignatureInfo]):
    """A cache of signature infos, bounded by two generations of ``limit`` entries.

    A full generation becomes the previous one, from which signatures that come again are taken
    over: they need not be built anew. The cache changes speed only, never a result.

    Strings are copied. A string decoded from a chunk would keep the memory around it alive, and
    what is decoded next would lie scattered. Equal values are shared among the entries."""

    def __init__(self, limit: int = DEFAULT_LIMIT) -> None:
        super().__init__()
        self._limit = limit
        self._previous: Mapping[EventSignature, SignatureInfo] = {}
        self._interned: dict[Any, Any] = {}

    def __missing__(self, signature: EventSignature) -> SignatureInfo:
        info = self._previous.get(signature) or self._build(signature)
        if len(self) >= self._limit:
            self._previous = dict(self)
            self.clear()
            self._interned.clear()
        self[info.signature] = info
        return info

    def _build(self, signature: EventSignature) -> SignatureInfo:
        caller, *fields = _copier.decode(msgspec.msgpack.encode(signature))
        if caller is not None:
            caller = Caller(*map(self._intern, msgspec.structs.astuple(caller)))
        copy = EventSignature(caller, *map(self._intern, fields))
        return SignatureInfo(
            copy,
            self._intern(BaselineKey(*map(self._intern, baseline_key_of(copy)))),
            self._intern(hashes_of(caller_keys(copy))),
            skip_reason(copy),
            copy.event_source == STS,
        )

    def _intern(self, value: Any) -> Any:
        return self._interned.setdefault(value, value)


_copier = msgspec.msgpack.Decoder(EventSignature)
