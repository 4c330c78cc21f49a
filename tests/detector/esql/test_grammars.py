"""The generated tables are those of the grammars."""

from __future__ import annotations

import pytest

from detector.esql import grammar_tables
from detector.esql.grammars import LANGUAGES, build_parser, grammar_digest, load_parser
from detector.rules.ruleset import load


@pytest.mark.parametrize("language", LANGUAGES)
def test_tables_are_of_the_present_grammar(language: str) -> None:
    digest = grammar_tables.GRAMMAR_DIGESTS[language]
    assert digest == grammar_digest(language), "run python -m detector.esql.grammars, as it says"


@pytest.mark.parametrize("language", LANGUAGES)
def test_tables_parse_as_the_grammar_does(language: str) -> None:
    loaded, built = load_parser(language), build_parser(language)
    queries = [rule.query_text for rule in load()]
    for query in queries:
        if query.startswith("from ") == (language == "esql"):
            assert loaded.parse(query, start="query") == built.parse(query, start="query")


def test_another_lark_builds_the_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grammar_tables, "LARK_VERSION", "another")
    monkeypatch.setattr(grammar_tables, "TABLES", {})
    assert load_parser.__wrapped__("kql").parse("a: b").data == "condition"
