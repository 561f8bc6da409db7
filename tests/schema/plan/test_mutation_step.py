"""Mutations answered by plan: what graphql-core answers, byte for byte, and whatever happens nothing is done twice."""

import gc
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest
import pytest_asyncio
from graphql import get_named_type
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import models
from models.db.database import Database
from models.visibility import Scope, Viewer
from schema.build import Graph
from schema.execution.executor import Executor
from schema.execution.operation import GraphQLResponse, Operation
from schema.plan.mutation_step import MutationStep
from schema.types import node_id
from tests.conftest import NOW, SHANGHAI, Databases, close_for_copying
from tests.support.actors import DUTY, PROBLEMS, WALL, Desk, contents, document, log_after, program, small_world
from tests.support.district import Office, furnish, ids_by_type, marked, open_office
from tests.support.input_strategies import inputs, root_fields
from tests.support.lifecycle_table import given as needs
from tests.support.proof_mode import examples
from tests.support.proofs import RecordProof
from tests.support.random_queries import Stock, Wanderer
from tests.support.sample_values import ignore_unawaited, names, texts

# graphql-core forgets the coroutines of a refused field's siblings (tests/stocking.py).
pytestmark = pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
BATCH = 100
MISSING = node_id.encode("Hazard", 2**31 - 1)


@pytest.fixture(autouse=True)
def uncollected() -> Iterator[None]:
    """They are collected between operations: in the midst of one there may be nothing to warn with."""
    with ignore_unawaited():
        yield


@dataclass
class Twins:
    """Two copies of a database with rows in many states; one is acted upon with plans, the other without."""

    planned: Executor
    plain: Executor
    databases: tuple[Database, Database]
    there: dict[str, list[str]]
    viewers: list[Viewer]
    wanderer: Wanderer
    found: Counter[str] = field(default_factory=Counter)

    async def run(self, query: str, given_now: dict[str, Any], viewer: Viewer) -> GraphQLResponse:
        """What both answer."""
        operation = Operation(query, {"input": given_now})
        one, other = [await running.run(operation, viewer) for running in (self.planned, self.plain)]
        self.found["asked"] += 1
        if self.found["asked"] % BATCH == 0:
            gc.collect()
        assert one.started is other.started
        assert [told(error) for error in one.errors] == [told(error) for error in other.errors], query
        assert orjson.dumps(one.data) == orjson.dumps(other.data), (query, given_now, viewer)
        if other.started:
            self.found["with errors" if other.errors else "by plan" if one.written is not None else "left"] += 1
        if one.data is not None:
            [result] = one.data.values()
            self.found[result["__typename"] if result["__typename"] in PROBLEMS else "success"] += 1
        return one


def told(error: dict[str, Any]) -> tuple[Any, ...]:
    """Of an error what is the same each time."""
    return error.get("path"), error["extensions"]["code"]


@pytest_asyncio.fixture(scope="module")
async def twins(databases: Databases, migrated_url: str, graph: Graph) -> AsyncIterator[Twins]:
    url = await databases.new(migrated_url)
    first = Database(url)
    office = await open_office(graph, first)
    await furnish(office)
    there, words = await ids_by_type(first), await texts(first)
    nodes = graph._schema.get_possible_types(graph._schema.type_map["Node"])  # type: ignore[arg-type]  # an interface
    every = {node.name: [node_id.encode(node.name, 1)] for node in nodes} | await names(first, None)
    world = office.world
    await close_for_copying(first)
    copies = Database(await databases.new(url)), Database(await databases.new(url))
    planned, plain = (
        Executor(graph, copy, SHANGHAI, lambda: NOW, planned=way)
        for copy, way in zip(copies, (True, False), strict=True)
    )
    viewers = [
        *([DUTY] * 4),
        world.officer,
        world.own,
        WALL,
        program(Scope.REGISTER),
        program(Scope.READ, Scope.REGISTER, Scope.POSITIONS, Scope.READINGS, Scope.WARNINGS),
        program(Scope.POSITIONS, Scope.READINGS, Scope.WARNINGS, Scope.PERSONAL),
        program(),
    ]
    yield Twins(planned, plain, copies, there, viewers, Wanderer(graph, Stock(every, every, words)))
    for copy in copies:
        await copy.close()


