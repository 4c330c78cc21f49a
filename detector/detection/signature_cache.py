"""The events of a chunk by who called from where, and what follows from a signature's parts."""

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
"""Of the candidates that are remembered of who calls; most calls have the same few."""
_CALLS_LIMIT = 16
"""Of the calls that are remembered of a client."""
_GENERATION = 1 << 17
"""Records after which it is forgotten who made none of them and none of those that follow."""


class SelectedRules(msgspec.Struct, eq=False):
    """The rules that records of an origin, or of a client anywhere, may match.

    They are kept by the candidates of the calls that it made, with the ``verdicts`` of the tests
    that these ask."""

    rules: dict[Candidates, Sequence[Rule]] = {}
    verdicts: OriginVerdicts = msgspec.field(default_factory=OriginVerdicts)

    def of(
        self, candidates: Candidates, origin: Origin, call: ApiCall, dispatch: Dispatch
    ) -> Sequence[Rule]:
        """Return those of ``candidates`` that records of a call by an origin may match."""
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

    ``answers`` are what they say of the records wherever the call is made, by what a view of one
    shows beside the signature."""

    dispatch: Dispatch
    rules: Sequence[Rule]
    answers: dict[object, Any] = {}


class ClientFacts(msgspec.Struct, eq=False):
    """What follows from a client: whose it is, and what is observed of it anywhere.

    ``anywhere`` are account, principal and long-term key, by which alerts are judged; ``counted``
    is what ``activity`` returned; ``asked`` are rules by the calls that it made, where no region
    decides."""

    client: Client
    anywhere: ObservedOrigin
    principal_hashes: PrincipalHashes
    counted: tuple[Actor | None, Traits] | None = None
    selected: SelectedRules = msgspec.field(default_factory=SelectedRules)
    asked: dict[ApiCall, AskedRules] = {}

    @classmethod
    def of(cls, client: Client) -> ClientFacts:
        """Work out what follows from a client."""
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
        """Return all that is observed of calls in a region."""
        account, principal, key, _ = self.anywhere
        return ObservedOrigin(account, principal, key, region)

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
        account = recipient or (named or NO_CALLER).account_id or ""
        network, program = network_of(address or "") or "", agent_family(agent or "")
        return network, program, account, self.anywhere.key


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

    ``changed`` is what is observed of a call there that is no read. What few origins are asked for
    is made when it is."""

    client: ClientFacts
    region: str
    changed: ChangedRegion | None
    seen: ObservedOrigin | None = None
    selected: SelectedRules | None = None

    @classmethod
    def of(cls, client: ClientFacts, region: str) -> OriginFacts:
        """Work out what follows from a client's calls in a region."""
        account = client.anywhere.account
        changed = (account, region) if account and region else None
        return cls(client, region, changed)

    def observed_for(self, counts_activity: bool) -> ObservedOrigin:
        """Return what is observed, without the region unless activity is counted."""
        if not counts_activity:
            return self.client.anywhere
        if self.seen is None:
            self.seen = self.client.observed_in(self.region)
        return self.seen

    def ask(
        self, candidates: Candidates, origin: Origin, call: ApiCall, dispatch: Dispatch
    ) -> AskedRules:
        """Return the rules that records of a call by this origin may match.

        ``candidates`` are those of the call, ``origin`` are this one's parts."""
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
"""The service that says by a message alone that a call failed."""


class SignatureFacts(msgspec.Struct, eq=False):
    """What follows from a signature, which has the ``parts`` of an origin and a call.

    ``asked`` are the rules that its records may match, ``question`` the bit by which their callers
    refuse all of them, ``head`` the number of the head that has the signature; ``verdicts`` are
    what the rules say of the records, by what a view of a record shows beside the signature."""

    parts: tuple[Origin, ApiCall]
    origin: OriginFacts
    asked: AskedRules
    question: int
    head: int
    verdicts: dict[object, Any] = {}

    @property
    def signature(self) -> EventSignature:
        """The signature, made anew: few are asked for it."""
        return join_parts(*self.parts)


class SignatureCache:
    """Caches of what follows from signatures, and from each part of one.

    They change speed only, never a result."""

    def __init__(self, limit: int = CACHE_LIMIT) -> None:
        self.heads = KnownHeads(3 * limit)
        self.clients: dict[Client, ClientFacts] = {}
        self.calls: ValueCache[ApiCall, CallFacts] = ValueCache(_call_facts, limit)
        self._limit = limit
        self._origins: dict[Origin, OriginFacts] = {}
        self._generation = 0
        self._records = 0

    def trim(self, records: int) -> None:
        """Forget what is much and what was not asked for, behind a chunk of so many records."""
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
        """Forget all that follows from heads."""
        self.heads.forget()
        self.follow_heads()

    def follow_heads(self) -> None:
        """Forget the parts of heads that were forgotten: those of one origin have one object."""
        if self._generation != self.heads.generation:
            self._generation = self.heads.generation
            self._origins.clear()
            self.clients.clear()

    def origin_facts(self, origin: Origin) -> OriginFacts:
        """Return what follows from an origin, the same until heads are forgotten."""
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
