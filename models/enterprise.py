"""Enterprises. The other parts of their safety files (安全档案) have modules of their own."""

import datetime as dt
import enum

import sqlalchemy as sa
from sqlmodel import Field

from models import grid
from models.clock import now
from models.db.column_types import EARLIEST, RankedEnum, SortableText, UtcTime, rank_check
from models.db.tables import PERSONAL, Located, Row, Versioned, location_check, order_indexes


class RiskGrade(enum.Enum):
    """Ordered: a higher number is a higher risk."""

    BLUE = 1
    YELLOW = 2
    ORANGE = 3
    RED = 4


RETIRED = sa.text("retired_at IS NOT NULL")
# By grade, 0 for none, and then by cell of the grid; null without a place, and of a retired one.
ENTERPRISE_MAP_KEY = grid.key_sql("CASE WHEN retired_at IS NULL THEN coalesce(risk_grade, 0) END")
# Columns that the map counts or filters by. Its index holds them, so that it reads no rows of the table.
COUNTED_ON_MAP = ("longitude", "latitude", "risk_grade", "retired_at", "zone_id")


class Enterprise(Versioned, Located, Row, table=True):
    """A workplace under the bureau's supervision.

    `open_hazards` counts the hazards that are neither CLOSED nor DISMISSED. `last_inspected_at` is the time of the
    latest submitted inspection. Every action that changes those rows updates both, so that enterprises can be sorted by
    them. `retired_at`: since when no register has it; such an enterprise is in no list.
    """

    __table_args__ = (
        location_check(),
        rank_check("risk_grade", RiskGrade),
        sa.CheckConstraint("major_hazard_level BETWEEN 1 AND 4", name="major_hazard_level"),
        sa.CheckConstraint("open_hazards >= 0", name="open_hazards"),
        sa.Index(None, "town_id", "id"),
        sa.Index(None, "latitude", "longitude"),
        sa.Index("ix_enterprise_map", sa.text(ENTERPRISE_MAP_KEY), *COUNTED_ON_MAP),
        sa.Index("ix_enterprise_retired", "id", sqlite_where=RETIRED, postgresql_where=RETIRED),
        *order_indexes(
            {"enterprise_": [], "enterprise_zone_": ["zone_id"]},
            {
                "name": "name",
                "risk": sa.text("coalesce(risk_grade, 0)"),
                "open_hazards": "open_hazards",
                "last_inspected": sa.text(f"coalesce(last_inspected_at, {EARLIEST})"),
                "updated": "updated_at",
            },
        ),
        sa.Index(None, "zone_id", "id"),
    )

    credit_code: str | None = Field(default=None, max_length=18, unique=True)
    external_id: str | None = Field(default=None, unique=True)
    name: str = Field(sa_type=SortableText)
    address: str | None = None
    town_id: int | None = Field(default=None, foreign_key="town.id")
    zone_id: int | None = Field(default=None, foreign_key="zone.id")
    risk_grade: RiskGrade | None = Field(default=None, sa_type=RankedEnum(RiskGrade))
    industry: str | None = None
    hazardous_chemicals: bool = False
    major_hazard_level: int | None = Field(default=None, sa_type=sa.SmallInteger)
    legal_name: str | None = Field(default=None, sa_column_kwargs=PERSONAL)
    legal_phone: str | None = Field(default=None, sa_column_kwargs=PERSONAL)
    safety_name: str | None = Field(default=None, sa_column_kwargs=PERSONAL)
    safety_phone: str | None = Field(default=None, sa_column_kwargs=PERSONAL)
    open_hazards: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    last_inspected_at: dt.datetime | None = Field(default=None, sa_type=UtcTime)
    retired_at: dt.datetime | None = Field(default=None, sa_type=UtcTime)
    updated_at: dt.datetime = Field(default_factory=now, sa_type=UtcTime)
