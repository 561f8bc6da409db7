"""Experts who can be consulted within minutes."""

from sqlmodel import Field

from models.db.column_types import JsonList
from models.db.tables import PERSONAL, Located, Registered, Row, Versioned, zone_and_location


class Expert(Versioned, Located, Registered, Row, table=True):
    """An expert whom the bureau may consult or dispatch."""

    __table_args__ = zone_and_location()

    full_name: str = Field(sa_column_kwargs=PERSONAL)
    phone: str | None = Field(default=None, sa_column_kwargs=PERSONAL)
    specialties: list[str] = Field(sa_type=JsonList)
    zone_id: int | None = Field(default=None, foreign_key="zone.id")
    on_standby: bool = False
