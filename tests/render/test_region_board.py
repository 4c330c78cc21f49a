"""Regions by geography: what is drawn, and where the cursor goes."""

from __future__ import annotations

from textual.message import Message
from textual.pilot import Pilot

from detector.cloudtrail.regions import group_by_geography
from tests.render.stage import drawn, perform, style_at
from tui.widgets.charts.region_board import RegionBoard

Messages = list[Message]

COUNTS = {"us-east-1": 12, "af-south-1": 1, "eu-west-1": 100_000, "ap-northeast-1": 9_999}
WORDS = {"us-east-1": "used", "af-south-1": "new", "eu-west-1": "unusual", "eu-west-2": "used"}


def loaded(widget: RegionBoard) -> None:
    widget.load(group_by_geography(COUNTS), COUNTS, WORDS)


def test_board_has_column_for_each_geography() -> None:
    async def act(widget: RegionBoard, pilot: Pilot[None], messages: Messages) -> None:
        loaded(widget)
        assert drawn(widget) == [
            " Americas            Europe              Mid East & Africa   Asia Pacific",
            " us-w-2              eu-n-1              il-c-1  +           ap-ne-1  9999",
            " us-w-1             ▌eu-w-1   100k !     me-s-1  +           ap-ne-3",
            " us-e-2              eu-w-2        used  me-c-1  +           ap-ne-2",
            " us-e-1     12 used  eu-w-3              me-w-1  +           ap-e-2  +",
            " ca-c-1              eu-c-1              af-s-1  +   1 new   ap-e-1  +",
            " ca-w-1  +           eu-c-2  +                               ap-s-1",
            " mx-c-1  +           eu-s-1  +                               ap-s-2  +",
        ]
        styles = {
            style_at(widget, y, word).color for y, word in ((2, "!"), (3, "used"), (5, "new"))
        }
        assert len(styles) == 3
        await pilot.resize_terminal(160, 8)
        await pilot.pause()
        assert drawn(widget)[4].startswith(
            " us-east-1      N. Virginia     12 used  eu-west-3      Paris"
        )

    perform(RegionBoard, act, (80, 8))


def test_board_wraps_geographies_into_bands() -> None:
    async def act(widget: RegionBoard, pilot: Pilot[None], messages: Messages) -> None:
        loaded(widget)
        assert drawn(widget)[0] == " Americas                 Europe"
        assert drawn(widget)[11] == " Mid East & Africa        Asia Pacific"
        assert drawn(widget)[16].startswith(" af-s-1       +   1 new")
        await pilot.press(*"hjjjjjjjj")
        assert widget.cursor_region.name == "il-central-1", "down into what stands below"
        await pilot.press("l", "k")
        assert widget.cursor_region.name == "eu-south-2"

    perform(RegionBoard, act, (50, 18))


def test_keys_and_mouse_move_and_open() -> None:
    async def act(widget: RegionBoard, pilot: Pilot[None], messages: Messages) -> None:
        await pilot.press("j", "enter")
        assert widget.cursor_region is None and messages == []
        loaded(widget)
        await pilot.press("h", "h", "up", "right", "right", "l", "l", *"jjjjjjjjj", "left", "enter")
        assert [one.region.name for one in messages if type(one) is RegionBoard.Moved] == [
            "us-west-1", "us-west-2", "eu-north-1", "il-central-1", "ap-northeast-1",
            "ap-northeast-3",
            "ap-northeast-2", "ap-east-2", "ap-east-1", "ap-south-1", "ap-south-2",
            "ap-southeast-7",
            "ap-southeast-5", "ap-southeast-1", "af-south-1",
        ]  # fmt: skip
        assert [one.region.name for one in messages if isinstance(one, RegionBoard.Opened)] == [
            "af-south-1"
        ]
        await pilot.double_click(RegionBoard, offset=(3, 4))
        assert [one.region.name for one in messages if isinstance(one, RegionBoard.Opened)] == [
            "af-south-1",
            "us-east-1",
        ]
        await pilot.click(RegionBoard, offset=(45, 9))
        assert widget.cursor_region.name == "us-east-1", "there is nothing there"

    perform(RegionBoard, act, (80, 16))


def test_board_shows_other_partitions_and_hostile_names() -> None:
    async def act(widget: RegionBoard, pilot: Pilot[None], messages: Messages) -> None:
        names = ["cn-north-1", "us-gov-west-1", "\x1b[31m[/]", "", "x" * 300]
        widget.load(group_by_geography(names), dict.fromkeys(names, 2), {})
        assert drawn(widget) == [
            " China                                   GovCloud (US)",
            "▌cn-north-1     Beijing          2       us-gov-west-1  US-West          2",
            " cn-northwest-1 Ningxia                  us-gov-east-1  US-East",
            "",
            " not known",
            " –                               2",
            " \\x1b[31m[/]                     2",
            " xxxxxxxxxxxxxxxxxxxxxxxxxxx…    2",
        ]

    perform(RegionBoard, act, (80, 8))
