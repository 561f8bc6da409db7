"""Logins: who is signed in with which browser. They are rows, so ending one ends it on every process."""

import datetime as dt
import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from models import Account, AccountEventKind, Login, Role
from models.db.database import Database
from models.db.tables import table_of
from resolvers.accounts.audit import Actor, record

ABSOLUTE = dt.timedelta(hours=12)  # a login ends this long after the sign-in
IDLE = dt.timedelta(hours=2)  # and this long after its last use
TOUCH = dt.timedelta(minutes=1)  # the time of the last use is written this often at most
AGENT_MAXIMUM = 200  # characters of a User-Agent header that are kept


@dataclass(frozen=True, slots=True)
class Client:
    """Where a request to sign in comes from."""

    address: str | None = None
    agent: str | None = None


@dataclass(frozen=True, slots=True)
class EndedLogin:
    """A login that is no more. `id_token` is the encrypted one, if an identity provider signed the person in."""

    id_token: str | None


@dataclass(frozen=True, slots=True)
class CurrentLogin:
    """A valid login with its account, as they are now."""

    id: int
    account_id: int
    name: str
    full_name: str
    role: Role
    inspector_id: int | None
    enterprise_id: int | None
    must_change: bool
    must_set_up_totp: bool
    totp: bool
    password: bool
    last_seen_at: dt.datetime
    expires_at: dt.datetime

    @property
    def restricted(self) -> bool:
        """Whether its person may do nothing yet but change a one-time password, or set TOTP up."""
        return self.must_change or self.must_set_up_totp


def hash_secret(secret: str) -> str:
    """What the database keeps of a cookie's secret. The secret is random, so a plain hash cannot be reversed."""
    return hashlib.sha256(secret.encode()).hexdigest()


async def start_login(
    session: AsyncSession, account_id: int, client: Client, now: dt.datetime, *, id_token: str | None = None
) -> str:
    """Sign a browser in; returns the secret for its cookie. `id_token` is encrypted."""
    secret = secrets.token_urlsafe(32)
    session.add(
        Login(
            account_id=account_id,
            secret_hash=hash_secret(secret),
            created_at=now,
            last_seen_at=now,
            expires_at=now + ABSOLUTE,
            address=client.address,
            agent=None if client.agent is None else client.agent[:AGENT_MAXIMUM],
            id_token=id_token,
        )
    )
    await session.flush()
    return secret


def valid_conditions(login: Any, now: dt.datetime) -> list[sa.ColumnElement[bool]]:
    """Whether a login has not ended. `login` is its table."""
    return [login.c.expires_at > now, login.c.last_seen_at > now - IDLE]


def lacks_totp(account: Any) -> bool:
    """Whether the person proves who they are with a password alone. `account` is a row.

    Without a password the identity provider signs them in, with the factors that it asks for.
    """
    return account.password_hash is not None and account.totp_confirmed_at is None


async def find_login(
    database: Database, secret_hash: str, now: dt.datetime, totp_roles: Collection[Role]
) -> CurrentLogin | None:
    """The login with this secret; None if it has ended, or if its account is disabled.

    `totp_roles` are the roles that need TOTP. Whether the login gives rights yet is in `CurrentLogin.restricted`.
    """
    login, account = table_of(Login), table_of(Account)
    statement = sa.select(account, login.c.id.label("login_id"), login.c.last_seen_at, login.c.expires_at)
    statement = statement.join_from(login, account, account.c.id == login.c.account_id)
    statement = statement.where(
        login.c.secret_hash == secret_hash, account.c.disabled_at.is_(None), *valid_conditions(login, now)
    )
    async with database.read() as connection:
        row = (await connection.execute(statement)).first()
    if row is None:
        return None
    return CurrentLogin(
        id=row.login_id,
        account_id=row.id,
        name=row.name,
        full_name=row.full_name,
        role=row.role,
        inspector_id=row.inspector_id,
        enterprise_id=row.enterprise_id,
        must_change=row.must_change,
        must_set_up_totp=row.role in totp_roles and lacks_totp(row),
        totp=row.totp_confirmed_at is not None,
        password=row.password_hash is not None,
        last_seen_at=row.last_seen_at,
        expires_at=row.expires_at,
    )


async def touch_logins(database: Database, login_ids: Collection[int], now: dt.datetime) -> None:
    """Note that these logins are in use."""
    login = table_of(Login)
    stale = sa.and_(login.c.id.in_(sorted(login_ids)), login.c.last_seen_at <= now - TOUCH)
    async with database.write() as session:
        await session.execute(sa.update(login).where(stale).values(last_seen_at=now))


async def list_logins(database: Database, account_id: int, now: dt.datetime) -> list[Login]:
    """The valid logins of an account, newest first."""
    login = table_of(Login)
    statement = sa.select(login).where(login.c.account_id == account_id, *valid_conditions(login, now))
    async with database.read() as connection:
        rows = await connection.execute(statement.order_by(login.c.id.desc()))
        return [Login(**row._mapping) for row in rows]


async def end_login(
    database: Database, account_id: int, login_id: int, actor: Actor, now: dt.datetime, kind: AccountEventKind
) -> EndedLogin | None:
    """End one login of an account. None if the account has no such login."""
    login = table_of(Login)
    ended = sa.delete(login).where(login.c.id == login_id, login.c.account_id == account_id)
    async with database.write() as session:
        row = (await session.execute(ended.returning(login.c.id_token))).first()
        if row is None:
            return None
        record(session, kind, account_id, actor, now)
    return EndedLogin(row.id_token)


async def end_all_logins(session: AsyncSession, account_id: int, *, but: int | None = None) -> None:
    """Sign an account out everywhere, or everywhere but with one login."""
    login = table_of(Login)
    ended = sa.delete(login).where(login.c.account_id == account_id)
    await session.execute(ended if but is None else ended.where(login.c.id != but))
