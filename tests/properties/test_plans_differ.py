"""Plans give byte for byte the data that graphql-core gives, for random operations by every role.

graphql-core resolves the same declarations one field at a time and does not use plans.
"""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial

import orjson
import pytest
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
from tests.support.query_variants import rewritten
from tests.support.random_queries import ArgumentPool, QueryGenerator
from tests.support.sample_values import codes, cursors, ignore_unawaited, names, richest, texts

OPERATIONS = 10_000 if PROVING else 100
BATCH = 50
EVENTS = 1_000 if PROVING else 36


@dataclass
class Comparison:
    """An executor with plans and one without, random viewers and operations."""

    planned: Executor
    plain: Executor
    viewers: list[Viewer]
    queries: QueryGenerator
    graph: Graph


@pytest_asyncio.fixture(scope="module")
async def comparison(demo: Database, graph: Graph) -> AsyncIterator[Comparison]:
    plain = Executor(graph, demo, SHANGHAI, lambda: NOW, planned=False)
    every = await names(demo, None)
    pool = ArgumentPool(every, every, await texts(demo), await cursors(plain, COMMANDER, graph), await codes(demo))
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
    yield Comparison(make_executor(graph, demo, cost_limit=10**15), plain, viewers, QueryGenerator(graph, pool), graph)


async def compare(comparison: Comparison, number: int, counts: Counter[str]) -> int:
    """Run an operation both ways and count which executor answered; the size of the plan's data in bytes."""
    viewer = comparison.viewers[number % len(comparison.viewers)]
    query, variables = rewritten(comparison.graph._schema, comparison.queries.operation(number, roots=1), number)
    prepared = await comparison.planned.prepare(Operation(query, variables), viewer)
    plan = await comparison.planned.execute(prepared, viewer)
    core = await comparison.plain.execute(prepared, viewer)
    assert core.started, (core.errors, query)
    counts["by plan" if plan.written is not None else "with errors" if core.errors else "left"] += 1
    if plan.written is None:
        return 0
    assert core.errors == [], (query, variables)
    assert plan.written == orjson.dumps(core.data), (query, variables, viewer)
    return len(plan.written)


@pytest.mark.usefixtures("unlimited_documents")
async def test_a_plan_gives_the_same_bytes_as_graphql_core(
    comparison: Comparison, demo: Database, record_proof: RecordProof
) -> None:
    counts: Counter[str] = Counter()
    size = 0
    for start in range(0, OPERATIONS, BATCH):
        with ignore_unawaited():
            for number in range(start, start + BATCH):
                size += await compare(comparison, number, counts)
    assert comparison.planned.plans is not None
    assert counts["by plan"] >= 0.95 * (OPERATIONS - counts["with errors"])
    record_proof(
        "plans",
        "Random operations by all roles: a plan and graphql-core give the same bytes",
        {
            "database": "SQLite" if demo.sqlite else "PostgreSQL",
            "operations": f"{OPERATIONS:,}",
            "by plan": f"{counts['by plan']:,}",
            "with errors, so by graphql-core": f"{counts['with errors']:,}",
            "left to graphql-core though without errors": f"{counts['left']:,}",
            "bytes compared": f"{size:,}",
        },
    )


@pytest.mark.usefixtures("unlimited_documents")
async def test_an_event_is_rendered_the_same_with_and_without_a_plan(comparison: Comparison, demo: Database) -> None:
    """The root value is an event's record, which was read before."""
    schema = comparison.graph._schema
    served = 0
    async with demo.read() as connection:
        events = [Record(models.Event, row) for row in await event_log.after(connection, 0, EVENTS)]
    plans = comparison.planned.plans
    assert plans is not None
    with ignore_unawaited():
        for number, event in enumerate(events):
            viewer = comparison.viewers[number % 6]
            selection = comparison.queries.selection(schema.type_map["Event"], number)
            query, variables = rewritten(schema, f"subscription {{ updates {{ {selection} }} }}", number)
            operation = await comparison.planned.prepare(Operation(query, variables), viewer)
            request = subscription_request(comparison.graph, operation, viewer.visibility)
            before = plans.served
            rendered = [
                await EventRenderer(
                    comparison.graph,
                    request,
                    lambda visibility: Context(comparison.plain.reader(Viewer(visibility))),
                    partial(executor.event_data, operation, viewer),
                ).execute(event, f"e-{number}")
                for executor in (comparison.planned, comparison.plain)
            ]
            served += plans.served > before
            by_plan, by_core = (orjson.loads(bytes(each)) for each in rendered)
            if "errors" not in by_core:
                assert rendered[0] == rendered[1], query
            else:
                assert "errors" in by_plan
    assert served > EVENTS // 2
