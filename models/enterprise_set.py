"""Sets of enterprises, from which portraits count who was inspected (docs/decisions/0010-portraits-are-sums.md)."""

import enum

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from models.db.column_types import BitSet

PORTION = 8_192  # ids; so that PostgreSQL stores a row's bits, 1 kB, beside its key


class SetKind(enum.IntEnum):
    """The kinds of sets of enterprises: each says which enterprises a set has, and what its key is.

    ZONE, RING and VENUE have the enterprises there that are not retired, with the numbers and keys of SumScope. MONTH
    and DAY have those that were inspected then, wherever they are, retired or not. The key is the number of the day,
    or of the month's first day.
    """

    ZONE = 1
    RING = 2
    VENUE = 3
    MONTH = 4
    DAY = 5


class EnterpriseSet(SQLModel, table=True):
    """A portion of a set: the enterprises with the ids from `portion * PORTION` on, as one bit each."""

    __tablename__ = "enterprise_set"
    __table_args__ = (sa.PrimaryKeyConstraint("kind", "key", "portion"),)

    kind: int = Field(sa_type=sa.SmallInteger)
    key: int
    portion: int
    members: int = Field(sa_type=BitSet(PORTION))
