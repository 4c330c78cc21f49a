"""The key that watches for a row's principal, key or address, or for a whole list."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from detector.detection.indicator import Indicator, known_indicator
from detector.store import StateError
from detector.text.abbreviations import short_arn
from tui.concurrency.worker import work
from tui.keymap import TRIAGE, key
from tui.presentation import format, safe
from tui.screens.base.menu import Menu
from tui.screens.base.screen import HuntScreen, ScreenPart

_OPTION_CELLS = 48

Offer = tuple[str, Sequence[Indicator]]
"""The label of a menu option, and the indicators that choosing it watches for."""


class WatchAction(ScreenPart):
    """Watches for one of the values that ``offers`` returns for the row under the cursor."""

    BINDINGS = [
        key(
            "watch",
            "L",
            "watch",
            "watch",
            "Watch: report when this principal, key or address is seen again",
            TRIAGE,
        ),
    ]

    def __init__(self, screen: HuntScreen, offers: Callable[[], Sequence[Offer]]) -> None:
        super().__init__(screen)
        self._offers = offers

    def action_watch(self) -> None:
        """Ask what to watch for."""
        if not self.workspace.may_write():
            return
        offers = self._offers()
        if not offers:
            self.workspace.say("Nothing to watch for here", severity="warning")
            return
        options = [
            (str(number), safe.clip(safe.visible(name), _OPTION_CELLS))
            for number, (name, _) in enumerate(offers)
        ]

        def chosen(number: str | None) -> None:
            if number is not None:
                self._watch(*offers[int(number)])

        self.screen.app.push_screen(Menu("Say when seen again", options, "0"), chosen)

    @work(group="watch")
    async def _watch(self, name: str, indicators: Sequence[Indicator]) -> None:
        decisions = self.workspace.decisions
        try:
            created = await decisions.watch(indicators)
        except StateError as error:
            self.workspace.say(str(error), severity="error")
            return
        if not created:
            self.workspace.say(f"Watched for already: {name}")
            return
        self.workspace.say(f"Watching for {name}; {decisions.way_back}")


def offers_of(values: Iterable[str]) -> list[Offer]:
    """Offer each distinct value that is an ARN, a key, an address or another indicator."""
    known = dict.fromkeys(map(known_indicator, values))
    return [
        (f"{_WORDS.get(each.kind, each.kind)} {short_arn(each.text)}", (each,))
        for each in known
        if each is not None
    ]


_WORDS = {"arn": "principal", "address": "source", "key": "access key"}
"""Names of indicator kinds in the menu, where they differ from the kind."""


def offer_of_all(indicators: Sequence[Indicator]) -> Offer:
    """Offer all indicators of a list together."""
    return format.plural(len(indicators), "indicator"), indicators
