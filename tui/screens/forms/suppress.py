"""Hide what is known to be harmless: what, for how long, why, and what that would have hidden."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, cast

import msgspec
from textual import on
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, Static

from detector.detection.alert import Alert
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
from tui.screens.forms.base import FormScreen, labelled
from tui.screens.forms.choice import Choice

_AGAIN = ("scope", "rule", "for", "ticket", "owner", "justification")
"""The fields that say the same of the next alert."""

_SHOWN = 4
"""Alerts named in the preview."""


class SuppressForm(FormScreen):
    """Suppressions from ``alerts``: one for each distinct value that they have in the chosen scope.

    ``filled`` is what an earlier form was filled with, but for the value, which is the alerts' own.
    """

    def __init__(
        self, alerts: Sequence[Alert], filled: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        super().__init__()
        self._alerts = alerts
        self.filled = filled
        self._values_of = [scope_values(alert) for alert in alerts]
        self._scopes = [
            scope for scope in SCOPES if any(values.get(scope) for values in self._values_of)
        ]
        self.heading = (
            f"Suppress: {format.subject(alerts[0])}"
            if len(alerts) == 1
            else f"Suppress from {format.plural(len(alerts), 'marked alert')}"
        )

    def fields(self) -> Iterable[Widget]:
        filled = self.filled.get
        scope = filled("scope", "")
        yield labelled(
            "scope", Choice(self._scopes, scope if scope in self._scopes else "", id="scope")
        )
        yield labelled("value", LineField("value"))
        yield labelled("rule", Choice(("this rule", "all rules"), filled("rule", ""), id="rule"))
        yield labelled(
            "for", LineField("for", filled("for", "7d"), "8h, 7d, 2w, or a day: 2026-04-01")
        )
        yield labelled("ticket", LineField("ticket", filled("ticket", ""), "e.g. CHG-77"))
        yield labelled("owner", LineField("owner", filled("owner", ""), "who answers for it"))
        yield labelled(
            "justification",
            LineField("justification", filled("justification", ""), "why this is expected"),
        )
        yield Static("", id="preview")

    def on_mount(self) -> None:
        self._fill_value()
        super().on_mount()
        self.query_one("#scope").focus()

    @on(Choice.Changed, "#scope")
    def _fill_value(self) -> None:
        values, field = self._scope_values(), self.query_one("#value", Input)
        field.value = (
            values[0] if len(values) == 1 else f"{len(values)} values, one suppression each"
        )
        field.disabled = len(values) > 1
        self._look_ahead()

    @on(Choice.Changed, "#rule")
    @on(Input.Changed, "#value,#for")
    def _look_ahead(self) -> None:
        try:
            wanted = self._suppressions()
        except ValueError as error:
            self._show_preview(safe.text(str(error), "$text-warning"))
        else:
            self._count(wanted)

    @work(exclusive=True, group="preview")
    async def _count(self, wanted: list[Suppression]) -> None:
        alerts, now = list(self.workspace.view_model.alerts.values()), self.workspace.now()
        seen = await asyncio.to_thread(_previewed, wanted, alerts, now)
        count = f"Would have hidden {format.plural(len(seen.hidden), 'alert')} of the last 30 days"
        through = (
            f"; {format.number(len(seen.through))} would break through: " if seen.through else ""
        )
        news = list(dict.fromkeys(each for _, brought in seen.through for each in brought))
        lines = [
            Content.assemble(
                (count, "bold"),
                f" ({format.number(seen.held)} of the {format.number(len(alerts))} held)",
                through,
                safe.text(format.first_values(news, _SHOWN) if news else "", "$text-warning"),
            ),
            Content(f"and hides what is like them until {format.full_time(wanted[0].expires)}."),
            *(
                safe.text(
                    f"{format.date_time(alert.first_event)}  {format.principal(alert)}",
                    "$foreground-muted",
                )
                for alert in seen.hidden[:_SHOWN]
            ),
        ]
        if len(seen.hidden) > _SHOWN:
            lines.append(
                Content.styled(
                    f"and {format.number(len(seen.hidden) - _SHOWN)} more", "$foreground-muted"
                )
            )
        self._show_preview(Content("\n").join(lines))

    def _show_preview(self, shown: Content) -> None:
        self.query_one("#preview", Static).update(shown)

    async def save(self) -> str:
        wanted = self._suppressions()
        active = {
            _sense(known)
            for known in self.workspace.view_model.suppressions
            if known.active(self.workspace.now())
        }
        missing = [suppression for suppression in wanted if _sense(suppression) not in active]
        if not missing:
            raise ValueError("An active suppression says just this: extend it on Suppressions.")
        await self.workspace.decisions.suppress(missing)
        self.filled = {name: self.value(name) for name in _AGAIN}
        return (
            f"{format.plural(len(missing), 'suppression')} until {format.full_time(wanted[0].expires)}; "
            f"{key_of('alerts.hidden')} shows the alerts, {self.workspace.decisions.way_back}"
        )

    def _scope_values(self) -> list[str]:
        scope = cast(Scope, self.value("scope"))
        return sorted({values[scope] for values in self._values_of if values.get(scope)})

    def _suppressions(self) -> list[Suppression]:
        """What the fields say now. Raises ValueError where they make no sense."""
        now, several = self.workspace.now(), self._scope_values()
        values = several if len(several) > 1 else [self.value("value")]
        if not all(values):
            raise ValueError("Which value? An empty one would match nothing.")
        rules = (
            {alert.rule.id for alert in self._alerts}
            if self.value("rule") == "this rule"
            else {None}
        )
        return [
            self._knowing(
                Suppression(
                    scope=cast(Scope, self.value("scope")),
                    value=value,
                    rule_id=rule,
                    created=now,
                    expires=parse_expiry(self.value("for"), now),
                    ticket=self.value("ticket"),
                    owner=self.value("owner"),
                    justification=self.value("justification"),
                )
            )
            for value in values
            for rule in sorted(rules, key=str)
        ]

    def _knowing(self, suppression: Suppression) -> Suppression:
        """The suppression, with how those of the form's alerts look that it speaks of."""
        meant = [alert for alert in self._alerts if matches(suppression, alert)]
        return (
            msgspec.structs.replace(suppression, seen_profile=SeenProfile.of(meant))
            if meant
            else suppression
        )


def _sense(suppression: Suppression) -> tuple[Scope, str, str | None]:
    """What it hides, whoever made it and for how long."""
    return suppression.scope, suppression.value, suppression.rule_id


class _Previewed(NamedTuple):
    """The alerts of the last 30 days that would have been hidden, and those that would have broken
    through with what they bring, newest first; ``held``: how many of all are spoken of, whenever
    they were."""

    hidden: list[Alert]
    through: list[tuple[Alert, list[str]]]
    held: int


def _previewed(wanted: Sequence[Suppression], alerts: Sequence[Alert], now: float) -> _Previewed:
    """What the suppressions would have done together: an alert is hidden where one of them hides
    it."""
    previews = [preview_suppression(suppression, alerts, now) for suppression in wanted]
    hidden = {alert.alert_id: alert for seen in previews for alert in seen.hidden}
    through = {
        alert.alert_id: (alert, news)
        for seen in previews
        for alert, news in seen.through
        if alert.alert_id not in hidden
    }
    return _Previewed(
        sorted(hidden.values(), key=lambda alert: alert.first_event, reverse=True),
        sorted(through.values(), key=lambda each: each[0].first_event, reverse=True),
        sum(any(matches(suppression, alert) for suppression in wanted) for alert in alerts),
    )
