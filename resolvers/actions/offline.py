"""Acts without a network: a device carries one out, and tells the server later when that was.

The server believes the device within bounds. The client measures by how much its clock differs from the server's, and
gives `occurredAt` in the server's time; what is left of the difference is within the tolerance.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from models import Event, Subject
from models.db.tables import table_of
from models.reason import Reason

EVENT = table_of(Event)


@dataclass(frozen=True)
class OfflineRules:
    """The limits on how late an act may arrive, and on how much the times of a device and of the server may differ."""

    latest: dt.timedelta = dt.timedelta(days=30)
    tolerance: dt.timedelta = dt.timedelta(minutes=2)

    @classmethod
    def of(cls, days: int, seconds: float) -> Self:
        """The rules of settings in these units."""
        return cls(dt.timedelta(days=days), dt.timedelta(seconds=seconds))


DEFAULT_RULES = OfflineRules()


def _steps() -> sa.Select[Any]:
    """Selects when the last event that led to a status happened; of a row without one, the last event at all."""
    status: sa.BindParameter[Any] = sa.bindparam("status", type_=EVENT.c.to_status.type)
    led_there = sa.or_(
        EVENT.c.to_status.is_(None),
        sa.and_(EVENT.c.to_status == status, EVENT.c.from_status.is_distinct_from(EVENT.c.to_status)),
    )
    return (
        sa.select(sa.func.coalesce(EVENT.c.occurred_at, EVENT.c.at, type_=EVENT.c.at.type))
        .where(EVENT.c.subject == sa.bindparam("subject"), EVENT.c.subject_id == sa.bindparam("key"), led_there)
        .order_by(EVENT.c.id.desc())
        .limit(1)
    )


STEPS = _steps()


async def step_before(session: AsyncSession, row: Any) -> dt.datetime | None:
    """When the row got the status that it has, or when a row without status last changed; None if it is not logged."""
    status = getattr(row, "status", None)
    values = {"subject": Subject(type(row).__name__), "key": row.id, "status": None if status is None else status.name}
    moment: dt.datetime | None = (await session.execute(STEPS, values)).scalar()
    return moment


def check_bounds(occurred: dt.datetime, now: dt.datetime, rules: OfflineRules) -> Reason | None:
    """Why no act can have occurred then, whatever it was; None if it can."""
    if occurred > now + rules.tolerance:
        return Reason(
            "OCCURRED_IN_FUTURE",
            "It is more than {seconds} seconds after the server's time: measure how the clocks differ.",
            seconds=int(rules.tolerance.total_seconds()),
        )
    if occurred < now - rules.latest:
        return Reason(
            "OCCURRED_TOO_LONG_AGO",
            "It is more than {days} days ago.",
            days=rules.latest.days,
        )
    return None


def check_order(occurred: dt.datetime, before: dt.datetime, rules: OfflineRules) -> Reason | None:
    """Why the act cannot have followed the step at the time `before`; None if it can."""
    if occurred >= before - rules.tolerance:
        return None
    return Reason(
        "OCCURRED_BEFORE_STEP",
        "The step that it follows was at {moment}, which is later: leave the time out, and that of arrival counts.",
        moment=before.isoformat(),
    )
