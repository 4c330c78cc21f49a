"""Free structures that were read before, against those that were not."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from detector.cloudtrail.record import decode
from detector.ecs import getters
from detector.ecs.fields import field_table

FIELDS = field_table()
TEXTS = st.sampled_from(["", "-", "b", "arn:aws:iam::111122223333:role/r", "x" * 2000])
VALUES = st.recursive(
    TEXTS | st.none() | st.booleans() | st.integers(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["userName", "user", "userId", "roleArn"]), inner)
    ),
    max_leaves=6,
)


def _values(raw: bytes) -> dict[str, Any]:
    record = decode(raw)
    return {name: field.read(record) for name, field in FIELDS.items()}


@given(st.lists(VALUES, min_size=1, max_size=3), VALUES)
def test_known_structures_read_as_new_ones(parameters: list[Any], response: Any) -> None:
    raws = [
        json.dumps(
            {
                "eventSource": "iam.amazonaws.com",
                "eventName": "CreateUser",
                "requestParameters": each,
                "responseElements": response,
            }
        ).encode()
        for each in parameters
    ]
    new = []
    for raw in raws:
        getters._known_values.cache_clear()
        getters._known_texts.cache_clear()
        new.append(_values(raw))
    assert [_values(raw) for raw in raws * 2] == new * 2
