"""What people do with their own accounts: sign in and out, change the password, use TOTP."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from models import Account, AccountEventKind
from models.db.database import Database
from models.db.tables import table_of
from models.reason import Reason
from resolvers.accounts.audit import Actor, account_actor, purge, record
from resolvers.accounts.logins import Client, end_all_logins, start_login
from resolvers.accounts.sign_in_delays import Attempt, take_back
from resolvers.errors import ErrorCode, RequestError

WRONG_CODE = Reason("TOTP_CODE", "The code is wrong, or was used already.")


@dataclass(frozen=True, slots=True)
class SignIn:
    """A person who has proved who they are. `step` is the time step of their TOTP code.

    `renewed` has columns of the account that are written anew: a better hash, a secret under a newer key. `id_token` is
    the identity provider's, encrypted.
    """

    account_id: int
    client: Client
    detail: str
    attempt: Attempt | None = None
    step: int | None = None
    renewed: Mapping[str, str] = field(default_factory=dict)
    id_token: str | None = None


async def complete_sign_in(database: Database, sign_in: SignIn, now: dt.datetime) -> str:
    """Start a login; returns the secret for its cookie.

    Raises RequestError when the code was used meanwhile, or the account disabled.
    """
    account = table_of(Account)
    async with database.write() as session:
        if sign_in.step is not None and not await use_step(session, sign_in.account_id, sign_in.step):
            raise RequestError(ErrorCode.BAD_CODE, WRONG_CODE)
        enabled = sa.select(account.c.id).where(account.c.id == sign_in.account_id, account.c.disabled_at.is_(None))
        if (await session.execute(enabled.with_for_update())).first() is None:
            raise RequestError(ErrorCode.BAD_CREDENTIALS, Reason("ACCOUNT_DISABLED", "The account is disabled."))
        if sign_in.attempt is not None:
            await take_back(session, sign_in.attempt, now, forget_name=True)
        if sign_in.renewed:
            renewed = sa.update(account).where(account.c.id == sign_in.account_id)
            await session.execute(renewed.values(**sign_in.renewed))
        actor = account_actor(sign_in.account_id, sign_in.client.address)
        record(session, AccountEventKind.SIGNED_IN, sign_in.account_id, actor, now, sign_in.detail)
        await purge(session, now)
        return await start_login(session, sign_in.account_id, sign_in.client, now, id_token=sign_in.id_token)


async def fail_sign_in(
    database: Database, account_id: int | None, address: str | None, now: dt.datetime, detail: str
) -> None:
    """Keep a record of a failed sign-in. The name that was typed is not kept: it may be a password."""
    async with database.write() as session:
        record(session, AccountEventKind.SIGN_IN_FAILED, account_id, Actor(None, address), now, detail)


async def use_step(session: AsyncSession, account_id: int, step: int) -> bool:
    """Use up the TOTP code of a time step. False if it, or a later one, was used before."""
    account = table_of(Account)
    unused = sa.or_(account.c.totp_last_step.is_(None), account.c.totp_last_step < step)
    statement = sa.update(account).where(account.c.id == account_id, unused).values(totp_last_step=step)
    return (await session.execute(statement.returning(account.c.id))).first() is not None


async def change_password(
    database: Database, account_id: int, password_hash: str, client: Client, now: dt.datetime
) -> str:
    """Sign out everywhere and start a new login, whose secret this returns."""
    account = table_of(Account)
    values = {"password_hash": password_hash, "password_changed_at": now, "must_change": False}
    async with database.write() as session:
        await session.execute(sa.update(account).where(account.c.id == account_id).values(**values))
        actor = account_actor(account_id, client.address)
        record(session, AccountEventKind.PASSWORD_CHANGED, account_id, actor, now)
        await end_all_logins(session, account_id)
        return await start_login(session, account_id, client, now)


async def propose_totp(database: Database, account_id: int, encrypted_secret: str) -> None:
    """Keep a new secret, which counts once its first code confirms it. Raises RequestError where one counts already."""
    account = table_of(Account)
    unconfirmed = sa.update(account).where(account.c.id == account_id, account.c.totp_confirmed_at.is_(None))
    async with database.write() as session:
        proposed = unconfirmed.values(totp_secret=encrypted_secret, totp_last_step=None)
        if (await session.execute(proposed.returning(account.c.id))).first() is None:
            raise RequestError(ErrorCode.BAD_INPUT, Reason("TOTP_IN_USE", "TOTP is in use already: remove it first."))


async def confirm_totp(
    database: Database, account_id: int, login_id: int, secret: str, step: int, actor: Actor, now: dt.datetime
) -> None:
    """From now on signing in needs a code. Raises RequestError when `secret` is not the proposed one any more.

    Every other login ends: it was made with the password alone.
    """
    account = table_of(Account)
    proposed = sa.and_(
        account.c.id == account_id, account.c.totp_secret == secret, account.c.totp_confirmed_at.is_(None)
    )
    async with database.write() as session:
        confirmed = sa.update(account).where(proposed).values(totp_confirmed_at=now, totp_last_step=step)
        if (await session.execute(confirmed.returning(account.c.id))).first() is None:
            raise RequestError(ErrorCode.BAD_CODE, WRONG_CODE)
        await end_all_logins(session, account_id, but=login_id)
        record(session, AccountEventKind.TOTP_ENABLED, account_id, actor, now)


async def remove_totp(database: Database, account_id: int, actor: Actor, now: dt.datetime) -> None:
    account = table_of(Account)
    values = {"totp_secret": None, "totp_confirmed_at": None, "totp_last_step": None}
    async with database.write() as session:
        removed = sa.update(account).where(account.c.id == account_id, account.c.totp_secret.is_not(None))
        if (await session.execute(removed.values(**values).returning(account.c.id))).first() is not None:
            record(session, AccountEventKind.TOTP_DISABLED, account_id, actor, now)
