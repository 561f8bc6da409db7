"""Plans answer as graphql-core does: random operations by every role, told in many ways, byte for byte.

graphql-core executes the declarations one field at a time and knows nothing of plans.
"""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial

import orjson
import pytest_asyncio

import models
from models.db.database import Database
from models.visibility import Role, Scope, Viewer, Visibility
from schema.build import Graph
from schema.execution.context import Context, Record
from schema.execution.executor import Executor
from schema.execution.operation import Operation
from schema.live.renderer import EventRenderer
from schema.live.request import subscription_request
from subscriptions import event_log
from tests.conftest import COMMANDER, NOW, SHANGHAI, make_executor
from tests.support.proof_mode import PROVING
from tests.support.proofs import RecordProof
from tests.support.query_variants import disguised
from tests.support.random_queries import Stock, Wanderer
from tests.support.sample_values import cursors, ignore_unawaited, names, richest, texts

OPERATIONS = 10_000 if PROVING else 200
BATCH = 50
EVENTS = 1_000 if PROVING else 60


@dataclass
class Asked:
    """Both ways to execute, and who asks what."""

    planned: Executor
    plain: Executor
    viewers: list[Viewer]
    wanderer: Wanderer
    graph: Graph


@pytest_asyncio.fixture(scope="module")
async def asked(demo: Database, graph: Graph) -> AsyncIterator[Asked]:
    plain = Executor(graph, demo, SHANGHAI, lambda: NOW, planned=False)
    every = await names(demo, None)
    stock = Stock(every, every, await texts(demo), await cursors(plain, COMMANDER, graph))
    [rich] = await richest(demo, 1)
    programs = (frozenset({Scope.READ}), frozenset({Scope.READ, Scope.PERSONAL}), frozenset({Scope.POSITIONS}))
    viewers = [
        COMMANDER,
        COMMANDER,
        Viewer(Visibility(Role.INSPECTOR), inspector=1),
        Viewer(Visibility(Role.ENTERPRISE, enterprise=rich)),
        Viewer(Visibility(Role.ENTERPRISE, enterprise=7)),
        Viewer(Visibility(Role.WALL)),
        *(Viewer(Visibility(Role.INTEGRATOR, scopes)) for scopes in programs),
    ]
    yield Asked(make_executor(graph, demo), plain, viewers, Wanderer(graph, stock), graph)


async def compared(asked: Asked, number: int, found: Counter[str]) -> int:
    """Ask both an operation; counts who answered, and gives the size of what a plan said."""
    viewer = asked.viewers[number % len(asked.viewers)]
    query, variables = disguised(asked.graph._schema, asked.wanderer.operation(number, roots=1), number)
    plan = await asked.planned.run(Operation(query, variables), viewer)
    core = await asked.plain.run(Operation(query, variables), viewer)
    assert core.started, (core.errors, query)
    found["by plan" if plan.written is not None else "with errors" if core.errors else "left"] += 1
    if plan.written is None:
        return 0
    assert core.errors == [], (query, variables)
    assert plan.written == orjson.dumps(core.data), (query, variables, viewer)
    return len(plan.written)


async def test_plans_answer_as_graphql_core_does(asked: Asked, demo: Database, record_proof: RecordProof) -> None:
    found: Counter[str] = Counter()
    size = 0
    for start in range(0, OPERATIONS, BATCH):
        with ignore_unawaited():
            for number in range(start, start + BATCH):
                size += await compared(asked, number, found)
    assert asked.planned.plans is not None
    assert found["by plan"] >= 0.95 * (OPERATIONS - found["with errors"])
    record_proof(
        "plans",
        "Random operations by all roles: a plan and graphql-core give the same bytes",
        {
            "database": "SQLite" if demo.sqlite else "PostgreSQL",
            "operations": f"{OPERATIONS:,}",
            "by plan": f"{found['by plan']:,}",
            "with errors, so by graphql-core": f"{found['with errors']:,}",
            "left to graphql-core though without errors": f"{found['left']:,}",
            "bytes compared": f"{size:,}",
        },
    )


async def test_streams_are_rendered_alike_with_a_plan_and_without(asked: Asked, demo: Database) -> None:
    """The root is an event that was read before."""
    schema = asked.graph._schema
    served = 0
    async with demo.read() as connection:
        events = [Record(models.Event, row) for row in await event_log.after(connection, 0, EVENTS)]
    plans = asked.planned.plans
    assert plans is not None
    with ignore_unawaited():
        for number, event in enumerate(events):
            viewer = asked.viewers[number % 6]
            selection = asked.wanderer.selection(schema.type_map["Event"], number)
            query, variables = disguised(schema, f"subscription {{ updates {{ {selection} }} }}", number)
            operation = asked.planned.prepare(Operation(query, variables))
            opening = subscription_request(asked.graph, operation, viewer.visibility)
            before = plans.served
            rendered = [
                await EventRenderer(
                    asked.graph,
                    opening,
                    lambda visibility: Context(asked.plain.reader(Viewer(visibility))),
                    partial(running.event_data, operation, viewer),
                ).execute(event, f"e-{number}")
                for running in (asked.planned, asked.plain)
            ]
            served += plans.served > before
            first, second = map(orjson.loads, rendered)
            if "errors" not in second:
                assert rendered[0] == rendered[1], query
            else:
                assert "errors" in first
    assert served > EVENTS // 2
