"""Caches of the facts that are derived from signatures and their parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from detector.cloudtrail.record import (
    NO_CALLER,
    NO_ORIGIN,
    ApiCall,
    Client,
    EventSignature,
    Origin,
    join_parts,
    skip_reason,
)
from detector.detection.activity.actor import Actor, actor_of_arn, actor_without_arn
from detector.detection.activity.parts import CallOutcome, Traits
from detector.detection.baseline import (
    ChangedRegion,
    ObservedOrigin,
    agent_family,
    is_long_term,
    network_of,
    principal_of,
)
from detector.detection.principal import STS
from detector.detection.principal_index import PrincipalHashes, hashes_of
from detector.formats import KnownHeads
from detector.rules.dispatch import Candidates, Dispatch, OriginVerdicts
from detector.rules.rule import Rule
from detector.text.value_cache import CACHE_LIMIT, ValueCache

_CANDIDATES_LIMIT = 64
"""How many sets of candidates are remembered per origin; most calls have the same few."""
_CALLS_LIMIT = 16
"""How many calls are remembered per client."""
_GENERATION = 1 << 17
"""The number of records after which the origins that made none of them are forgotten."""


class SelectedRules(msgspec.Struct, eq=False):
    """The rules that records of an origin, or of a client in any region, may match.

    ``rules`` are by the candidates of the calls made; ``verdicts`` are the results of the
    candidates' tests."""

    rules: dict[Candidates, Sequence[Rule]] = {}
    verdicts: OriginVerdicts = msgspec.field(default_factory=OriginVerdicts)

    def of(
        self, candidates: Candidates, origin: Origin, call: ApiCall, dispatch: Dispatch
    ) -> Sequence[Rule]:
        """Return the candidate rules that records of a call by an origin may match."""
        rules = self.rules.get(candidates)
        if rules is None:
            rules = dispatch.select(candidates, join_parts(origin, call), self.verdicts)
            if len(self.rules) >= _CANDIDATES_LIMIT:
                self.rules.clear()
                self.verdicts.start(dispatch)
            self.rules[candidates] = rules
        return rules


class AskedRules(msgspec.Struct, frozen=True, eq=False):
    """The ``rules`` of ``dispatch`` that records of a client's call may match.

    ``answers`` are their outcomes, valid in every region, by the view of a record."""

    dispatch: Dispatch
    rules: Sequence[Rule]
    answers: dict[object, Any] = {}


class ClientFacts(msgspec.Struct, eq=False):
    """The facts derived from a client.

    ``anywhere`` has the account, principal and long-term key, without a region; ``counted`` caches
    the result of ``activity``; ``asked`` are the rules for the calls that it made, if they do not
    depend on the region."""

    client: Client
    anywhere: ObservedOrigin
    principal_hashes: PrincipalHashes
    counted: tuple[Actor | None, Traits] | None = None
    selected: SelectedRules = msgspec.field(default_factory=SelectedRules)
    asked: dict[ApiCall, AskedRules] = {}

    @classmethod
    def of(cls, client: Client) -> ClientFacts:
        """Derive the facts of a client."""
        named, recipient, _, _ = client
        caller = named or NO_CALLER
        arn, key = caller.arn or "", caller.access_key_id or ""
        principal = principal_of(arn)
        whose = caller.account_id or recipient or "", principal, key if is_long_term(key) else ""
        return cls(
            client,
            ObservedOrigin(*whose, ""),
            hashes_of([each for each in (principal, key) if each]),
        )

    def observed_in(self, region: str) -> ObservedOrigin:
        """Return the observed origin of calls in a region."""
        account, principal, key, _ = self.anywhere
        return ObservedOrigin(account, principal, key, region)

    def activity(self) -> tuple[Actor | None, Traits]:
        """Return who called, and the traits of the calls.

        The actor is None if only the whole record names the caller."""
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
        account = recipient or (named or NO_CALLER).account_id or ""
        network, program = network_of(address or "") or "", agent_family(agent or "")
        return network, program, account, self.anywhere.key


class CallFacts(NamedTuple):
    """The facts derived from a call.

    ``skip_reason`` says why its records are not events, None if they are; ``may_open_session`` is
    true for calls to STS, whose responses may carry a session's access key; ``changes``: it is not
    read-only; ``is_named``: it has a source and a name; ``is_sign_in``: only the error message,
    which is not part of a signature, tells whether it failed."""

    skip_reason: str | None
    may_open_session: bool
    changes: bool
    is_named: bool
    is_sign_in: bool
    outcome: CallOutcome


