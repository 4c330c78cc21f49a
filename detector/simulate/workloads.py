"""The daily work of the simulated organization, as routines."""

from __future__ import annotations

from collections.abc import Iterator

from detector.simulate.automation import log_delivery, monitoring, pipeline, recorder
from detector.simulate.organization import (
    DEVELOPMENT,
    HOMES,
    PRODUCTION,
    REGIONS,
)
from detector.simulate.people import people
from detector.simulate.routine import Routine
from detector.simulate.servers import containers, fleet, functions


def routines() -> Iterator[Routine]:
    for account, homes in HOMES.items():
        for region in REGIONS:
            yield from recorder(account, region)
            yield from log_delivery(account, region, 300 if region in homes else 6000)
        yield from monitoring(account, homes)
        for region in homes:
            yield from fleet(account, region, 5 if account == PRODUCTION else 3)
            yield from functions(account, region)
    yield from containers(PRODUCTION, "us-east-1")
    yield from pipeline(PRODUCTION, "eu-west-1")
    yield from pipeline(DEVELOPMENT, "eu-central-1")
    yield from people()
