"""An operation that takes longer than the deadline is stopped on every path, and so is one that is cancelled."""

import asyncio
from typing import Any

import pytest
import sqlalchemy as sa

from models.db.database import Database
from resolvers.errors import ErrorCode
from schema.build import Graph
from schema.execution.bounds import ANSWER_LIMIT, Bounds, OperationStopped, Run
from schema.execution.executor import Executor
from schema.execution.operation import GraphQLResponse, Operation
from tests.conftest import COMMANDER, NOW, SHANGHAI, Databases
from tests.support.actors import DUTY, small_world
from tests.support.endless_statements import endless, endless_reads, until_running, writing_engine
from tests.support.held_commits import before_commits
from tests.support.patience import PATIENCE

SOON, LATE = 0.2, 3_600.0  # deadlines in seconds

QUERIES = {
    "rows": "{ enterprises(first: 2) { nodes { name hazards(first: 2) { nodes { id } } } } }",
    "one": '{ zone(by: {code: "guali"}) { name } }',
    "nearest": "{ enterprises(first: 2) { nodes { nearest(kinds: [EXPERT]) { distanceMetres } } } }",
    "nearby": "{ nearby(point: {latitude: 30, longitude: 120}, kinds: [CAMERA]) { distanceMetres } }",
    "portraits": "{ zones { portrait { inspections } } }",
    "search": '{ search(text: "a") { matched } }',
    "events": "{ events(last: 2) { nodes { id } } }",
}
REPORT = "mutation($input: InspectorReportPositionInput!) { inspectorReportPosition(input: $input) { __typename } }"
WARN = """mutation($input: WarningIssueInput!) { warningIssue(input: $input) {
  __typename ... on WarningIssued { cursor warning { headline } } } }"""
TWICE = """mutation($a: WarningIssueInput!, $b: WarningIssueInput!) {
  a: warningIssue(input: $a) { __typename } b: warningIssue(input: $b) { __typename } }"""


def executor(graph: Graph, database: Database, seconds: float, *, planned: bool = True, notify: Any = None) -> Executor:
    notify = notify or (lambda: None)
    return Executor(graph, database, SHANGHAI, lambda: NOW, planned=planned, deadline=seconds, notify=notify)


def expire(running: Executor) -> None:
    """Stop the executor's operations now, as their deadline would."""
    for run in list(running.bounds._runs):
        run.stop(ErrorCode.TIMEOUT)


def warning(headline: str, **more: Any) -> dict[str, Any]:
    return {"kind": "RAINSTORM", "level": "BLUE", "headline": headline, **more}


def timed_out(response: GraphQLResponse) -> bool:
    assert response.started
    assert response.data is None
    return [error["extensions"]["code"] for error in response.errors] == ["TIMEOUT"]


async def headlines(database: Database) -> list[str]:
    async with database.read() as connection:
        return list((await connection.execute(sa.text("SELECT headline FROM warning ORDER BY id"))).scalars())


@pytest.mark.parametrize("planned", [True, False], ids=["plan", "graphql-core"])
@pytest.mark.parametrize("name", QUERIES)
async def test_a_query_that_takes_too_long_is_stopped(graph: Graph, demo: Database, name: str, planned: bool) -> None:
    running = executor(graph, demo, LATE, planned=planned)
    with endless_reads(demo) as begun:
        for number in range(4):  # as many as hold every thread of SQLite
            task = asyncio.create_task(running.run(Operation(QUERIES[name]), COMMANDER))
            async with asyncio.timeout(PATIENCE):
                while len(begun) <= number:
                    await asyncio.sleep(0.001)
            await until_running(demo, 1)
            await asyncio.sleep(0.02)  # by then SQLite usually runs it too; an earlier end is as good
            expire(running)
            assert timed_out(await asyncio.wait_for(task, PATIENCE))
    await until_running(demo, 0)
    relaxed = executor(graph, demo, LATE, planned=planned)
    assert (await relaxed.run(Operation(QUERIES[name]), COMMANDER)).errors == []
    pool: Any = demo.engine.pool
    assert pool.checkedout() == 0


@pytest.mark.parametrize("planned", [True, False], ids=["plan", "graphql-core"])
async def test_cancelling_the_task_stops_everything(graph: Graph, demo: Database, planned: bool) -> None:
    running = executor(graph, demo, LATE, planned=planned)
    with endless_reads(demo) as begun:
        tasks = [asyncio.create_task(running.run(Operation(QUERIES["nearest"]), COMMANDER)) for _ in range(4)]
        async with asyncio.timeout(PATIENCE):
            while len(begun) < (2 if demo.sqlite and planned else 4):
                await asyncio.sleep(0.001)
        await until_running(demo, 4)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=PATIENCE)
    assert all(task.cancelled() for task in tasks)
    await until_running(demo, 0)
    async with asyncio.timeout(PATIENCE):
        assert (await running.run(Operation(QUERIES["rows"]), COMMANDER)).errors == []
    pool: Any = demo.engine.pool
    assert pool.checkedout() == 0


# -- mutations --


