"""Pairs screens in the manner of RFC 8628: a screen shows a code, a commander confirms it, the screen gets its token.

A code is no secret: only commanders may confirm one, and they can list them all. The screen proves itself by its device
code, which nobody else sees.
"""

import datetime as dt
import hashlib
import secrets
from dataclasses import dataclass

import sqlalchemy as sa

from models import Pairing, Role, Token, TokenKind
from models.db.database import Database
from models.db.tables import table_of
from models.reason import Reason
from resolvers.errors import ErrorCode, RequestError
from resolvers.tokens import TTL_MAXIMUM, insert_token, token_name

# Without vowels, so that no code is a word, and without characters that look alike (RFC 8628, section 6.1).
ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"
CODE_LENGTH = 8
LIFETIME = dt.timedelta(minutes=10)
INTERVAL, INTERVAL_MAXIMUM = 5, 60  # seconds between two questions of a screen
TOLERANCE = dt.timedelta(seconds=1)  # a timer and the way here are not exact
OF_ADDRESS_MAXIMUM, OPEN_MAXIMUM = 10, 200  # open pairings
PAIRING, TOKEN = table_of(Pairing), table_of(Token)


@dataclass(frozen=True, slots=True)
class StartedPairing:
    """What a screen shows, and what it asks with."""

    user_code: str
    device_code: str


async def start_pairing(database: Database, address: str | None, now: dt.datetime) -> StartedPairing:
    """Raises RequestError where too many screens wait already, of one address or in all."""
    started = StartedPairing("".join(secrets.choice(ALPHABET) for _ in range(CODE_LENGTH)), secrets.token_urlsafe(32))
    async with database.write() as session:
        await session.execute(sa.delete(PAIRING).where(PAIRING.c.expires_at <= now))
        of_address = sa.func.count().filter(PAIRING.c.address == address)
        counts = (await session.execute(sa.select(sa.func.count(), of_address).select_from(PAIRING))).one()
        if counts[0] >= OPEN_MAXIMUM or counts[1] >= OF_ADDRESS_MAXIMUM:
            raise RequestError(
                ErrorCode.TOO_MANY, Reason("SCREENS_WAITING", "Too many screens wait to be paired."), retry_after=60
            )
        session.add(
            Pairing(
                user_code=started.user_code,
                device_hash=hash_device_code(started.device_code),
                address=address,
                created_at=now,
                expires_at=now + LIFETIME,
                interval=INTERVAL,
            )
        )
    return started


async def ask_for_token(database: Database, device_code: str, key_id: str, now: dt.datetime) -> Token:
    """The token of a screen that was confirmed, which the key `key_id` will sign.

    A screen that lost the answer may ask again while the pairing lasts. Raises RequestError: AUTHORIZATION_PENDING,
    SLOW_DOWN, ACCESS_DENIED or EXPIRED.
    """
    device_hash = hash_device_code(device_code)
    async with database.read() as connection:
        known = sa.select(PAIRING.c.id).where(PAIRING.c.device_hash == device_hash, PAIRING.c.expires_at > now)
        key = await connection.scalar(known)
    if key is None:
        raise RequestError(ErrorCode.EXPIRED, Reason("SCREEN_CODE_EXPIRED", "The code has expired: start again."))
    async with database.write() as session:
        pairing = await session.get_one(Pairing, key, with_for_update=True)
        token = None if pairing.token_id is None else await session.get_one(Token, pairing.token_id)
        if token is not None and token.revoked_at is None:
            token.key_id = key_id
            return token
        if token is not None or pairing.denied_at is not None:
            raise RequestError(
                ErrorCode.ACCESS_DENIED, Reason("SCREEN_REFUSED", "A commander has refused this screen.")
            )
        wait = dt.timedelta(seconds=pairing.interval) - TOLERANCE
        too_soon = pairing.asked_at is not None and now - pairing.asked_at < wait
        if too_soon:
            pairing.interval = min(pairing.interval + INTERVAL, INTERVAL_MAXIMUM)
        pairing.asked_at, interval = now, pairing.interval
    if too_soon:
        raise RequestError(
            ErrorCode.SLOW_DOWN,
            Reason("SCREEN_INTERVAL", "Ask every {seconds} seconds from now on.", seconds=interval),
            retry_after=interval,
        )
    raise RequestError(
        ErrorCode.AUTHORIZATION_PENDING, Reason("SCREEN_UNCONFIRMED", "No commander has confirmed this screen yet.")
    )


async def list_pairings(database: Database, now: dt.datetime) -> list[Pairing]:
    """The screens that wait for a commander, newest first."""
    async with database.read() as connection:
        rows = await connection.execute(sa.select(PAIRING).where(*_waiting(now)).order_by(PAIRING.c.id.desc()))
        return [Pairing(**row._mapping) for row in rows]


async def confirm_pairing(database: Database, code: str, name: str, confirmed_by: str, now: dt.datetime) -> Token:
    """Give the screen that shows this code a token of its own, by this name. Raises RequestError."""
    name = token_name(name)
    async with database.write() as session:
        shown = sa.select(Pairing).where(PAIRING.c.user_code == plain_code(code), *_waiting(now)).with_for_update()
        pairing = (await session.execute(shown)).scalar_one_or_none()
        if pairing is None:
            raise no_such_code()
        holder = {"kind": TokenKind.SCREEN, "name": name, "role": Role.WALL}
        # It is signed when the screen asks for it, by the key that the server has then.
        token = await insert_token(session, holder, TTL_MAXIMUM, "", confirmed_by, now)
        pairing.token_id = token.id
    return token


async def deny_pairing(database: Database, code: str, now: dt.datetime) -> None:
    """Refuse the screen that shows this code. Raises RequestError."""
    denied = sa.update(PAIRING).where(PAIRING.c.user_code == plain_code(code), *_waiting(now)).values(denied_at=now)
    async with database.write() as session:
        if (await session.execute(denied.returning(PAIRING.c.id))).first() is None:
            raise no_such_code()


def _waiting(now: dt.datetime) -> list[sa.ColumnElement[bool]]:
    return [PAIRING.c.expires_at > now, PAIRING.c.token_id.is_(None), PAIRING.c.denied_at.is_(None)]


def no_such_code() -> RequestError:
    return RequestError(
        ErrorCode.NOT_FOUND, Reason("SCREEN_CODE_UNKNOWN", "No screen shows this code, or it has expired.")
    )


def hash_device_code(code: str) -> str:
    """What the database keeps of a device code. It is random, so a plain hash cannot be reversed."""
    return hashlib.sha256(code.encode()).hexdigest()


def plain_code(code: str) -> str:
    """A code as the database has it, whatever its case and wherever its hyphen is."""
    return "".join(character for character in code.upper() if character in ALPHABET)


def shown_code(code: str) -> str:
    """A code as people read it: `WDJB-MJHT`."""
    return f"{code[:4]}-{code[4:]}"