@given(data=st.data())
@settings(
    max_examples=examples(60, proof=15_000),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
async def test_random_mutations_are_answered_alike(
    twins: Twins, graph: Graph, record_proof: RecordProof, data: st.DataObject
) -> None:
    mutation, of = data.draw(st.sampled_from(sorted(root_fields(graph).items())), label="mutation")
    given_now = data.draw(inputs(of, twins.there.__getitem__), label="input")
    viewer = data.draw(st.sampled_from(twins.viewers), label="viewer")
    root = graph._schema.mutation_type
    assert root is not None
    result = get_named_type(root.fields[mutation].type)
    selection = twins.wanderer.selection(result, data.draw(st.integers(0, 2**32), label="selection"))
    query = f"mutation M($input: {of.name}!) {{ done: {mutation}(input: $input) {{ {selection} }} }}"
    await twins.run(query, given_now, viewer)
    sqlite = twins.databases[0].sqlite
    record_proof(
        "plans_acted",
        "Random mutations by all roles on two copies of a database, answered by plan and by graphql-core",
        {"database": "SQLite" if sqlite else "PostgreSQL", **{k: f"{v:,}" for k, v in sorted(twins.found.items())}},
    )


async def test_what_random_mutations_left_is_the_same(twins: Twins) -> None:
    """After the test before."""
    gc.collect()
    print(twins.found)
    one, other = [await contents(database) for database in twins.databases]
    assert one == other
    answered = twins.found["by plan"] + twins.found["left"]
    assert answered == 0 or twins.found["by plan"] >= 0.95 * answered


HAZARD = (
    "hazard { id level status version overdue owner { name } enterprise { id name legalRepresentative { name phone }"
    " timeline(first: 3) { totalCount nodes { kind actor { name } } } } extensions { reason }"
    " inspection { id inspectors { badge } } } cursor"
)
ENTERPRISE = (
    "enterprise { id name legalRepresentative { name phone } zone { name } portrait { hazardsOpen coverage }"
    " hazards(first: 3) { totalCount nodes { id status } } }"
)


async def test_every_role_is_answered_alike_whether_it_succeeds_or_not(twins: Twins, graph: Graph) -> None:
    """Each problem comes up, and each role does something that it may."""
    mark, rows = marked(), set()
    for database in twins.databases:
        office = Office(graph, database)
        office.world = world = await small_world(database, mark)
        rows.add((world, await office.hazard(), await office.hazard(upto="CLOSED"), await office.dispatch()))
    [(world, found, closed, dispatch)] = rows
    steps = needs(world)
    before = Counter(twins.found)
    everybody = (DUTY, world.officer, world.own, WALL, program(Scope.REGISTER), program(Scope.READ), program())
    for viewer in everybody:
        for mutation, shown, more in (
            ("hazardAssign", HAZARD, {"hazard": found, "expectedVersion": 9}),
            ("hazardReject", HAZARD, {"hazard": closed}),
            ("hazardDismiss", HAZARD, {"hazard": "x"}),
            ("hazardDismiss", HAZARD, {"hazard": MISSING}),
            ("dispatchAssign", "", {"dispatch": dispatch, "quantity": 1_000_000}),
            ("enterpriseUpsert", ENTERPRISE, {"expectedVersion": 7}),
            ("enterpriseUpsert", ENTERPRISE, {"industry": f"化工 {viewer.identity}"}),
            ("hazardReport", HAZARD, {}),
            ("assistanceRequest", "", {}),
            ("enterpriseGrade", ENTERPRISE, {}),
        ):
            answer = await twins.run(document(graph, mutation, shown), {**steps.get(mutation, {}), **more}, viewer)
            assert answer.started, answer.errors
    came = twins.found - before
    print(came)
    assert came.keys() >= {*PROBLEMS, "success"}
    assert came["left"] == 0


# -- once --


@pytest_asyncio.fixture
async def office(graph: Graph, database: Database) -> Office:
    return await open_office(graph, database)


REQUEST = (
    "mutation($input: AssistanceRequestInput!) { assistanceRequest(input: $input) { __typename"
    " ... on AssistanceRequested { assistanceRequest { id enterprise { name } } cursor } } }"
)


def asking(office: Office) -> dict[str, Any]:
    return {"enterprise": office.enterprise, "problem": "排水"}


async def done(office: Office) -> tuple[int, int, int]:
    """How many events, requests and rings there have been."""
    rows = await contents(office.database, models.AssistanceRequest)
    return len(await log_after(office.database)), len(rows["assistance_request"]), office.notifications


@pytest.mark.parametrize("error", [RuntimeError, KeyError, ConnectionError])
async def test_a_plan_that_breaks_after_the_action_leaves_the_answer_to_graphql_core(
    office: Office, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    async def fail(*arguments: Any) -> Any:
        raise error

    expected = await office.running.run(Operation(REQUEST, {"input": asking(office)}), DUTY)
    assert expected.written is not None
    before = await done(office)
    monkeypatch.setattr(MutationStep, "run", fail)
    answer = await office.running.run(Operation(REQUEST, {"input": asking(office)}), DUTY)
    assert (answer.written, answer.errors) == (None, [])
    assert answer.data is not None
    assert answer.data["assistanceRequest"]["assistanceRequest"]["enterprise"] == {"name": "企业0"}
    assert [now - then for now, then in zip(await done(office), before, strict=True)] == [1, 1, 1]


async def test_an_action_that_breaks_is_not_tried_again(office: Office, graph: Graph) -> None:
    """It was committed already: only whoever was to be told could not be."""

    tries = 0

    def fail() -> None:
        nonlocal tries
        tries += 1
        raise RuntimeError

    running = Executor(graph, office.database, SHANGHAI, lambda: NOW, notify=fail)
    for plan in (True, True, False):
        if not plan:
            running.plans = None
        before, tries = await done(office), 0
        answer = await running.run(Operation(REQUEST, {"input": asking(office)}), DUTY)
        assert [told(error) for error in answer.errors] == [(["assistanceRequest"], "INTERNAL")]
        assert [now - then for now, then in zip(await done(office), before, strict=True)] == [1, 1, 0]
        assert tries == 1


async def test_several_actions_are_done_one_after_the_other(office: Office) -> None:
    two = REQUEST.replace("assistanceRequest(input: $input)", "one: assistanceRequest(input: $input)").replace(
        " cursor } } }", " cursor } } two: assistanceRequest(input: $input) { __typename } }"
    )
    before = await done(office)
    answer = await office.running.run(Operation(two, {"input": asking(office)}), DUTY)
    assert (answer.errors, answer.written) == ([], None)
    assert [now - then for now, then in zip(await done(office), before, strict=True)] == [2, 2, 2]


@pytest.mark.parametrize(
    "query",
    [
        "mutation($input: AssistanceRequestInput!) { __typename }",
        REQUEST.replace("(input: $input)", "(input: $input) @skip(if: true)"),
        REQUEST.replace("__typename ...", "__typename __schema: __typename ..."),
        REQUEST.replace("(input: $input)", '(input: { enterprise: "x", problem: "" })').replace(
            "mutation($input: AssistanceRequestInput!)", "mutation"
        ),
    ],
)
async def test_odd_mutations_are_answered_as_without_plans(office: Office, graph: Graph, query: str) -> None:
    plain = Executor(graph, office.database, SHANGHAI, lambda: NOW, planned=False)
    operation = Operation(query, {"input": asking(office)} if "$input" in query else {})
    one, other = [await running.run(operation, DUTY) for running in (office.running, plain)]
    assert (one.started, one.errors) == (other.started, other.errors)
    if other.data is not None and "assistanceRequest" not in other.data:
        assert one.data == other.data


async def test_a_repeat_and_a_plan_go_together(office: Office) -> None:
    """What was done under a client's own name is answered by plan from the first success."""
    desk = Desk(office.graph, office.database)
    named = {**asking(office), "clientMutationId": "a"}
    before = await done(office)
    answers = [await desk.running.run(Operation(REQUEST, {"input": named}), DUTY) for _ in range(2)]
    assert answers[0].written == answers[1].written
    assert answers[0].written is not None
    assert (await done(office))[1] == before[1] + 1
