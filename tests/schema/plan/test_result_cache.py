"""Answers that are given again while others write: each is of a moment between asking and being answered."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from models import EventKind
from models.db.database import Database
from models.db.read_pool import Fetch, ReadPool, Work
from schema.build import Graph
from schema.execution.operation import Operation
from subscriptions import event_log
from tests.conftest import Databases
from tests.support.actors import DUTY, log_after
from tests.support.district import opened
from tests.support.proof_mode import PROVING
from tests.support.random_imports import CAMERAS, INSPECTORS, TOP
from tests.support.register_runs import run_import
from tests.support.reuse_executors import LASTING, Readers
from tests.support.small_register import write_files
from tests.support.worker_handle import settings_url

COUNT = "{ hazards { totalCount } }"
WRITES, ASKING = (500, 8) if PROVING else (25, 3)


@pytest_asyncio.fixture
async def readers(databases: Databases, migrated_url: str, graph: Graph) -> AsyncIterator[Readers]:
    database = Database(await databases.new(migrated_url))
    office = await opened(graph, database)
    await office.hazard()
    elsewhere = Database(settings_url(database))
    yield Readers(graph, database, elsewhere, office.world)
    await elsewhere.close()
    await database.close()


async def report(readers: Readers) -> None:
    given = {"enterprise": readers.world.id("enterprise"), "level": "GENERAL", "description": "隐患"}
    await readers.desk.done(DUTY, "hazardReport", **given)


class Interrupted:
    """Held connections where something happens after the first statement."""

    def __init__(self, held: ReadPool, *, sqlite: bool, happens: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._pool, self._sqlite, self._happens = held, sqlite, happens
        self.happened = False

    async def read(self, work: Work[Any], *, single: bool = False) -> Any:
        loop = asyncio.get_running_loop()

        def watched(fetch: Fetch) -> Any:
            async def fetched(text: str, arguments: list[Any], keys: int | None) -> Any:
                rows = await fetch(text, arguments, keys)
                if not self.happened:
                    self.happened = True
                    if self._sqlite:  # in a thread of its own, which must not await
                        asyncio.run_coroutine_threadsafe(self._happens(), loop).result(30)
                    else:
                        await self._happens()
                return rows

            return work(fetched)

        return await self._pool.read(watched, single=single)

    async def close(self) -> None:
        raise AssertionError("it is another's")


@pytest.mark.parametrize("asked_before", [False, True])
async def test_what_is_written_while_an_answer_is_made_is_in_the_next(readers: Readers, asked_before: bool) -> None:
    held, before = readers.answers._pool, await readers.fresh.run(Operation(COUNT), DUTY)
    if asked_before:
        await readers.compare(COUNT, {}, DUTY)
    between = Interrupted(held, sqlite=readers.database.sqlite, happens=lambda: report(readers))
    readers.answers._pool = between
    during = await readers.reusing.run(Operation(COUNT), DUTY)
    readers.answers._pool = held
    assert between.happened
    assert during.written == before.written
    for _ in range(2):
        await readers.compare(COUNT, {}, DUTY)
    assert (await readers.fresh.run(Operation(COUNT), DUTY)).written != before.written


async def test_who_asks_while_others_write_is_told_of_a_moment_between(readers: Readers) -> None:
    """Hazards are only added here: the head of the log says how many there were."""
    writing = asyncio.create_task(written(readers))
    executions = (readers.reusing, readers.other)
    told = [
        one
        for some in await asyncio.gather(*(asking(readers, e, writing) for e in executions * ASKING))
        for one in some
    ]
    await writing
    events = await log_after(readers.database)
    kinds = (EventKind.HAZARD_REPORTED, EventKind.HAZARD_FOUND)
    numbers = [event.id for event in events if event.kind in kinds]
    for first, count, last in told:
        assert sum(n <= first for n in numbers) <= count <= sum(n <= last for n in numbers)
    assert len({count for _, count, _ in told}) > WRITES / 5
    assert readers.answers.reused > 0


async def written(readers: Readers) -> None:
    for _ in range(WRITES):
        await report(readers)


async def asking(readers: Readers, execution: Any, until: "asyncio.Task[None]") -> list[tuple[int, int, int]]:
    """The head before, the answer, and the head after, again and again."""

    async def head() -> int:
        async with readers.database.read() as connection:
            return (await event_log.state(connection)).head

    told = []
    while not until.done():
        first = await head()
        answer = await execution.run(Operation(COUNT), DUTY)
        told.append((first, answer.data["hazards"]["totalCount"], await head()))
    return told


async def test_a_district_that_comes_without_an_event_is_seen(
    databases: Databases, migrated_url: str, graph: Graph, readers: Readers, tmp_path: Path
) -> None:
    """An import makes it before its rows: until then there is no answer about it that could be given again."""
    database = Database(await databases.new(migrated_url))
    elsewhere = Database(settings_url(database))
    empty = Readers(graph, database, elsewhere, readers.world)

    async def compare() -> None:
        for query in ("{ district { name } }", *LASTING):
            for _ in range(2):
                await empty.compare(query, {}, DUTY)

    await compare()
    # Its only row is bad.
    write_files(tmp_path, cameras=[{"id": "c", "name": "镜头", "enterprise": "nowhere", "online": "true"}])
    outcome, _ = await run_import(database, TOP + CAMERAS, tmp_path)
    assert (outcome.total.bad, await log_after(database)) == (1, [])
    assert (await empty.fresh.run(Operation("{ district { name } }"), DUTY)).data == {"district": {"name": "萧山区"}}
    await compare()
    write_files(tmp_path, inspectors=[{"badge": "b", "name": "检查员"}])
    await run_import(database, TOP + INSPECTORS, tmp_path)
    await compare()
    await elsewhere.close()
    await database.close()
