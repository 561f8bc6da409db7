"""Delays after failed attempts: for the name, for the address, and for an address that the account has used before."""

import datetime as dt

import pytest
import sqlalchemy as sa

from models import Role, SignInDelay
from models.db.database import Database
from models.db.tables import table_of
from resolvers.accounts.audit import CONSOLE
from resolvers.accounts.logins import Client
from resolvers.accounts.own import SignIn, complete_sign_in
from resolvers.accounts.records import AccountRole, NewAccount, create_account
from resolvers.accounts.sign_in_delays import FORGOTTEN, begin_attempt, delay_of, network, take_back
from resolvers.errors import ErrorCode, RequestError
from tests.conftest import NOW

HOME, ELSEWHERE = "192.0.2.1", "198.51.100.{}"


async def seconds_to_wait(database: Database, name: str, address: str, now: dt.datetime = NOW) -> int:
    """Fail once more; how long it has to wait, 0 where it was admitted."""
    try:
        await begin_attempt(database, name, address, now)
    except RequestError as error:
        return (error.retry_after or 0) if error.code is ErrorCode.TOO_MANY else -1
    return 0


async def has_signed_in(database: Database, name: str, address: str) -> None:
    role = AccountRole(kind=Role.COMMANDER)
    account = await create_account(database, NewAccount(name=name, full_name=name, role=role), CONSOLE, NOW)
    await complete_sign_in(database, SignIn(account.id, Client(address), "password"), NOW)


async def test_strangers_do_not_slow_the_owner_down(database: Database) -> None:
    await has_signed_in(database, "zhang", HOME)
    waits = [await seconds_to_wait(database, "zhang", ELSEWHERE.format(n)) for n in range(5)]
    assert waits == [0, 0, 0, 1, 1]
    assert await seconds_to_wait(database, "zhang", HOME) == 0
    assert await seconds_to_wait(database, "zhang", ELSEWHERE.format(99)) == 1


async def test_at_the_owners_address_guessing_is_slowed_as_well(database: Database) -> None:
    await has_signed_in(database, "zhang", HOME)
    assert [await seconds_to_wait(database, "zhang", HOME) for _ in range(4)] == [0, 0, 0, 1]
    # That somebody has signed in there says nothing about other accounts.
    assert [await seconds_to_wait(database, "li", HOME) for _ in range(4)] == [0, 0, 0, 1]


async def test_a_success_forgets_the_failures_by_name_but_not_by_address(database: Database) -> None:
    for number in range(9):
        assert await seconds_to_wait(database, f"name{number}", HOME) == 0
    attempt = await begin_attempt(database, "zhang", HOME, NOW)
    async with database.write() as session:
        await take_back(session, attempt, NOW, forget_name=True)
    assert [await seconds_to_wait(database, "zhang", HOME) for _ in range(2)] == [0, 1]
    assert [await seconds_to_wait(database, "zhang", ELSEWHERE.format(n)) for n in range(3)] == [0, 0, 1]


async def test_an_attempt_that_is_taken_back_did_not_count(database: Database) -> None:
    for _ in range(2):
        assert await seconds_to_wait(database, "zhang", HOME) == 0
    for _ in range(5):
        attempt = await begin_attempt(database, "zhang", HOME, NOW)
        async with database.write() as session:
            await take_back(session, attempt, NOW, forget_name=False)
    assert [await seconds_to_wait(database, "zhang", HOME) for _ in range(2)] == [0, 1]


async def test_failures_are_forgotten_and_their_rows_deleted(database: Database) -> None:
    for _ in range(3):
        await seconds_to_wait(database, "zhang", HOME)
    later = NOW + FORGOTTEN + dt.timedelta(seconds=1)
    assert [await seconds_to_wait(database, "zhang", ELSEWHERE.format(n), later) for n in range(3)] == [0, 0, 0]
    async with database.read() as connection:
        rows = (await connection.execute(sa.select(table_of(SignInDelay).c.key))).scalars().all()
    assert len(rows) == 4  # the name, and three addresses
    assert not any("zhang" in key or "198" in key for key in rows)


@pytest.mark.parametrize(
    ("failures", "seconds"), [(0, 0), (2, 0), (3, 1), (4, 2), (8, 32), (9, 60), (100, 60), (10**9, 60)]
)
def test_delays_double_up_to_a_minute(failures: int, seconds: int) -> None:
    assert delay_of(failures, 3).total_seconds() == seconds


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::/64"),
        (None, ""),
        ("testclient", "testclient"),
    ],
)
def test_a_client_has_one_address_of_version_4_or_a_network_of_version_6(address: str | None, expected: str) -> None:
    assert network(address) == expected
