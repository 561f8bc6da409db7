"""Rain: fronts that pass over a zone one after another and raise and lift its warning.

A warning is lifted no sooner than 18 hours after the downpour that raised it, by the times of the readings. So that one
simulated day has both, a gauge sends old readings: fronts are a day apart, and the first was a month ago. Each front
leaves one warning, so the graph shows which front comes next. A simulation that goes on, even after a break, never lets
it rain twice in the same hours, and repeats a front that was interrupted reading by reading.
"""

import datetime as dt
from typing import Any

from web.simulation.calls import GAUGE, Call, Flow, Pause
from web.simulation.flows import World

BACK = dt.timedelta(days=30)
APART = dt.timedelta(days=1)
HALF_HOUR = dt.timedelta(minutes=30)
# Millimetres in each half hour of the downpour; hourly readings of 0 follow. The least share of them makes 50 mm, the
# greatest a summer's storm.
DOWNPOUR = (2, 6, 14, 22, 26, 18, 9, 4, 1)
SHARES = (0.6, 1.1)
DRY = range(len(DOWNPOUR) + 1, int(APART / HALF_HOUR), 2)
# Selects what shows a zone's next front.
FRAGMENT = """
fragment Rain on Zone {
  warnings(first: 1000, filter: { kinds: [RAINSTORM] }) { nodes { automatic issuedAt liftedAt } }
}
"""


def begins(warnings: list[dict[str, Any]], now: dt.datetime) -> dt.datetime | None:
    """When a zone's next front began, from its warnings, newest first. None until that front has passed."""
    automatic = [warning for warning in warnings if warning["automatic"]]
    first = dt.datetime.fromisoformat(automatic[-1]["issuedAt"]) if automatic else now
    first = first.astimezone(dt.UTC).replace(minute=0, second=0, microsecond=0) - BACK
    passed = sum(warning["liftedAt"] is not None for warning in automatic)
    start = first + passed * APART
    return start if start + APART <= now else None


def front(world: World, zone: str, start: dt.datetime) -> Flow:
    """A gauge sends the readings of a front. They raise a warning and lift it."""
    share = world.random.uniform(*SHARES)
    readings = {i: round(amount * share, 1) for i, amount in enumerate(DOWNPOUR)} | dict.fromkeys(DRY, 0.0)
    for half_hours, millimetres in readings.items():
        at = (start + half_hours * HALF_HOUR).isoformat()
        yield Call(GAUGE, "rainfallReport", {"zone": zone, "millimetres": millimetres, "at": at})
        yield Pause(10)