@pytest.mark.parametrize("planned", [True, False], ids=["plan", "graphql-core"])
async def test_a_mutation_before_its_commit_is_rolled_back(graph: Graph, database: Database, planned: bool) -> None:
    await small_world(database)
    operation = Operation(WARN, {"input": warning("晚", clientMutationId="m")})
    with endless_reads(database):
        response = await executor(graph, database, SOON, planned=planned).run(operation, DUTY)
    assert timed_out(response)
    assert response.errors[0]["extensions"]["mutationsFinished"] == 0
    assert await headlines(database) == []
    response = await executor(graph, database, LATE, planned=planned).run(operation, DUTY)
    assert response.data is not None
    assert response.data["warningIssue"]["__typename"] == "WarningIssued"


@pytest.mark.parametrize("planned", [True, False], ids=["plan", "graphql-core"])
async def test_a_mutation_whose_commit_has_begun_is_carried_out(
    graph: Graph, database: Database, planned: bool
) -> None:
    """The response says so, subscribers are notified, and a repeat gets the outcome."""
    await small_world(database)
    notified: list[bool] = []
    running = executor(graph, database, LATE, planned=planned, notify=lambda: notified.append(True))

    async def late() -> None:
        expire(running)

    operation = Operation(WARN, {"input": warning("暴雨", clientMutationId="m")})
    with before_commits(database, late):
        response = await asyncio.wait_for(running.run(operation, DUTY), PATIENCE)
    assert timed_out(response)
    assert response.errors[0]["extensions"]["mutationsFinished"] == 1
    assert notified == [True]
    assert await headlines(database) == ["暴雨"]
    response = await executor(graph, database, LATE, planned=planned).run(operation, DUTY)
    assert response.data is not None
    assert response.data["warningIssue"]["warning"] == {"headline": "暴雨"}
    assert await headlines(database) == ["暴雨"]


async def test_the_response_says_how_many_mutations_have_ended(
    graph: Graph, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await small_world(database)
    running = executor(graph, database, LATE)
    operation = Operation(TWICE, {"a": warning("一"), "b": warning("二")})

    loop, engine = asyncio.get_running_loop(), writing_engine(database)
    inserts: list[str] = []
    commits: list[bool] = []
    never = loop.create_future()

    def second_insert(connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> tuple[str, Any]:
        inserts.extend([statement] if statement.startswith("INSERT INTO warning") else [])
        if len(inserts) < 2:
            return statement, parameters
        loop.call_soon_threadsafe(expire, running)
        return endless(database), ()

    async def second_commit() -> None:
        commits.append(True)
        if len(commits) == 2:
            expire(running)
            await never

    async def finished() -> Any:
        response = await asyncio.wait_for(running.run(operation, DUTY), PATIENCE)
        assert timed_out(response)
        return response.errors[0]["extensions"]["mutationsFinished"]

    sa.event.listen(engine, "before_cursor_execute", second_insert, retval=True)
    assert await finished() == 1
    sa.event.remove(engine, "before_cursor_execute", second_insert)
    assert await headlines(database) == ["一"]
    monkeypatch.setattr("models.db.commits.COMMIT_SECONDS", 0.0)
    with before_commits(database, second_commit):
        assert await finished() is None
    if not never.done():
        never.set_exception(TimeoutError())
    assert await headlines(database) == ["一", "一"]


# -- the deadline itself --


async def test_each_run_expires_after_its_own_time() -> None:
    bounds = Bounds(0.05, ANSWER_LIMIT)

    async def operate(run: Run, number: int) -> int:
        if number % 2:
            await asyncio.Event().wait()
        return number

    for _ in range(3):
        async with asyncio.timeout(PATIENCE):
            works = (bounds.bound(operate, number) for number in range(10))
            results = await asyncio.gather(*works, return_exceptions=True)
        assert [0 if isinstance(result, OperationStopped) else 1 for result in results] == [1, 0] * 5
    assert bounds._runs == {}


async def test_a_task_that_is_cancelled_at_its_deadline_stays_cancelled() -> None:
    runs: list[Run] = []

    async def operate(run: Run) -> None:
        runs.append(run)
        await asyncio.Event().wait()

    task = asyncio.create_task(Bounds(LATE, ANSWER_LIMIT).bound(operate))
    await asyncio.sleep(0)
    runs[0].stop(ErrorCode.TIMEOUT)
    task.cancel()
    await asyncio.wait({task}, timeout=PATIENCE)
    assert task.cancelled()


async def test_a_cancellation_that_comes_as_the_operation_ends_does_not_outlive_it() -> None:
    async def operate(run: Run) -> str:
        run.stop(ErrorCode.TIMEOUT)  # this task does not wait before it ends
        return "ended"

    async def rest() -> str:
        result = await Bounds(LATE, ANSWER_LIMIT).bound(operate)
        await asyncio.sleep(0)
        return result

    assert await asyncio.create_task(rest()) == "ended"


@pytest.mark.database_independent
async def test_without_a_deadline_nothing_is_bounded(graph: Graph, databases: Databases, demo: Database) -> None:
    running = Executor(graph, demo, SHANGHAI, lambda: NOW)
    assert (await running.run(Operation("{ zones { id } }"), COMMANDER)).errors == []
    assert running.bounds._timer is None
