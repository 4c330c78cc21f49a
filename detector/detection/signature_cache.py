"""The groups of a chunk's records by signature, and what follows from a signature's parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from detector.cloudtrail.record import (
    NO_CALLER,
    ApiCall,
    Client,
    EventSignature,
    Origin,
    join_parts,
    skip_reason,
)
from detector.detection.activity.actor import Actor, actor_of_arn, actor_without_arn
from detector.detection.activity.parts import CallOutcome, Traits, traits_of
from detector.detection.baseline import (
    Observation,
    agent_family,
    changed_region_observations,
    client_observations,
    network_of,
    principal_of,
    region_observations,
)
from detector.detection.principal import STS
from detector.detection.principal_index import PrincipalHashes, hashes_of
from detector.formats import KnownHeads, Records
from detector.rules.dispatch import Candidates, Dispatch, OriginVerdicts
from detector.rules.rule import Rule
from detector.text.value_cache import CACHE_LIMIT, ValueCache


class ClientFacts(msgspec.Struct, eq=False):
    """What follows from a client: whose it is, and what is observed of it anywhere.

    ``counted`` is what ``activity`` returned."""

    client: Client
    account: str | None
    principal: str | None
    observed: tuple[Observation, ...]
    principal_keys: frozenset[str]
    principal_hashes: PrincipalHashes
    counted: tuple[Actor | None, Traits] | None = None

    @classmethod
    def of(cls, client: Client) -> ClientFacts:
        """Work out what follows from a client."""
        named, recipient, address, agent = client
        caller = named or NO_CALLER
        arn, key = caller.arn, caller.access_key_id
        account = caller.account_id or recipient
        principal = principal_of(arn) if arn else None
        keys = frozenset(filter(None, (principal, key)))
        observed = client_observations(account, principal, key or "", agent or "", address or "")
        return cls(client, account, principal, observed, keys, hashes_of(keys))

    def activity(self) -> tuple[Actor | None, Traits]:
        """Return who called, and what is counted of the calls.

        None where only a whole record names the caller."""
        if self.counted is None:
            self.counted = self._actor(), self._traits()
        return self.counted

    def _actor(self) -> Actor | None:
        named, _, address, _ = self.client
        caller = named or NO_CALLER
        if caller.arn and caller.arn.startswith("arn:"):
            return actor_of_arn(caller.arn)
        return actor_without_arn(caller.invoked_by, address, caller.account_id)

    def _traits(self) -> Traits:
        named, recipient, address, agent = self.client
        caller = named or NO_CALLER
        account = recipient or caller.account_id
        if self.principal:
            # These were worked out for the baseline.
            known = {kind: value for kind, _, value in self.observed}
            network, program = known.get("principal-network"), known.get("principal-agent")
        else:
            network, program = network_of(address or ""), agent_family(agent or "")
        return traits_of(account, network, program, caller.access_key_id)


class CallFacts(NamedTuple):
    """What follows from a call.

    ``skip_reason`` says why its records are no events, None where they are; ``may_open_session`` is
    true for calls to STS, whose responses may carry a session's access key; ``changes`` says that
    it is no read, ``is_named`` that it has a source and a name, ``is_sign_in`` that a message alone
    tells whether it failed, which a signature lacks."""

    skip_reason: str | None
    may_open_session: bool
    changes: bool
    is_named: bool
    is_sign_in: bool
    outcome: CallOutcome


class OriginFacts(msgspec.Struct, eq=False):
    """What follows from a client and the region that it called.

    ``changed`` is what is observed of a call there that is no read. ``rules`` are those that its
    records may match, of the candidates of the calls it made, by the ``verdicts`` of the tests that
    they ask."""

    client: ClientFacts
    region: str
    observed: tuple[Observation, ...]
    changed: tuple[Observation, ...]
    rules: dict[Candidates, Sequence[Rule]] = {}
    verdicts: OriginVerdicts = {}

    def remember(self, candidates: Candidates, rules: Sequence[Rule]) -> None:
        """Remember which of ``candidates`` records of this origin may match."""
        if len(self.rules) >= _CANDIDATES_LIMIT:
            self.rules.clear()
            self.verdicts.clear()
        self.rules[candidates] = rules


_SIGN_IN = "signin.amazonaws.com"
"""The service that says by a message alone that a call failed."""
_CANDIDATES_LIMIT = 64
"""Of the candidates that an origin remembers; most calls have the same few."""


class SignatureFacts(msgspec.Struct, eq=False):
    """What follows from a signature.

    ``rules`` are those of ``dispatch`` that its records may match; ``verdicts`` are what these say
    of the records, by what a view of a record shows beside the signature."""

    origin: OriginFacts
    call: CallFacts
    dispatch: Dispatch | None = None
    rules: Sequence[Rule] = ()
    verdicts: dict[object, Any] = {}

    def select(self, dispatch: Dispatch, signature: EventSignature) -> None:
        """Select the rules that records of the signature may match."""
        self.dispatch, self.rules, self.verdicts = dispatch, (), {}
        candidates = dispatch.candidates(signature)
        if not candidates:
            return
        rules = self.origin.rules.get(candidates)
        if rules is None:
            rules = dispatch.select(candidates, signature, self.origin.verdicts)
            self.origin.remember(candidates, rules)
        self.rules = rules


class SignatureCache:
    """Caches of what follows from signatures, and from each part of one.

    They change speed only, never a result."""

    def __init__(self, limit: int = CACHE_LIMIT) -> None:
        self.heads = KnownHeads(3 * limit)
        self.clients: ValueCache[Client, ClientFacts] = ValueCache(ClientFacts.of, limit)
        self._origins: dict[Origin, OriginFacts] = {}
        self._generation = 0
        self.calls: ValueCache[ApiCall, CallFacts] = ValueCache(_call_facts, limit)

    def follow_heads(self) -> None:
        """Forget the origins of heads that were forgotten: those of one origin have one object."""
        if self._generation != self.heads.generation:
            self._generation = self.heads.generation
            self._origins.clear()

    def facts_of(self, signature: EventSignature) -> SignatureFacts:
        """Return what follows from a signature."""
        caller, source, name, region, address, agent, error, read_only, recipient, category = (
            signature
        )
        called_from = caller, recipient, address, agent, region
        origin = self._origins.get(called_from)
        if origin is None:
            origin = self._origins[called_from] = self._origin_facts(called_from)
        return SignatureFacts(origin, self.calls[source, name, read_only, category, error])

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
    facts: SignatureFacts
    origin: OriginFacts
    call: CallFacts
    indexes: list[int]
    timed: list[int]
    first: int
    last: int


def group_records(records: Records, cache: SignatureCache) -> list[SignatureGroup]:
    """Return the groups of the records of a chunk by signature.

    The heads of ``records`` are those of the cache. Groups of one origin have the same object."""
    cache.follow_heads()
    groups: list[SignatureGroup] = []
    for group in records.groups:
        head, indexes = group.head, group.indexes
        facts = head.facts
        if facts is None:
            facts = head.facts = cache.facts_of(head.signature)
        call = facts.call
        timed, span = indexes, group.span
        if call.skip_reason:
            timed, span = [], _NO_SPAN
        elif not records.has_times:
            timed = [index for index in indexes if records.times[index] is not None]
        if span is None:
            span = _span_of(records.times, timed)
        groups.append(
            SignatureGroup(head.signature, facts, facts.origin, call, indexes, timed, *span)
        )
    return groups


_NO_SPAN = (0, 0)


def _span_of(times: Sequence[Any], indexes: Sequence[int]) -> tuple[int, int]:
    """Return the first and the last of the times at indexes."""
    if len(indexes) == 1:
        return times[indexes[0]], times[indexes[0]]
    known = [times[index] for index in indexes]
    return min(known, default=0), max(known, default=0)


def _call_facts(call: ApiCall) -> CallFacts:
    signature = join_parts((None, None, None, None, None), call)
    outcome = CallOutcome.of(call)
    return CallFacts(
        skip_reason(signature),
        signature.event_source == STS,
        signature.read_only is False,
        bool(signature.event_source and signature.event_name),
        signature.event_source == _SIGN_IN and not outcome.is_failed,
        outcome,
    )
