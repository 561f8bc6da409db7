"""An event leaves nothing behind in a stream: graphql-core's own way to run subscriptions keeps a part of each.

(3.3.2: `build_per_event_executor` copies the executor, and all copies share a dict that is keyed by new lists.)
"""

import gc
import weakref
from functools import partial

import pytest
from graphql import parse
from graphql.execution.executor import Executor

import models
from models.db.database import Database
from models.visibility import Viewer
from schema.build import Graph
from schema.execution.context import Context, Record
from schema.execution.operation import Operation
from schema.live.renderer import EventRenderer
from schema.live.request import subscription_request
from subscriptions import event_log
from tests.conftest import COMMANDER, make_executor

QUERY = "subscription { updates { id kind at cursor actor { role } enterprise { name zone { name } } } }"
EVENTS = 100


@pytest.mark.database_independent
@pytest.mark.parametrize("planned", [True, False])
async def test_an_event_leaves_nothing_behind(demo: Database, graph: Graph, planned: bool) -> None:
    running = make_executor(graph, demo, planned=planned)
    operation = await running.prepare(Operation(QUERY), COMMANDER)
    opening = subscription_request(graph, operation, COMMANDER.visibility)
    rendering = EventRenderer(
        graph,
        opening,
        lambda visibility: Context(running.reader(Viewer(visibility))),
        partial(running.event_data, operation, COMMANDER),
    )
    async with demo.read() as connection:
        [row] = await event_log.after(connection, 0, 1)

    async def objects() -> int:
        for number in range(EVENTS):
            payload = await rendering.execute(Record(models.Event, row), f"e-{number}")
            assert b'"errors"' not in payload
        gc.collect()
        # Without weak references, of which there is one more or less for each event now and then.
        return sum(not issubclass(type(each), weakref.ReferenceType) for each in gc.get_objects())

    await objects()
    first, second = await objects(), await objects()
    assert second - first < EVENTS  # graphql-core keeps dozens of objects of each event


async def test_the_fault_is_there_that_this_goes_round(graph: Graph) -> None:
    """When it is gone, streams may be executed in graphql-core's own way again."""
    executor = Executor.build(graph._schema, parse(QUERY))
    assert isinstance(executor, Executor)
    copies = [executor.build_per_event_executor(None) for _ in range(2)]
    assert copies[0]._relevant_sub_fields is copies[1]._relevant_sub_fields
