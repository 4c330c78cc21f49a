"""The welcome page, shown when no source is named and no store exists."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import cast

from textual import on
from textual.app import ComposeResult
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Static

from detector.sources.discover import TrailFolder, find_trails
from detector.text.installation import extra_command
from tui.app.base_app import FrameApp
from tui.concurrency.worker import work
from tui.keymap import FIND, OPEN, key
from tui.presentation import format, safe
from tui.screens.base.key_footer import KeyLine
from tui.widgets.columns import Column
from tui.widgets.row_list import RowList
from tui.widgets.top_line import TopLine

DEMO = "demo"
"""The choice of the demo, in place of a folder."""

_HOW = """\
trailhound FOLDER            trail files below a folder, compressed or not
trailhound s3://BUCKET/…     a bucket{setup}
trailhound --help            all commands and options; ? lists the keys
Start at 1 Alerts; without an alert, at 2 Principals or 3 Events"""


def _how_to_start() -> str:
    """Return the ways to start, and the extra that buckets need if it is not installed."""
    return _HOW.format(setup="" if find_spec("obstore") else f", after {extra_command('s3')}")


def ask(keys: Mapping[str, str]) -> str | None:
    """Ask for a source; return a folder's path, ``DEMO``, or None if the analyst leaves.

    ``keys`` are those of FrameApp.
    """
    return WelcomeApp([Path.cwd(), Path.home()], keys).run()


class Discovered(Message):
    """A folder was discovered; None means that the search has ended."""

    def __init__(self, folder: TrailFolder | None) -> None:
        super().__init__()
        self.folder = folder


class WelcomeApp(FrameApp[str]):
    """An app that finds trails below ``roots`` and returns the chosen one."""

    def __init__(
        self, roots: Sequence[Path], keys: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        super().__init__(keys)
        self.roots = roots

    def get_default_screen(self) -> Screen[None]:
        return WelcomeScreen()


class WelcomeScreen(Screen[None]):
    """The list of discovered trails, and the demo."""

    BINDINGS = [
        key(
            "welcome.demo",
            "d",
            "choose_demo",
            "demo",
            "A simulated attack, live",
            OPEN,
            show=True,
        ),
        key("welcome.again", "R", "look", "rescan", "Search for trails again", FIND, show=True),
        key("welcome.leave", "q,escape", "app.quit", "quit", "Quit trailhound", OPEN, show=True),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._rows: list[TrailFolder | None] = [None]
        self._stop = threading.Event()

    @property
    def _roots(self) -> Sequence[Path]:
        return cast(WelcomeApp, self.app).roots

    def compose(self) -> ComposeResult:
        top = TopLine()
        top.show("trailhound › Welcome", "nothing read yet")
        yield top
        yield Static(
            "Choose a source. Read-only: your logs are never modified.",
            classes="line",
        )
        yield RowList(_COLUMNS, key=_path)
        yield Static("", id="looking", classes="line")
        yield Static(Content(_how_to_start()), id="how")
        yield KeyLine()

    def on_mount(self) -> None:
        rows = self.query_one(RowList)
        rows.follow_top = True  # the cursor is on the first trail until the analyst moves it
        rows.focus()
        self.action_look()

    def on_unmount(self) -> None:
        self._stop.set()

    def action_look(self) -> None:
        """Restart the search for trails."""
        self._stop.set()
        self._stop, self._rows = threading.Event(), [None]
        self._show("Searching for trails …")
        self._discover(self._roots, self._stop)

    @work(thread=True, group="look", exclusive=True, exit_on_error=False)
    def _discover(self, roots: Iterable[Path], stop: threading.Event) -> None:
        for folder in find_trails(roots, stop):
            self.post_message(Discovered(folder))
        if not stop.is_set():
            self.post_message(Discovered(None))

    @on(Discovered)
    def _take(self, event: Discovered) -> None:
        if event.folder is not None:
            self._rows.insert(-1, event.folder)  # the demo stays last
            self._show("Searching for trails …")
            return
        trails = len(self._rows) - 1
        roots = " and ".join(dict.fromkeys(map(str, self._roots)))
        if trails:
            self._show(f"{format.plural(trails, 'trail')} found in {roots}")
        else:
            self._show(f"No trail found in {roots}: name a folder or a bucket, or try the demo")

    def _show(self, message: str) -> None:
        rows = self.query_one(RowList)
        rows.show(list(self._rows))
        self.query_one("#looking", Static).update(safe.text(message, "$foreground-muted"))

    @on(RowList.Opened)
    def _opened(self, event: RowList.Opened) -> None:
        self.app.exit(_path(event.row))

    def action_choose_demo(self) -> None:
        self.app.exit(DEMO)


def _path(row: TrailFolder | None) -> str:
    if row is not None:
        return str(row.path)
    return DEMO


_COLUMNS: tuple[Column[TrailFolder | None], ...] = (
    Column(
        "path",
        "folder",
        30,
        lambda row: _path(row) if row else "demo: a simulated attack",
        drop_priority=0,
        flex=True,
    ),
    Column(
        "accounts",
        "accounts",
        8,
        lambda row: format.number(row.accounts) if row else "",
        align="right",
        drop_priority=1,
    ),
    Column(
        "regions",
        "regions",
        7,
        lambda row: format.number(row.regions) if row else "",
        align="right",
        drop_priority=2,
    ),
    Column("newest", "newest", 10, lambda row: row.newest if row else "", drop_priority=3),
)
