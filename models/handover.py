"""Handovers of the duty: the officer who leaves signs with a note, and the one who arrives takes over."""

import datetime as dt

import sqlalchemy as sa
from sqlmodel import Field

from models.db.column_types import UtcTime
from models.db.tables import PERSONAL, Row, Versioned

OPEN = sa.text("taken_at IS NULL")


class Handover(Versioned, Row, table=True):
    """The end of one officer's duty and the beginning of another's.

    `leaving` and `arriving` are identities of viewers, which never change; the names are those of the moment.
    Nobody has taken over while `taken_at` is null; a viewer has one such handover at most.
    """

    __table_args__ = (
        sa.Index(None, "leaving", "id"),
        sa.Index(None, "arriving", "id"),
        sa.Index("ix_handover_open", "leaving", unique=True, sqlite_where=OPEN, postgresql_where=OPEN),
    )

    leaving: str
    leaving_name: str | None = Field(default=None, sa_column_kwargs=PERSONAL)
    arriving: str | None = None
    arriving_name: str | None = Field(default=None, sa_column_kwargs=PERSONAL)
    note: str = Field(sa_column_kwargs=PERSONAL)
    signed_at: dt.datetime = Field(sa_type=UtcTime)
    taken_at: dt.datetime | None = Field(default=None, sa_type=UtcTime)
