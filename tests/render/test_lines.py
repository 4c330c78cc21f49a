"""The one-line widgets: status, accounting, regions, histogram."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.content import Content
from textual.message import Message
from textual.pilot import Pilot

from detector.sources.accounting import Accounting
from tests.render.stage import drawn, perform, style_at
from tui.presentation.region_names import short_region
from tui.widgets.areas_bar import Area, AreasBar
from tui.widgets.charts.sparkline import TimeSparkline
from tui.widgets.labelled_lines import LabelledLine, LabelledLines
from tui.widgets.status import AccountingLine, live_items
from tui.widgets.top_line import TopLine

Messages = list[Message]

NOW = 1_772_368_685  # 2026-03-01T12:38:05Z

REGIONS = re.findall(r"\S+", """
us-east-1 us-east-2 us-west-1 us-west-2 ap-south-1 ap-northeast-1 ap-northeast-2 ap-northeast-3
ap-southeast-1 ap-southeast-2 ca-central-1 eu-central-1 eu-west-1 eu-west-2 eu-west-3 eu-north-1
sa-east-1 af-south-1 ap-east-1 ap-east-2 ap-south-2 ap-southeast-3 ap-southeast-4 ap-southeast-5
ap-southeast-6 ap-southeast-7 ca-west-1 eu-central-2 eu-south-1 eu-south-2 il-central-1
me-central-1 me-south-1 mx-central-1 me-west-1 sa-west-1 cn-north-1 cn-northwest-1 us-gov-east-1
us-gov-west-1 eusc-de-east-1 us-iso-east-1 us-iso-west-1 us-isob-east-1 us-isob-west-1
eu-isoe-west-1 us-isof-east-1 us-isof-south-1
""")  # fmt: skip
"""Every region of every partition that botocore's region data names."""


def test_top_line_drops_last_items_first() -> None:
    async def act(line: TopLine, pilot: Pilot[None], messages: Messages) -> None:
        line.show("Alerts › user/ana", "critical 226 · open", "4 of 9 alerts")
        assert drawn(line) == [
            "Alerts › user/ana" + " " * 42 + "critical 226 · open   4 of 9 alerts"
        ]
        for width, text in (
            (50, "Alerts › user/ana              critical 226 · open"),
            (30, "Alerts …   critical 226 · open"),
            (20, " critical 226 · open"),
        ):
            await pilot.resize_terminal(width, 3)
            await pilot.pause()
            assert re.sub(" +", " ", drawn(line)[0]) == re.sub(" +", " ", text)

    perform(TopLine, act, (94, 3))


@pytest.mark.parametrize(
    ("behind", "items"),
    [
        (-5, ["● live", "latest 12:38:05Z (0 s ago)"]),
        (119, ["● live", "latest 12:38:05Z (119 s ago)"]),
        (7_200, ["● live", "latest 12:38:05Z (2 h ago)"]),
        (86_399, ["● live", "latest 12:38:05Z (23 h ago)"]),
        (86_400, ["▪ archive", "latest 2026-03-01 12:38Z"]),
        (90_000_000, ["▪ archive", "latest 2026-03-01 12:38Z"]),
    ],
)
def test_old_data_is_an_archive(behind: int, items: list[str]) -> None:
    assert [item.plain for item in live_items("live", NOW, NOW + behind)] == items


def test_reading_without_events_has_no_latest() -> None:
    assert [item.plain for item in live_items("reading", None, NOW)] == ["◌ reading"]


ACCOUNTING = Accounting(
    files_read=1_198, files_waiting=3, files_skipped={"empty": 2},
    files_quarantined={"truncated": 1},
    records_seen=182_424, records_counted=1_000, records_duplicate=19,
    records_rejected={"no time": 3, "not JSON": 1},
)  # fmt: skip


def test_accounting_line_shortens_with_width() -> None:
    async def act(line: AccountingLine, pilot: Pilot[None], messages: Messages) -> None:
        assert drawn(line) == [""]
        line.show(ACCOUNTING)
        for width, text in (
            (160, "files 1,204 = 1,198 read + 3 waiting + 2 skipped + 1 quarantined"
                  " · records 182,424 = 182,420 read + 4 rejected"
                  " · hits 1,019 = 1,000 counted + 19 duplicate"),
            (130, "files 1,204 = 1,198 read + 3 wait + 2 skip + 1 quar"
                  " · records 182,424 = 182,420 read + 4 rej · hits 1,019 = 1,000 cnt + 19 dup"),
            (110, "files 1,204 = 1,198 read + 3 wait + 2 skip + 1 quar"
                  " · records 182,424 = 182,420 read + 4 rej · 19 dup"),
            (80, "files 1,204 · 1 quarantined · records 182,424 · 4 rejected"),
            (40, "files 1,204 · records 182,424"),
            (20, "files 1,204 · recor…"),
        ):  # fmt: skip
            await pilot.resize_terminal(width, 3)
            await pilot.pause()
            assert drawn(line) == [text]
        await pilot.resize_terminal(80, 3)
        await pilot.pause()
        assert style_at(line, 0, "4 rejected").color != style_at(line, 0, "records").color

    perform(AccountingLine, act, (160, 3))


counts = st.integers(min_value=0, max_value=10**9)


