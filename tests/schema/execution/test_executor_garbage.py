"""Objects of an operation are freed when it ends, without the garbage collector.

The collector comes seldom and holds up everybody while it looks for references in circles. So nothing large may be in
one: neither rows and loaders, nor the nodes of documents, nor the frames of what was cancelled.
"""

import asyncio
from functools import partial

import pytest

from models.db.database import Database
from schema.build import Graph
from schema.execution.documents import Documents
from schema.execution.executor import Executor
from schema.execution.operation import Operation
from schema.plan.cache import PlanCache
from tests.conftest import COMMANDER, make_executor
from tests.support.garbage import garbage
from tests.support.hostile_documents import documents

# A bad id makes graphql-core execute all of it.
FALLBACK = (
    '{ node(id: "x") { id } enterprises(first: 40) { nodes { name hazards(first: 20) { totalCount'
    " nodes { category inspection { kind } } } } } }"
)
PLANNED = "{ enterprises(first: 40) { nodes { name hazards(first: 20) { nodes { category } } } } }"
SOME = 4  # one in so many hostile documents is analysed
OF_DOCUMENTS = {"DocumentParser", "EnterLeaveVisitor", "FieldNode", "NodeLocation", "Token", "frame"}
OF_EXECUTIONS = {"Context", "Loader", "PacedExecutor", "Record", "Row", "Run", "Task", "coroutine", "frame"}


@pytest.mark.database_independent
def test_analysed_documents_leave_nothing_large(graph: Graph) -> None:
    """Neither valid nor invalid ones."""
    analysed = Documents(graph, partial(PlanCache, graph, sqlite=True), introspection=True)
    texts = [text for _, _, text in documents()][::SOME]
    with garbage() as types:
        for text in texts:
            analysed.analyse(text, None)
    assert not OF_DOCUMENTS & set(types), types


async def ask(executor: Executor, query: str) -> None:
    response = await executor.run(Operation(query), COMMANDER)
    response.json()


async def abandon(executor: Executor, query: str, iterations: int) -> None:
    """Cancel an operation after so many iterations of the event loop."""
    asking = asyncio.ensure_future(ask(executor, query))
    for _ in range(iterations):
        await asyncio.sleep(0)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)


async def abandon_executions(graph: Graph, url: str) -> None:
    """Check what whole and abandoned executions leave."""
    database = Database(url)
    executor = make_executor(graph, database)
    for query in (FALLBACK, PLANNED):
        await ask(executor, query)
        with garbage() as types:
            await ask(executor, query)
            for iterations in (5, 20, 50, 100, 200, 500):
                await abandon(executor, query, iterations)
            await ask(executor, PLANNED)  # by then what was cancelled has ended
        assert not OF_EXECUTIONS & set(types), types
    await database.close()


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")  # of graphql-core, when cancelled
def test_executions_leave_nothing_large(graph: Graph, demo: Database) -> None:
    """On an event loop of its own: what servers of other tests leave is not found here."""
    url = demo.url.set(drivername=demo.url.get_backend_name())
    asyncio.run(abandon_executions(graph, url.render_as_string(hide_password=False)))
