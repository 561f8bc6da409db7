"""The access log: who read which enterprise's personal data. It is neither in the graph nor in the log of events."""

import datetime as dt
import enum

import sqlalchemy as sa
from sqlmodel import Field

from models.db.column_types import UtcTime, named_enum
from models.db.tables import Row
from models.visibility import Role


class AccessKind(enum.Enum):
    """What was read. The value is short, because it marks values in the text of an answer."""

    CONTACTS = "C"
    CAMERAS = "V"
    EVIDENCE = "E"


class Access(Row, table=True):
    """One viewer read personal data of one enterprise, `count` times in about a second by operations of this name.

    `identity` is the viewer's; null for evidence that was read at its address without a token or cookie. An enterprise
    that reads its own data is not in the log.
    """

    __table_args__ = (sa.Index(None, "at"), sa.Index(None, "enterprise_id", "at"))

    at: dt.datetime = Field(sa_type=UtcTime)
    identity: str | None = None
    role: Role | None = Field(default=None, sa_type=named_enum(Role, "role"))
    enterprise_id: int = Field(foreign_key="enterprise.id")
    what: AccessKind = Field(sa_type=named_enum(AccessKind, "what"))
    operation: str | None = None
    count: int
