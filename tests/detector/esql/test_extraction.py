"""The patterns of DISSECT, GROK, LIKE and RLIKE."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.ecs.fields import field_table
from detector.esql.dissect import compile_dissect
from detector.esql.errors import EsqlError, Span
from detector.esql.grok import PATTERNS as PATTERNS_BY_NAME
from detector.esql.grok import compile_grok
from detector.esql.like import matcher
from detector.esql.plan.planner import plan
from detector.text import linear_regex

HERE = Span(1, 1, 0, 0)


@pytest.mark.parametrize(
    "pattern, text, values",
    [
        ("%{a} %{b}", "x y", {"a": "x", "b": "y"}),
        ("%{a} %{b}", "x y z", {"a": "x", "b": "y z"}),
        ("%{a} %{b}", "x", None),
        ("%{a},%{b},%{c}", "x,,z", {"a": "x", "b": "", "c": "z"}),
        ("%{a->} %{b}", "x    y", {"a": "x", "b": "y"}),
        ("%{a} %{b}", "x    y", {"a": "x", "b": "   y"}),
        ("[%{a}] %{b}", "[x] y", {"a": "x", "b": "y"}),
        ("[%{a}] %{b}", "x] y", None),
        ("%{?skipped}=%{b}", "x=y", {"b": "y"}),
        ("%{}=%{b}", "x=y", {"b": "y"}),
        ("%{+n} %{+n}", "x y", {"n": "x-y"}),
        ("%{+n/2} %{+n/1}", "x y", {"n": "y-x"}),
        ("%{n} %{+n}", "x y", {"n": "x-y"}),
        (
            "{%{?k}=%{Esql.a}, %{?l.key}=%{Esql.b}}",
            "{s=ec2, q=L-1}",
            {"Esql.a": "ec2", "Esql.b": "L-1"},
        ),
        ("{%{}name=%{u},", "{x=1, name=bob, z=3}", {"u": "bob"}),
        ("%{}static/js/%{f}", "a/static/js/b.js", {"f": "b.js"}),
        ("%{{?a}=%{b}", "{x=1}", {"b": "1}"}),
        ("%{[?a} %{b}", "x y", {"b": "y"}),
        ("%{x?} %{b}", "x y", {"b": "y"}),
        ("%{{?a->}=%{b}", "{x===1}", {"b": "1}"}),
        ("%{{a}=%{b}", "{x=1}", {"{a": "{x", "b": "1}"}),
        ("%{{}=%{b}", "{x=1}", {"{": "{x", "b": "1}"}),
        ("%{n} %{{+n}", "x y", {"n": "x-y"}),
        ("%{{+n/2} %{(+n/1}", "x y", {"n": "y-x"}),
        ("%{}} %{b}", "x} y", {"b": "y"}),
        ("%{a b} %{c}", "x y", {"a b": "x", "c": "y"}),
        ("{%{{?a}}%{b}", "{x}y", {"b": "y"}),
    ],
)
def test_dissect_cuts_at_delimiters(pattern, text, values):
    names, dissect = compile_dissect(pattern, "-")
    parts = dissect(text)
    assert (parts and dict(zip(names, parts, strict=True))) == values


@pytest.mark.parametrize(
    "pattern, says",
    [
        ("%{{*a} %{b}", "reference keys"),
        ("%{{&a} %{b}", "reference keys"),
        ("%{a}%{b}", "a delimiter must stand between"),
        ("%{+} %{b}", "names no column"),
        ("%{+a/x} %{b}", "must be a number"),
        ("%{?a}=%{}", "names no column"),
    ],
)
def test_dissect_refuses_key(pattern, says):
    with pytest.raises(ValueError, match=says):
        compile_dissect(pattern, "")


@pytest.mark.parametrize(
    "patterns, types",
    [
        (("%{NUMBER:foo:int} %{WORD:foo}",), "integer and keyword"),
        (("%{WORD:foo} %{NUMBER:foo:int}",), "keyword and integer"),
        (("%{NUMBER:foo:int} %{NUMBER:foo:long}",), "integer and long"),
        (("%{NUMBER:foo:double} %{NUMBER:foo}",), "double and keyword"),
        (("(?<foo>a) %{NUMBER:foo:int}",), "keyword and integer"),
        (("%{BOOLEAN:foo:boolean}|%{WORD:foo}",), "boolean and keyword"),
        (("%{NUMBER:foo:int}", "%{WORD:foo}"), "integer and keyword"),
        (("%{WORD:foo}", "%{WORD:bar}", "%{NUMBER:foo:float}"), "keyword and double"),
        (("%{WORD:foo}", "%{NUMBER:bar:int}", "%{NUMBER:bar}"), "integer and keyword"),
        (("%{INT:foo:int} %{INT:foo:integer}",), None),
        (("%{WORD:foo} %{NOTSPACE:foo:string}",), None),
        (("%{WORD:foo}", "%{IP:foo} %{INT:bar:int}"), None),
    ],
)
def test_grok_refuses_one_name_of_two_types(patterns, types):
    listed = ", ".join(f'"{pattern}"' for pattern in patterns)
    query = f"from logs-* | grok user_agent.original {listed} | keep foo"
    if types is None:
        plan(query, field_table())
        return
    with pytest.raises(EsqlError, match=f"defined with different types: {types}") as caught:
        plan(query, field_table())
    assert (caught.value.line, caught.value.column) == (1, 15)


@pytest.mark.parametrize(
    "pattern, text, values",
    [
        (
            "%{IP:ip} %{WORD:w} %{NUMBER:n:int}",
            "from 1.2.3.4 foo 42",
            {"ip": ["1.2.3.4"], "w": ["foo"], "n": [42]},
        ),
        ("%{NUMBER:n:double}", "at 2.5", {"n": [2.5]}),
        ("%{INT:n:long}", "5000000000", {"n": [5000000000]}),
        ("%{INT:n:int}", "5000000000", {"n": []}),
        ("%{WORD} %{WORD:b}", "x y", {"b": ["y"]}),
        ("%{WORD:a} %{WORD:a}", "x y", {"a": ["x", "y"]}),
        ("(?<a>x)|(?<b>y)", "y", {"a": [], "b": ["y"]}),
        (
            r"instanceId=(?<Esql.instance_id>[^,}\]]+)",
            "{a={instanceId=i-1}}",
            {"Esql.instance_id": ["i-1"]},
        ),
        ("%{IPV6:ip}", "addr 2001:db8::1 x", {"ip": ["2001:db8::1"]}),
        ("%{TIMESTAMP_ISO8601:t}", "at 2026-01-01T00:00:00Z!", {"t": ["2026-01-01T00:00:00Z"]}),
        ("%{EMAILADDRESS:e}", "<a.b@x.org>", {"e": ["a.b@x.org"]}),
        (
            "%{UUID:u}",
            "id 12345678-1234-1234-1234-123456789abc",
            {"u": ["12345678-1234-1234-1234-123456789abc"]},
        ),
        ("%{QUOTEDSTRING:q}", 'say "a \\" b" now', {"q": ['"a \\" b"']}),
        ("(?<h>\\h+)$", "xyz ff", {"h": ["ff"]}),
        ("(?<a>[[:alpha:]]+)", "12ab", {"a": ["ab"]}),
        ("%{WORD:a}=", "x", None),
    ],
)
def test_grok_extracts_columns(pattern, text, values):
    columns, grok = compile_grok(pattern)
    extracted = grok(text)
    assert (extracted and dict(zip(columns, extracted, strict=True))) == values


@given(
    st.sampled_from(["%{GREEDYDATA:x}a%{WORD:y}", "%{DATA:x}b%{DATA:y}c", ".*a(?<y>.*)"]),
    st.text("abc\n ", max_size=12),
)
def test_grok_with_leading_any_text_matches_within_a_line(pattern, text):
    assert compile_grok(pattern)[1](text) == compile_grok(f"(?:{pattern})")[1](text)
    assert compile_grok(pattern)[1]("c" * 100_000) is None


def test_grok_columns_have_types():
    columns, _ = compile_grok("%{WORD:w} %{INT:n:int} %{NUMBER:d:float} %{WORD:w}")
    assert {name: column.type for name, column in columns.items()} == {
        "w": "keyword",
        "n": "integer",
        "d": "double",
    }
    assert columns["w"].repeated


@pytest.mark.parametrize(
    "pattern, matches, differs",
    [
        ("a+?", ["", "a", "aa"], ["b"]),
        ("a++", ["a", "aaa"], [""]),
        ("(ab|c)*d", ["d", "abcd"], ["ab"]),
        ("[^a-c]+", ["xyz"], ["xa"]),
        ("[a.b-]+", [".-ab"], ["c"]),
        (r"[\d_]+", ["1_2"], ["a"]),
        (r"\d{2,}", ["12", "123"], ["1", "٣٤"]),
        (r"a\|b", ["a|b"], ["a", "b"]),
        ('"a.b"+', ["a.b", "a.ba.b"], ["axb"]),
        ("a@", ["a", "abc"], ["b"]),
        ("#", [], ["", "a"]),
        (".", ["\n", "x"], ["", "xx"]),
        ("()", [""], ["a"]),
    ],
)
def test_rlike_matches_as_lucene(pattern, matches, differs):
    test = matcher([pattern], True, HERE)
    assert [text for text in matches if not test(text)] == []
    assert [text for text in differs if test(text)] == []


PATTERNS = st.recursive(
    st.sampled_from(
        ["a", "b", "ab", ".", "[ab]", "[^a]", "[b-d]", r"\\.", "()", ".*", ".*a.*b", "(a|b)*a"]
    ),
    lambda inner: (
        st.builds("{}{}".format, inner, inner)
        | st.builds("({}|{})".format, inner, inner)
        | st.builds(
            "({}){}".format, inner, st.sampled_from(["?", "*", "+", "{2}", "{1,3}", "{2,}", "{0}"])
        )
    ),
    max_leaves=6,
)


@given(PATTERNS, st.lists(st.text("abc.", max_size=9), min_size=1, max_size=8))
def test_rlike_matches_as_python(pattern, texts):
    """Compare what the languages share: groups, alternatives, sets and quantifiers."""
    test = matcher([pattern], True, HERE)
    assert [test(text) for text in texts] == [
        bool(re.fullmatch(pattern, text, re.DOTALL)) for text in texts
    ]


def test_rlike_takes_linear_time_over_a_hostile_text():
    """An engine that backtracks would take longer than anyone waits."""
    for pattern in (
        "(a*)*b",
        "(a|a|aa)*b",
        ".*a.*a.*a.*a.*b",
        "(.*a){12}b",
        "((a?){40}){5}b",
        "(((a+)+)+)+b",
    ):
        assert not matcher([pattern], True, HERE)("a" * 20_000)


def test_rlike_answers_the_same_in_little_memory(monkeypatch):
    monkeypatch.setattr(linear_regex, "MAX_MEMORY", 1 << 15)
    test = matcher(["(ab|cd)*e?.", "x{3,5}"], True, HERE)
    texts = ["", "e", "abx", "abcdabe", "ababcdcdeF", "xx", "xxx", "xxxxxx", "abc"]
    assert [test(text) for text in texts * 2] == [
        False,
        True,
        True,
        True,
        True,
        False,
        True,
        False,
        True,
    ] * 2


@pytest.mark.parametrize(
    "pattern, says",
    [
        ("a{3,1}", "asks for more than it allows"),
        ("a{9999}", "too large"),
        ("((a{99}){99}){99}", "too large"),
        ("[b-a]", "not a range"),
        ("a{x}", "must be followed by"),
        ("*a", "nothing stands before"),
        ("a)", "unexpected )"),
        ("[a", "ends too early"),
        ("a\\", "ends too early"),
        ('"a', "closing"),
        ("(a", "a ) is missing"),
    ],
)
def test_rlike_refuses_an_invalid_pattern(pattern, says):
    with pytest.raises(EsqlError, match=re.escape(says)):
        matcher([pattern], True, HERE)


def python_like(pattern):
    """Translate a pattern of LIKE to Python's syntax."""
    parts = re.findall(r"\\(.)|(\*)|(\?)|(.)", pattern, re.DOTALL)
    return "".join(
        ".*" if star else "." if mark else re.escape(taken or other)
        for taken, star, mark, other in parts
    )


