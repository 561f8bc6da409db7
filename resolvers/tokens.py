"""Issues, lists and revokes bearer tokens. A row says who holds each; the token itself is signed elsewhere."""

import datetime as dt
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

import models
from models import Role, Scope, Token, TokenKind
from models.db.database import Database
from models.db.tables import table_of
from models.reason import Reason
from resolvers.accounts.records import check_full_name, fold_name
from resolvers.errors import NOT_IN_REGISTER, ErrorCode, RequestError
from resolvers.queries.viewers import find_holder

TTL_MAXIMUM = dt.timedelta(days=366)
TOUCH = dt.timedelta(minutes=1)  # the time of the last use is written this often at most
TOKEN, ACCOUNT = table_of(Token), table_of(models.Account)
KINDS = {Role.INTEGRATOR: TokenKind.PROGRAM, Role.WALL: TokenKind.SCREEN}  # all others are people's


@dataclass(frozen=True, slots=True, kw_only=True)
class NewToken:
    """A token to issue: to an account, by its name, or to a holder with a role.

    `inspector` is a badge, `enterprise` a credit code or external id. They are the name where none is given; every
    other holder needs one.
    """

    ttl: dt.timedelta
    name: str | None = None
    account: str | None = None
    role: Role | None = None
    inspector: str | None = None
    enterprise: str | None = None
    scopes: frozenset[Scope] = frozenset()


@dataclass(frozen=True, slots=True)
class ListedToken:
    """A token with the name of its account, and the badge or code of its row in the register."""

    token: Token
    role: Role
    account: str | None
    inspector: str | None
    enterprise: str | None


async def issue_token(database: Database, new: NewToken, key_id: str, issued_by: str, now: dt.datetime) -> ListedToken:
    """A new token, as it is listed. `key_id` names the key that will sign it. Raises RequestError."""
    if not dt.timedelta(0) < new.ttl <= TTL_MAXIMUM:
        raise RequestError(
            ErrorCode.BAD_INPUT,
            Reason("TOKEN_LIFETIME", "A token is valid for at most {maximum} days.", maximum=TTL_MAXIMUM.days),
        )
    if new.scopes and new.role is not Role.INTEGRATOR:
        raise RequestError(
            ErrorCode.BAD_INPUT, Reason("SCOPES_WITHOUT_PROGRAM", "Scopes are for a program, with the role INTEGRATOR.")
        )
    role, holder = await _holder(database, new)
    async with database.write() as session:
        token = await insert_token(session, holder, new.ttl, key_id, issued_by, now)
    return ListedToken(token, role, new.account, new.inspector, new.enterprise)


async def insert_token(
    session: AsyncSession, holder: Mapping[str, Any], ttl: dt.timedelta, key_id: str, issued_by: str, now: dt.datetime
) -> Token:
    """Insert a token with these columns of its holder. Raises RequestError for a name in use.

    A token that has expired leaves its name to the new one.
    """
    namesakes = (TOKEN.c.kind == holder["kind"], TOKEN.c.name == holder["name"], TOKEN.c.revoked_at.is_(None))
    expired = sa.update(TOKEN).where(*namesakes, TOKEN.c.expires_at <= now)
    await session.execute(expired.values(revoked_at=TOKEN.c.expires_at))
    issued_at = now.replace(microsecond=0)  # in whole seconds, as the token itself has them
    token = Token(
        **holder,
        jti=secrets.token_urlsafe(16),
        key_id=key_id,
        issued_by=issued_by,
        issued_at=issued_at,
        expires_at=issued_at + ttl,
    )
    session.add(token)
    try:
        await session.flush()
    except sa.exc.IntegrityError:
        raise RequestError(
            ErrorCode.NAME_TAKEN, Reason("TOKEN_NAME_TAKEN", "Another token of this kind has this name.")
        ) from None
    return token


