"""Sums from which portraits are read (docs/decisions/0010-portraits-are-sums.md)."""

import enum

import sqlalchemy as sa
from sqlmodel import Field, SQLModel


class SumScope(enum.IntEnum):
    """Whose sums they are. Zone 0 has the enterprises outside all zones; the district is all its zones together."""

    ZONE = 1
    RING = 2
    VENUE = 3


class SumPeriod(enum.IntEnum):
    """The time that a row of sums covers: all of it, the month that begins with its day, or its day."""

    EVER = 0
    MONTH = 1
    DAY = 2


def _sum() -> int:
    """A column of sums."""
    value: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    return value


class PortraitSum(SQLModel, table=True):
    """Sums over the enterprises of one zone, ring or venue, and over one period.

    `day` counts days from 0001-01-01, which is 1, in the district's time zone; it is 0 for all time. A dismissed hazard
    and a cancelled inspection count nowhere. What `_30` counts, and all of `models/portrait_facts.py`, is said there.
    """

    __tablename__ = "portrait_sum"
    __table_args__ = (sa.PrimaryKeyConstraint("scope", "key", "period", "day"),)

    scope: int = Field(sa_type=sa.SmallInteger)
    key: int
    period: int = Field(sa_type=sa.SmallInteger)
    day: int
    # Hazards, by the day found.
    hazards: int = _sum()
    hazards_major: int = _sum()
    hazards_by_inspection: int = _sum()
    hazards_major_by_inspection: int = _sum()
    hazards_rectified: int = _sum()
    hazards_closed: int = _sum()
    hazards_rectified_30: int = _sum()
    hazards_closed_30: int = _sum()
    # Hazards, by the day accepted or closed.
    accepted: int = _sum()
    accepted_30: int = _sum()
    closed: int = _sum()
    closed_major: int = _sum()
    closed_30: int = _sum()
    # Hazards, by the day of the deadline in force; the last by the day on which the hazard ceased to be overdue.
    due: int = _sum()
    on_time: int = _sum()
    unsettled: int = _sum()
    overdue_began: int = _sum()
    overdue_ended: int = _sum()
    # Inspections, by the day submitted.
    inspections: int = _sum()
    inspections_filed: int = _sum()
    inspections_penalised: int = _sum()
    inspections_filed_30: int = _sum()
    inspections_penalised_30: int = _sum()
    # Inspections, by the day on which a case was filed or a penalty decided.
    filed_30: int = _sum()
    penalised_30: int = _sum()
    # Cases, by the day filed.
    cases_filed: int = _sum()
    # Enterprises, by the days on which they were inspected.
    inspected_last: int = _sum()
    inspected_in_month: int = _sum()
    inspected_anew: int = _sum()
    inspected_lapsing: int = _sum()
    # Enterprises by grade, without a day.
    grade_none: int = _sum()
    grade_blue: int = _sum()
    grade_yellow: int = _sum()
    grade_orange: int = _sum()
    grade_red: int = _sum()


SUM_KEYS = ("scope", "key", "period", "day")
SUM_COLUMNS = tuple(name for name in PortraitSum.model_fields if name not in SUM_KEYS)
