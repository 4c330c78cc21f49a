"""``json_extract``: paths and values, against Python's own reader of JSON."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.esql.errors import EsqlError
from detector.esql.json_path import parse_json_path
from detector.esql.json_value import json_value
from tests.detector.esql.test_expressions import evaluate

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
)
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.sampled_from("ab.[]'\" é\\"), max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
)


def paths(document, before=()):
    """Yield every path in a document, with its value."""
    yield before, document
    if isinstance(document, dict):
        for key, value in document.items():
            yield from paths(value, (*before, key))
    elif isinstance(document, list):
        for index, value in enumerate(document):
            yield from paths(value, (*before, index))


def written(path, quote):
    """Write a path in brackets."""
    parts = []
    for segment in path:
        if isinstance(segment, int):
            parts.append(f"[ {segment}]")
        else:
            escaped = segment.replace("\\", "\\\\").replace(quote, f"\\{quote}")
            parts.append(f"[{quote}{escaped}{quote} ]")
    return "$" + "".join(parts)


@given(DOCUMENTS, st.sampled_from([None, 1]), st.booleans(), st.sampled_from("'\""))
def test_every_value_is_found_as_python_reads_it(document, indent, is_ascii, quote):
    text = json.dumps(document, indent=indent, ensure_ascii=is_ascii)
    for path, value in paths(document):
        assert parse_json_path(written(path, quote)) == path
        found = json_value(text, path)
        if value is None or isinstance(value, str):
            assert found == value
        else:
            assert found in text
            assert json.loads(found) == value


@given(DOCUMENTS, st.text(max_size=3), st.integers(0, 5))
def test_path_that_is_not_there_has_no_value(document, key, index):
    text = json.dumps(document)
    known = dict(paths(document))
    for path in known:
        for segment in (key, index):
            if (*path, segment) not in known:
                with pytest.raises(ValueError, match="no such value"):
                    json_value(text, (*path, segment))


@given(DOCUMENTS, st.text("{}[],:\"'x1 \n/*", max_size=6))
def test_text_is_read_up_to_the_value_only(document, rest):
    marker = "the marker"
    text = json.dumps([document, {"k": marker}, document])
    end = text.rindex(f'"{marker}"') + len(marker) + 2
    assert json_value(text[:end] + rest, (1, "k")) == marker
    with pytest.raises(ValueError, match="no such value"):
        json_value(text[: end - 1], (1, "k"))


@given(DOCUMENTS, st.data())
def test_what_python_cannot_read_has_no_value(document, data):
    """The text is cut somewhere: then the root has no value, unless it is a shorter number."""
    text = json.dumps([document])
    cut = data.draw(st.integers(0, len(text) - 1))
    with pytest.raises(ValueError, match="no such value"):
        json_value(text[:cut], ())


@pytest.mark.parametrize(
    "text, path, value",
    [
        ('{"severity":"ERROR"}', "severity", "ERROR"),
        ('{"severity":"ERROR"}', "$.severity", "ERROR"),
        ('{"a":{"b":{"c":"x"}}}', "a['b'].c", "x"),
        ('{"user.name":"ana"}', "user.name", None),
        ('{"user.name":"ana"}', "['user.name']", "ana"),
        ('{"s":[{"n":1},{"n":2.50}]}', "s[1].n", "2.50"),
        ('{"s": [1, {"x" : true}] }', "s", '[1, {"x" : true}]'),
        ("[1e5, 2]", "[0]", "1e5"),
        ("42", "$", "42"),
        ("42 ", "", "42"),
        ("42x", "$", None),
        ("true", "$.", "true"),
        ("truex", "$", None),
        ("null", "$", None),
        ('{"a":1,"a":2}', "a", "1"),
        ('{"a":1,"a":2,"b":3}', "b", None),
        ('{"x":{"a":1,"a":2},"b":3}', "b", None),
        ('{"a":{"b":1},"a":{"b":2}}', "a.b", "1"),
        ('{"A":1}', "a", None),
        ('{"":1}', "['']", "1"),
        ('/* c */ {"a" // d\n : 1}', "a", "1"),
        ('\ufeff{"a":1}', "a", "1"),
        ('{"a":"\\ud83d\\ude00\\ud83d"}', "a", "\U0001f600\ufffd"),
        ('{"a":01}', "a", None),
        ('{"a":1.}', "a", None),
        ('{"a":"x\ty"}', "a", None),
        ("{'a':1}", "a", None),
        ("[1,]", "[0]", "1"),
        ("[1,]", "[1]", None),
        ("[[1,]]", "[0]", None),
        ("not json", "a", None),
        ("", "$", None),
        ("[" * 1000 + "]" * 1000, "[0][0]", "[" * 998 + "]" * 998),
        ("[" * 1001 + "]" * 1001, "[0][0]", None),
    ],
)
def test_value_as_the_reference_has_it(text, path, value):
    query = f"json_extract({json.dumps(text, ensure_ascii=False)}, {json.dumps(path)})"
    assert evaluate(query) == (value, "keyword")


@pytest.mark.parametrize(
    "path",
    [
        "$a",
        ".a",
        "a.",
        "a..b",
        "a.[0]",
        "a]",
        "[]",
        "[0",
        "[-1]",
        "[01]",
        "[x]",
        "[0:3]",
        "[*]",
        "['a'",
        "['a']b",
        "['a",
        "a[2147483648]",
        "[0,1]",
        "$..a",
    ],
)
def test_constant_path_that_is_none_is_refused(path):
    with pytest.raises(EsqlError, match="json_extract: ") as refused:
        evaluate(f"json_extract(s, {json.dumps(path)})")
    assert refused.value.span.column == 17


def test_null_and_several_values_are_null():
    for query in ("json_extract(n, s)", "json_extract(mv, s)", 'json_extract("{}", mv)'):
        assert evaluate(query) == (None, "keyword")
    assert evaluate('json_extract("[1]", concat(s, ".."))') == (None, "keyword")
