"""The cache of what follows from the parts of event signatures."""

from __future__ import annotations

from typing import NamedTuple

from detector.cloudtrail.record import ApiCall, Client, EventSignature, join_parts, skip_reason
from detector.detection.activity.actor import Actor, actor_of_arn, actor_without_arn
from detector.detection.activity.parts import CallOutcome, Traits, traits_of
from detector.detection.baseline import Observation, client_observations, principal_of
from detector.detection.principal import STS, caller_keys
from detector.detection.principal_index import PrincipalHashes, hashes_of
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


class SignatureCache:
    """Caches of what follows from each part of a signature.

    They change speed only, never a result."""

    def __init__(self, limit: int = CACHE_LIMIT) -> None:
        self.clients: ValueCache[Client, ClientFacts] = ValueCache(_client_facts, limit)
        self.calls: ValueCache[ApiCall, CallFacts] = ValueCache(_call_facts, limit)


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
