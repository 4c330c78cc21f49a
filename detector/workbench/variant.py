"""Variants: a rule with other parameter values, which can be saved as a rule file."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from detector.rules.kibana.export import EXPORT_SUFFIXES
from detector.rules.reading import SIGMA_SUFFIXES
from detector.rules.rule import Rule
from detector.rules.rule_file import RuleError
from detector.rules.ruleset import RuleSet
from detector.text.private_files import write_new
from detector.text.suggest import nearest
from detector.workbench.parameters import Parameters, RuleParameter, find_parameters
from detector.workbench.rule_source import KeyPath, RuleSource

ParameterValues = Mapping[str, int]
"""Parameter values by name; durations are in seconds."""


class VariantError(Exception):
    """A variant that cannot be made; the message is one line that says what to do."""


class _Edit(NamedTuple):
    """A span of a text and its replacement."""

    start: int
    end: int
    text: str


class VariantMaker:
    """Makes the variants of a rule from parameter values.

    Raises RuleError if the rule's file can no longer be read."""

    def __init__(self, rules: RuleSet, rule: Rule) -> None:
        self.rule = rule
        self._rules = rules
        self._text = RuleSource.of(rule)
        self.parameters: Parameters = find_parameters(rule, self._text)
        self._compiled: dict[frozenset[tuple[str, int]], Rule] = {}

    @property
    def suffix(self) -> str:
        """The suffix of the rule's file, which a saved variant must have too."""
        return self.rule.path.suffix

    def parameter(self, name: str) -> RuleParameter:
        """Return a parameter by name. Raises VariantError if there is none."""
        names = {each.name: each for each in self.parameters.found}
        if name in names:
            return names[name]
        known = ", ".join(each.label for each in self.parameters.found) or "none"
        raise VariantError(
            f"{self.rule.name} has no parameter {name}{nearest(name, names)}; it has: {known}"
        )

    def reading_values(self, values: ParameterValues) -> dict[str, int]:
        """Return the changed values that require reading the logs again."""
        return {
            name: value
            for name, value in self._changes(values).items()
            if not self.parameter(name).keeps_hits
        }

    def text_with(self, values: ParameterValues) -> str:
        """Return the file's text with these values."""
        return _edited(self._text.text, self._edits(values))

    def rule_with(self, values: ParameterValues) -> Rule:
        """Compile the rule with these values; it keeps its id. Raises VariantError."""
        key = frozenset(self._changes(values).items())
        if not key:
            return self.rule
        if key not in self._compiled:
            self._compiled[key] = self._compile(
                self.text_with(values), self.rule.rule_id, self.rule.path
            )
        return self._compiled[key]

    def saved_text(self, values: ParameterValues, name: str, reason: str) -> str:
        """Return the text of a new rule file with a new id, a name and a reason.

        Raises VariantError if this text would not compile to the same variant."""
        if not name.strip() or not reason.strip():
            raise VariantError("give the rule a name and a reason")
        rule_id = str(uuid.uuid4())
        text = self._standalone(values, rule_id, " ".join(name.split()), " ".join(reason.split()))
        saved = self._compile(text, rule_id, self.rule.path.with_name(f"{rule_id}{self.suffix}"))
        wanted = self.rule_with(values)
        same = saved.query.canonical == wanted.query.canonical
        if not same or saved.query.window != wanted.query.window:
            raise VariantError("the saved rule would differ from the variant: edit a copy by hand")
        return text

    def save(self, path: Path, values: ParameterValues, name: str, reason: str) -> None:
        """Write a variant to a new rule file that only its owner can read. Raises VariantError."""
        if path.suffix != self.suffix:
            raise VariantError(f"{path}: name a {self.suffix} file, as the rule's own is")
        text = self.saved_text(values, name, reason)
        try:
            write_new(path, text)
        except FileExistsError:
            raise VariantError(f"{path} exists: name a new file") from None
        except OSError as error:
            raise VariantError(f"{path}: {error.strerror}: name another file") from None

    def _changes(self, values: ParameterValues) -> dict[str, int]:
        """Return the values that differ from the rule's own."""
        return {
            name: value for name, value in values.items() if self.parameter(name).value != value
        }

    def _edits(self, values: ParameterValues) -> list[_Edit]:
        edits = []
        for name, value in self._changes(values).items():
            if value < 1:
                raise VariantError(f"{name} must be 1 or more")
            parameter = self.parameter(name)
            edits.append(_Edit(parameter.start, parameter.end, parameter.text_of(value)))
        return edits

    def _compile(self, text: str, rule_id: str, path: Path) -> Rule:
        """Compile a rule from the text of a file, which need not exist. Raises VariantError."""
        problem = "it is not in the text"
        for result in self._rules.read_text(path, text):
            match result:
                case Rule() if result.rule_id == rule_id:
                    return result
                case RuleError():
                    problem = result.message
        raise VariantError(f"this variant of {self.rule.name} cannot run: {problem}")

    def _standalone(self, values: ParameterValues, rule_id: str, name: str, reason: str) -> str:
        suffix = self.suffix
        if suffix in SIGMA_SUFFIXES:
            return self._sigma_text(values, rule_id, name, reason)
        path, text = self._text.rule_path, self._text
        edits = [
            *self._edits(values),
            self._edit_of((*path, "rule_id"), rule_id),
            self._edit_of((*path, "name"), name),
        ]
        if suffix in EXPORT_SUFFIXES:
            edits.append(self._edit_of((*path, "description"), reason))
            return _edited(text.text, edits)
        return _with_origin(_edited(text.text, edits), self.rule.rule_id, reason)

    def _edit_of(self, path: KeyPath, new: str) -> _Edit:
        """Return the edit that replaces a text of the document. Raises VariantError."""
        place = self._text.locate(path)
        if place is None:
            key = path[-1]
            raise VariantError(f"{key} is not written plainly in {self._text.path}: save a copy")
        return _Edit(*place, new.translate(_ESCAPED))

    def _sigma_text(self, values: ParameterValues, rule_id: str, name: str, reason: str) -> str:
        """Return the document of a Sigma variant; its references to other files still apply."""
        path, text = self._text.rule_path, self._text
        edits = [*self._edits(values), self._edit_of((*path, "title"), name)]
        if text.value_at((*path, "id")) is not None:
            edits.append(self._edit_of((*path, "id"), rule_id))
        if _TEMPLATE.search(text.text):
            raise VariantError(f"{text.path} is a collection with templates: copy the file by hand")
        title = edits[len(edits) - 1].start
        start = max((each.end() for each in _SEPARATOR.finditer(text.text, 0, title)), default=0)
        following = _SEPARATOR.search(text.text, title)
        end = following.start() if following else len(text.text)
        inside = [_Edit(each.start - start, each.end - start, each.text) for each in edits]
        lines = [f"# A variant of {self.rule.rule_id}: {reason}"]
        if text.value_at((*path, "id")) is None:
            lines.append(f"id: {rule_id}")
        return "\n".join([*lines, _edited(text.text[start:end], inside)])


_SEPARATOR = re.compile(r"^---.*\n", re.MULTILINE)
_TEMPLATE = re.compile(r"^action\s*:", re.MULTILINE)
_ESCAPED = {ord('"'): "'", ord("\\"): "/"}
"""Replaced in names and reasons, so that they are valid in any kind of quotes."""


def _edited(text: str, edits: list[_Edit]) -> str:
    for edit in sorted(edits, reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def _with_origin(text: str, rule_id: str, reason: str) -> str:
    """Add a variant's origin and reason to the ``[trailhound]`` table of a file's text."""
    lines = f'variant_of = "{rule_id}"\nreason = "{reason.translate(_ESCAPED)}"\n'
    header = "[trailhound]\n"
    start = text.find(f"\n{header}")
    if start < 0:
        return f"{text.rstrip()}\n\n{header}{lines}"
    end = start + 1 + len(header)
    return text[:end] + lines + text[end:]