@given(st.lists(counts, min_size=8, max_size=8), st.integers(min_value=10, max_value=200))
def test_accounting_sums_always_add_up(numbers: list[int], width: int) -> None:
    from tui.widgets.status import _accounting_forms

    read, waiting, skipped, quarantined, accepted, duplicate, left_out, rejected = numbers
    accounting = Accounting(
        files_read=read, files_waiting=waiting, files_skipped={"a": skipped},
        files_quarantined={"b": quarantined},
        records_seen=accepted + duplicate + left_out + rejected,
        records_counted=accepted, records_duplicate=duplicate,
        records_skipped={"c": left_out}, records_rejected={"d": rejected},
    )  # fmt: skip
    widths = []
    for form in _accounting_forms(accounting):
        widths.append(form.cell_length)
        for part in re.findall(r"\w+ [\d,]+ = [^·]+", form.plain):
            total, *terms = [int(number.replace(",", "")) for number in re.findall(r"[\d,]+", part)]
            assert total == sum(terms)
        assert f"files {sum(numbers[:4]):,}" in form.plain
        assert f"records {sum(numbers[4:]):,}" in form.plain
    assert widths == sorted(widths, reverse=True)


def test_short_region_names_are_distinct() -> None:
    assert len({short_region(region) for region in REGIONS}) == len(REGIONS) == len(set(REGIONS))
    assert short_region("ap-northeast-1") == "ap-ne-1"
    assert short_region("us-gov-west-1") == "us-gov-w-1"
    assert short_region("eu-isoe-west-1") == "eu-isoe-w-1"
    assert short_region("no region") == "no region"


AREAS = [
    Area("alerts", "1", "Alerts", "Alerts", "16"),
    Area("suppressions", "5", "Suppressions", "Suppr", "2"),
    Area("sources", "6", "Sources", "Src", "●"),
]


@pytest.mark.parametrize(
    ("cells", "line"),
    [
        (
            80,
            "trailhound  1 Alerts 16  5 Suppressions 2  6 Sources ●      ▪ archive   AWSLogs/",
        ),
        (66, "1 Alerts 16  5 Suppressions 2  6 Sources ●    ▪ archive   AWSLogs/"),
        (60, "1 Alerts 16  5 Suppressions 2  6 Sources ●         ▪ archive"),
        (40, "1 Alerts  5 Suppr  6 Src ●     ▪ archive"),
        (24, "1 Alerts 5 Suppr 6 Src ●"),
        (22, "1 Alerts 5 Suppr 6 Sr…"),
    ],
)
def test_areas_shrink_with_the_width(cells: int, line: str) -> None:
    async def act(bar: AreasBar, pilot: Pilot[None], messages: Messages) -> None:
        bar.show(AREAS, "alerts", [Content("▪ archive"), Content("AWSLogs/")])
        assert drawn(bar) == [line[:cells]]

    perform(AreasBar, act, (cells, 1))


def test_click_opens_the_area_under_it() -> None:
    """A count may end in the key of the next area."""
    areas = [
        Area("alerts", "1", "Alerts", "Alerts", "12"),
        Area("principals", "2", "Principals", "Princ", "3"),
        Area("events", "3", "Events", "Events"),
    ]

    async def act(bar: AreasBar, pilot: Pilot[None], messages: Messages) -> None:
        bar.show(areas, "alerts", [])
        (line,) = drawn(bar)
        for column in (line.index("12") + 1, line.index("Principals"), line.index("Events")):
            await pilot.click(AreasBar, offset=(column, 0))
        chosen = [each.name for each in messages if isinstance(each, AreasBar.Chosen)]
        assert chosen == ["alerts", "principals", "events"]

    perform(AreasBar, act, (60, 1))


def test_labelled_lines_keep_label_and_tag() -> None:
    async def act(lines: LabelledLines, pilot: Pilot[None], messages: Messages) -> None:
        lines.show(
            LabelledLine("why", "DescribeInstances in 17 regions", "T1580"),
            LabelledLine("new", "key first seen"),
        )
        assert drawn(lines) == ["why   DescribeInstances in 17…   T1580", "new   key first seen"]
        lines.show(LabelledLine("new", "x"))
        assert drawn(lines)[1] == "new   x"
        lines.show(LabelledLine("new", "key seen first", "T1580 Discovery", "T1580"))
        assert drawn(lines)[1] == "new   key seen first   T1580 Discovery"
        lines.show(LabelledLine("new", "key is seen first", "T1580 Discovery", "T1580"))
        assert drawn(lines)[1] == "new   key is seen first          T1580"
        lines.clear()
        assert drawn(lines) == ["", ""]

    perform(lambda: LabelledLines(("why", "new")), act, (38, 2))


def test_sparkline_has_bar_for_each_share_of_span() -> None:
    async def act(spark: TimeSparkline, pilot: Pilot[None], messages: Messages) -> None:
        assert drawn(spark) == [""]
        spark.load([0, 5, *[12] * 7, *[35.5] * 3, 99.9, 100, -1], 0, 100, "last 24 h")
        assert drawn(spark) == ["▃█▁▄▁▁▁▁▁▂  last 24 h"]
        spark.load([], 0, 100)
        assert drawn(spark) == ["▁" * 21]
        spark.load([1], 5, 5, "no time")
        assert drawn(spark) == ["no time"]

    perform(TimeSparkline, act, (21, 2))
