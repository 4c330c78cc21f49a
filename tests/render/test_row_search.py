"""The search for a row agrees with a search through every cell."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textual.content import Content

from detector.detection.alert import Alert
from detector.detection.event import Event, Position
from detector.detection.log_integrity import INTEGRITY_RULES
from detector.investigation.pivot import EventRow
from detector.rules.ruleset import load
from tests.hostile.payloads import PAYLOADS
from tests.tui.build import START, alert
from tui.concurrency.job import Cancelled, Job
from tui.screens.alerts import columns
from tui.screens.pivot import rows
from tui.screens.pivot.columns import pivot_columns
from tui.screens.pivot.rows import QuestionLine
from tui.widgets import row_search
from tui.widgets.columns import Column
from tui.widgets.line import match_spans, plain_text
from tui.widgets.row_search import first_match

WORDS = (
    "user/ana",
    "user/bob",
    "eu-west-1",
    "Denied",
    "aws-cli/2.17",
    "",
    "x" * 3_000,
    *(text[:3_000] for text in PAYLOADS.values()),
)


def one_alert(chance: random.Random, number: int) -> Alert:
    def some(least: int = 0) -> list[str]:
        return chance.choices(WORDS, k=chance.randrange(least, 3))

    made = alert(
        f"a{number}",
        at=chance.randrange(-9_000, 200_000),
        severity=chance.choice(["low", "high", "odd"]),
        flags=tuple(chance.sample(["denied-calls", "iam-change", "own\n"], chance.randrange(3))),
        arns=some(),
        accounts=some(),
        source_addresses=some(),
        user_agents=some(),
        identity_types=some(),
        regions=some(),
        status=chance.choice(["open", "closed"]),
        settled=chance.random() < 0.5,
        event_ids=some(),
        columns={"Esql.source_as_organization_name_values": some()},
    )
    if chance.random() < 0.1:
        made.key["aws.s3.object.key"] = chance.choice(WORDS)
        return alert(
            made.alert_id, rule=INTEGRITY_RULES["missing"], key=made.key, arns=made.facets.arns
        )
    return made


def one_call(chance: random.Random, number: int) -> rows.PivotLine:
    if chance.random() < 0.1:
        return QuestionLine(
            chance.choice(WORDS), number, chance.choice(WORDS), chance.random() < 0.5
        )
    words = chance.choices(WORDS, k=14)
    event = Event(
        words[0],
        f"{number}",
        START + chance.randrange(100_000),
        *words[1:],
        Position("f", 0, number),
    )
    return EventRow(
        event,
        tuple(chance.sample(["denied-calls", "iam-change"], chance.randrange(3))),
        chance.random() < 0.5,
    )


def one_by_one(
    columns: Sequence[Column[Any]],
    pattern: re.Pattern[str],
    rows: Sequence[Any],
    start: int,
    step: int,
) -> int | None:
    for count in range(len(rows)):
        index = (start + step * count) % len(rows)
        if any(match_spans(pattern, plain_text(column.cell(rows[index]))) for column in columns):
            return index
    return None


@pytest.mark.parametrize(
    ("columns", "make", "no_cells"),
    [
        (columns.ALERT_COLUMNS, one_alert, None),
        (pivot_columns(load()), one_call, rows.heading),
    ],
)
@settings(max_examples=60)
@given(chance=st.randoms(use_true_random=False))
def test_first_match_agrees_with_linear_search(
    columns: Sequence[Column[Any]],
    make: Callable[[random.Random, int], Any],
    no_cells: Callable[[Any], Content | None] | None,
    chance: random.Random,
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tui.concurrency.job._ROWS_BETWEEN_CHECKS", chance.choice([1, 3, 500]))
        patch.setattr(row_search, "_MAX_VALUES", chance.choice([0, 5, 20_000]))
        rows = [make(chance, number) for number in range(chance.randrange(1, 30))]
        shown = chance.sample(columns, chance.randrange(1, len(columns)))
        words = plain_text(chance.choice(columns).cell(chance.choice(rows)))
        begin = chance.randrange(len(words) + 1)
        sought = words[begin : begin + chance.randrange(1, 9)].upper() or chance.choice(
            [r"\x1b", "+1", "own"]
        )
        pattern = re.compile(
            chance.choice([*[re.escape(sought)] * 6, "q*", "[^ -~]", "^.{2}$"]), re.IGNORECASE
        )
        start, step = chance.randrange(-1, len(rows) + 1), chance.choice([-1, 1])
        result = first_match(shown, pattern, rows, start, step, Job(), no_cells)
    assert result == one_by_one(shown, pattern, rows, start, step)


def test_first_match_can_be_cancelled() -> None:
    job = Job()
    job.cancel()
    with pytest.raises(Cancelled):
        first_match(columns.ALERT_COLUMNS, re.compile("x"), [alert()], 0, 1, job)


def test_first_match_writes_cell_once_for_each_value() -> None:
    written: list[int] = []

    def write(value: int) -> str:
        written.append(value)
        return str(value)

    column: Column[int] = Column(
        "n", "n", 5, lambda row: write(row % 3), depends_on=lambda row: row % 3
    )
    assert first_match([column], re.compile("none"), range(2_000), 0, 1, Job()) is None
    assert sorted(written) == [0, 1, 2]