async def _holder(database: Database, new: NewToken) -> tuple[Role, dict[str, Any]]:
    """The role of a token, and its holder and name by column. Raises RequestError."""
    if new.account is not None:
        if new.role or new.inspector or new.enterprise:
            raise RequestError(
                ErrorCode.BAD_INPUT, Reason("ACCOUNT_HAS_ROLE", "An account has its own role: give no other.")
            )
        account, role = await _account(database, new.account)
        return role, {"kind": TokenKind.PERSON, "name": token_name(new.name or new.account), "account_id": account}
    needs = (new.role is Role.INSPECTOR, new.role is Role.ENTERPRISE)
    if new.role is None or needs != (new.inspector is not None, new.enterprise is not None):
        reason = Reason(
            "TOKEN_HOLDER",
            "A token needs an account or a role; an inspector a badge, an enterprise a code, and no other either.",
        )
        raise RequestError(ErrorCode.BAD_INPUT, reason)
    holder = await find_holder(database, new.role, new.inspector, new.enterprise)
    if holder is None:
        raise RequestError(ErrorCode.BAD_INPUT, NOT_IN_REGISTER)
    return new.role, {
        "kind": KINDS.get(new.role, TokenKind.PERSON),
        "name": token_name(new.name or new.inspector or new.enterprise),
        "role": new.role,
        "scopes": sorted(new.scopes, key=lambda scope: scope.value),
        "inspector_id": holder.inspector,
        "enterprise_id": holder.enterprise,
    }


async def _account(database: Database, name: str) -> tuple[int, Role]:
    enabled = (ACCOUNT.c.name == fold_name(name), ACCOUNT.c.disabled_at.is_(None))
    async with database.read() as connection:
        row = (await connection.execute(sa.select(ACCOUNT.c.id, ACCOUNT.c.role).where(*enabled))).first()
    if row is None:
        raise RequestError(
            ErrorCode.BAD_INPUT,
            Reason("ACCOUNT_UNKNOWN_OR_DISABLED", "There is no account of this name, or it is disabled."),
        )
    return row.id, row.role


def token_name(name: str | None) -> str:
    """Raises RequestError."""
    if name is None:
        raise RequestError(
            ErrorCode.BAD_INPUT,
            Reason("NAME_NEEDED", "A name is needed: the log names a person or program with every event."),
        )
    return check_full_name(name)


async def list_tokens(database: Database, now: dt.datetime, *, ended: bool = False) -> list[ListedToken]:
    """The tokens that count, newest first; with `ended` also those that were revoked or have expired."""
    inspector, enterprise = table_of(models.Inspector), table_of(models.Enterprise)
    code = sa.func.coalesce(enterprise.c.credit_code, enterprise.c.external_id)
    account = (ACCOUNT.c.name.label("account_name"), ACCOUNT.c.role.label("account_role"))
    statement = sa.select(TOKEN, *account, inspector.c.badge, code.label("code"))
    statement = statement.outerjoin(ACCOUNT, ACCOUNT.c.id == TOKEN.c.account_id)
    statement = statement.outerjoin(inspector, inspector.c.id == TOKEN.c.inspector_id)
    statement = statement.outerjoin(enterprise, enterprise.c.id == TOKEN.c.enterprise_id)
    if not ended:
        statement = statement.where(TOKEN.c.revoked_at.is_(None), TOKEN.c.expires_at > now)
    async with database.read() as connection:
        return [
            ListedToken(
                Token(**{name: row._mapping[name] for name in Token.model_fields}),
                row.account_role or row.role,
                row.account_name,
                row.badge,
                row.code,
            )
            for row in await connection.execute(statement.order_by(TOKEN.c.id.desc()))
        ]


async def revoke_token(database: Database, key: int, revoked_by: str, now: dt.datetime) -> bool:
    """Revoke a token; every process ends what it opened within seconds. False if it has ended already."""
    living = (TOKEN.c.id == key, TOKEN.c.revoked_at.is_(None), TOKEN.c.expires_at > now)
    revoked = sa.update(TOKEN).where(*living).values(revoked_at=now, revoked_by=revoked_by).returning(TOKEN.c.id)
    async with database.write() as session:
        return (await session.execute(revoked)).first() is not None


async def touch_tokens(database: Database, keys: Collection[int], now: dt.datetime) -> None:
    """Note that these tokens are in use."""
    stale = sa.or_(TOKEN.c.last_used_at.is_(None), TOKEN.c.last_used_at <= now - TOUCH)
    async with database.write() as session:
        await session.execute(sa.update(TOKEN).where(TOKEN.c.id.in_(sorted(keys)), stale).values(last_used_at=now))
