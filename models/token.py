"""Bearer tokens that were issued, and screens that wait for theirs. None of these rows is in the graph or the log."""

import datetime as dt
import enum

import sqlalchemy as sa
from sqlmodel import Field

from models.clock import now
from models.db.column_types import JsonList, UtcTime, named_enum
from models.db.tables import PERSONAL, Row
from models.visibility import Role, Scope


class TokenKind(enum.Enum):
    """Who holds a token."""

    PERSON = "person"
    PROGRAM = "program"
    SCREEN = "screen"


class Token(Row, table=True):
    """A token that was issued. It counts until `expires_at`, unless it was revoked.

    The token itself is not kept: it is signed, and carries `jti`, so the row alone lets nobody in. Of the tokens of one
    kind that are not revoked, each has another `name`. A token of an account has the account's role and rows; `role` is
    null then.
    """

    __table_args__ = (
        sa.CheckConstraint("(account_id IS NULL) = (role IS NOT NULL)", name="holder"),
        sa.CheckConstraint("role IS NULL OR (role = 'INSPECTOR') = (inspector_id IS NOT NULL)", name="inspector"),
        sa.CheckConstraint("role IS NULL OR (role = 'ENTERPRISE') = (enterprise_id IS NOT NULL)", name="enterprise"),
        sa.Index(
            "uq_token_living_name",
            "kind",
            "name",
            unique=True,
            sqlite_where=sa.text("revoked_at IS NULL"),
            postgresql_where=sa.text("revoked_at IS NULL"),
        ),
    )

    jti: str = Field(max_length=32, unique=True)
    kind: TokenKind = Field(sa_type=named_enum(TokenKind, "kind"))
    name: str = Field(sa_column_kwargs=PERSONAL)
    role: Role | None = Field(default=None, sa_type=named_enum(Role, "role"))
    scopes: list[Scope] = Field(default_factory=list, sa_type=JsonList(Scope))
    account_id: int | None = Field(default=None, foreign_key="account.id", index=True)
    inspector_id: int | None = Field(default=None, foreign_key="inspector.id", ondelete="CASCADE", index=True)
    enterprise_id: int | None = Field(default=None, foreign_key="enterprise.id", ondelete="CASCADE", index=True)
    key_id: str = Field(max_length=16)
    issued_by: str
    issued_at: dt.datetime = Field(default_factory=now, sa_type=UtcTime)
    expires_at: dt.datetime = Field(sa_type=UtcTime)
    revoked_by: str | None = None
    revoked_at: dt.datetime | None = Field(default=None, sa_type=UtcTime)
    last_used_at: dt.datetime | None = Field(default=None, sa_type=UtcTime)


class Pairing(Row, table=True):
    """A screen that shows `user_code` and waits until a commander confirms it (in the manner of RFC 8628).

    The screen proves itself by its device code, of which the row has the SHA-256. `interval` is how many seconds it has
    to wait between two questions. Once confirmed there is a token, and once denied there is none.
    """

    user_code: str = Field(max_length=8, unique=True)
    device_hash: str = Field(max_length=64, unique=True)
    address: str | None = Field(default=None, sa_column_kwargs=PERSONAL)
    created_at: dt.datetime = Field(default_factory=now, sa_type=UtcTime)
    expires_at: dt.datetime = Field(sa_type=UtcTime, index=True)
    interval: int
    asked_at: dt.datetime | None = Field(default=None, sa_type=UtcTime)
    token_id: int | None = Field(default=None, foreign_key="token.id", ondelete="CASCADE", index=True)
    denied_at: dt.datetime | None = Field(default=None, sa_type=UtcTime)
