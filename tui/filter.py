"""What a list is narrowed to: free words, ``field:value``, and ``!`` before either for "not".

All terms must hold. Case does not matter; a value matches anywhere in the field; quotes hold words together.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from detector.alert import Alert
from detector.huntlog import Note, Suppression
from tui import format

R = TypeVar("R")

Fields = Mapping[str, Callable[[R], Iterable[str]]]
"""What a kind of row can be asked for: the field's name, and its values in a row."""


class FilterError(ValueError):
    """A filter that cannot be understood; the message is one line that says why."""


@dataclass(frozen=True)
class _Term(Generic[R]):
    wanted: bool
    value: str
    read: tuple[Callable[[R], Iterable[str]], ...]

    def holds(self, row: R) -> bool:
        found = any(self.value in text.casefold() for read in self.read for text in read(row))
        return found is self.wanted


@dataclass(frozen=True)
class Filter(Generic[R]):
    text: str
    terms: tuple[_Term[R], ...]

    def __call__(self, row: R) -> bool:
        return all(term.holds(row) for term in self.terms)

    def __bool__(self) -> bool:
        return bool(self.terms)


_TERM = re.compile(r'(!?)(?:([\w-]+):)?("[^"]*"?|\S*)')


def parse(text: str, fields: Fields[R]) -> Filter[R]:
    """The filter that ``text`` writes; a term without a value yet asks nothing.

    Raises FilterError for a field that these rows do not have.
    """
    terms = []
    everything = tuple(fields.values())
    for negation, field, value in _TERM.findall(text):
        if field and field not in fields:
            near = difflib.get_close_matches(field, fields, n=1)
            known = f"known: {', '.join(fields)}; quote it to search for the text"
            raise FilterError(f"no field {field}: " + (f"did you mean {near[0]}?" if near else known))
        if wanted := value.strip('"').casefold():
            terms.append(_Term(not negation, wanted, (fields[field],) if field else everything))
    return Filter(text.strip(), tuple(terms))


ALERT_FIELDS: Fields[Alert] = {
    "principal": lambda alert: [format.principal(alert), *alert.facets.arns],
    "account": lambda alert: alert.facets.accounts,
    "region": lambda alert: alert.facets.regions,
    "source": lambda alert: alert.facets.source_addresses,
    "network": lambda alert: [format.network(alert)],
    "agent": lambda alert: alert.facets.user_agents,
    "key": lambda alert: alert.facets.access_keys,
    "role": lambda alert: alert.facets.roles,
    "identity": lambda alert: alert.facets.identity_types,
    "error": lambda alert: alert.facets.error_codes,
    "severity": lambda alert: [alert.severity],
    "status": lambda alert: [alert.status],
    "flag": lambda alert: [flag.flag for flag in alert.flags],
    "rule": lambda alert: [alert.rule.name, alert.rule.id],
    "id": lambda alert: [alert.alert_id],
}

NOTE_FIELDS: Fields[Note] = {
    "text": lambda note: [note.words.text],
    "verdict": lambda note: [note.words.verdict],
    "ticket": lambda note: [note.words.ticket],
    "owner": lambda note: [note.words.owner],
    "author": lambda note: [note.author],
    "principal": lambda note: [format.short_arn(note.context.principal), note.context.principal],
    "account": lambda note: note.context.accounts,
    "region": lambda note: note.context.regions,
    "source": lambda note: note.context.source_addresses,
    "agent": lambda note: note.context.user_agents,
    "key": lambda note: note.context.access_keys,
    "flag": lambda note: [flag.flag for flag in note.context.flags],
    "rule": lambda note: [note.context.rule],
    "alert": lambda note: [note.alert_id],
}

SUPPRESSION_FIELDS: Fields[Suppression] = {
    "scope": lambda entry: [entry.scope],
    "value": lambda entry: [entry.value],
    "ticket": lambda entry: [entry.ticket],
    "owner": lambda entry: [entry.owner],
    "author": lambda entry: [entry.author],
    "justification": lambda entry: [entry.justification],
    "rule": lambda entry: [entry.rule_id or "all"],
}
