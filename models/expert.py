"""Experts who can be asked in minutes."""

from sqlmodel import Field

from models.db.column_types import ListOf
from models.db.tables import Located, Registered, Row, Versioned, placed


class Expert(Versioned, Located, Registered, Row, table=True):
    """Somebody who can be asked."""

    __table_args__ = placed()

    full_name: str
    phone: str | None = None
    specialties: list[str] = Field(sa_type=ListOf)
    zone_id: int | None = Field(default=None, foreign_key="zone.id")
    on_standby: bool = False
