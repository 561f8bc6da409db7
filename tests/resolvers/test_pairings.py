"""Pairing a screen: the code, the questions of the screen, and a commander's answer."""

import datetime as dt

import pytest
import sqlalchemy as sa

import models
from models import Role, TokenKind
from models.db.database import Database
from models.db.tables import table_of
from resolvers.errors import ErrorCode, RequestError
from resolvers.pairings import (
    ALPHABET,
    INTERVAL,
    LIFETIME,
    OF_ADDRESS_MAXIMUM,
    OPEN_MAXIMUM,
    ask_for_token,
    confirm_pairing,
    deny_pairing,
    list_pairings,
    plain_code,
    shown_code,
    start_pairing,
)
from resolvers.tokens import TTL_MAXIMUM, revoke_token
from tests.conftest import NOW
from tests.support.actors import contents

SECOND = dt.timedelta(seconds=1)
ADDRESS, KEY = "192.0.2.7", "0123456789abcdef"


async def asked(database: Database, device_code: str, now: dt.datetime = NOW) -> ErrorCode:
    with pytest.raises(RequestError) as refused:
        await ask_for_token(database, device_code, KEY, now)
    return refused.value.code


async def test_a_confirmed_screen_gets_a_token_of_its_own(database: Database) -> None:
    one, other = [await start_pairing(database, ADDRESS, NOW) for _ in range(2)]
    assert {len(one.user_code), len(other.user_code)} == {8}
    assert set(one.user_code) <= set(ALPHABET)
    assert [p.user_code for p in await list_pairings(database, NOW)] == [other.user_code, one.user_code]
    assert await asked(database, one.device_code) is ErrorCode.AUTHORIZATION_PENDING
    confirmed = await confirm_pairing(database, shown_code(one.user_code).lower(), " 大厅 ", "account:3", NOW)
    token = await ask_for_token(database, one.device_code, KEY, NOW)
    assert (token.id, token.kind, token.role, token.name) == (confirmed.id, TokenKind.SCREEN, Role.WALL, "大厅")
    assert (token.issued_by, token.key_id, token.expires_at) == ("account:3", KEY, NOW + TTL_MAXIMUM)
    # The answer may have been lost on its way.
    assert (await ask_for_token(database, one.device_code, KEY, NOW + 60 * SECOND)).jti == token.jti
    assert await asked(database, one.device_code, NOW + LIFETIME) is ErrorCode.EXPIRED
    assert await asked(database, other.device_code) is ErrorCode.AUTHORIZATION_PENDING


async def test_the_database_has_no_device_code(database: Database) -> None:
    started = await start_pairing(database, ADDRESS, NOW)
    assert started.device_code not in str(await contents(database, models.Pairing))


async def test_a_code_counts_once_and_for_ten_minutes(database: Database) -> None:
    one, other, late = [await start_pairing(database, ADDRESS, NOW) for _ in range(3)]
    await confirm_pairing(database, one.user_code, "one", "account:3", NOW)
    await deny_pairing(database, other.user_code, NOW)
    assert await asked(database, other.device_code) is ErrorCode.ACCESS_DENIED
    for code, now in ((one.user_code, NOW), (other.user_code, NOW), (late.user_code, NOW + LIFETIME), ("", NOW)):
        with pytest.raises(RequestError) as refused:
            await confirm_pairing(database, code, "two", "account:3", now)
        assert refused.value.code is ErrorCode.NOT_FOUND
        with pytest.raises(RequestError) as refused:
            await deny_pairing(database, code, now)
        assert refused.value.code is ErrorCode.NOT_FOUND
    assert await asked(database, late.device_code, NOW + LIFETIME) is ErrorCode.EXPIRED
    assert await asked(database, "no device code") is ErrorCode.EXPIRED


async def test_a_name_in_use_leaves_the_pairing_open(database: Database) -> None:
    one, other = [await start_pairing(database, ADDRESS, NOW) for _ in range(2)]
    first = await confirm_pairing(database, one.user_code, "大厅", "account:3", NOW)
    with pytest.raises(RequestError) as refused:
        await confirm_pairing(database, other.user_code, "大厅", "account:3", NOW)
    assert refused.value.code is ErrorCode.NAME_TAKEN
    assert await asked(database, other.device_code) is ErrorCode.AUTHORIZATION_PENDING
    await confirm_pairing(database, other.user_code, "左厅", "account:3", NOW)
    await revoke_token(database, first.id, "account:3", NOW)
    assert await asked(database, one.device_code) is ErrorCode.ACCESS_DENIED


async def test_a_screen_that_asks_too_often_is_slowed(database: Database) -> None:
    started = await start_pairing(database, ADDRESS, NOW)
    now, intervals = NOW, []
    for seconds, expected in (
        (0, ErrorCode.AUTHORIZATION_PENDING),
        (INTERVAL, ErrorCode.AUTHORIZATION_PENDING),
        (INTERVAL - 2, ErrorCode.SLOW_DOWN),
        (INTERVAL, ErrorCode.SLOW_DOWN),
        (2 * INTERVAL, ErrorCode.SLOW_DOWN),
        (4 * INTERVAL, ErrorCode.AUTHORIZATION_PENDING),
    ):
        now += seconds * SECOND
        assert await asked(database, started.device_code, now) is expected
        [pairing] = await list_pairings(database, now)
        intervals.append(pairing.interval)
    assert intervals == [5, 5, 10, 15, 20, 20]


async def test_only_so_many_screens_wait(database: Database) -> None:
    for _ in range(OF_ADDRESS_MAXIMUM):
        await start_pairing(database, ADDRESS, NOW)
    with pytest.raises(RequestError) as refused:
        await start_pairing(database, ADDRESS, NOW)
    assert (refused.value.code, refused.value.retry_after) == (ErrorCode.TOO_MANY, 60)
    for number in range(OPEN_MAXIMUM - OF_ADDRESS_MAXIMUM):
        await start_pairing(database, f"198.51.100.{number}", NOW)
    with pytest.raises(RequestError):
        await start_pairing(database, "203.0.113.1", NOW)
    # Those that have expired are deleted.
    await start_pairing(database, ADDRESS, NOW + LIFETIME)
    async with database.read() as connection:
        assert await connection.scalar(sa.select(sa.func.count()).select_from(table_of(models.Pairing))) == 1


def test_a_code_is_read_however_it_is_typed() -> None:
    assert shown_code("WDJBMJHT") == "WDJB-MJHT"
    for typed in ("WDJB-MJHT", "wdjb mjht", "  wdjbmjht", "WDJB–MJHT"):
        assert plain_code(typed) == "WDJBMJHT"
