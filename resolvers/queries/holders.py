"""Finds who holds tokens, logins and badges now. One statement finds all holders of a kind, so that many sockets can be
checked at once.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

import models
from models import Role, Scope, TokenKind
from models.db.database import Database
from models.db.tables import table_of
from resolvers.accounts.logins import lacks_totp, valid_conditions
from resolvers.sql.predicates import among

TOKEN, ACCOUNT, LOGIN = table_of(models.Token), table_of(models.Account), table_of(models.Login)
INSPECTOR, ENTERPRISE = table_of(models.Inspector), table_of(models.Enterprise)


SLICE = 200  # keys in one statement


ProofKind = Literal["token", "login", "account", "inspector", "enterprise"]


class Proof(NamedTuple):
    """What credentials rest on: a row that must stay as it is.

    The key is a token's `jti`, the SHA-256 of a login's secret, an account's own, a badge, or a credit code or
    external id.
    """

    kind: ProofKind
    key: str


@dataclass(frozen=True, slots=True)
class Holder:
    """A person or program, as the database has them. `row` is the key of the token or login.

    `lacks_totp` is true of a login whose person signs in with a password alone.
    """

    role: Role
    identity: str = ""
    name: str | None = None
    scopes: frozenset[Scope] = frozenset()
    inspector: int | None = None
    enterprise: int | None = None
    account: int | None = None
    expires_at: dt.datetime | None = None
    row: int | None = None
    lacks_totp: bool = False


async def find_holders(
    database: Database, proofs: Collection[Proof], now: dt.datetime, totp_roles: Collection[Role] = ()
) -> dict[Proof, Holder]:
    """The holders of those proofs that count at this moment: not revoked, ended, expired, disabled or removed.

    A login does not count while its person has one of `totp_roles` and has not set TOTP up.
    """
    keys: dict[ProofKind, set[str]] = defaultdict(set)
    for proof in proofs:
        keys[proof.kind].add(proof.key)
    holders: dict[Proof, Holder] = {}
    async with database.read() as connection:
        for kind, wanted in keys.items():
            ordered = sorted(wanted)
            # In slices, because a thousand rows would hold up the event loop.
            for start in range(0, len(ordered), SLICE):
                of_kind = await FINDERS[kind](connection, ordered[start : start + SLICE], now)
                holders |= {
                    Proof(kind, key): holder
                    for key, holder in of_kind.items()
                    if not (holder.lacks_totp and holder.role in totp_roles)
                }
    return holders


def identity_of(kind: TokenKind, name: str, key: int, account: int | None) -> str:
    """The identity of a token's holder. A new token of the same name goes on where the former one ended."""
    if account is not None:
        return f"account:{account}"
    return f"screen:{key}" if kind is TokenKind.SCREEN else f"{kind.value}:{name}"


async def _tokens(connection: AsyncConnection, keys: list[str], now: dt.datetime) -> dict[str, Holder]:
    inspector = sa.func.coalesce(ACCOUNT.c.inspector_id, TOKEN.c.inspector_id)
    columns = (TOKEN.c.id, TOKEN.c.jti, TOKEN.c.kind, TOKEN.c.name, TOKEN.c.role, TOKEN.c.scopes, TOKEN.c.account_id)
    statement = sa.select(
        *columns,
        TOKEN.c.expires_at,
        ACCOUNT.c.role.label("account_role"),
        ACCOUNT.c.full_name.label("account_name"),
        inspector.label("inspector"),
        INSPECTOR.c.full_name.label("inspector_name"),
        sa.func.coalesce(ACCOUNT.c.enterprise_id, TOKEN.c.enterprise_id).label("enterprise"),
    )
    statement = statement.outerjoin(ACCOUNT, ACCOUNT.c.id == TOKEN.c.account_id)
    statement = statement.outerjoin(INSPECTOR, INSPECTOR.c.id == inspector).where(
        among(TOKEN.c.jti, "keys", connection.dialect.name == "sqlite"),
        TOKEN.c.revoked_at.is_(None),
        TOKEN.c.expires_at > now,
        ACCOUNT.c.disabled_at.is_(None),
    )
    return {
        row.jti: Holder(
            role=row.account_role or row.role,
            identity=identity_of(row.kind, row.name, row.id, row.account_id),
            name=row.account_name or row.inspector_name or row.name,
            scopes=frozenset(row.scopes),
            inspector=row.inspector,
            enterprise=row.enterprise,
            account=row.account_id,
            expires_at=row.expires_at,
            row=row.id,
        )
        for row in await connection.execute(statement, {"keys": keys})
    }


