"""Write rule files, and scan records with them."""

from __future__ import annotations

import itertools

import orjson

from detector.ingest.pipeline import Pipeline
from detector.rules.ruleset import load
from detector.sources.directory import Directory
from detector.store import Store
from tests.detector.esql.conftest import CALL, START

RULE = """[rule]
rule_id = "r-1"
name = "A rule"
type = "{type}"
language = "{language}"
from = "{lookback}"
query = '''
{query}
'''
{more}
"""
HOUR, DAY = 3600, 86_400
_file_numbers = itertools.count()


def write_rule(folder, query, type="esql", lookback="now-60m", more="", name="r.toml"):
    """Write a rule file; ``more`` is TOML after the query."""
    folder.mkdir(exist_ok=True)
    language = {"esql": "esql", "eql": "eql"}.get(type, "kuery")
    text = RULE.format(type=type, language=language, lookback=lookback, query=query, more=more)
    (folder / name).write_text(text)
    return folder / name


def raw_record(second, **changed):
    """Make a raw record ``second`` seconds into 2026.

    None leaves an element out."""
    day, rest = divmod(second, DAY)
    time = f"2026-01-{1 + day:02d}T{rest // HOUR:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}Z"
    elements = {**CALL, "eventTime": time, "eventID": f"e-{second}", **changed}
    return {name: value for name, value in elements.items() if value is not None}


class RuleScan:
    """One rule over files that arrive one by one."""

    def __init__(self, tmp_path, rule_path, mode="tumbling", now=None, rules=None):
        self.folder = tmp_path / f"logs-{mode}-{next(_file_numbers)}"
        self.folder.mkdir()
        self.store = Store.open(None)
        self.rules = rules or load([rule_path], builtin=False, mode=mode, now=now)
        assert not self.rules.problems, self.rules.problems
        self.pipeline = Pipeline(self.store, self.rules, Directory([self.folder]), jobs=1)

    def add_file(self, *records):
        """Write a file of these records, and scan."""
        file = self.folder / f"{next(_file_numbers)}.json"
        file.write_bytes(orjson.dumps({"Records": list(records)}))
        self.pipeline.scan(lambda _: None)
        return self

    def alerts(self):
        alerts = self.store.alerts.all()
        return sorted(alerts, key=lambda alert: (alert.first_event, alert.alert_id))

    def alert_spans(self):
        """Return (first event, last event) of each alert, in seconds since START."""
        return [(alert.first_event - START, alert.last_event - START) for alert in self.alerts()]
