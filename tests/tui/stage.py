"""The app on a small trail, driven by keys, with a stopped clock."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec
from textual.message import Message
from textual.pilot import Pilot

import detector.rules
from detector.detection.alert import Alert
from detector.ingest.pipeline import Pipeline, Update
from detector.rules.ruleset import RuleSet, load
from detector.sources.directory import Directory
from detector.store import Store
from tests.detector.trail import ANA, START, Raw, call, sweep, write
from tests.hostile.payloads import screen_text
from tests.tui import rest
from tui.app.app import HuntApp
from tui.model.opened import Opened
from tui.screens.alerts.screen import AlertsScreen
from tui.settings.session_file import SessionFile

NOW = START + 3 * 3600.0
KNOWN = {
    "colon": ":",
    "full_stop": ".",
    "minus": "-",
    "slash": "/",
    "space": " ",
    "underscore": "_",
    "comma": ",",
}
BEN = "arn:aws:sts::111122223333:assumed-role/inventory/ben"
CAT = "arn:aws:iam::111122223333:user/cat"

RULES = Path(__file__).with_name("data")
"""A rule of severity low, and one of severity high that only CAT's sweep matches."""


FLAGS = Path(detector.rules.__file__).with_name("builtin") / "flags"
"""The rules that define the flags."""

_PATIENCE = 30.0
_A_MOMENT = 0.005
"""Seconds between two checks for the result of a thread."""


class Clock:
    """A clock of epoch seconds that only a test moves."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


class Feed:
    """A pipeline that reads nothing: the test supplies its updates."""

    def __init__(self, first: Update) -> None:
        self._first = first
        self.publish: Callable[[Update], None] = lambda update: None
        self.stopped = threading.Event()

    def rule_seconds(self) -> dict[str, float]:
        return {}

    def use(self, rules: RuleSet) -> None:
        """Ignore the rules."""

    def run(self, stop: threading.Event, publish: Callable[[Update], None]) -> None:
        self.publish = publish
        publish(self._first)
        stop.wait()
        self.stopped.set()


class Broken(Feed):
    """A pipeline that fails."""

    def run(self, stop: threading.Event, publish: Callable[[Update], None]) -> None:
        raise RuntimeError("the disk [/] \x1b[31mwent away\nand more")


def records() -> list[Raw]:
    """Return three sweeps, an hour apart, by three principals; the newest one is in fourteen
    regions and partly denied."""
    role = {
        "type": "AssumedRole",
        "accountId": "444455556666",
        "accessKeyId": "ASIAEXAMPLE000000000",
        "arn": BEN,
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role",
                "userName": "inventory",
                "arn": "arn:aws:iam::444455556666:role/inventory",
            }
        },
    }
    denied = {"errorCode": "Client.UnauthorizedOperation", "errorMessage": "You are not authorized"}
    return [
        *sweep(
            12,
            at=3,
            userIdentity=role,
            userAgent="Boto3/1.40.21 md/Botocore APN_1826889",
            sourceIPAddress="198.51.100.4",
        ),
        *sweep(10, at=3600, arn=ANA),
        *(
            call(
                7200 + second,
                region,
                arn=CAT,
                sourceIPAddress="203.0.113.60",
                userAgent="aws-cli/2.17.32 os/linux#6.8-kali2",
                **(denied if second % 2 else {}),
            )
            for second, region in enumerate(_regions(14))
        ),
    ]


def aftermath() -> list[Raw]:
    """Return CAT's calls after its sweep: more reading, a shared snapshot, a new access key."""
    calls = (
        ("GetCallerIdentity", "sts"),
        ("DescribeVolumes", "ec2"),
        ("DescribeVolumes", "ec2"),
        ("CreateSnapshot", "ec2"),
        ("ModifySnapshotAttribute", "ec2"),
        ("CreateAccessKey", "iam"),
    )
    return [
        call(
            7300 + 40 * index,
            arn=CAT,
            eventName=name,
            eventSource=f"{service}.amazonaws.com",
            readOnly=name.startswith(("Get", "Describe")),
            sourceIPAddress="203.0.113.60",
            userAgent="aws-cli/2.17.32 os/linux#6.8-kali2",
        )
        for index, (name, service) in enumerate(calls)
    ]


def _regions(count: int) -> list[str]:
    return [record["awsRegion"] for record in sweep(count)]


