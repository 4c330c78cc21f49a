"""Rules packed for a cluster's machines, which do not have the rule files."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from detector.detection.signals.signal_finder import flagging_events
from detector.ingest.reader import LocalDigester
from detector.rules.dispatch import Dispatch
from detector.rules.ruleset import RuleSet, RuleSpec


@dataclass(frozen=True)
class RuleBundle:
    """The specification from which a rule set was loaded, with the files' contents.

    ``files`` are (name relative to a folder, content); the paths in ``spec`` are such names."""

    fingerprint: str
    spec: RuleSpec
    files: tuple[tuple[str, bytes], ...]


class WorkerRules:
    """The rules in a process of the cluster, and the objects kept between tasks."""

    def __init__(self, bundle: RuleBundle, folder: tempfile.TemporaryDirectory[str]) -> None:
        self._folder = folder  # kept alive: lookup files in it are read on demand
        self.rules = RuleSet.from_spec(_placed(bundle.spec, Path(folder.name)))
        self.digester = LocalDigester(Dispatch(rule for rule in self.rules if rule.alerts))
        self.flagging = flagging_events(self.rules)


_unpacked: dict[str, WorkerRules] = {}


def bundle_rules(rules: RuleSet) -> RuleBundle:
    """Collect the files from which rules were loaded. Raises OSError."""
    spec = rules.spec()
    files: list[tuple[str, bytes]] = []

    def collect(path: Path, name: str) -> Path:
        files.extend((member, content) for member, content in _contents(path, name))
        return Path(name)

    paths = tuple(
        collect(path, f"rules-{number}/{path.name}") for number, path in enumerate(spec.paths)
    )
    lookups = {
        name: source._replace(path=collect(source.path, f"lookups/{name}/{source.path.name}"))
        for name, source in spec.lookups.items()
    }
    asn = spec.asn and collect(spec.asn, f"asn/{spec.asn.name}")
    geo = spec.geo and collect(spec.geo, f"geo/{spec.geo.name}")
    placed = msgspec.structs.replace(spec, paths=paths, lookups=lookups, asn=asn, geo=geo)
    return RuleBundle(rules.fingerprint, placed, tuple(files))


def unpack_rules(bundle: RuleBundle) -> WorkerRules:
    """Load a bundle's rules, once per process."""
    if bundle.fingerprint not in _unpacked:
        folder = tempfile.TemporaryDirectory(prefix="trailhound-rules-")
        for name, content in bundle.files:
            path = Path(folder.name) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        _unpacked[bundle.fingerprint] = WorkerRules(bundle, folder)
    return _unpacked[bundle.fingerprint]


def _contents(path: Path, name: str) -> Iterator[tuple[str, bytes]]:
    if not path.is_dir():
        yield name, path.read_bytes()
        return
    for file in sorted(path.rglob("*")):
        if file.is_file():
            yield f"{name}/{file.relative_to(path)}", file.read_bytes()


def _placed(spec: RuleSpec, folder: Path) -> RuleSpec:
    """Return a spec whose relative names are paths below a folder."""
    return msgspec.structs.replace(
        spec,
        paths=tuple(folder / path for path in spec.paths),
        lookups={
            name: source._replace(path=folder / source.path)
            for name, source in spec.lookups.items()
        },
        asn=spec.asn and folder / spec.asn,
        geo=spec.geo and folder / spec.geo,
    )
