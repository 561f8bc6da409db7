"""A document is analysed once, a long one in a thread, and plans are compiled there: the event loop serves others."""

import asyncio
import threading
from typing import Any

import pytest

from models.db.database import Database
from resolvers.errors import RequestError
from schema.build import Graph
from schema.execution.documents import SHORT, Documents
from schema.execution.executor import Executor
from schema.execution.operation import Operation
from schema.plan.cache import PlanCache
from tests.conftest import COMMANDER, make_executor
from tests.support.large_documents import many

pytestmark = pytest.mark.database_independent

LONG = f"{{ zones {{ {many('x#: name', 100)} }} }}"
assert len(LONG) > SHORT


@pytest.fixture
def executor(graph: Graph, demo: Database) -> Executor:
    return make_executor(graph, demo)


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> dict[str, set[str]]:
    """By step, the threads in which it ran."""
    ran: dict[str, set[str]] = {"analysis": set(), "plan": set()}

    def recorded(step: str, method: Any) -> Any:
        def record(*arguments: Any) -> Any:
            ran[step].add(threading.current_thread().name.partition("_")[0])
            return method(*arguments)

        return record

    monkeypatch.setattr(Documents, "analyse", recorded("analysis", Documents.analyse))
    monkeypatch.setattr(PlanCache, "compile", recorded("plan", PlanCache.compile))
    return ran


@pytest.mark.parametrize(("query", "where"), [("{ zones { id } }", "MainThread"), (LONG, "analysis")])
async def test_long_documents_and_plans_are_left_to_the_thread(
    executor: Executor, threads: dict[str, set[str]], query: str, where: str
) -> None:
    response = await executor.run(Operation(query), COMMANDER)
    assert response.errors == []
    assert threads == {"analysis": {where}, "plan": {"analysis"}}


async def test_a_known_document_is_prepared_at_once(executor: Executor) -> None:
    operation = Operation(LONG)
    assert executor.known(operation, COMMANDER) is None
    prepared = await executor.prepare(operation, COMMANDER)
    known = executor.known(operation, COMMANDER)
    assert known is not None
    assert known.parsed is prepared.parsed
    assert known.cost == prepared.cost
    with pytest.raises(StopIteration):  # it never waits
        executor.prepare(operation, COMMANDER).send(None)


async def test_the_errors_of_a_known_document_are_raised_at_once(executor: Executor) -> None:
    operation = Operation(LONG.replace("name", "nme"))
    for _ in range(2):
        with pytest.raises(RequestError, match="Cannot query field 'nme'"):
            await executor.prepare(operation, COMMANDER)
    with pytest.raises(RequestError, match="Cannot query field 'nme'"):
        executor.known(operation, COMMANDER)


async def test_requests_of_one_document_have_it_analysed_once(
    executor: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    analysed: list[str] = []
    analyse = Documents.analyse

    def record(self: Documents, text: str, name: str | None) -> Any:
        analysed.append(text)
        return analyse(self, text, name)

    monkeypatch.setattr(Documents, "analyse", record)
    prepared = await asyncio.gather(*(executor.prepare(Operation(LONG), COMMANDER) for _ in range(20)))
    assert analysed == [LONG]
    assert len({id(one.parsed) for one in prepared}) == 1


async def test_the_loop_serves_others_while_a_document_is_analysed(
    executor: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, may_end = threading.Event(), threading.Event()
    analyse = Documents.analyse

    def wait(self: Documents, text: str, name: str | None) -> Any:
        if text == LONG:
            begun.set()
            assert may_end.wait(30)
        return analyse(self, text, name)

    monkeypatch.setattr(Documents, "analyse", wait)
    known = await executor.prepare(Operation("{ zones { id } }"), COMMANDER)
    await executor.execute(known, COMMANDER)
    waiting = asyncio.create_task(executor.run(Operation(LONG), COMMANDER))
    await asyncio.to_thread(begun.wait, 30)
    assert (await executor.execute(known, COMMANDER)).errors == []
    may_end.set()
    assert (await waiting).errors == []
