"""The one-line widgets: status, accounting, regions, histogram."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.message import Message
from textual.pilot import Pilot

from detector.sources.accounting import Accounting
from tests.render.stage import drawn, perform, style_at
from tui.widgets.charts.sparkline import TimeSparkline
from tui.widgets.region_line import RegionLine, short_region
from tui.widgets.status import AccountingLine, live_state
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
        line.show(
            "trailhound › Alerts", live_state("live", NOW, NOW + 190.5), "AWSLogs/ · 3 accounts"
        )
        assert drawn(line) == [
            "trailhound › Alerts"
            + " " * 14
            + "● live  latest 12:38:05Z (3 m behind)   AWSLogs/ · 3 accounts"
        ]
        for width, text in (
            (70, "trailhound › Alerts              ● live  latest 12:38:05Z (3 m behind)"),
            (50, "trailhoun… ● live  latest 12:38:05Z (3 m behind)"),
            (20, "● live  latest 12:3…"),
        ):
            await pilot.resize_terminal(width, 3)
            await pilot.pause()
            assert re.sub(" +", " ", drawn(line)[0]) == re.sub(" +", " ", text)

    perform(TopLine, act, (94, 3))


@pytest.mark.parametrize(
    ("behind", "lag"),
    [
        (-5, "latest 12:38:05Z (0 s behind)"),
        (119, "latest 12:38:05Z (119 s behind)"),
        (120, "latest 12:38:05Z (2 m behind)"),
        (7_200, "latest 12:38:05Z (2 h behind)"),
        (86_400, "latest 2026-03-01T12:38:05Z (24 h behind)"),
        (90_000_000, "latest 2026-03-01T12:38:05Z (1,041 d behind)"),
    ],
)
def test_live_state_writes_lag_in_its_unit(behind: int, lag: str) -> None:
    assert live_state("live", NOW, NOW + behind).plain == f"● live  {lag}"


def test_accounting_line_is_empty_before_reading() -> None:
    assert live_state("reading", None, NOW).plain == "◌ reading"


ACCOUNTING = Accounting(
    files_read=1_198, files_waiting=3, files_skipped={"empty": 2},
    files_quarantined={"truncated": 1},
    records_seen=182_424, records_duplicate=19, records_rejected={"no time": 3, "not JSON": 1},
)  # fmt: skip


def test_accounting_line_shortens_with_width() -> None:
    async def act(line: AccountingLine, pilot: Pilot[None], messages: Messages) -> None:
        assert drawn(line) == [""]
        line.show(ACCOUNTING)
        for width, text in (
            (140, "files 1,204 = 1,198 read + 3 waiting + 2 skipped + 1 quarantined"
                  " · records 182,424 = 182,420 read + 4 rejected · 19 duplicate hits"),
            (120, "files 1,204 = 1,198 read + 3 wait + 2 skip + 1 quar"
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

    perform(AccountingLine, act, (140, 3))


counts = st.integers(min_value=0, max_value=10**9)


@given(st.lists(counts, min_size=8, max_size=8), st.integers(min_value=10, max_value=200))
def test_accounting_sums_always_add_up(numbers: list[int], width: int) -> None:
    from tui.widgets.status import _accounting_forms

    read, waiting, skipped, quarantined, accepted, duplicate, left_out, rejected = numbers
    accounting = Accounting(
        files_read=read, files_waiting=waiting, files_skipped={"a": skipped},
        files_quarantined={"b": quarantined},
        records_seen=accepted + duplicate + left_out + rejected, records_duplicate=duplicate,
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


def test_region_line_counts_what_does_not_fit() -> None:
    async def act(line: RegionLine, pilot: Pilot[None], messages: Messages) -> None:
        line.show(["us-east-1", "us-west-2", "af-south-1"], {"af-south-1"})
        assert drawn(line) == ["af-s-1 unusual ▪ us-e-1 … +1"]
        line.show(REGIONS)
        assert drawn(line) == ["us-e-1 ▪ us-e-2 ▪ us-w-1 … +45"]
        line.show(["x" * 300])
        assert drawn(line) == ["x" * 19 + "…"]
        await pilot.resize_terminal(12, 2)
        await pilot.pause()
        line.show(["us-gov-southeast-1"] * 4)
        assert drawn(line) == ["4 regions"]
        line.show([])
        assert drawn(line) == [""]

    perform(RegionLine, act, (30, 2))


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
