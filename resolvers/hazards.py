"""What is derived of hazards."""

import datetime as dt

from models import HAZARD_SETTLED, HazardStatus


def is_overdue(now: dt.datetime, status: HazardStatus, deadline: dt.datetime | None) -> bool:
    """The deadline in force has passed, and the rectification is not accepted."""
    return deadline is not None and deadline < now and status not in HAZARD_SETTLED
