"""The current time."""

import datetime as dt
from collections.abc import Callable
from functools import partial

# Gives the current time in UTC.
now: Callable[[], dt.datetime] = partial(dt.datetime.now, dt.UTC)
