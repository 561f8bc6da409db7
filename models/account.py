"""Accounts of people, and what belongs to signing in. None of these rows is in the graph or in the log of events."""

import datetime as dt
import enum

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from models.clock import now
from models.db.column_types import UtcTime, named_enum
from models.db.tables import PERSONAL, Row
from models.visibility import Role


class Account(Row, table=True):
    """A person who can sign in. An account is disabled, never deleted, because events and audit records name it.

    `name` is what the person types: NFKC, case-folded, without outer blanks. Without a `password_hash` the person signs
    in at the identity provider, which knows them by `oidc_issuer` and `oidc_subject`. `totp_secret` is encrypted; it
    counts from `totp_confirmed_at` on, and `totp_last_step` is the time step of the last accepted code.
    """

    __table_args__ = (
        sa.CheckConstraint("(role = 'INSPECTOR') = (inspector_id IS NOT NULL)", name="inspector"),
        sa.CheckConstraint("(role = 'ENTERPRISE') = (enterprise_id IS NOT NULL)", name="enterprise"),
        sa.CheckConstraint("(oidc_issuer IS NULL) = (oidc_subject IS NULL)", name="oidc"),
        sa.UniqueConstraint("oidc_issuer", "oidc_subject"),
    )

    name: str = Field(unique=True)
    full_name: str = Field(sa_column_kwargs=PERSONAL)
    role: Role = Field(sa_type=named_enum(Role, "role"))
    inspector_id: int | None = Field(default=None, foreign_key="inspector.id", index=True)
    enterprise_id: int | None = Field(default=None, foreign_key="enterprise.id", index=True)
    password_hash: str | None = None
    password_changed_at: dt.datetime | None = Field(default=None, sa_type=UtcTime)
    must_change: bool = Field(default=False, sa_column_kwargs={"server_default": sa.false()})
    totp_secret: str | None = None
    totp_confirmed_at: dt.datetime | None = Field(default=None, sa_type=UtcTime)
    totp_last_step: int | None = None
    oidc_issuer: str | None = None
    oidc_subject: str | None = None
    created_at: dt.datetime = Field(default_factory=now, sa_type=UtcTime)
    disabled_at: dt.datetime | None = Field(default=None, sa_type=UtcTime)


class Login(Row, table=True):
    """A person signed in with one browser. The browser's cookie holds the secret, the row only its SHA-256.

    It is valid until `expires_at`, while it is used (`last_seen_at`, written at most once a minute), and while its
    account is not disabled. Signing out deletes the row. `id_token` is what the identity provider said of the person,
    encrypted; it tells the provider whose sign-in ends.
    """

    account_id: int = Field(foreign_key="account.id", index=True)
    secret_hash: str = Field(max_length=64, unique=True)
    created_at: dt.datetime = Field(default_factory=now, sa_type=UtcTime)
    last_seen_at: dt.datetime = Field(default_factory=now, sa_type=UtcTime)
    expires_at: dt.datetime = Field(sa_type=UtcTime, index=True)
    address: str | None = None
    agent: str | None = None
    id_token: str | None = Field(default=None, sa_column_kwargs=PERSONAL)


class AccountEventKind(enum.Enum):
    """What happened to an account, in the past tense."""

    CREATED = "created"
    CHANGED = "changed"
    DISABLED = "disabled"
    ENABLED = "enabled"
    PASSWORD_RESET = "password reset"
    PASSWORD_CHANGED = "password changed"
    TOTP_ENABLED = "TOTP enabled"
    TOTP_DISABLED = "TOTP disabled"
    SIGNED_IN = "signed in"
    SIGN_IN_FAILED = "sign-in failed"
    SIGNED_OUT = "signed out"
    LOGIN_ENDED = "login ended"


class AccountEvent(Row, table=True):
    """An audit record: what happened to an account, by whom and from where.

    `account_id` is null where a sign-in named no account. `actor` is a viewer's identity, or `console` for a command.
    """

    __tablename__ = "account_event"
    __table_args__ = (sa.Index(None, "at"), sa.Index(None, "account_id", "kind", "address"))

    at: dt.datetime = Field(default_factory=now, sa_type=UtcTime)
    kind: AccountEventKind = Field(sa_type=named_enum(AccountEventKind, "kind", constrained=False))
    account_id: int | None = Field(default=None, foreign_key="account.id")
    actor: str | None = None
    address: str | None = None
    detail: str | None = None


class SignInDelay(SQLModel, table=True):
    """Failed sign-ins in a row by one key (an account or an address), and how long the next one has to wait.

    It is a row, so that every process slows the same.
    """

    __tablename__ = "sign_in_delay"

    key: str = Field(max_length=64, primary_key=True)
    failures: int
    until: dt.datetime = Field(sa_type=UtcTime)
    last_at: dt.datetime = Field(sa_type=UtcTime, index=True)
