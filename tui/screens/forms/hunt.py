"""Forms to begin a hunt, edit its texts, conclude it, and name one of its queries."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from pathlib import Path

from textual.widget import Widget
from textual.widgets import TextArea

from detector.investigation.hunts.hunt_files import texts_of_hunt_file
from detector.rules.rule_file import RuleError
from detector.triage.hunt_record import HuntRecord, check_hunt_texts
from tui.presentation import format
from tui.screens.base.input_fields import LineField, TextField
from tui.screens.forms.base import FormScreen, labelled
from tui.screens.forms.drafted import DraftedForm
from tui.settings.form_draft import FormDraft

_FORM_FIELDS = ("name", "hypothesis", "since", "until", "accounts", "principals")


class _HuntFields(DraftedForm):
    """The fields of a hunt except its conclusion; ``draft`` overrides ``texts``."""

    AUTO_FOCUS = "#name"

    def __init__(
        self, texts: Mapping[str, str], hunt_id: str, draft: Mapping[str, str] | None
    ) -> None:
        super().__init__(resumed=draft is not None)
        self._texts = texts
        self._draft = draft or {}
        self._hunt_id = hunt_id

    def fields(self) -> Iterable[Widget]:
        value = {**self._texts, **self._draft}.get
        yield labelled("name", LineField("name", value("name", ""), "e.g. Stolen CI keys"))
        yield TextField("hypothesis", value("hypothesis", ""), "Hypothesis: what may have happened")
        yield labelled("since", LineField("since", value("since", ""), "2026-03-01 or …T12:00"))
        yield labelled("until", LineField("until", value("until", ""), "as above; empty: no end"))
        yield labelled("accounts", LineField("accounts", value("accounts", ""), "IDs; empty: all"))
        yield labelled(
            "principals",
            LineField("principals", value("principals", ""), "ARNs or access keys; empty: all"),
        )

    def draft(self) -> FormDraft:
        # Keep only changed fields: a colleague may edit the others before the draft is resumed.
        typed = self._typed().items()
        changed = {field: text for field, text in typed if text != self._texts.get(field, "")}
        return FormDraft([], hunt_id=self._hunt_id, hunt=changed)

    def _typed(self) -> dict[str, str]:
        return {field: self.value(field) for field in _FORM_FIELDS}


class BeginHuntForm(_HuntFields):
    """A form for a new hunt, whose queries may come from a hunt file."""

    heading = "Begin a hunt"

    def __init__(self, draft: Mapping[str, str] | None = None) -> None:
        super().__init__({}, "", draft)
        self.begun: HuntRecord
        """The hunt, available after saving."""

    def fields(self) -> Iterable[Widget]:
        yield from super().fields()
        yield labelled("hunt file", LineField("file", "", "adds its queries; empty: none"))

    async def save(self) -> str:
        texts, queries = self._typed(), []
        if self.value("file"):
            path = Path(self.value("file")).expanduser()
            try:
                of_file, saved = await asyncio.to_thread(texts_of_hunt_file, path)
            except RuleError as error:
                raise ValueError(f"{path}:{error.line}: {error.message}") from None
            texts = {field: text or of_file.get(field, "") for field, text in texts.items()}
            new_query = self.workspace.store.hunts.new_query
            queries = [new_query(name, "esql", text) for name, text in saved]
        decisions = self.workspace.decisions
        self.begun = await decisions.hunts.begin(texts, queries)
        with_queries = ""
        if queries:
            with_queries = f" with {format.plural(len(queries), 'query')}"
        return f"Began the hunt {self.begun.name}{with_queries}; {decisions.way_back}"


class EditHuntForm(_HuntFields):
    """A form for the texts of a hunt."""

    def __init__(self, hunt: HuntRecord, draft: Mapping[str, str] | None = None) -> None:
        super().__init__(hunt.texts, hunt.hunt_id, draft)
        self._hunt = hunt
        self.heading = f"Edit the hunt {hunt.name}"

    async def save(self) -> str:
        texts = self._typed()
        check_hunt_texts({**self._hunt.texts, **texts})
        await self.workspace.decisions.hunts.edit(self._hunt, texts)
        return f"Edited the hunt; {self.workspace.decisions.way_back}"


class ConcludeHuntForm(DraftedForm):
    """A form for the conclusion of a hunt."""

    AUTO_FOCUS = "#conclusion"

    def __init__(self, hunt: HuntRecord, draft: Mapping[str, str] | None = None) -> None:
        super().__init__(resumed=draft is not None)
        self._hunt = hunt
        self._text = (draft or hunt.texts).get("conclusion", "")
        self.heading = f"Conclude the hunt {hunt.name}"

    def fields(self) -> Iterable[Widget]:
        yield TextField("conclusion", self._text, "What was found, what it means, what comes next")

    def on_mount(self) -> None:
        super().on_mount()
        text = self.query_one(TextArea)
        text.move_cursor(text.document.end)

    def draft(self) -> FormDraft:
        return FormDraft(
            [], hunt_id=self._hunt.hunt_id, hunt={"conclusion": self.value("conclusion")}
        )

    async def save(self) -> str:
        decisions = self.workspace.decisions
        await decisions.hunts.conclude(self._hunt, self.value("conclusion"))
        return f"Concluded the hunt; {decisions.way_back}"


class NameQueryForm(FormScreen):
    """A form for the name of a query."""

    AUTO_FOCUS = "#name"
    heading = "Name the query"

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name_proposed = name
        self.name_given = name
        """The name, final after saving."""

    def fields(self) -> Iterable[Widget]:
        yield labelled("name", LineField("name", self._name_proposed, "what it looks for"))

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one("#name", LineField).select_all()

    async def save(self) -> str:
        self.name_given = self.value("name")
        if not self.name_given:
            raise ValueError("Enter a name.")
        return "Saving the query …"


def hunt_form(
    hunt: HuntRecord | None, texts: Mapping[str, str]
) -> BeginHuntForm | EditHuntForm | ConcludeHuntForm:
    """Return the form in which the draft's texts were typed."""
    if hunt is None:
        return BeginHuntForm(texts)
    if "conclusion" in texts:
        return ConcludeHuntForm(hunt, texts)
    return EditHuntForm(hunt, texts)