class Hunt:
    """A trail in ``folder``, read into a state; ``play`` opens the app on it."""

    def __init__(
        self,
        folder: Path,
        trail: Iterable[Raw] | None = None,
        state: Path | None = None,
        rules: Sequence[Path] = (RULES,),
    ) -> None:
        self.clock = Clock()
        self.rules: RuleSet = load(rules, builtin=False)
        self.store = Store.open(state, self.clock)
        self.trail = write(
            folder,
            "trail/111122223333_CloudTrail_us-east-1_20260301T1200Z_abc.json",
            list(records() if trail is None else trail),
        )
        updates: list[Update] = []
        Pipeline(self.store, self.rules, Directory([self.trail.parent]), clock=self.clock).scan(
            updates.append
        )
        self.read = updates[-1]
        self.feed: Feed = Feed(self.update())

    def update(self, *alerts: Alert, withdrawn: Sequence[str] = (), **changed: Any) -> Update:
        """Return an update that the pipeline could send."""
        fields = {"alerts": alerts, "withdrawn": tuple(withdrawn), "problems": (), **changed}
        return msgspec.structs.replace(self.read, **fields)

    def alert(self, principal: str = ANA) -> Alert:
        return next(alert for alert in self.store.alerts.all() if alert.principal == principal)

    def play(
        self,
        journey: Callable[[HuntApp, Pilot[None]], Awaitable[None]],
        *,
        size: tuple[int, int] = (80, 24),
        store: Store | None = None,
        pipeline: Any = "feed",
        heard: list[Message] | None = None,
        toasts: bool = True,
        folded: bool = False,
        session: SessionFile | None = None,
        keys: Mapping[str, str] = MappingProxyType({}),
        by_clock: bool = False,
    ) -> HuntApp:
        """Open the app, wait until the store and the first update are on screen, and run the
        journey.

        All rows are expanded unless ``folded``. With ``by_clock``, waits after keys are Textual's
        own, as needed for what Textual delays by a timer, such as its palette."""
        runs = self.feed if pipeline == "feed" else pipeline
        make_pipeline = None if runs is None else lambda _: runs
        opened = Opened(store or self.store, self.rules, make_pipeline, session)
        app = HuntApp(lambda: opened, "AWSLogs/", clock=self.clock, keys=keys)

        async def drive() -> None:
            hook = (lambda message: heard.append(message)) if heard is not None else None
            async with app.run_test(size=size, message_hook=hook, notifications=toasts) as pilot:
                await until(
                    pilot,
                    lambda: app.is_open and (app.view_model.loaded or bool(app.view_model.error)),
                )
                if pipeline == "feed":
                    await until(pilot, lambda: app.view_model.live or bool(app.view_model.error))
                if not folded:
                    _unfold(app)
                await journey(app, pilot)

        (asyncio.run if by_clock else rest.run)(drive())
        return app

    async def arrive(self, app: HuntApp, pilot: Pilot[None], update: Update) -> None:
        """Publish an update of the pipeline, and wait until it is on screen."""
        self.feed.publish(update)
        app.ingest.take_batch()
        await pilot.pause()


def _unfold(app: HuntApp) -> None:
    """Expand all rows as the key does, but without its message or moving the cursor."""
    assert isinstance(app.screen, AlertsScreen)
    alerts = app.screen
    alerts.view_actions.options = replace(alerts.options, folds=alerts.options.folds.toggle_all())
    alerts.row_list.show([])
    alerts.show()


async def until(pilot: Pilot[None], holds: Callable[[], bool]) -> None:
    """Let the app run until ``holds()`` is true; fail after ``_PATIENCE`` seconds."""
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        if holds():
            await pilot.pause()
            return
        await pilot.pause()
        await asyncio.sleep(_A_MOMENT)
    raise AssertionError(f"never came to it:\n{screen_text(pilot.app)}")


async def press(pilot: Pilot[None], *keys: str) -> None:
    """Press keys by name; text that begins with ``'`` is typed letter by letter.

    Typing waits for the app only at the last letter."""
    names = {letter: name for name, letter in KNOWN.items()}
    for key in keys:
        if not key.startswith("'"):
            await pilot.press(key)
            continue
        *letters, last = (names.get(letter, letter) for letter in key[1:])
        with rest.hurried():
            await pilot.press(*letters)
        await pilot.press(last)
    await pilot.pause()


def said(app: HuntApp) -> str:
    """Return the message that the app shows now."""
    return "\n".join(notification.message for notification in app._notifications)
