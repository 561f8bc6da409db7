"""JSON written by PostgreSQL is byte for byte what Python would write, whatever the values are."""

import datetime as dt
from collections import Counter
from typing import Any

import orjson
import pytest
import sqlalchemy as sa
from graphql import GraphQLObjectType, get_named_type
from sqlmodel import SQLModel

from models.db.database import Database
from models.visibility import Role, Scope, Viewer, Visibility
from schema.build import Graph
from schema.execution.operation import Operation
from schema.fields.batch import Batch
from schema.fields.columns import Compute
from schema.fields.event_log import Log
from schema.fields.source import LoadField
from schema.plan.sql_json_step import SqlJsonStep
from tests.conftest import COMMANDER, StatementCounter, make_executor
from tests.support.proof_mode import PROVING
from tests.support.query_variants import rewritten
from tests.support.random_queries import ArgumentPool, QueryGenerator
from tests.support.sample_values import codes, cursors, ignore_unawaited, names, texts

OPERATIONS = 10_000 if PROVING else 60
ROOTS = ("zone", "venue", "enterprise", "district", "enterprises", "hazards", "inspections", "cases", "venues", "teams")

# Texts with characters that JSON escapes (quotes, backslashes, control characters), and with others that it does not.
ODD_TEXTS = [
    'a "quoted" \\ back\\\\slash / solidus',
    "".join(map(chr, range(1, 32))) + "\x7f\x80\x9f",
    "化工厂 \u2028\u2029 🏭 e\u0301 \ufeff \ufffd",
    "'; -- $1 %s {0} '' \"\"",
    " ",
    "<script>&amp;</script>",
    "1e5",
    "null",
]
TIMES = [
    dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC),
    dt.datetime(2026, 1, 2, 3, 4, 5, 1, tzinfo=dt.UTC),
    dt.datetime(2026, 1, 2, 3, 4, 5, 500_000, tzinfo=dt.UTC),
    dt.datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=dt.UTC),
    dt.datetime(1900, 1, 1, tzinfo=dt.UTC),
    dt.datetime(9998, 12, 31, 23, 59, 59, 120_000, tzinfo=dt.UTC),
]

FILE = """{ zones { code name focus plan } district { name } enterprises(first: 60, orderBy: {field: UPDATED_AT}) {
  nodes { id name address industry riskGrade hazardousChemicals majorHazardLevel updatedAt
    legalRepresentative { name phone } safetyContact { __typename phone }
    hazards(first: 5, orderBy: {field: DEADLINE}) { __typename nodes {
      id description category foundAt deadline status level fiveFix { responsibility deadline }
      inspection { id summary plannedFor submittedAt inspectors { badge fullName } } } }
    controlMeasures { nodes { id description since } } zone { id nameEn focus } } } }"""


# Doubles: whole ones, the limits beyond which powers of ten are used, and all significant digits.
NUMBERS = [30.0, 30.2, -0.0, 0.0, 120.123456789012, -89.99999999999999, 0.0001, 0.00012, 1 / 3, 90.0, -180.0]
POWERS_OF_TEN = [1e-05, 2.5e-17]  # PostgreSQL and Python write them differently, so Python writes them
PLACES = "{ zones { enterprises(first: 60) { totalCount nodes { id location { latitude longitude } } } } }"
# Queries that take one statement on PostgreSQL, although Python builds a part of the response.
SINGLE_STATEMENT = {
    "a page": """{ hazards(first: 3, filter: {levels: [GENERAL]}) { __typename pageInfo { endCursor hasNextPage }
      nodes { id overdue enterprise { name town { name } hazards(first: 2) { totalCount nodes { id } } } }
      edges { cursor node { id inspection { id inspectors { badge } } } } } }""",
    "rows near a point": """{ nearby(point: {latitude: 30.2, longitude: 120.3}, kinds: [CAMERA, ENTERPRISE], first: 4,
      withinMetres: 9000) { distanceMetres bearingDegrees item { __typename ... on Camera { name online streamUrl }
      ... on Enterprise { name location { longitude } safetyContact { phone } hazards { totalCount } } } } }""",
}


