"""Audit records are kept for half a year, and say nothing that a person typed."""

import datetime as dt

import sqlalchemy as sa

from models import AccountEvent, AccountEventKind, Login, Role
from models.db.database import Database
from models.db.tables import table_of
from resolvers.accounts.audit import CONSOLE, RETENTION
from resolvers.accounts.logins import ABSOLUTE, Client, find_login, hash_secret
from resolvers.accounts.own import SignIn, complete_sign_in, fail_sign_in
from resolvers.accounts.records import AccountRole, NewAccount, create_account
from tests.conftest import NOW


async def account_of(database: Database) -> int:
    new = NewAccount(name="zhang", full_name="张伟", role=AccountRole(kind=Role.COMMANDER))
    return (await create_account(database, new, CONSOLE, NOW)).id


async def records(database: Database) -> list[AccountEventKind]:
    event = table_of(AccountEvent)
    async with database.read() as connection:
        return list((await connection.execute(sa.select(event.c.kind).order_by(event.c.id))).scalars())


async def test_records_and_logins_are_deleted_after_their_time(database: Database) -> None:
    account = await account_of(database)
    assert dt.timedelta(days=183) <= RETENTION
    await fail_sign_in(database, None, "192.0.2.1", NOW, "password")
    secrets = [
        await complete_sign_in(database, SignIn(account, Client("192.0.2.1"), "password"), NOW + later)
        for later in (dt.timedelta(), ABSOLUTE, RETENTION)
    ]
    assert len(await records(database)) == 5
    await complete_sign_in(
        database, SignIn(account, Client(), "password"), NOW + RETENTION + dt.timedelta(microseconds=1)
    )
    assert await records(database) == [AccountEventKind.SIGNED_IN] * 3
    async with database.read() as connection:
        assert (await connection.execute(sa.select(sa.func.count()).select_from(table_of(Login)))).scalar() == 2
    assert await find_login(database, hash_secret(secrets[0]), NOW + RETENTION, ()) is None
    assert await find_login(database, hash_secret(secrets[2]), NOW + RETENTION, ()) is not None


async def test_a_failure_is_recorded_with_its_address(database: Database) -> None:
    account = await account_of(database)
    await fail_sign_in(database, account, "192.0.2.1", NOW, "password")
    async with database.read() as connection:
        row = (await connection.execute(sa.select(table_of(AccountEvent)).where(sa.text("id = 2")))).one()
    assert (row.kind, row.account_id, row.actor, row.address, row.detail) == (
        AccountEventKind.SIGN_IN_FAILED,
        account,
        None,
        "192.0.2.1",
        "password",
    )
