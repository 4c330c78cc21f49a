"""Finds signals: events by related principals that flag rules match."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import BinaryIO, NamedTuple, Self

from detector.cloudtrail.record import (
    NO_ORIGIN,
    ApiCall,
    EventSignature,
    Record,
    api_call_of,
    join_parts,
    signature_of,
    skip_reason,
)
from detector.detection.event import Event, KeptEvent
from detector.detection.principal import STS
from detector.detection.signals.found_signals import Flags, Signals
from detector.detection.signals.related_records import ChunkRequests, RelatedRows, search_file
from detector.detection.signals.searched_heads import SearchedHeads
from detector.formats import Unreadable
from detector.formats.decoded.hit_runs import RecordRuns
from detector.formats.native.columns import identities_in
from detector.rules.dispatch import Candidates, Dispatch, OriginVerdicts
from detector.rules.rule import Rule
from detector.sources.open_file import open_file
from detector.sources.os_errors import describe_os_error
from detector.text.value_cache import ValueCache


def flagging_events(rules: Iterable[Rule]) -> Dispatch:
    """Select the rules whose flag is raised by single events.

    Flag rules of other shapes raise their flag by the windows that they find."""
    return Dispatch(rule for rule in rules if rule.flag and rule.query.shape == "filter")


def flags_of(event: Event, record: Record, flagging: Dispatch) -> Flags:
    """Return the flags that an event raises, sorted."""
    rules = flagging.rules_for(signature_of(record.head()))
    return _RaisedFlags.of(rules).raised_by(lambda: record, event.time)


class _RaisedFlags(NamedTuple):
    """The flags that all records of a signature raise, and the rules that may raise more."""

    certain: Flags
    asked: tuple[Rule, ...]

    @property
    def needs_records(self) -> bool:
        """Whether rules must be evaluated on each record."""
        return bool(self.asked)

    @classmethod
    def of(cls, rules: Iterable[Rule]) -> _RaisedFlags:
        """Return the flags of the rules that records of a signature may match."""
        certain, asked = set(), []
        for rule in rules:
            if rule.flag and rule.query.prefilter.is_exact:
                certain.add(rule.flag)
            elif rule.flag:
                asked.append(rule)
        return cls(tuple(sorted(certain)), tuple(asked))

    def unless_empty(self, signature: EventSignature) -> Self | None:
        """Return these flags; None if there are none and the call cannot open a session."""
        return self if self.certain or self.asked or signature.event_source == STS else None

    def raised_by(self, decode: Callable[[], Record | None], time: int) -> Flags:
        """Return the flags that a record raises, sorted; it is only decoded if rules need it."""
        if not self.asked:
            return self.certain
        record = decode()
        more = {rule.flag for rule in self.asked if rule.flag and _matches(rule, record, time)}
        return tuple(sorted(more.union(self.certain)))


class _CallFlags(NamedTuple):
    """The flags of a call, or the candidate rules if these depend on who calls."""

    candidates: Candidates | None
    flags: _RaisedFlags | None


def _matches(rule: Rule, record: Record | None, time: int) -> bool:
    """Return whether a record passes a rule's filter."""
    try:
        return record is not None and rule.query.accepts(record, time)
    except RecursionError:
        return False


class SignalFinder:
    """Finds signals in files; what it learns of calls and callers is kept for the next file."""

    def __init__(self, flagging: Dispatch) -> None:
        self._flagging = flagging
        self._heads = SearchedHeads(self._flags_of)
        self._of_call: ValueCache[ApiCall, _CallFlags] = ValueCache(self._flags_of_call)

    def find(
        self,
        path: str,
        requests: ChunkRequests,
        found: Signals,
        opener: Callable[[str], BinaryIO] = open_file,
    ) -> None:
        """Search a file for signals and add them to ``found``.

        If the file cannot be read, the reason is noted in ``found.unread``."""
        try:
            search_file(path, requests, self._heads, _SignalSink(path, found), opener)
        except OSError as error:
            found.unread[path] = describe_os_error(error)
        except Unreadable as error:
            found.unread[path] = error.reason.detail

    def _flags_of(self, signature: EventSignature) -> _RaisedFlags | None:
        """Return the flags of a signature; None if its records are not signals."""
        candidates, flags = self._of_call[api_call_of(signature)]
        if candidates is not None:
            rules = self._flagging.select(candidates, signature, OriginVerdicts())
            return _RaisedFlags.of(rules).unless_empty(signature)
        return flags

    def _flags_of_call(self, call: ApiCall) -> _CallFlags:
        signature = join_parts(NO_ORIGIN, call)
        if skip_reason(signature):
            return _CallFlags(None, None)
        candidates = self._flagging.candidates(signature)
        if candidates.asks_origins:
            return _CallFlags(candidates, None)
        rules = self._flagging.select(candidates, signature, OriginVerdicts())
        return _CallFlags(None, _RaisedFlags.of(rules).unless_empty(signature))


class _SignalSink:
    """Adds to ``found`` the related records of a file that are signals or open a session."""

    def __init__(self, path: str, found: Signals) -> None:
        self._path = path
        self._found = found

    def add(
        self,
        chunk: int,
        answer: _RaisedFlags,
        event: KeptEvent,
        columns: RelatedRows,
        decode: Callable[[int], Record | None],
    ) -> None:
        """Add records that differ only in identity, time and position."""
        if not answer.needs_records:
            self._add(chunk, answer.certain, event, *columns)
            return
        names = identities_in(columns.identities)
        for identity, time, index in zip(names, columns.times, columns.indexes, strict=True):
            flags = answer.raised_by(partial(decode, index), time)
            self._add(chunk, flags, event, identity, [time], [index])

    def _add(
        self,
        chunk: int,
        flags: Flags,
        event: KeptEvent,
        identities: bytes,
        times: Sequence[int],
        indexes: Sequence[int],
    ) -> None:
        if flags or event.issued_key:
            self._found.add(event, flags, (self._path, chunk), identities, times, indexes)

    def add_runs(
        self,
        chunk: int,
        answers: Sequence[_RaisedFlags],
        events: Sequence[KeptEvent | None],
        runs: RecordRuns,
        times: Sequence[int | None],
    ) -> None:
        """Add the records of runs: they open no session, so that each is certain to raise flags."""
        if any(event is not None for event in events):
            flags = [answer.certain for answer in answers]
            self._found.add_runs(events, flags, (self._path, chunk), runs, times)