async def _logins(connection: AsyncConnection, keys: list[str], now: dt.datetime) -> dict[str, Holder]:
    """Those of people with a one-time password are left out: they may do nothing but change it."""
    statement = sa.select(ACCOUNT, LOGIN.c.id.label("login_id"), LOGIN.c.secret_hash, LOGIN.c.expires_at)
    statement = statement.join_from(LOGIN, ACCOUNT, ACCOUNT.c.id == LOGIN.c.account_id).where(
        among(LOGIN.c.secret_hash, "keys", connection.dialect.name == "sqlite"),
        ACCOUNT.c.disabled_at.is_(None),
        ~ACCOUNT.c.must_change,
        *valid_conditions(LOGIN, now),
    )
    return {
        row.secret_hash: replace(
            _of_account(row), expires_at=row.expires_at, row=row.login_id, lacks_totp=lacks_totp(row)
        )
        for row in await connection.execute(statement, {"keys": keys})
    }


async def _accounts(connection: AsyncConnection, keys: list[str], now: dt.datetime) -> dict[str, Holder]:
    """By the account's own key, as text."""
    enabled = (among(ACCOUNT.c.id, "keys", connection.dialect.name == "sqlite"), ACCOUNT.c.disabled_at.is_(None))
    rows = await connection.execute(sa.select(ACCOUNT).where(*enabled), {"keys": [int(key) for key in keys]})
    return {str(row.id): _of_account(row) for row in rows}


def _of_account(row: Any) -> Holder:
    return Holder(
        role=row.role,
        identity=f"account:{row.id}",
        name=row.full_name,
        inspector=row.inspector_id,
        enterprise=row.enterprise_id,
        account=row.id,
    )


async def _inspectors(connection: AsyncConnection, keys: list[str], now: dt.datetime) -> dict[str, Holder]:
    """By badge."""
    statement = sa.select(INSPECTOR.c.badge, INSPECTOR.c.id, INSPECTOR.c.full_name)
    statement = statement.where(among(INSPECTOR.c.badge, "keys", connection.dialect.name == "sqlite"))
    return {
        row.badge: Holder(Role.INSPECTOR, name=row.full_name, inspector=row.id)
        for row in await connection.execute(statement, {"keys": keys})
    }


async def _enterprises(connection: AsyncConnection, keys: list[str], now: dt.datetime) -> dict[str, Holder]:
    """By credit code, or else by external id: one enterprise's external id may equal another's credit code."""
    sqlite = connection.dialect.name == "sqlite"
    codes = sa.or_(*(among(column, "keys", sqlite) for column in (ENTERPRISE.c.credit_code, ENTERPRISE.c.external_id)))
    statement = sa.select(ENTERPRISE.c.id, ENTERPRISE.c.credit_code, ENTERPRISE.c.external_id)
    by_code: dict[str | None, int] = {}
    by_id: dict[str | None, int] = {}
    for row in await connection.execute(statement.where(codes).order_by(ENTERPRISE.c.id), {"keys": keys}):
        by_code[row.credit_code] = row.id
        by_id.setdefault(row.external_id, row.id)
    rows = {key: by_code.get(key, by_id.get(key)) for key in keys}
    return {key: Holder(Role.ENTERPRISE, enterprise=row) for key, row in rows.items() if row is not None}


Finder = Callable[[AsyncConnection, list[str], dt.datetime], Awaitable[dict[str, Holder]]]
FINDERS: dict[ProofKind, Finder] = {
    "token": _tokens,
    "login": _logins,
    "account": _accounts,
    "inspector": _inspectors,
    "enterprise": _enterprises,
}
