"""Generate the events of daily work, outside the stories."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

from detector.simulate.organization import ACCOUNTS, END, START, digest, instance, stream, volume
from detector.simulate.routine import Routine, Step
from detector.simulate.shapes import Caller, Event, assume_role, call
from detector.simulate.workloads import routines


def noise() -> Iterator[Event]:
    for routine in routines():
        yield from _runs(routine)


def _runs(routine: Routine) -> Iterator[Event]:
    """Yield the events of all runs of a routine, at irregular intervals."""
    rng = stream(f"noise/{routine.who(START).account}/{routine.region}/{routine.name}")
    start = START + rng.randrange(routine.every)
    while start < END:
        who, moment = routine.who(start), float(start)
        names = _names(rng, who.account, routine.region)
        for step in routine.steps:
            if rng.random() < step.share:
                yield _made(rng, step, who, int(moment), routine.region, names)
            moment += 2 * routine.pace * rng.random()
        start += int(routine.every * (0.7 + 0.6 * rng.random()))


def _made(
    rng: Random, step: Step, who: Caller, moment: int, region: str, names: dict[str, str]
) -> Event:
    if step.action.startswith("AssumeRole"):
        return assume_role(rng, step.by or who, moment, region, who, step.action)
    return call(
        rng,
        who.via(step.via) if step.via else who,
        moment,
        step.source,
        step.action,
        region,
        _filled(step.parameters, names),
        _filled(step.response, names),
        failure=step.failure,
        resource=_filled(step.resource, names),
    )


def _names(rng: Random, account: str, region: str) -> dict[str, str]:
    """Return the values of a routine's placeholders for one run."""
    index = rng.randrange(5)
    key, target = digest(f"key/{account}/{region}"), digest(f"targets/{account}/{region}")
    return {
        "account": account,
        "region": region,
        "stage": ACCOUNTS[account].split()[0],
        "key": f"{key[:8]}-{key[8:12]}-4{key[13:16]}-a{key[17:20]}-{key[20:32]}",
        "targets": f"arn:aws:elasticloadbalancing:{region}:{account}:targetgroup/app/{target[:16]}",
        "instance": instance(account, region, index),
        "volume": volume(account, region, index),
        "hex": f"{rng.randrange(1 << 64):016x}",
    }


def _filled(value: Any, names: dict[str, str]) -> Any:
    """Fill in the placeholders in all texts of ``value``."""
    if isinstance(value, str):
        return value.format_map(names)
    if isinstance(value, list):
        return [_filled(item, names) for item in value]
    return (
        {key: _filled(item, names) for key, item in value.items()}
        if isinstance(value, dict)
        else value
    )
