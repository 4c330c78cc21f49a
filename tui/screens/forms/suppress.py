"""A form that suppresses alerts known to be harmless, with a preview."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, cast

import msgspec
from textual import on
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, Static

from detector.detection.alert import Alert
from detector.text.abbreviations import short_arn
from detector.triage.caller import Caller
from detector.triage.suppression import (
    SCOPES,
    Scope,
    SeenProfile,
    Suppression,
    matches,
    preview_suppression,
    scope_values,
)
from tui.concurrency.worker import work
from tui.keymap import key_of
from tui.model.expiry import parse_expiry
from tui.presentation import format, safe
from tui.screens.base.input_fields import LineField
from tui.screens.forms.base import labelled
from tui.screens.forms.choice import ChoiceField
from tui.screens.forms.drafted import DraftedForm
from tui.settings.form_draft import FormDraft

_REPEATED = ("scope", "rule", "for", "ticket", "owner", "reason")
"""Fields whose values are kept when the form is reopened for other alerts."""

_NAMED_ALERTS = 4
"""Maximum number of names listed in a line of the preview."""


class SuppressForm(DraftedForm):
    """A form for suppressions from ``alerts``.

    The form creates one suppression for each distinct value that the alerts have in the chosen
    scope. ``filled`` maps field ids to initial values; the value to suppress comes from the alerts
    instead, unless a draft is ``resumed``. ``callers`` have no alert yet; their future alerts of
    all rules are suppressed.
    """

    def __init__(
        self,
        alerts: Sequence[Alert],
        filled: Mapping[str, str] = MappingProxyType({}),
        *,
        resumed: bool = False,
        callers: Sequence[Caller] = (),
    ) -> None:
        super().__init__(resumed=resumed)
        self._alerts = alerts
        self.filled = filled
        self._callers = callers
        self._values_of = [scope_values(alert) for alert in alerts]
        self._values_of += [caller.scopes for caller in callers]
        self._scopes = [
            scope for scope in SCOPES if any(values.get(scope) for values in self._values_of)
        ]
        names = list(dict.fromkeys(format.subject(alert) for alert in alerts))
        noun = format.plural(len(alerts), "alert")
        if callers:
            noun = f"alerts of {format.plural(len(callers), 'principal')}"
        if len(callers) == 1:
            noun = f"alerts of {short_arn(callers[0].context.principal) or 'a caller'}"
        self.heading = f"Suppress {noun}"
        if len(names) == 1:
            self.heading += f" of {names[0]}"

    def fields(self) -> Iterable[Widget]:
        filled = self.filled.get
        scope = filled("scope", "")
        required = self.workspace.required_fields

        def name(field: str) -> str:
            return f"{field} *" if field in required else field

        yield labelled(
            "match", ChoiceField(self._scopes, scope if scope in self._scopes else "", id="scope")
        )
        yield labelled("value", LineField("value"))
        rules = ("this rule", "all rules") if self._alerts else ("all rules",)
        yield labelled("rules", ChoiceField(rules, filled("rule", ""), id="rule"))
        yield labelled(
            "until", LineField("for", filled("for", "7d"), "8h, 7d, 2w, or a day: 2026-04-01")
        )
        yield labelled(name("ticket"), LineField("ticket", filled("ticket", ""), "e.g. CHG-77"))
        yield labelled(name("owner"), LineField("owner", filled("owner", ""), "responsible owner"))
        yield labelled(
            name("reason"), LineField("reason", filled("reason", ""), "why is this expected?")
        )
        yield Static("", id="preview")

    def on_mount(self) -> None:
        self._fill_value()
        value = self.query_one("#value", Input)
        if self._resumed and not value.disabled:
            value.value = self.filled.get("value", value.value)
        super().on_mount()
        self.query_one("#ticket").focus()

    @on(ChoiceField.Changed, "#scope")
    def _fill_value(self) -> None:
        values, field = self._scope_values(), self.query_one("#value", Input)
        field.value = (
            values[0] if len(values) == 1 else f"{len(values)} values, one suppression each"
        )
        field.disabled = len(values) > 1
        self._update_preview()

    @on(ChoiceField.Changed, "#rule")
    @on(Input.Changed, "#value,#for")
    def _update_preview(self) -> None:
        try:
            suppressions = self._suppressions()
        except ValueError as error:
            self._show_preview(safe.text(str(error), "$text-warning"))
        else:
            self._preview(suppressions)

    @work(exclusive=True, group="preview")
    async def _preview(self, suppressions: list[Suppression]) -> None:
        alerts, now = list(self.workspace.view_model.alerts.values()), self.workspace.now()
        preview = await asyncio.to_thread(_preview_all, suppressions, alerts, now)
        lines = preview_lines(
            preview, self._alerts, suppressions, format.full_time(suppressions[0].expires)
        )
        self._show_preview(Content("\n").join(lines))

    def _show_preview(self, content: Content) -> None:
        self.query_one("#preview", Static).update(content)

    async def save(self) -> str:
        missing_fields = [
            field for field in self.workspace.required_fields if not self.value(field)
        ]
        if missing_fields:
            raise ValueError(f"Required: {', '.join(missing_fields)}.")
        suppressions, now = self._suppressions(), self.workspace.now()
        active = {
            _target(suppression)
            for suppression in self.workspace.view_model.suppressions
            if suppression.active(now)
        }
        missing = [each for each in suppressions if _target(each) not in active]
        if not missing:
            raise ValueError(
                "An identical suppression is already active – extend it under Suppressions."
            )
        await self.workspace.decisions.suppress(missing)
        self.filled = self._filled_fields()
        count = format.plural(len(missing), "suppression")
        return (
            f"Created {count} until {format.full_time(suppressions[0].expires)}; "
            f"{key_of('alerts.hidden')} shows the alerts, {self.workspace.decisions.way_back}"
        )

    def draft(self) -> FormDraft:
        ids = [alert.alert_id for alert in self._alerts]
        fields = {**self._filled_fields(), "value": self.value("value")}
        return FormDraft(ids, suppression=fields, callers=list(self._callers))

    def _filled_fields(self) -> dict[str, str]:
        return {name: self.value(name) for name in _REPEATED}

    def _scope_values(self) -> list[str]:
        scope = cast(Scope, self.value("scope"))
        return sorted({values[scope] for values in self._values_of if values.get(scope)})

    def _suppressions(self) -> list[Suppression]:
        """Return the suppressions that the fields describe. Raises ValueError."""
        now, values = self.workspace.now(), self._scope_values()
        if len(values) <= 1:
            values = [self.value("value")]
        if not all(values):
            raise ValueError("Enter a value.")
        rule_ids = self._rule_ids()
        return [self._suppression(now, *pair) for pair in itertools.product(values, rule_ids)]

    def _rule_ids(self) -> Sequence[str | None]:
        if self.value("rule") == "all rules":
            return [None]
        return sorted({alert.rule.id for alert in self._alerts})

    def _suppression(self, now: float, value: str, rule_id: str | None) -> Suppression:
        suppression = Suppression(
            scope=cast(Scope, self.value("scope")),
            value=value,
            rule_id=rule_id,
            created=now,
            expires=parse_expiry(self.value("for"), now),
            ticket=self.value("ticket"),
            owner=self.value("owner"),
            justification=self.value("reason"),
        )
        matching = [alert for alert in self._alerts if matches(suppression, alert.finding)]
        if not matching:
            return suppression
        return msgspec.structs.replace(suppression, seen_profile=SeenProfile.of(matching))


def _target(suppression: Suppression) -> tuple[Scope, str, str | None]:
    """Return what a suppression hides: its scope, value and rule id."""
    return suppression.scope, suppression.value, suppression.rule_id


class _Preview(NamedTuple):
    """What suppressions would have done in the last 30 days.

    ``hidden`` are the alerts that would have been hidden; ``through`` are the alerts that match but
    would have stayed visible, with their novelties. Both are newest first. ``matching`` is the
    number of matching alerts of any age.
    """

    hidden: list[Alert]
    through: list[tuple[Alert, list[str]]]
    matching: int


def _preview_all(
    suppressions: Sequence[Suppression], alerts: Sequence[Alert], now: float
) -> _Preview:
    """Preview suppressions together: an alert is hidden if any of them hides it."""
    previews = [preview_suppression(suppression, alerts, now) for suppression in suppressions]
    hidden = {alert.alert_id: alert for preview in previews for alert in preview.hidden}
    through = {}
    for preview in previews:
        for alert, novelties in preview.through:
            if alert.alert_id not in hidden:
                through[alert.alert_id] = alert, novelties
    return _Preview(
        sorted(hidden.values(), key=lambda alert: alert.first_event, reverse=True),
        sorted(through.values(), key=lambda pair: pair[0].first_event, reverse=True),
        sum(
            any(matches(suppression, alert.finding) for suppression in suppressions)
            for alert in alerts
        ),
    )


def preview_lines(
    preview: _Preview, chosen: Sequence[Alert], suppressions: Sequence[Suppression], until: str
) -> list[Content]:
    """Return the lines of the preview: alerts hidden, alerts that stay, and others affected."""
    count = format.plural(len(suppressions), "suppression")
    lines = [Content.styled(f"Creates {count} until {until}. Last 30 days:", "$foreground-muted")]
    hidden = list(dict.fromkeys(format.principal(alert) for alert in preview.hidden))
    lines.append(_line(len(preview.hidden), "hidden", format.first_values(hidden, _NAMED_ALERTS)))
    reasons = Counter(format.novelty_name(novelty) for _, new in preview.through for novelty in new)
    why = ", ".join(f"{name} ({times})" for name, times in reasons.most_common(_NAMED_ALERTS))
    lines.append(_line(len(preview.through), "stay", why or "no new activity"))
    ids = {alert.alert_id for alert in chosen}
    others = [alert for alert in preview.hidden if alert.alert_id not in ids]
    named = list(dict.fromkeys(format.principal(alert) for alert in others))
    text = f"no alerts besides these {len(ids)} are affected"
    if len(ids) == 1:
        text = "no alert besides this one is affected"
    if not ids:
        text = "no alert so far is affected"
    if others:
        text = f"also hidden: {format.first_values(named, _NAMED_ALERTS)}"
    lines.append(_line(len(others), "others", text, "$text-warning" if others else ""))
    return lines


def _line(count: int, label: str, text: str, style: str = "") -> Content:
    return Content.assemble(
        (f"{format.number(count):>5} {label:8}", "bold"), safe.text(text, style or "$foreground")
    )
