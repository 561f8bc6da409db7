"""The demo's time, relative to the midnight at which its day begins."""

import datetime as dt
from dataclasses import dataclass
from zoneinfo import ZoneInfo

TIME_ZONE = "Asia/Shanghai"
_ZONE = ZoneInfo(TIME_ZONE)
HOURS_AHEAD = 8  # of UTC, all the year
HISTORY_DAYS = 540  # eighteen months


@dataclass(frozen=True)
class Clock:
    """Past events lie at or before `midnight`; plans and deadlines may lie after it. Times are in UTC."""

    today: dt.date
    midnight: dt.datetime

    @classmethod
    def on(cls, today: dt.date) -> "Clock":
        """The clock for a day of the district's calendar."""
        return cls(today, dt.datetime.combine(today, dt.time(), _ZONE).astimezone(dt.UTC))

    def day(self, days_ago: int, hour: float) -> dt.datetime:
        """An hour of the day `days_ago`: 1 is yesterday, which ends at midnight; 0 and less are future days."""
        return later(self.midnight, 24 * -days_ago + hour)

    def reached(self, moment: dt.datetime) -> bool:
        return moment <= self.midnight

    def earlier(self, moment: dt.datetime) -> dt.datetime:
        """The time, or midnight if it is later."""
        return min(moment, self.midnight)


def later(moment: dt.datetime, hours: float) -> dt.datetime:
    """The time `hours` later, in whole seconds."""
    return moment + dt.timedelta(seconds=int(hours * 3600))


def at_work(moment: dt.datetime) -> dt.datetime:
    """The same time by day; for a time between 20:00 and 8:00, one in the first hour of the next morning."""
    hour = (moment.hour + HOURS_AHEAD) % 24
    if 8 <= hour < 20:
        return moment
    into = dt.timedelta(hours=(hour - 20) % 24, minutes=moment.minute, seconds=moment.second)
    return moment - into + dt.timedelta(hours=12, seconds=into.seconds // 12)


def end_of_work(moment: dt.datetime) -> dt.datetime:
    """18:00 on the same day in the district."""
    return moment.replace(hour=0, minute=0, second=0) + dt.timedelta(
        days=moment.hour + HOURS_AHEAD >= 24, hours=18 - HOURS_AHEAD
    )


def local_date(moment: dt.datetime) -> dt.date:
    return moment.astimezone(_ZONE).date()
