"""Cameras at enterprises and venues."""

import sqlalchemy as sa
from sqlmodel import Field

from models.db.tables import PERSONAL, Located, Registered, Row, location_check


class Camera(Located, Registered, Row, table=True):
    """A camera. `device_id` has the 20 digits of GB/T 28181."""

    __table_args__ = (
        location_check(),
        sa.Index(None, "enterprise_id", "id"),
        sa.Index(None, "venue_id", "id"),
        sa.Index(None, "latitude", "longitude"),
    )

    name: str
    device_id: str | None = Field(default=None, max_length=20, unique=True)
    enterprise_id: int | None = Field(default=None, foreign_key="enterprise.id")
    venue_id: int | None = Field(default=None, foreign_key="venue.id")
    online: bool = True
    stream_url: str | None = Field(default=None, sa_column_kwargs=PERSONAL)
