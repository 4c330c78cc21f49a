"""Completion of queries while typing: commands, fields, functions, names defined in the query."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from detector.esql.functions.aggregates import AGGREGATES
from detector.esql.functions.registry import FUNCTIONS
from detector.triage.hunt_record import QueryLanguage

MOST_OFFERED = 8

_WORD = re.compile(r"[@A-Za-z_][\w.@]*$")
_DEFINED = re.compile(r"(?<![\w.=!<>])([A-Za-z_][\w.]*)\s*=(?![=~])")
_STRING = re.compile(r'"""|"(?:\\.|[^"\\\n])*"|"')
_COMMANDS = (
    "where",
    "eval",
    "stats",
    "keep",
    "sort",
    "limit",
    "drop",
    "rename",
    "dissect",
    "grok",
    "enrich",
    "lookup join",
    "mv_expand",
    "inline stats",
)
_OPERATORS = ("by", "and", "or", "not", "in", "like", "rlike", "is null", "is not null", "desc")
_KQL_WORDS = ("and", "or", "not")
_EQL_WORDS = ("where", "and", "or", "not", "in", "like", "like~", "regex")


class WordOffer(NamedTuple):
    """Texts that may replace ``text[start:cursor]``, the likeliest first."""

    start: int
    options: Sequence[str] = ()


def offer_words(
    text: str, cursor: int, language: QueryLanguage, fields: Iterable[str]
) -> WordOffer:
    """Return the completions at the cursor, an offset in the text."""
    before = text[:cursor]
    if _is_in_string(before):
        return WordOffer(cursor)
    match = _WORD.search(before)
    word = match[0] if match else ""
    start = cursor - len(word)
    left = before[:start].rstrip()
    if language == "esql" and left.endswith("|"):
        return WordOffer(start, list(_beginning(word, _COMMANDS))[:MOST_OFFERED])
    if language == "esql" and not left:
        return WordOffer(start, list(_beginning(word, ["from logs-aws.cloudtrail-*"])))
    if not word:
        return WordOffer(cursor)
    options = dict.fromkeys(_matching(word, text, language, fields))
    options.pop(word, None)
    return WordOffer(start, list(options)[:MOST_OFFERED])


def _matching(
    word: str, text: str, language: QueryLanguage, fields: Iterable[str]
) -> Iterator[str]:
    """Yield completions of a word: names that begin with it, then fields that contain it."""
    names = sorted(fields)
    if language == "esql":
        yield from _beginning(word, _DEFINED.findall(text))
    yield from _beginning(word, names)
    if language == "esql":
        yield from _beginning(word, (f"{each}(" for each in sorted({*AGGREGATES, *FUNCTIONS})))
        yield from _beginning(word, _OPERATORS)
    elif language == "eql":
        yield from _beginning(word, _EQL_WORDS)
    else:
        yield from _beginning(word, _KQL_WORDS)
    folded = word.casefold()
    yield from (name for name in names if folded in name.casefold())


def _beginning(word: str, options: Iterable[str]) -> Iterator[str]:
    folded = word.casefold()
    return (option for option in options if option.casefold().startswith(folded))


def _is_in_string(before: str) -> bool:
    """Tell whether a text ends inside an unclosed string."""
    return '"' in _STRING.sub(lambda match: "" if len(match[0]) > 1 else match[0], before)