@pytest.fixture
def json_steps(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Counts the root fields whose value a statement wrote as JSON, under "run"."""
    counts: Counter[str] = Counter()
    run = SqlJsonStep.run

    async def count(self: SqlJsonStep, *arguments: Any) -> Any:
        values = await run(self, *arguments)
        counts["run"] += 1
        return values

    monkeypatch.setattr(SqlJsonStep, "run", count)
    return counts


async def fill(database: Database) -> None:
    """Put odd texts and times into all columns that take them."""
    async with database.write() as session:
        named = ("enterprise", "hazard", "inspection", "control_measure", "inspector")
        for table in (SQLModel.metadata.tables[name] for name in named):
            keys = (await session.execute(sa.select(table.c.id).order_by(table.c.id))).scalars().all()
            free = ("name", "address", "industry", "description", "category", "summary", "full_name", "legal_name")
            plain = [c for c in table.c if c.name in free]
            timed = [c for c in table.c if c.name in ("deadline", "found_at", "planned_for", "updated_at")]
            for i, key in enumerate(keys):
                values: dict[str, Any] = {c.name: ODD_TEXTS[(i + j) % len(ODD_TEXTS)] for j, c in enumerate(plain)}
                values |= {c.name: TIMES[(i + j) % len(TIMES)] for j, c in enumerate(timed)}
                await session.execute(sa.update(table).where(table.c.id == key).values(values))


async def test_odd_texts_and_times_are_the_same_in_sql(
    own_demo: Database, graph: Graph, json_steps: Counter[str]
) -> None:
    await fill(own_demo)
    plan = await make_executor(graph, own_demo).run(Operation(FILE), COMMANDER)
    core = await make_executor(graph, own_demo, planned=False).run(Operation(FILE), COMMANDER)
    assert core.errors == []
    data = orjson.dumps(core.data)
    assert plan.written == data
    assert all(orjson.dumps(text)[1:-1] in data for text in ODD_TEXTS)
    # Root fields that take one statement anyway are not written as JSON.
    assert json_steps["run"] == (0 if own_demo.sqlite else 1)


async def test_numbers_are_the_same_in_sql(own_demo: Database, graph: Graph) -> None:
    table = SQLModel.metadata.tables["enterprise"]
    for numbers, planned_in_sql in ((NUMBERS, True), (POWERS_OF_TEN, False)):
        async with own_demo.write() as session:
            for key in range(1, 41):
                number = numbers[key % len(numbers)]
                point = {"latitude": number if abs(number) <= 90 else number / 2, "longitude": number}
                await session.execute(sa.update(table).where(table.c.id == key).values(point))
        planned = make_executor(graph, own_demo)
        plan = await planned.run(Operation(PLACES), COMMANDER)
        core = await make_executor(graph, own_demo, planned=False).run(Operation(PLACES), COMMANDER)
        assert orjson.dumps(plan.data) == orjson.dumps(core.data)
        assert planned.plans is not None
        assert planned.plans.served == (planned_in_sql or own_demo.sqlite)


@pytest.mark.parametrize("query", SINGLE_STATEMENT.values(), ids=SINGLE_STATEMENT)
async def test_related_rows_come_in_the_same_statement(demo: Database, graph: Graph, query: str) -> None:
    planned = make_executor(graph, demo)
    core = await make_executor(graph, demo, planned=False).run(Operation(query), COMMANDER)
    assert core.errors == []
    for _ in range(2):
        with StatementCounter(demo) as statements:
            plan = await planned.run(Operation(query), COMMANDER)
        assert plan.written == orjson.dumps(core.data)
        reads = [text for text in statements.texts if text.startswith("SELECT")]
        assert demo.sqlite or len(reads) == 1


async def test_a_plan_that_ran_one_statement_may_run_more(demo: Database, graph: Graph) -> None:
    """The number depends on the variables. A plan that was started without a transaction is then run again."""
    query = """query($within: Int) { nearby(point: {latitude: 12.5, longitude: -60}, kinds: [TEAM, EXPERT, CAMERA],
      withinMetres: $within, first: 2) { distanceMetres item { __typename } } }"""
    planned, plain = make_executor(graph, demo), make_executor(graph, demo, planned=False)
    for within in (5_000, 5_000, None, 5_000, None):
        operation = Operation(query, {"within": within})
        plan, core = await planned.run(operation, COMMANDER), await plain.run(operation, COMMANDER)
        assert plan.written == orjson.dumps(core.data)
        assert core.data is not None
        assert (len(core.data["nearby"]) == 6) is (within is None)
    assert planned.plans is not None
    assert planned.plans.left == {}


class SqlJsonQueries(QueryGenerator):
    """Mostly selects fields that can be written in SQL."""

    def _selection(self, of: Any, depth: int) -> str:
        if not isinstance(of, GraphQLObjectType) or self._rng.random() < 0.02:
            return super()._selection(of, depth)
        fields = [name for name, field in of.fields.items() if self._in_sql(of, field)]
        leaves = [n for n in fields if not isinstance(get_named_type(of.fields[n].type), GraphQLObjectType)]
        deeper = [n for n in fields if n not in leaves] if depth > 0 else []
        chosen = self._rng.sample(leaves, self._rng.randint(0, min(6, len(leaves))))
        chosen += self._rng.sample(deeper, min(len(deeper), self._rng.randint(1, 3)))
        return " ".join(["__typename", *(self._field(of, name, depth) for name in chosen)])

    def _in_sql(self, of: Any, field: Any) -> bool:
        named = get_named_type(field.type).name
        if of.name.endswith("Connection"):
            return named != "PageInfo" and "Edge" not in named
        definition = field.extensions["strawberry-definition"]
        if isinstance(definition, LoadField) and isinstance(definition.source, Batch | Compute | Log):
            return False
        return named not in ("GeoJSON", "EventConnection")


async def test_random_queries_are_the_same_in_sql(demo: Database, graph: Graph, json_steps: Counter[str]) -> None:
    plain, planned = make_executor(graph, demo, planned=False), make_executor(graph, demo)
    every = await names(demo, None)
    pool = ArgumentPool(every, every, await texts(demo), await cursors(plain, COMMANDER, graph), await codes(demo))
    queries = SqlJsonQueries(graph, pool)
    enterprise = Viewer(Visibility(Role.ENTERPRISE, enterprise=7))
    program = Viewer(Visibility(Role.INTEGRATOR, frozenset({Scope.READ})))
    viewers = [COMMANDER, enterprise, Viewer(Visibility(Role.WALL)), program]
    with ignore_unawaited():
        for number in range(OPERATIONS):
            viewer = viewers[number % len(viewers)]
            query, variables = rewritten(
                graph._schema, queries.root_operation(ROOTS[number % len(ROOTS)], number), number
            )
            plan = await planned.run(Operation(query, variables), viewer)
            core = await plain.run(Operation(query, variables), viewer)
            if plan.written is not None:
                assert plan.written == orjson.dumps(core.data), (query, variables, viewer)
    assert json_steps["run"] == 0 if demo.sqlite else json_steps["run"] > OPERATIONS // 3
