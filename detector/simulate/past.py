"""Generate some daily work on the days before the simulated day.

This history shows who and what is new on the day itself. Each account makes a few calls every few
days, in the regions where it has instances. So do the members of the organization that appear in a
story; keys that have long been unused do not.
"""

from __future__ import annotations

from collections.abc import Iterator

from detector.simulate.organization import ACCOUNTS, HOMES, START, instance, stream
from detector.simulate.people import CAROL
from detector.simulate.servers import fleet_session
from detector.simulate.shapes import Caller, Event, call
from detector.simulate.stories import attacks, benign, edges

DAYS = (12, 9, 5, 2)
"""The days with history, as numbers of days before the simulated day."""
_DAY = 86_400


def past() -> Iterator[Event]:
    for days in DAYS:
        noon = START - days * _DAY + 2 * 3600
        for account in ACCOUNTS:
            yield from _of_account(account, noon)


def _of_account(account: str, moment: int) -> Iterator[Event]:
    rng = stream(f"past/{account}/{moment}")
    for region in HOMES[account]:
        server = instance(account, region, 0)
        for who in (fleet_session(account, region, 0), *_of_interest(account, region, moment)):
            moment += 3
            yield call(
                rng, who, moment, "cloudwatch", "DescribeAlarms", region, {"maxRecords": 100}
            )
        # A write makes the region one that the account uses.
        yield call(
            rng,
            fleet_session(account, region, 0),
            moment,
            "logs",
            "CreateLogStream",
            region,
            {
                "logGroupName": "/app/daily",
                "logStreamName": f"{server}/{rng.randrange(1 << 32):08x}",
            },
        )


def _of_interest(account: str, region: str, moment: int) -> Iterator[Caller]:
    """Yield the stories' callers that have long been in the organization."""
    if region != HOMES[account][0]:
        return
    known = (
        benign.scanner(moment),
        benign.ALICE,
        edges.APP_SERVER,
        edges.REPORTING,
        edges.METRICS,
        attacks.CONTRACTOR,
        attacks.RELEASE_BOT,
        CAROL,
    )
    yield from (who for who in known if who.account == account)
