"""Venues of the event (面区圈点)."""

import enum

import sqlalchemy as sa
from sqlmodel import Field

from models.db.column_types import SortableText, named_enum
from models.db.tables import Located, Row, location_check


class VenueKind(enum.Enum):
    COMPETITION = "competition"
    VILLAGE = "village"
    TRANSPORT = "transport"
    OTHER = "other"


class Venue(Located, Row, table=True):
    """A place of the event, with control rings around it."""

    __table_args__ = (
        location_check(),
        sa.Index(None, "zone_id", "id"),
        sa.Index(None, "latitude", "longitude"),
    )

    code: str = Field(unique=True)
    name: str = Field(sa_type=SortableText)
    name_en: str | None = None
    kind: VenueKind = Field(sa_type=named_enum(VenueKind, "kind"))
    use: str | None = None
    zone_id: int | None = Field(default=None, foreign_key="zone.id")
