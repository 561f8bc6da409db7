"""Rain: fronts that pass over a zone, one after another, and raise and lift its warning.

A warning is lifted no sooner than 18 hours after the downpour that raised it, by the readings' own times. So that a
played day has both, a gauge sends what it had not sent yet: fronts follow each other a day apart, the first of them a
month back. Which comes next the graph knows, for each leaves one warning. Whoever plays on, even after a break, never
lets it rain twice in the same hours, and repeats a front that was cut off, reading by reading.
"""

import datetime as dt
from typing import Any

from web.simulation.calls import GAUGE, Call, Flow, Pause
from web.simulation.flows import World

BACK = dt.timedelta(days=30)
APART = dt.timedelta(days=1)
HALF_HOUR = dt.timedelta(minutes=30)
# Millimetres in each half hour of the downpour; then a reading an hour says that it is dry. At the least share of them
# 50 mm fall, at the greatest what a summer's storm brings.
DOWNPOUR = (2, 6, 14, 22, 26, 18, 9, 4, 1)
SHARES = (0.6, 1.1)
DRY = range(len(DOWNPOUR) + 1, int(APART / HALF_HOUR), 2)
# What is asked of each zone to know its next front.
FRAGMENT = """
fragment Rain on Zone {
  warnings(first: 1000, filter: { kinds: [RAINSTORM] }) { nodes { automatic issuedAt liftedAt } }
}
"""


def begins(warnings: list[dict[str, Any]], now: dt.datetime) -> dt.datetime | None:
    """When a zone's next front began, by its warnings, newest first; None while that one has not passed by now."""
    raised = [warning for warning in warnings if warning["automatic"]]
    first = dt.datetime.fromisoformat(raised[-1]["issuedAt"]) if raised else now
    first = first.astimezone(dt.UTC).replace(minute=0, second=0, microsecond=0) - BACK
    passed = sum(warning["liftedAt"] is not None for warning in raised)
    begun = first + passed * APART
    return begun if begun + APART <= now else None


def front(world: World, zone: str, begun: dt.datetime) -> Flow:
    """A gauge sends what fell; a warning is raised, and lifted."""
    share = world.random.uniform(*SHARES)
    fell = {i: round(amount * share, 1) for i, amount in enumerate(DOWNPOUR)} | dict.fromkeys(DRY, 0.0)
    for half_hours, millimetres in fell.items():
        at = (begun + half_hours * HALF_HOUR).isoformat()
        yield Call(GAUGE, "rainfallReport", {"zone": zone, "millimetres": millimetres, "at": at})
        yield Pause(10)
