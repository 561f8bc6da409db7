"""The command (一办六组四战区): one office, six groups, four zone headquarters."""

import enum

import sqlalchemy as sa
from sqlmodel import Field

from models.db.column_types import named_enum
from models.db.tables import PERSONAL, Row


class CommandKind(enum.Enum):
    OFFICE = "office"
    GROUP = "group"
    ZONE_HQ = "zone headquarters"


class CommandUnit(Row, table=True):
    """A unit of the command. `members` is a list of {name, phone}."""

    __tablename__ = "command_unit"
    __table_args__ = (sa.UniqueConstraint("zone_id"), sa.Index(None, "district_id", "id"))

    district_id: int = Field(foreign_key="district.id")
    kind: CommandKind = Field(sa_type=named_enum(CommandKind, "kind"))
    name: str
    duties: str
    lead_name: str | None = Field(default=None, sa_column_kwargs=PERSONAL)
    lead_phone: str | None = Field(default=None, sa_column_kwargs=PERSONAL)
    zone_id: int | None = Field(default=None, foreign_key="zone.id")
    members: list[dict[str, str]] = Field(default_factory=list, sa_type=sa.JSON, sa_column_kwargs=PERSONAL)
