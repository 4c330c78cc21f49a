"""One query of a hunt: its text, its error and its rows."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Sequence

import msgspec
from textual import events, on
from textual.binding import Binding
from textual.content import Content
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Static, TextArea

from detector.delivery.hunt_export import LANGUAGE_NAMES
from detector.esql.errors import EsqlError
from detector.investigation.hunts.completion import WordOffer, offer_words
from detector.investigation.hunts.languages import EXAMPLES, plan_query
from detector.investigation.hunts.run import HuntResult
from detector.store import StateError
from detector.triage.hunt_record import QUERY_LANGUAGES, HuntQuery, HuntRecord
from tui.concurrency.worker import work
from tui.keymap import LIVE, MOVE, OUT, TRIAGE, key, key_of
from tui.presentation import format, safe
from tui.screens.base.copy_actions import CopyActions
from tui.screens.base.screen import HuntScreen, breadcrumbs
from tui.screens.hunts.editor import EditorMessages, QueryEditor, Refusal
from tui.screens.hunts.result_actions import ResultActions
from tui.screens.hunts.results import (
    ResultLine,
    lines_of_result,
    result_columns,
    result_phrase,
)
from tui.screens.hunts.run import QueryRan, RunProgressed, RunRequest
from tui.settings.form_draft import FormDraft
from tui.widgets.line import CellContent
from tui.widgets.row_list import RowList

_TYPING_REST = 0.2
"""Seconds without a key after which the text is checked."""

_OPTION_CELLS = 60


class HuntQueryScreen(HuntScreen):
    """A query of a hunt; ``query`` is None for a new one. ``typed`` is an unsaved draft."""

    BINDINGS = [
        key(
            "hunt.run",
            "R",
            "run",
            "run",
            "Run the query over the logs; rows that are new since the last run come first",
            LIVE,
            show=True,
        ),
        key("query.edit", "c", "edit", "edit", "Edit the query", TRIAGE, show=True),
        key("query.save", "s", "save", "save", "Save the query in the hunt", OUT, show=True),
        *ResultActions.BINDINGS,
        key("query.next-pane", "tab", "edit", "editor", "To the editor", MOVE),
        *CopyActions.BINDINGS,
    ]

    AUTO_FOCUS = ""

    def __init__(
        self, hunt_id: str, query: HuntQuery | None, typed: HuntQuery | None = None
    ) -> None:
        super().__init__()
        self._hunt_id = hunt_id
        self._saved = query
        self._query = typed or query
        self._refusal: Refusal | None = None
        self._result: HuntResult | None = None
        self._run_to_remember: QueryRan | None = None
        """The last run, until the hunt has saved the query in the form that was run."""
        self._state = ""
        """The state of the run, shown beneath the rows."""
        self._stop: threading.Event | None = None
        self._typing: Timer | None = None
        self.results = ResultActions(self)
        self.copying = CopyActions(self, self.results.copy_formats)

    # --- what is shown

    @property
    def hunt(self) -> HuntRecord | None:
        """The current state of the hunt."""
        return self.workspace.view_model.hunt(self._hunt_id)

    @property
    def _editor(self) -> QueryEditor:
        return self.query_one(QueryEditor)

    @property
    def unsaved(self) -> bool:
        """Whether the editor contains unsaved changes."""
        query = self._current()
        if self._saved is None:
            return query.text.strip() not in ("", EXAMPLES[query.language])
        return (query.text, query.language) != (self._saved.text, self._saved.language)

    def screen_title(self) -> CellContent:
        hunt = self.hunt.name if self.hunt is not None else self._hunt_id
        name = self._query.name if self._query is not None else ""
        return breadcrumbs(("Hunts", hunt, name or "New query"), self.size.width)

    def title_items(self) -> Sequence[CellContent]:
        query = self._current()
        items = [Content.styled(LANGUAGE_NAMES[query.language], "$text-accent")]
        if self.unsaved:
            items.append(Content.styled("not saved", "$text-warning"))
        return items

    def compose_body(self) -> Iterable[Widget]:
        if self._query is None:
            text = EXAMPLES["esql"]
            self._query = self.workspace.store.hunts.new_query("", "esql", text)
        yield QueryEditor("hunt-query", self._query.text, self._offers)
        yield EditorMessages("", id="hunt-messages")
        yield RowList((), key=_line_key, empty="", marking=False)
        yield Static("", id="hunt-run", classes="line")

    def on_mount(self) -> None:
        super().on_mount()
        if self._saved is None or self.unsaved:
            self._editor.move_cursor(self._editor.document.end)
            self._editor.focus()
        else:
            self.query_one(RowList).focus()
        self._check()

    def on_unmount(self) -> None:
        self._stop_run()
        super().on_unmount()

    def show(self) -> None:
        rows = self.query_one(RowList)
        rows.empty = self._empty_text()
        said = self._state or self._last_run()
        self.query_one("#hunt-run", Static).update(safe.text(said, "$foreground-muted"))

    def _empty_text(self) -> str:
        if self._stop is not None:
            return "Reading the logs …"
        if self._result is not None:
            return "No rows."
        return f"{key_of('hunt.run')} runs the query, {key_of('editor.run')} in the editor."

    def _last_run(self) -> str:
        run = self.hunt.run_of(self._current().query_id) if self.hunt is not None else None
        if run is None:
            return "not run yet"
        return f"last run: {format.plural(run.rows, 'row')}, {format.full_time(run.time)}"

    def _current(self) -> HuntQuery:
        """Return the query with the text in the editor."""
        assert self._query is not None
        return msgspec.structs.replace(self._query, text=self._editor.text)

    # --- while one types

    def _offers(self, text: str, cursor: int) -> WordOffer:
        assert self._query is not None
        fields = self.workspace.rules.context.fields
        return offer_words(text, cursor, self._query.language, fields)

    @on(TextArea.Changed)
    def _typed(self) -> None:
        self._editor.renew_offer()
        if self._typing is not None:
            self._typing.stop()
        self._typing = self.set_timer(_TYPING_REST, self._check)
        self._keep_draft()
        self._show_messages()
        self.show_status()

    @on(QueryEditor.Completed)
    def _show_messages(self) -> None:
        self.query_one(EditorMessages).show(self._editor, self._refusal)

    @work(exclusive=True, group="check")
    async def _check(self) -> None:
        """Show the text's error, if it has one."""
        query = self._current()
        self._refusal = await asyncio.to_thread(self._refusal_of, query)
        self._show_messages()

    def _refusal_of(self, query: HuntQuery) -> Refusal | None:
        context = self.workspace.rules.context
        try:
            plan_query(query.text, query.language, context.fields, 0, context.lookups)
        except EsqlError as error:
            return Refusal.of(error)
        return None

    def action_language(self) -> None:
        query = self._current()
        following = QUERY_LANGUAGES.index(query.language) + 1
        language = QUERY_LANGUAGES[following % len(QUERY_LANGUAGES)]
        is_untouched = query.text.strip() in ("", EXAMPLES[query.language])
        self._query = msgspec.structs.replace(query, language=language)
        if is_untouched:
            self._editor.text = EXAMPLES[language]
            self._editor.move_cursor(self._editor.document.end)
        self._check()
        self.show_status()

    @on(events.DescendantFocus)
    @on(events.DescendantBlur)
    def _focus_changed(self) -> None:
        self.set_class(self._editor.has_focus, "-typing")

    @on(RowList.Opened)
    def _opened(self) -> None:
        self.results.action_events()

    def action_edit(self) -> None:
        self._editor.focus()

    def action_leave_editor(self) -> None:
        self.query_one(RowList).focus()

    # --- the draft

    def _keep_draft(self) -> None:
        """Keep the typed text, in case the terminal or the process goes away."""
        file = self.workspace.decisions.draft
        if file is None or not self.unsaved:
            return
        try:
            file.keep(FormDraft([], hunt_id=self._hunt_id, query=self._current()))
        except (OSError, UnicodeError) as error:
            self.workspace.say(f"Drafts cannot be kept; save before you quit: {error}")

    def _remove_draft(self) -> None:
        if self.workspace.decisions.draft is not None:
            self.workspace.decisions.draft.remove()

    # --- saving

    def action_save(self) -> None:
        hunt = self.hunt
        if hunt is None or not self.workspace.may_write():
            return
        query = self._current()
        if query.name:
            self._save(hunt, query)
            return
        proposed = f"query {len(hunt.queries) + 1}"
        self.workspace.routes.name_query(
            proposed, lambda name: self._save(hunt, msgspec.structs.replace(query, name=name))
        )

    @work(group="save")
    async def _save(self, hunt: HuntRecord, query: HuntQuery) -> None:
        decisions, saved = self.workspace.decisions, self._saved
        # Compare with the query as opened, not as it is by now: a colleague may have saved it.
        opened = msgspec.structs.replace(hunt, queries=() if saved is None else (saved,))
        try:
            await decisions.hunts.save_query(opened, query)
        except (StateError, ValueError) as error:
            line, now = str(error), self.hunt
            if now is not None and now.query(query.query_id) != saved:
                self._saved = now.query(query.query_id)
                line += "; save once more to replace it"
            self.workspace.say(line, severity="error")
            return
        self._query = self._saved = query
        await self._remember_run()
        self._remove_draft()
        said = f"Saved {safe.clip(safe.visible(query.name), _OPTION_CELLS)}"
        if self._refusal is not None:
            said += ", which cannot be run yet"
        self.workspace.say(f"{said}; {decisions.way_back}")
        self.show_status()

    # --- running

    def action_run(self) -> None:
        hunt = self.hunt
        if hunt is None or self._stop is not None:
            return
        query, now = self._current(), self.workspace.view_model.newest
        self._stop = threading.Event()
        self._state = "reading …"
        self.show()
        self._run(RunRequest(hunt, query, now, self._stop, self._report_progress))

    def _stop_run(self) -> None:
        if self._stop is not None:
            self._stop.set()

    @work(thread=True, group="run", exit_on_error=False)
    def _run(self, request: RunRequest) -> None:
        self.post_message(request.run(self.workspace.store, self.workspace.rules.context))

    def _is_saved(self, query: HuntQuery) -> bool:
        saved = self._saved
        return saved is not None and saved.text == query.text and saved.language == query.language

    def _report_progress(self, line: str) -> None:
        """Post the run's progress from its thread; a screen that was left gets no messages."""
        self.post_message(RunProgressed(line))

    @on(RunProgressed)
    def _show_progress(self, event: RunProgressed) -> None:
        if self._stop is not None and not self._stop.is_set():
            self._state = f"{event.line}   {key_of('back')} stops"
            self.show_if_in_front()

    @on(QueryRan)
    async def _ran(self, event: QueryRan) -> None:
        if event.request.stop is not self._stop:
            return
        if event.result is None:
            self._stop = None
            self._state = event.problem or "stopped"
            self.show()
            return
        self._result = event.result
        self._run_to_remember = event
        # Remember this run before another one, which compares with it, can begin.
        await self._remember_run()
        self._stop = None
        self._state = result_phrase(event.result, event.unread)
        await self._show_rows(event.result)

    async def _remember_run(self) -> None:
        """Record the last run in the hunt, if the hunt has saved the query as it was run."""
        ran = self._run_to_remember
        if ran is None or ran.result is None or not self._is_saved(ran.request.query):
            return
        self._run_to_remember = None
        hunts, request = self.workspace.decisions.hunts, ran.request
        try:
            await hunts.remember_run(request.hunt, request.query, ran.result)
        except StateError as error:
            self.workspace.say(f"The run is not remembered: {error}", severity="error")

    async def _show_rows(self, result: HuntResult) -> None:
        """Replace the list by one with the columns of this result."""
        before = self.query_one(RowList)
        has_focus = before.has_focus
        rows = RowList(
            result_columns(result), key=_line_key, empty=self._empty_text(), marking=False
        )
        await before.remove()
        await self.mount(rows, before="#hunt-run")
        rows.show(lines_of_result(result))
        if has_focus or not self._editor.has_focus:
            rows.focus()
        self.show()

    def applies(self, binding: Binding) -> bool:
        """Return whether a key has something to act on now."""
        return binding.id not in ("query.events", "rows.export") or self.results.line is not None

    def action_back(self) -> None:
        if self._stop is not None:
            self._stop_run()
        elif self.unsaved:
            self.workspace.routes.confirm("Discard what you typed?", "discard", self._discard)
        else:
            super().action_back()

    def action_leave(self) -> None:
        if self.unsaved:
            self.action_back()
        else:
            super().action_leave()

    def _discard(self) -> None:
        self._remove_draft()
        self.workspace.leave()


def _line_key(line: ResultLine) -> str:
    return str(line.number)
