"""Slows guessing of passwords: after some failures in a row the next attempt has to wait 1, 2, 4, … up to 60 seconds.

Nobody is locked out for good. Failures count by the name that was typed, whether or not an account has it, and by the
address of the client. An address from which an account has signed in before counts for itself, so that a stranger's
failures do not slow the account's owner.
"""

import datetime as dt
import hashlib
import ipaddress
import math
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from models import Account, AccountEvent, AccountEventKind, SignInDelay
from models.db.database import Database
from models.db.tables import table_of
from models.reason import Reason
from resolvers.errors import ErrorCode, RequestError

LONGEST = 60  # seconds of the longest delay
FREE_BY_NAME, FREE_BY_ADDRESS = 3, 10  # failures in a row without a delay
FORGOTTEN = dt.timedelta(hours=1)  # failures are forgotten after this long without another


@dataclass(frozen=True, slots=True)
class Attempt:
    """The keys of one attempt to sign in, counted as a failure until it succeeds."""

    by_name: str
    by_address: str


def _key(*parts: str) -> str:
    """A key of fixed length. It does not show the name, for people type passwords into the wrong field."""
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=32).hexdigest()


def network(address: str | None) -> str:
    """The address, or for IPv6 the /64, of which one client has all."""
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return address or ""
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((int(parsed), 64), strict=False))


def delay_of(failures: int, free: int) -> dt.timedelta:
    """How long to wait after so many failures in a row."""
    # The exponent is bounded: the number of failures is not.
    return dt.timedelta(seconds=min(2 ** min(failures - free, 10), LONGEST) if failures >= free else 0)


async def begin_attempt(database: Database, name: str, address: str | None, now: dt.datetime) -> Attempt:
    """Count an attempt before its password is checked, so that many at once count as many.

    Raises RequestError with the seconds to wait, without counting.
    """
    place = network(address)
    async with database.write() as session:
        known = await _has_signed_in(session, name, address)
        attempt = Attempt(_key("name", name, place) if known else _key("name", name), _key("address", place))
        delays = table_of(SignInDelay)
        await session.execute(sa.delete(delays).where(delays.c.last_at < now - FORGOTTEN))
        await _count(session, attempt, now)
    return attempt


async def _has_signed_in(session: AsyncSession, name: str, address: str | None) -> bool:
    account, event = table_of(Account), table_of(AccountEvent)
    statement = sa.select(event.c.id).join_from(event, account, account.c.id == event.c.account_id)
    statement = statement.where(
        account.c.name == name, event.c.kind == AccountEventKind.SIGNED_IN, event.c.address == address
    )
    return (await session.execute(statement.limit(1))).first() is not None


async def _count(session: AsyncSession, attempt: Attempt, now: dt.datetime) -> None:
    delays = table_of(SignInDelay)
    free = {attempt.by_name: FREE_BY_NAME, attempt.by_address: FREE_BY_ADDRESS}
    keys = sorted(free)
    # Rows are locked in the order of their keys, so that two attempts never wait for each other.
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    new = insert(delays).values([{"key": key, "failures": 0, "until": now, "last_at": now} for key in keys])
    await session.execute(new.on_conflict_do_nothing())
    locked = sa.select(delays).where(delays.c.key.in_(keys)).order_by(delays.c.key).with_for_update()
    rows: Sequence[sa.Row[tuple[object, ...]]] = (await session.execute(locked)).all()
    wait = max((row.until - now).total_seconds() for row in rows)
    if wait > 0:
        raise too_many(wait)
    for row in rows:
        failures = row.failures + 1
        values = {"failures": failures, "until": now + delay_of(failures, free[row.key]), "last_at": now}
        await session.execute(sa.update(delays).where(delays.c.key == row.key).values(**values))


def too_many(seconds: float) -> RequestError:
    wait = math.ceil(seconds)
    return RequestError(
        ErrorCode.TOO_MANY,
        Reason("SIGN_IN_DELAY", "Too many attempts: try again in {seconds} s.", seconds=wait),
        retry_after=wait,
    )


async def take_back(session: AsyncSession, attempt: Attempt, now: dt.datetime, *, forget_name: bool) -> None:
    """The attempt was no failure. `forget_name` forgets earlier failures by name too, after a complete sign-in.

    Earlier failures by address stay, or whoever has one account could guess others' passwords without delay.
    """
    delays = table_of(SignInDelay)
    if forget_name:
        await session.execute(sa.delete(delays).where(delays.c.key == attempt.by_name))
    less = sa.update(delays).where(delays.c.key.in_(sorted([attempt.by_name, attempt.by_address])))
    await session.execute(less.values(failures=delays.c.failures - 1, until=now))