class OriginFacts(msgspec.Struct, eq=False):
    """The facts derived from a client and the region that it called.

    ``changed`` is the observation that a call which is not read-only makes. ``seen`` and
    ``selected`` are made when first needed, as few origins need them."""

    client: ClientFacts
    region: str
    changed: ChangedRegion | None
    seen: ObservedOrigin | None = None
    selected: SelectedRules | None = None

    @classmethod
    def of(cls, client: ClientFacts, region: str) -> OriginFacts:
        """Derive the facts of a client's calls in a region."""
        account = client.anywhere.account
        changed = (account, region) if account and region else None
        return cls(client, region, changed)

    def observed_for(self, counts_activity: bool) -> ObservedOrigin:
        """Return the observed origin; without the region unless activity is counted."""
        if not counts_activity:
            return self.client.anywhere
        if self.seen is None:
            self.seen = self.client.observed_in(self.region)
        return self.seen

    def ask(
        self, candidates: Candidates, origin: Origin, call: ApiCall, dispatch: Dispatch
    ) -> AskedRules:
        """Return the rules that records of a call by this origin may match.

        ``candidates`` are those of the call, ``origin`` are the parts of this origin."""
        if candidates.reads_region:
            if self.selected is None:
                self.selected = SelectedRules()
            return AskedRules(dispatch, self.selected.of(candidates, origin, call, dispatch))
        client = self.client
        asked = client.asked.get(call)
        if asked is None or asked.dispatch is not dispatch:
            rules = client.selected.of(candidates, origin, call, dispatch)
            asked = AskedRules(dispatch, rules)
            if rules and len(client.asked) < _CALLS_LIMIT:
                client.asked[call] = asked
        return asked


_SIGN_IN = "signin.amazonaws.com"
"""The service whose failed calls may have only an error message, no code."""


class SignatureFacts(msgspec.Struct, eq=False):
    """The facts derived from a signature; ``parts`` are its origin and its call.

    ``asked`` are the rules that its records may match, ``question`` is the bit that says that a
    caller refuses all of them (0: none), ``head`` is the number of the signature's head;
    ``verdicts`` are the rules' outcomes by the view of a record."""

    parts: tuple[Origin, ApiCall]
    origin: OriginFacts
    asked: AskedRules
    question: int
    head: int
    verdicts: dict[object, Any] = {}

    @property
    def signature(self) -> EventSignature:
        """The signature; it is not cached, as it is rarely needed."""
        return join_parts(*self.parts)


class SignatureCache:
    """Caches of the facts derived from signatures and their parts.

    They only affect speed, never a result."""

    def __init__(self, limit: int = CACHE_LIMIT) -> None:
        self.heads = KnownHeads(3 * limit)
        self.clients: dict[Client, ClientFacts] = {}
        self.calls: ValueCache[ApiCall, CallFacts] = ValueCache(_call_facts, limit)
        self._limit = limit
        self._origins: dict[Origin, OriginFacts] = {}
        self._generation = 0
        self._records = 0

    def trim(self, records: int) -> None:
        """Limit the caches' size, after a chunk with ``records`` records.

        After each generation of records, origins that made none of them are forgotten."""
        self.heads.trim()
        self._records += records
        if self._records < _GENERATION:
            return
        self._records = 0
        left = self.heads.turn()
        self._origins = {key: each for key, each in self._origins.items() if each in left}
        clients = {origin.client for origin in left}
        self.clients = {key: each for key, each in self.clients.items() if each in clients}

    def forget(self) -> None:
        """Forget all heads and the facts derived from them."""
        self.heads.forget()
        self.follow_heads()

    def follow_heads(self) -> None:
        """Forget the parts of heads if the heads were forgotten: an origin must have one object."""
        if self._generation != self.heads.generation:
            self._generation = self.heads.generation
            self._origins.clear()
            self.clients.clear()

    def origin_facts(self, origin: Origin) -> OriginFacts:
        """Return the facts of an origin: the same object until heads are forgotten."""
        facts = self._origins.get(origin)
        if facts is None:
            client = self._client_facts(origin[:4])
            facts = self._origins[origin] = OriginFacts.of(client, origin[4] or "")
        return facts

    def _client_facts(self, client: Client) -> ClientFacts:
        facts = self.clients.get(client)
        if facts is None:
            facts = ClientFacts.of(client)
            if len(self.clients) < self._limit:
                self.clients[client] = facts
        return facts


def _call_facts(call: ApiCall) -> CallFacts:
    signature = join_parts(NO_ORIGIN, call)
    outcome = CallOutcome.of(call)
    return CallFacts(
        skip_reason(signature),
        signature.event_source == STS,
        signature.read_only is False,
        bool(signature.event_source and signature.event_name),
        signature.event_source == _SIGN_IN and not outcome.is_failed,
        outcome,
    )


class SignatureGroup(NamedTuple):
    """The events of one signature in a chunk, by the indexes of their records."""

    facts: SignatureFacts
    timed: list[int]
