"""The groups of a chunk's records by signature, and what follows from a signature's parts."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from detector.cloudtrail.record import (
    ApiCall,
    Client,
    EventSignature,
    Origin,
    api_call_of,
    join_parts,
    origin_of,
    skip_reason,
)
from detector.detection.activity.actor import Actor, actor_of_arn, actor_without_arn
from detector.detection.activity.parts import CallOutcome, Traits, traits_of
from detector.detection.baseline import (
    Observation,
    changed_region_observations,
    client_observations,
    principal_of,
    region_observations,
)
from detector.detection.principal import STS, caller_keys
from detector.detection.principal_index import PrincipalHashes, hashes_of
from detector.formats import Records
from detector.text.value_cache import CACHE_LIMIT, ValueCache


class ClientFacts(NamedTuple):
    """What follows from a client: whose it is, and what is observed of it anywhere."""

    account: str | None
    principal: str | None
    observed: tuple[Observation, ...]
    principal_keys: frozenset[str]
    principal_hashes: PrincipalHashes
    actor: Actor | None
    """Who called; None where only a whole record names the caller."""
    traits: Traits


class CallFacts(NamedTuple):
    """What follows from a call.

    ``skip_reason`` says why its records are no events, None where they are; ``may_open_session`` is
    true for calls to STS, whose responses may carry a session's access key; ``changes`` says that
    it is no read, ``is_named`` that it has a source and a name."""

    skip_reason: str | None
    may_open_session: bool
    changes: bool
    is_named: bool
    outcome: CallOutcome


class OriginFacts(NamedTuple):
    """What follows from a client and the region that it called.

    ``changed`` is what is observed of a call there that is no read."""

    client: ClientFacts
    region: str
    observed: tuple[Observation, ...]
    changed: tuple[Observation, ...]


class SignatureCache:
    """Caches of what follows from each part of a signature.

    They change speed only, never a result."""

    def __init__(self, limit: int = CACHE_LIMIT) -> None:
        self.clients: ValueCache[Client, ClientFacts] = ValueCache(_client_facts, limit)
        self.origins: ValueCache[Origin, OriginFacts] = ValueCache(self._origin_facts, limit)
        self.calls: ValueCache[ApiCall, CallFacts] = ValueCache(_call_facts, limit)

    def _origin_facts(self, origin: Origin) -> OriginFacts:
        caller, recipient, address, agent, region = origin
        facts = self.clients[caller, recipient, address, agent]
        if not region:
            return OriginFacts(facts, "", facts.observed, ())
        of_region = region_observations(facts.account, facts.principal, region)
        changed = changed_region_observations(facts.account, region)
        return OriginFacts(facts, region, (*facts.observed, *of_region), changed)


class SignatureGroup(msgspec.Struct, gc=False):
    """The records of one signature in a chunk, by their indexes, with what follows from it.

    ``timed`` are those that are events, ``first`` and ``last`` their first and last time."""

    signature: EventSignature
    origin: OriginFacts
    call: CallFacts
    indexes: list[int]
    timed: list[int]
    first: int
    last: int


def group_records(records: Records, cache: SignatureCache) -> list[SignatureGroup]:
    """Return the groups of the records of a chunk by signature."""
    groups: list[SignatureGroup] = []
    origins, calls, times = cache.origins, cache.calls, records.times
    for signature, indexes in records.by_signature.items():
        call = calls[api_call_of(signature)]
        timed = indexes
        if call.skip_reason:
            timed = []
        elif not records.has_times:
            timed = [index for index in indexes if times[index] is not None]
        first = last = 0
        if timed:
            known: list[Any] = [times[index] for index in timed]
            first, last = min(known), max(known)
        origin = origins[origin_of(signature)]
        groups.append(SignatureGroup(signature, origin, call, indexes, timed, first, last))
    return groups


def _client_facts(client: Client) -> ClientFacts:
    signature = join_parts((*client, None), (None, None, None, None, None))
    caller = signature.caller
    account = caller.account_id or signature.recipient_account_id
    principal = principal_of(caller.arn) if caller.arn else None
    keys = frozenset(caller_keys(signature))
    observed = client_observations(
        account,
        principal,
        caller.access_key_id or "",
        signature.user_agent or "",
        signature.source_ip_address or "",
    )
    actor = _actor_of(signature)
    traits = traits_of(
        actor,
        signature.recipient_account_id or caller.account_id,
        signature.source_ip_address,
        signature.user_agent,
        caller.access_key_id,
    )
    return ClientFacts(account, principal, observed, keys, hashes_of(keys), actor, traits)


def _actor_of(signature: EventSignature) -> Actor | None:
    caller = signature.caller
    if caller.arn and caller.arn.startswith("arn:"):
        return actor_of_arn(caller.arn)
    return actor_without_arn(caller.invoked_by, signature.source_ip_address, caller.account_id)


def _call_facts(call: ApiCall) -> CallFacts:
    signature = join_parts((None, None, None, None, None), call)
    return CallFacts(
        skip_reason(signature),
        signature.event_source == STS,
        signature.read_only is False,
        bool(signature.event_source and signature.event_name),
        CallOutcome.of(call),
    )
