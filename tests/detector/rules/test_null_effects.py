"""Tests of what a query loses by a field that is always null."""

from __future__ import annotations

import pytest

from detector.ecs.fields import field_table
from detector.esql.parser import parse_query
from detector.rules.null_effects import null_effects

CITY = "source.geo.city_name"
NEVER = "the rule can never fire here"
MORE = "the rule fires more often here"
PART = "this condition is never true here"
SHOWN = f"the column {CITY} stays empty here"


def effects(query, intended=False):
    """Return what a query loses, and the text from where it loses it."""
    text = f"from logs-* | {query}"
    found = null_effects(parse_query(text), field_table(), intended)
    return [(sentence, text[span.column - 1 :]) for span, sentence in found]


@pytest.mark.parametrize(
    "query, expected",
    [
        # columns that take the field's name, or give it theirs
        (f'rename {CITY} as c | where c == "B"', NEVER),
        (f'rename user.name as {CITY} | where {CITY} == "B"', None),
        (f'enrich owners on user.name with team | where {CITY} == "B"', NEVER),
        (f'enrich owners on user.name with {CITY} = team | where {CITY} == "B"', None),
        (f'enrich owners on user.name | where {CITY} == "B"', None),
        # values of null
        (f"where length({CITY}) + 1 > 2", NEVER),
        (f"where 1 + length({CITY}) > 2", NEVER),
        (f"where length(user.name) + 1 > 2 | keep {CITY}", SHOWN),
        (f"where -length({CITY}) < 2", NEVER),
        (f"where -length(user.name) < 2 | keep {CITY}", SHOWN),
        (f"where {CITY}::integer > 2", NEVER),
        (f'where starts_with({CITY}, "B")', NEVER),
        (f'where starts_with(user.name, "B") | keep {CITY}', SHOWN),
        (f"stats n = count({CITY}) by user.name | where n > 0", NEVER),
        (f"stats n = count({CITY}) by user.name | where n == 0", MORE),
        # conditions
        (f'where {CITY} == "B" or {CITY} == "C"', NEVER),
        (f'where event.action == "x" and {CITY} == "B"', NEVER),
        (f"where user.name is not null | keep {CITY}", SHOWN),
        (f'where false or event.action == "x" | keep {CITY}', SHOWN),
        (f"where false | keep {CITY}", NEVER),
        (f'where concat(user.name, null) == "x" or event.action == "y" | keep {CITY}', SHOWN),
    ],
)
def test_it_follows_null_through_columns_values_and_conditions(query, expected):
    found = [sentence for sentence, _ in effects(query)]
    assert len(found) == (expected is not None)
    assert all(sentence.startswith(expected) for sentence in found)


@pytest.mark.parametrize(
    "condition, expected, part",
    [
        (f'{CITY} != "B"', MORE, f'{CITY} != "B"'),
        (f'not (event.action == "x" or {CITY} == "B")', MORE, f'{CITY} == "B")'),
        (f'not not {CITY} == "B" or event.action == "x"', PART, f'{CITY} == "B" or'),
        (f"not {CITY} is null", NEVER, CITY),
    ],
)
def test_it_judges_negations_as_authors_intend_them(condition, expected, part):
    ((sentence, where),) = effects(f"where {condition}", intended=True)
    assert sentence.startswith(expected) and where.startswith(part)


def test_it_names_the_last_use_of_each_field():
    region = "source.geo.region_name"
    names = [where for _, where in effects(f'where {CITY} == "B" and {region} == "C"')]
    assert [name.split()[0] for name in names] == [CITY, region]
