"""When the simulation's rain fronts begin."""

import datetime as dt
from typing import Any

from tests.conftest import NOW
from web.simulation import rain

DAY = dt.timedelta(days=1)


def test_fronts_follow_each_other_and_an_interrupted_one_is_repeated() -> None:
    def warning(hours: float, lifted: bool = True, automatic: bool = True) -> dict[str, Any]:
        at = (NOW + dt.timedelta(hours=hours)).isoformat()
        return {"automatic": automatic, "issuedAt": at, "liftedAt": at if lifted else None}

    first = rain.begins([], NOW)
    assert first is not None
    assert first + rain.APART < NOW
    later = NOW + dt.timedelta(hours=0.9)
    by_hand = warning(-100, automatic=False)
    assert rain.begins([warning(0.1), by_hand], later) == first + rain.APART
    assert rain.begins([warning(0.1, lifted=False)], later) == first
    assert rain.begins([warning(0.3, lifted=False), warning(0.1)], later) == first + rain.APART
    month = [warning(0.1)] * (rain.BACK // rain.APART)
    assert rain.begins(month[1:], later) is not None
    assert rain.begins(month, later) is None  # that front has not passed yet
    assert rain.begins(month, later + DAY) == NOW
