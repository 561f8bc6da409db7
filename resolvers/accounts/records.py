"""The accounts themselves: made and changed by a commander, by a command, or by the identity provider."""

import datetime as dt
import unicodedata
from dataclasses import dataclass
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from models import Account, AccountEventKind, Enterprise, Inspector, Role
from models.db.database import Database
from models.db.tables import table_of
from models.reason import Reason
from resolvers.accounts.audit import Actor, record
from resolvers.accounts.logins import end_all_logins
from resolvers.errors import NOT_IN_REGISTER, ErrorCode, RequestError
from resolvers.queries.viewers import find_holder

NAME_MAXIMUM, FULL_NAME_MAXIMUM = 64, 100  # characters
# Screens and programs have tokens.
ROLES = (Role.COMMANDER, Role.INSPECTOR, Role.ENTERPRISE, Role.WALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRole:
    """What an account is in the bureau: a role, and the badge or code of the row that it needs."""

    kind: Role
    inspector: str | None = None
    enterprise: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAccount:
    """A new account. It signs in with a password or at the identity provider, which knows it by issuer and subject."""

    name: str
    full_name: str
    role: AccountRole
    password_hash: str | None = None
    must_change: bool = False
    oidc: tuple[str, str] | None = None


class RowKeys(NamedTuple):
    """The keys of the rows that a role needs."""

    inspector_id: int | None
    enterprise_id: int | None


@dataclass(frozen=True, slots=True)
class ListedAccount:
    """An account with the badge or code of its row in the register."""

    account: Account
    inspector: str | None
    enterprise: str | None


def fold_name(name: str) -> str:
    """A name as accounts have it: how it is typed does not matter. Raises RequestError for an unsuitable one."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    folded = " ".join(folded.split())
    printable = all(unicodedata.category(character)[0] in "LNPSM" or character == " " for character in folded)
    if not 0 < len(folded) <= NAME_MAXIMUM or not printable:
        raise RequestError(
            ErrorCode.BAD_INPUT,
            Reason(
                "NAME_CHARACTERS", "A name has 1 to {maximum} letters, digits, signs and blanks.", maximum=NAME_MAXIMUM
            ),
        )
    return folded


def check_full_name(name: str) -> str:
    """The name without outer blanks. Raises RequestError."""
    name = name.strip()
    if not 0 < len(name) <= FULL_NAME_MAXIMUM or not name.isprintable():
        raise RequestError(
            ErrorCode.BAD_INPUT,
            Reason(
                "FULL_NAME_CHARACTERS",
                "A full name has 1 to {maximum} printable characters.",
                maximum=FULL_NAME_MAXIMUM,
            ),
        )
    return name


# -- finding --


def _account(row: Any) -> Account:
    return Account(**{name: row._mapping[name] for name in Account.model_fields})


async def _find(database: Database, *conditions: sa.ColumnElement[bool]) -> Account | None:
    async with database.read() as connection:
        row = (await connection.execute(sa.select(table_of(Account)).where(*conditions))).first()
    return None if row is None else _account(row)


async def find_account(database: Database, account_id: int) -> Account | None:
    return await _find(database, table_of(Account).c.id == account_id)


async def find_account_by_name(database: Database, name: str) -> Account | None:
    """The account with a folded name."""
    return await _find(database, table_of(Account).c.name == name)


async def find_account_of_provider(database: Database, issuer: str, subject: str) -> Account | None:
    account = table_of(Account)
    return await _find(database, account.c.oidc_issuer == issuer, account.c.oidc_subject == subject)


async def list_accounts(database: Database) -> list[ListedAccount]:
    """All accounts, by name."""
    account, inspector, enterprise = table_of(Account), table_of(Inspector), table_of(Enterprise)
    code = sa.func.coalesce(enterprise.c.credit_code, enterprise.c.external_id)
    statement = sa.select(account, inspector.c.badge, code.label("code"))
    statement = statement.outerjoin(inspector, inspector.c.id == account.c.inspector_id)
    statement = statement.outerjoin(enterprise, enterprise.c.id == account.c.enterprise_id)
    async with database.read() as connection:
        rows = await connection.execute(statement.order_by(account.c.name))
        return [ListedAccount(_account(row), row.badge, row.code) for row in rows]


async def any_account(database: Database) -> bool:
    async with database.read() as connection:
        return (await connection.execute(sa.select(table_of(Account).c.id).limit(1))).first() is not None


# -- making and changing --


async def create_account(database: Database, new: NewAccount, actor: Actor, now: dt.datetime) -> Account:
    """Raises RequestError for a name that is taken, or a role whose row the register does not have."""
    keys = await _row_keys(database, new.role)
    try:
        async with database.write() as session:
            return await _insert(session, new, keys, actor, now)
    except sa.exc.IntegrityError:
        raise RequestError(
            ErrorCode.NAME_TAKEN, Reason("ACCOUNT_NAME_TAKEN", "Another account has this name.")
        ) from None


async def create_first_account(database: Database, new: NewAccount, actor: Actor, now: dt.datetime) -> Account | None:
    """The first account, or None if there is one already. Of several requests at once one succeeds."""
    account, keys = table_of(Account), await _row_keys(database, new.role)
    async with database.write() as session:
        if not database.sqlite:
            await session.execute(sa.text("LOCK TABLE account IN SHARE ROW EXCLUSIVE MODE"))
        if (await session.execute(sa.select(account.c.id).limit(1))).first() is not None:
            return None
        return await _insert(session, new, keys, actor, now)


async def _insert(session: AsyncSession, new: NewAccount, keys: RowKeys, actor: Actor, now: dt.datetime) -> Account:
    issuer, subject = new.oidc or (None, None)
    account = Account(
        name=new.name,
        full_name=new.full_name,
        role=new.role.kind,
        inspector_id=keys.inspector_id,
        enterprise_id=keys.enterprise_id,
        password_hash=new.password_hash,
        password_changed_at=None if new.password_hash is None else now,
        must_change=new.must_change,
        oidc_issuer=issuer,
        oidc_subject=subject,
        created_at=now,
    )
    session.add(account)
    await session.flush()
    record(session, AccountEventKind.CREATED, account.id, actor, now, new.role.kind.name)
    return account


async def _row_keys(database: Database, role: AccountRole) -> RowKeys:
    """The keys of the rows that a role needs. Raises RequestError."""
    wanted = (role.kind is Role.INSPECTOR, role.kind is Role.ENTERPRISE)
    if role.kind not in ROLES or wanted != (role.inspector is not None, role.enterprise is not None):
        raise RequestError(
            ErrorCode.BAD_INPUT,
            Reason(
                "ACCOUNT_ROLE",
                "A role is COMMANDER, WALL, INSPECTOR with an inspector's badge, or ENTERPRISE with an enterprise's"
                " code.",
            ),
        )
    row = await find_holder(database, role.kind, role.inspector, role.enterprise)
    if row is None:
        raise RequestError(ErrorCode.NOT_FOUND, NOT_IN_REGISTER)
    return RowKeys(row.inspector, row.enterprise)


async def _locked(session: AsyncSession, account_id: int) -> Account:
    account = await session.get(Account, account_id, with_for_update=True)
    if account is None:
        raise RequestError(ErrorCode.NOT_FOUND, Reason("ACCOUNT_UNKNOWN", "There is no such account."))
    return account


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What a commander changes of an account; None leaves a value as it is."""

    full_name: str | None = None
    role: AccountRole | None = None
    disabled: bool | None = None


async def change_account(
    database: Database, account_id: int, changes: Changes, actor: Actor, now: dt.datetime
) -> Account:
    """A person with other rights, or none, is signed out everywhere. Raises RequestError.

    Nobody takes their own rights away: so there is always a commander left who can give them back.
    """
    keys = None if changes.role is None else await _row_keys(database, changes.role)
    if actor.identity == f"account:{account_id}" and (changes.role is not None or changes.disabled):
        raise RequestError(
            ErrorCode.FORBIDDEN, Reason("OWN_ROLE", "Another commander has to change your own role, or disable you.")
        )
    async with database.write() as session:
        account = await _locked(session, account_id)
        if changes.full_name is not None and changes.full_name != account.full_name:
            account.full_name = changes.full_name
            record(session, AccountEventKind.CHANGED, account_id, actor, now, "full name")
        if changes.role is not None and keys is not None:
            await _change_role(session, account, changes.role.kind, keys, actor, now)
        if changes.disabled is not None and changes.disabled != (account.disabled_at is not None):
            account.disabled_at = now if changes.disabled else None
            kind = AccountEventKind.DISABLED if changes.disabled else AccountEventKind.ENABLED
            record(session, kind, account_id, actor, now)
            await end_all_logins(session, account_id)
    return account


async def _change_role(
    session: AsyncSession, account: Account, role: Role, keys: RowKeys, actor: Actor, now: dt.datetime
) -> None:
    before = account.role
    if (before, account.inspector_id, account.enterprise_id) == (role, *keys):
        return
    account.role, (account.inspector_id, account.enterprise_id) = role, keys
    record(session, AccountEventKind.CHANGED, account.id, actor, now, f"{before.name} to {role.name}")
    await end_all_logins(session, account.id)


async def reset_account(
    database: Database, account_id: int, password_hash: str, actor: Actor, now: dt.datetime, *, one_time: bool = True
) -> Account:
    """Another password, and signed out everywhere. A one-time password ends TOTP as well. Raises RequestError."""
    async with database.write() as session:
        account = await _locked(session, account_id)
        account.password_hash, account.password_changed_at, account.must_change = password_hash, now, one_time
        if one_time:
            account.totp_secret = account.totp_confirmed_at = account.totp_last_step = None
        record(session, AccountEventKind.PASSWORD_RESET, account_id, actor, now)
        await end_all_logins(session, account_id)
    return account


async def sign_out_account(database: Database, account_id: int, actor: Actor, now: dt.datetime) -> None:
    """Sign a person out everywhere, who can sign in again. Raises RequestError."""
    async with database.write() as session:
        await _locked(session, account_id)
        record(session, AccountEventKind.LOGIN_ENDED, account_id, actor, now, "all")
        await end_all_logins(session, account_id)
