"""What the poll of each second forgets, ends and writes, and what it costs."""

import datetime as dt
from typing import Any

import pytest
import pytest_asyncio
import sqlalchemy as sa

import models
from models.db.database import Database
from models.db.tables import table_of
from models.visibility import Role
from resolvers.accounts.logins import Client, hash_secret, start_login
from resolvers.errors import RequestError
from tests.conftest import NOW, StatementCounter
from tests.support.actors import change
from tests.support.tokens import TOKENS, WALL, issue
from web.auth.credentials import Credentials
from web.auth.sessions import Authenticator

TOKEN, LOGIN, ACCOUNT = (table_of(model) for model in (models.Token, models.Login, models.Account))
SECOND = dt.timedelta(seconds=1)


class Desk:
    """An authenticator at a time that the test sets, with a wall's token and a commander's login."""

    def __init__(self, database: Database) -> None:
        self.database, self.now = database, NOW
        self.authenticator = Authenticator(TOKENS, database, lambda: self.now, None, demo=True)
        self.token = self.login = Credentials("bearer", "")

    async def prepare(self) -> "Desk":
        self.token = Credentials("bearer", await issue(self.database, role=Role.WALL, name="wall"))
        async with self.database.write() as session:
            account = models.Account(name="li.wei", full_name="李伟", role=Role.COMMANDER)
            session.add(account)
            await session.flush()
            self.login = Credentials("cookie", await start_login(session, account.id, Client(), NOW))
        return self

    async def is_refused(self, credentials: Credentials) -> bool:
        try:
            await self.authenticator.authenticate(credentials)
        except RequestError:
            return True
        return False

    async def last_use(self) -> tuple[Any, Any]:
        async with self.database.read() as connection:
            token = await connection.scalar(sa.select(TOKEN.c.last_used_at))
            return token, await connection.scalar(sa.select(LOGIN.c.last_seen_at))


@pytest_asyncio.fixture
async def desk(database: Database) -> Desk:
    return await Desk(database).prepare()


async def test_a_login_is_its_person(desk: Desk) -> None:
    viewer = await desk.authenticator.authenticate(desk.login)
    assert viewer is not None
    assert (viewer.identity, viewer.role, viewer.name) == ("account:1", Role.COMMANDER, "李伟")
    assert await desk.is_refused(Credentials("cookie", "unknown"))
    # What the database keeps is not the secret.
    assert await desk.is_refused(Credentials("cookie", hash_secret(desk.login.secret)))


@pytest.mark.parametrize(
    ("name", "statement"),
    [
        ("token", sa.update(TOKEN).values(revoked_at=NOW)),
        ("token", sa.delete(TOKEN)),
        ("login", sa.delete(LOGIN)),
        ("login", sa.update(ACCOUNT).values(disabled_at=NOW)),
        ("login", sa.update(ACCOUNT).values(must_change=True)),
        ("login", sa.update(ACCOUNT).values(role=Role.WALL)),
    ],
    ids=str,
)
async def test_the_poll_ends_and_forgets_what_counts_no_more(desk: Desk, name: str, statement: sa.Executable) -> None:
    credentials: Credentials = getattr(desk, name)
    other = desk.login if name == "token" else desk.token
    ended = list[Credentials]()
    for each in (credentials, other):
        session = await desk.authenticator.open_session(each)
        session.on_revoked = lambda each=each: ended.append(each)  # type: ignore[misc]  # bound now
    await change(desk.database, statement)
    assert not await desk.is_refused(credentials)  # it is cached
    await desk.authenticator.poll()
    assert ended == [credentials]
    # With another role it counts again, for what is opened from now on.
    viewer = None if await desk.is_refused(credentials) else await desk.authenticator.authenticate(credentials)
    assert (None if viewer is None else viewer.role) is (Role.WALL if "role" in str(statement) else None)
    await desk.authenticator.poll()
    assert ended == [credentials]


async def test_a_changed_name_ends_nothing(desk: Desk) -> None:
    session = await desk.authenticator.open_session(desk.login)
    await change(desk.database, sa.update(ACCOUNT).values(full_name="李伟平"))
    await desk.authenticator.poll()
    assert not session.revoked


async def test_an_expired_session_is_left_to_its_own_timer(desk: Desk) -> None:
    session = await desk.authenticator.open_session(desk.token)
    desk.now += dt.timedelta(hours=1)
    await desk.authenticator.poll()
    assert not session.revoked
    assert desk.authenticator.seconds_left(session.viewer) == 0


async def test_the_poll_takes_one_statement_for_each_kind(desk: Desk) -> None:
    tokens = [await issue(desk.database, role=Role.WALL, name=f"wall {n}") for n in range(20)]
    with StatementCounter(desk.database) as counter:
        await desk.authenticator.poll()
    assert counter.texts == []
    for token in tokens:
        await desk.authenticator.open_session(Credentials("bearer", token))
    await desk.authenticator.authenticate(desk.login)
    # A demo's token of a role without a row needs no look-up.
    await desk.authenticator.open_session(Credentials("bearer", TOKENS.make(WALL)))
    with StatementCounter(desk.database) as counter:
        await desk.authenticator.poll()
    assert len(counter.texts) == 2


async def test_the_last_use_is_written_once_a_minute_and_at_the_end(desk: Desk) -> None:
    session = await desk.authenticator.open_session(desk.token)
    await desk.authenticator.authenticate(desk.login)
    desk.now += 59 * SECOND
    await desk.authenticator.poll()
    assert await desk.last_use() == (None, NOW)
    desk.now += SECOND
    await desk.authenticator.poll()
    # An open stream is a use, however quiet it is.
    first = desk.now
    assert await desk.last_use() == (first, first)
    desk.now += 61 * SECOND
    await desk.authenticator.poll()
    assert await desk.last_use() == (desk.now, first)
    session.release()
    desk.now += 61 * SECOND
    await desk.authenticator.authenticate(desk.login)
    await desk.authenticator.stop()
    assert await desk.last_use() == (desk.now - 61 * SECOND, desk.now)
