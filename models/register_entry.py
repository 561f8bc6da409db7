"""The enterprises of each register, so that an enterprise that vanishes from all its registers can be retired."""

import sqlalchemy as sa
from sqlmodel import Field

from models.db.tables import Row


class RegisterEntry(Row, table=True):
    """The latest import of the register had this enterprise. Only registers whose rows are retired have entries."""

    __tablename__ = "register_entry"
    __table_args__ = (sa.UniqueConstraint("register_name", "enterprise_id"), sa.Index(None, "enterprise_id"))

    register_name: str = Field(max_length=200)
    enterprise_id: int = Field(foreign_key="enterprise.id")
