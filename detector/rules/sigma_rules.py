"""Makes rules from Sigma files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from detector.esql.errors import EsqlError
from detector.rules.rule import (
    SIGMA_CORRELATION,
    SIGMA_RULE,
    CompileContext,
    Rule,
    assemble_rule,
)
from detector.rules.rule_file import (
    Metadata,
    Reference,
    RuleError,
    RuleNotice,
    Threat,
    TrailhoundTable,
)
from detector.rules.rule_text import Advice
from detector.sigma.collection import Collection, CompiledRule, FilterRead, Result
from detector.sigma.documents import Document
from detector.text.plural import plural

_RISKS = {"informational": 1, "low": 21, "medium": 47, "high": 73, "critical": 99}
"""Risk scores by level, as Elastic scores its severities; a rule without a level is low."""
_TECHNIQUE = re.compile(r"attack\.(t[0-9]{4})(\.[0-9]{3})?", re.IGNORECASE)
_TACTICS = {
    "reconnaissance": ("TA0043", "Reconnaissance"),
    "resource-development": ("TA0042", "Resource Development"),
    "initial-access": ("TA0001", "Initial Access"),
    "execution": ("TA0002", "Execution"),
    "persistence": ("TA0003", "Persistence"),
    "privilege-escalation": ("TA0004", "Privilege Escalation"),
    "defense-evasion": ("TA0005", "Defense Evasion"),
    "credential-access": ("TA0006", "Credential Access"),
    "discovery": ("TA0007", "Discovery"),
    "lateral-movement": ("TA0008", "Lateral Movement"),
    "collection": ("TA0009", "Collection"),
    "command-and-control": ("TA0011", "Command and Control"),
    "exfiltration": ("TA0010", "Exfiltration"),
    "impact": ("TA0040", "Impact"),
}
"""The tactics of MITRE ATT&CK for Enterprise, by Sigma's tags."""


def read_sigma_files(
    texts: Mapping[Path, str], context: CompileContext
) -> Iterator[tuple[Path, Rule | RuleNotice | RuleError]]:
    """Yield the results of the documents in Sigma files, file by file.

    The files are read together, as they may refer to each other."""
    collection = Collection(texts, context.placeholders)
    for path in texts:
        for result in collection.results(path):
            yield path, _outcome(result, path, context)


def _outcome(result: Result, path: Path, context: CompileContext) -> Rule | RuleNotice | RuleError:
    match result:
        case EsqlError():
            return RuleError(result.message, result.line, result.column)
        case FilterRead(document, rules):
            names = ", ".join(rules) or "none of the rules here"
            return RuleNotice(document.title, f"a filter of {plural(len(rules), 'rule')}: {names}")
    if result.base_of:
        names = ", ".join(result.base_of)
        return RuleNotice(
            result.document.title, f"counted by {names}; it gives no alerts of its own"
        )
    return _rule(result, path, context)


def _rule(result: CompiledRule, path: Path, context: CompileContext) -> Rule:
    document = result.document
    level = document.level or "low"
    type = SIGMA_RULE if document.section == "detection" else SIGMA_CORRELATION
    severity = "low" if level == "informational" else level
    metadata = Metadata(
        rule_id=document.id,
        name=document.title,
        type=type,
        description=document.description,
        severity=severity,
        risk_score=_RISKS[level],
        query_text=document.text,
        building_block_type="default" if level == "informational" else None,
        threat=list(_threats(document.tags)),
        tags=list(document.tags),
        references=list(document.references),
        false_positives=list(document.false_positives),
        note=_guide(document),
        author=[document.author] if document.author else [],
        license=document.license,
    )
    advice = [Advice(note.span.line, note.span.column, note.sentence) for note in result.notes]
    return assemble_rule(
        metadata, TrailhoundTable(), True, result.query, path, context, sorted(advice)
    )


def _threats(tags: tuple[str, ...]) -> Iterator[Threat]:
    """Yield the tactics in a rule's tags, each with all techniques in the tags.

    Tags do not say which technique belongs to which tactic."""
    tactics = []
    techniques: dict[str, list[Reference]] = {}
    for tag in tags:
        name = tag.lower().removeprefix("attack.").replace("_", "-")
        match = _TECHNIQUE.fullmatch(tag)
        if match is not None:
            technique = match[1].upper()
            below = techniques.setdefault(technique, [])
            if match[2]:
                below.append(Reference(technique + match[2]))
        elif tag.lower().startswith("attack.") and name in _TACTICS:
            tactics.append(Reference(*_TACTICS[name]))
    references = [Reference(id, subtechnique=below) for id, below in techniques.items()]
    for tactic in tactics or [Reference("")]:
        yield Threat(tactic, "MITRE ATT&CK", references)


def _guide(document: Document) -> str:
    """Write an investigation guide, which Sigma rules lack, from the document's texts."""
    parts = [document.description]
    if document.false_positives:
        parts.append("## False positives\n\n" + _bullets(document.false_positives))
    if document.references:
        parts.append("## References\n\n" + _bullets(document.references))
    return "\n\n".join(part for part in parts if part)


def _bullets(lines: tuple[str, ...]) -> str:
    return "\n".join(f"- {line}" for line in lines)
