"""The district itself."""

from typing import Any

import sqlalchemy as sa
from sqlmodel import Field

from models.db.tables import Row


class District(Row, table=True):
    """The one district of this database."""

    name: str
    name_en: str | None = None
    area_code: str | None = None
    time_zone: str = "Asia/Shanghai"
    boundary: dict[str, Any] | None = Field(default=None, sa_type=sa.JSON(none_as_null=True))
