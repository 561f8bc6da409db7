"""Each transaction succeeds, fails or is cancelled by itself, though SQLite commits those that wait together."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from models.db import commits, sqlite_writer
from models.db.commits import CommitUncertain
from models.db.database import Database
from tests.support.endless_statements import endless, until_running
from tests.support.held_commits import before_commits
from tests.support.patience import PATIENCE

TOWN = sa.table("town", sa.column("id"), sa.column("code"), sa.column("name"))
# Inserts for ever. SQLite undoes the whole transaction when it is interrupted.
ENDLESS_INSERT = """INSERT INTO town (id, code, name) WITH RECURSIVE c(x) AS (SELECT 100 UNION ALL SELECT x + 1 FROM c)
SELECT x, x, 'a' FROM c"""

Work = Callable[[AsyncSession], Coroutine[Any, Any, int]]


def adding(key: int, *, failing: bool = False, runs: list[int] | None = None) -> Work:
    """Work that adds a town and returns its key; a failing one raises ValueError after that."""

    async def work(session: AsyncSession) -> int:
        if runs is not None:
            runs.append(key)
        await session.execute(sa.insert(TOWN).values(id=key, code=f"3301090{key:02}", name="镇"))
        if failing:
            raise ValueError(key)
        return key

    return work


def never_ending(statement: str, begun: threading.Event) -> Work:
    async def work(session: AsyncSession) -> int:
        begun.set()
        await session.execute(sa.text(statement))
        return 0

    return work


async def towns(database: Database) -> list[int]:
    async with database.read() as connection:
        return list((await connection.execute(sa.select(TOWN.c.id).order_by(TOWN.c.id))).scalars())


def start(database: Database, *works: Work) -> "list[asyncio.Task[int]]":
    return [asyncio.create_task(database.transaction(work)) for work in works]


class HeldCommit:
    """Holds the first commit, that of town 1, while the block runs. What the block starts then waits together."""

    def __init__(self, database: Database) -> None:
        self.commits = 0
        self.error: Exception | None = None  # raised in place of later commits
        self._database, self._hook = database, before_commits(database, self._hold)
        self._held, self._go_on = asyncio.Event(), asyncio.Event()

    async def _hold(self) -> None:
        self.commits += 1
        self._held.set()
        await self._go_on.wait()
        if self.commits > 1 and self.error is not None:
            raise self.error

    async def __aenter__(self) -> "HeldCommit":
        self._hook.__enter__()
        [self.write] = start(self._database, adding(1))
        await asyncio.wait_for(self._held.wait(), PATIENCE)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._go_on.set()

    async def results(self, *writes: "asyncio.Task[int]") -> list[int | BaseException]:
        """The results or errors of the first write and of others."""
        async with asyncio.timeout(PATIENCE):
            results = await asyncio.gather(self.write, *writes, return_exceptions=True)
        self._hook.__exit__(None, None, None)
        return list(results)


async def test_a_write_that_fails_harms_no_other(database: Database) -> None:
    works = [adding(key, failing=key % 3 == 0) for key in range(1, 10)]
    async with asyncio.timeout(PATIENCE):
        results = await asyncio.gather(*start(database, *works), return_exceptions=True)
    assert [result for result in results if isinstance(result, int)] == [1, 2, 4, 5, 7, 8] == await towns(database)
    assert [str(result) for result in results if isinstance(result, ValueError)] == ["3", "6", "9"]


async def test_a_running_write_that_is_cancelled_is_undone(database: Database) -> None:
    begun = threading.Event()

    async def add_and_read(session: AsyncSession) -> int:
        await adding(1)(session)
        return await never_ending(endless(database), begun)(session)

    [writing] = start(database, add_and_read)
    await asyncio.to_thread(begun.wait, PATIENCE)
    writing.cancel()
    await asyncio.wait({writing}, timeout=PATIENCE)
    assert writing.cancelled()
    assert await asyncio.wait_for(database.transaction(adding(2)), PATIENCE) == 2
    assert await towns(database) == [2]
    await until_running(database, 0)


async def test_a_commit_that_has_begun_is_carried_through(database: Database) -> None:
    async with HeldCommit(database) as held:
        held.write.cancel()
        await asyncio.sleep(0)
        assert not held.write.done()
    await held.results()
    assert held.write.cancelled()
    assert await towns(database) == [1]


async def test_a_commit_that_never_ends_is_uncertain(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commits, "COMMIT_SECONDS", 0.0)
    errors: list[BaseException] = []

    async def write() -> None:
        try:
            await database.transaction(adding(1))
        except BaseException as error:
            errors.append(error)
            raise

    held, never = asyncio.Event(), asyncio.get_running_loop().create_future()

    async def hold() -> None:
        held.set()
        await never

    with before_commits(database, hold):
        writing = asyncio.create_task(write())
        await held.wait()
        writing.cancel()
        await asyncio.wait({writing}, timeout=PATIENCE)
        assert [type(error) for error in errors] == [CommitUncertain]
        if not never.done():
            never.set_exception(TimeoutError())
    assert await asyncio.wait_for(database.transaction(adding(2)), PATIENCE) == 2


# -- groups --


@pytest.fixture
def sqlite(database: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    """A database whose groups may take as long as they like."""
    if not database.sqlite:
        pytest.skip("PostgreSQL commits transactions one by one")
    monkeypatch.setattr(sqlite_writer, "GROUP_SECONDS", PATIENCE)
    return database


async def test_writes_that_wait_together_share_a_commit(sqlite: Database) -> None:
    async with HeldCommit(sqlite) as held:
        others = start(sqlite, *(adding(key, failing=key == 5) for key in range(2, 10)))
        await asyncio.sleep(0)
    results = await held.results(*others)
    assert [result for result in results if isinstance(result, int)] == [1, 2, 3, 4, 6, 7, 8, 9] == await towns(sqlite)
    assert held.commits == 2


async def test_a_write_that_is_cancelled_before_its_turn_does_not_run(sqlite: Database) -> None:
    runs: list[int] = []
    async with HeldCommit(sqlite) as held:
        others = start(sqlite, *(adding(key, runs=runs) for key in (2, 3, 4)))
        await asyncio.sleep(0)
        others[1].cancel()
        await asyncio.wait({others[1]}, timeout=PATIENCE)
        assert others[1].cancelled()
    await held.results(others[0], others[2])
    assert await towns(sqlite) == [1, 2, 4]


async def test_writes_run_again_when_another_of_their_group_broke_the_transaction(sqlite: Database) -> None:
    runs: list[int] = []
    begun = threading.Event()
    async with HeldCommit(sqlite) as held:
        works = [adding(2, runs=runs), never_ending(ENDLESS_INSERT, begun), adding(3, runs=runs)]
        others = start(sqlite, *works)
        await asyncio.sleep(0)
    await asyncio.to_thread(begun.wait, PATIENCE)
    others[1].cancel()
    assert (await held.results(*others))[:2] == [1, 2]
    assert others[1].cancelled()
    assert others[2].result() == 3
    assert await towns(sqlite) == [1, 2, 3]
    assert runs == [2, 2, 3]


async def test_a_commit_that_fails_is_the_failure_of_its_whole_group(sqlite: Database) -> None:
    async with HeldCommit(sqlite) as held:
        others = start(sqlite, adding(2), adding(3, failing=True), adding(4))
        await asyncio.sleep(0)
        held.error = OSError("the disk is full")
    results = await held.results(*others)
    assert [type(result) for result in results] == [int, OSError, ValueError, OSError]
    assert await towns(sqlite) == [1]
    assert await asyncio.wait_for(sqlite.transaction(adding(2)), PATIENCE) == 2