@given(st.text("ab*?", max_size=8), st.text("ab", max_size=10))
def test_like_matches_as_python(pattern, text):
    assert matcher([pattern], False, HERE)(text) == bool(
        re.fullmatch(python_like(pattern), text, re.DOTALL)
    )


def test_like_takes_linear_time_over_a_hostile_text():
    """An engine that backtracks would take longer than anyone waits."""
    assert not matcher(["*a*a*a*a*a*a*a*a*a*b"], False, HERE)("a" * 20_000)


@pytest.mark.parametrize(
    "pattern",
    [
        "%{DATA:a} %{DATA:b} %{DATA:c} %{DATA:d}!",
        "%{GREEDYDATA:a}x%{GREEDYDATA:b}x%{IP:ip}",
        r"(?<a>(\w+\s?)+)!",
        "%{URI:u}!",
        "%{HOSTNAME:h}!",
        "%{IPV6:i}!",
    ],
)
def test_grok_takes_linear_time_over_a_hostile_text(pattern):
    """An engine that backtracks would take longer than anyone waits."""
    extract = compile_grok(pattern)[1]
    for text in ("a " * 30_000, "a" * 60_000, "x." * 30_000, "1:" * 30_000, "/" * 60_000):
        assert extract(text) is None


PIECES = st.sampled_from(
    [
        "1.2.3.4",
        "::1",
        "2001:db8::1",
        "-12",
        "+1.5",
        "a",
        "é",
        "_",
        ".",
        ":",
        " ",
        "/",
        "a.b@c.d",
        "0x1F",
        "true",
        '"q"',
        "s3://b/k?x",
        "2026-01-01T00:00:00Z",
        "\n",
        "10",
        "%",
        "[",
        "]",
    ]
)


@given(
    st.lists(st.sampled_from(sorted(PATTERNS_BY_NAME)), min_size=1, max_size=3),
    st.sampled_from(["", " ", ".*", "-"]),
    st.lists(PIECES, max_size=8).map("".join),
)
def test_named_patterns_match_as_in_python(names, between, text):
    named = between.join(f"%{{{name}:c{number}}}" for number, name in enumerate(names))
    match = re.search(between.join(f"({expanded(name)})" for name in names), text, re.MULTILINE)
    values = compile_grok(named)[1](text)
    assert values == (match and [[value] for value in match.groups()])


def expanded(name: str) -> str:
    """Expand a named pattern, without capturing groups."""
    return re.sub(r"%\{(\w+)\}", lambda match: f"(?:{expanded(match[1])})", PATTERNS_BY_NAME[name])
