"""Audit records of accounts and sign-ins, kept for half a year as GB/T 22239 and the Cybersecurity Law ask."""

import datetime as dt
from dataclasses import dataclass

import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from models import AccountEvent, AccountEventKind, Login
from models.db.tables import table_of

log = structlog.get_logger(__name__)

RETENTION = dt.timedelta(days=183)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who changes an account: a viewer's identity, and the address that the request came from."""

    identity: str | None
    address: str | None = None


CONSOLE = Actor("console")


def account_actor(account_id: int, address: str | None) -> Actor:
    """A person who changes their own account."""
    return Actor(f"account:{account_id}", address)


def record(
    session: AsyncSession,
    kind: AccountEventKind,
    account_id: int | None,
    actor: Actor,
    now: dt.datetime,
    detail: str | None = None,
) -> None:
    """Add an audit record to the transaction, and a line to the server's log, which names no person or address."""
    session.add(
        AccountEvent(
            at=now, kind=kind, account_id=account_id, actor=actor.identity, address=actor.address, detail=detail
        )
    )
    log.info("account", what=kind.value, account=account_id, actor=actor.identity)


async def purge(session: AsyncSession, now: dt.datetime) -> None:
    """Delete logins that have ended and audit records that need not be kept any longer."""
    login, event = table_of(Login), table_of(AccountEvent)
    await session.execute(sa.delete(login).where(login.c.expires_at <= now))
    await session.execute(sa.delete(event).where(event.c.at < now - RETENTION))
