"""Mutations by plan: the data is byte for byte that of graphql-core, and no action runs twice."""

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
from tests.support.district import Office, furnish, ids_by_type, open_office, unique_mark
from tests.support.input_strategies import inputs, root_fields
from tests.support.lifecycle_table import valid_inputs as needs
from tests.support.proof_mode import PROVING, examples
from tests.support.proofs import RecordProof
from tests.support.random_queries import ArgumentPool, QueryGenerator
from tests.support.sample_values import codes, ignore_unawaited, names, texts

# graphql-core drops the coroutines of a failed field's siblings (tests/support/sample_values.py).
pytestmark = pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
BATCH = 100
MISSING = node_id.encode("Hazard", 2**31 - 1)


@pytest.fixture(scope="module", autouse=True)
def collected_between_operations() -> Iterator[None]:
    """Those coroutines are collected between operations: during one, the filter of their warning may not apply."""
    with ignore_unawaited():
        yield


@dataclass
class Twins:
    """Two copies of a database with rows in many states: mutations run with plans on one, without on the other."""

    planned: Executor
    plain: Executor
    databases: tuple[Database, Database]
    ids: dict[str, list[str]]
    viewers: list[Viewer]
    queries: QueryGenerator
    counts: Counter[str] = field(default_factory=Counter)

    async def run(self, query: str, values: dict[str, Any], viewer: Viewer) -> GraphQLResponse:
        """Run a mutation on both copies, whose responses must be the same; the one with plans is returned."""
        operation = Operation(query, {"input": values})
        one, other = [await executor.run(operation, viewer) for executor in (self.planned, self.plain)]
        self.counts["operations"] += 1
        if self.counts["operations"] % BATCH == 0:
            gc.collect()
        assert one.started is other.started
        assert [path_and_code(error) for error in one.errors] == [path_and_code(error) for error in other.errors], query
        assert orjson.dumps(one.data) == orjson.dumps(other.data), (query, values, viewer)
        if other.started:
            self.counts["with errors" if other.errors else "by plan" if one.written is not None else "left"] += 1
        if one.data is not None:
            [result] = one.data.values()
            self.counts[result["__typename"] if result["__typename"] in PROBLEMS else "success"] += 1
        return one


def path_and_code(error: dict[str, Any]) -> tuple[Any, ...]:
    """The parts of an error that do not depend on the run."""
    return error.get("path"), error["extensions"]["code"]


@pytest_asyncio.fixture(scope="module")
async def twins(databases: Databases, migrated_url: str, graph: Graph) -> AsyncIterator[Twins]:
    url = await databases.new(migrated_url)
    first = Database(url)
    office = await open_office(graph, first)
    await furnish(office)
    ids, words, keys = await ids_by_type(first), await texts(first), await codes(first)
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
    yield Twins(
        planned,
        plain,
        copies,
        ids,
        viewers,
        QueryGenerator(graph, ArgumentPool(every, every, words, codes=keys)),
    )
    for copy in copies:
        await copy.close()


@given(data=st.data())
@settings(
    max_examples=examples(30, proof=15_000),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
async def test_random_mutations_give_the_same_data_with_plans(
    twins: Twins, graph: Graph, record_proof: RecordProof, data: st.DataObject
) -> None:
    mutation, input_type = data.draw(st.sampled_from(sorted(root_fields(graph, bulk=True).items())), label="mutation")
    values = data.draw(inputs(input_type, twins.ids.__getitem__), label="input")
    viewer = data.draw(st.sampled_from(twins.viewers), label="viewer")
    root = graph._schema.mutation_type
    assert root is not None
    result = get_named_type(root.fields[mutation].type)
    selection = twins.queries.selection(result, data.draw(st.integers(0, 2**32), label="selection"))
    query = f"mutation M($input: {input_type.name}!) {{ done: {mutation}(input: $input) {{ {selection} }} }}"
    await twins.run(query, values, viewer)
    sqlite = twins.databases[0].sqlite
    record_proof(
        "plans_acted",
        "Random mutations by all roles on two copies of a database, answered by plan and by graphql-core",
        {"database": "SQLite" if sqlite else "PostgreSQL", **{k: f"{v:,}" for k, v in sorted(twins.counts.items())}},
    )


async def test_random_mutations_leave_the_same_rows(twins: Twins) -> None:
    """After the mutations of the test above."""
    gc.collect()
    one, other = [await contents(database) for database in twins.databases]
    assert one == other
    if PROVING:  # of few mutations the share is a matter of luck
        answered = twins.counts["by plan"] + twins.counts["left"]
        assert twins.counts["by plan"] >= 0.95 * answered > 0


HAZARD = (
    "hazard { id level status version overdue owner { name } enterprise { id name legalRepresentative { name phone }"
    " timeline(first: 3) { totalCount nodes { kind actor { name } } } } extensions { reason }"
    " inspection { id inspectors { badge } } } cursor"
)
ENTERPRISE = (
    "enterprise { id name legalRepresentative { name phone } zone { name } portrait { hazardsOpen coverage }"
    " hazards(first: 3) { totalCount nodes { id status } } }"
)


async def test_successes_and_failures_of_every_role_are_the_same_with_plans(twins: Twins, graph: Graph) -> None:
    """Every failure type occurs, and every role succeeds at something."""
    mark, rows = unique_mark(), set()
    for database in twins.databases:
        office = Office(graph, database)
        office.world = world = await small_world(database, mark)
        rows.add((world, await office.hazard(), await office.hazard(upto="CLOSED"), await office.dispatch()))
    [(world, hazard, closed, dispatch)] = rows
    steps = needs(world)
    before = Counter(twins.counts)
    everybody = (DUTY, world.officer, world.own, WALL, program(Scope.REGISTER), program(Scope.READ), program())
    for viewer in everybody:
        for mutation, selection, more in (
            ("hazardAssign", HAZARD, {"hazard": hazard, "expectedVersion": 9}),
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
            response = await twins.run(
                document(graph, mutation, selection), {**steps.get(mutation, {}), **more}, viewer
            )
            assert response.started, response.errors
    counts = twins.counts - before
    assert counts.keys() >= {*PROBLEMS, "success"}
    assert counts["left"] == 0


# -- actions run once --


@pytest_asyncio.fixture
async def office(graph: Graph, database: Database) -> Office:
    return await open_office(graph, database)


REQUEST = (
    "mutation($input: AssistanceRequestInput!) { assistanceRequest(input: $input) { __typename"
    " ... on AssistanceRequested { assistanceRequest { id enterprise { name } } cursor } } }"
)


def request_input(office: Office) -> dict[str, Any]:
    return {"enterprise": office.enterprise, "problem": "排水"}


async def totals(office: Office) -> tuple[int, int, int]:
    """The numbers of events, requests for help and notifications so far."""
    rows = await contents(office.database, models.AssistanceRequest)
    return len(await log_after(office.database)), len(rows["assistance_request"]), office.notifications


@pytest.mark.parametrize("error", [RuntimeError, KeyError])
async def test_graphql_core_responds_if_the_plan_fails_after_the_action(
    office: Office, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    async def fail(*arguments: Any) -> Any:
        raise error

    expected = await office.running.run(Operation(REQUEST, {"input": request_input(office)}), DUTY)
    assert expected.written is not None
    before = await totals(office)
    monkeypatch.setattr(MutationStep, "run", fail)
    response = await office.running.run(Operation(REQUEST, {"input": request_input(office)}), DUTY)
    assert (response.written, response.errors) == (None, [])
    assert response.data is not None
    assert response.data["assistanceRequest"]["assistanceRequest"]["enterprise"] == {"name": "企业0"}
    assert [now - then for now, then in zip(await totals(office), before, strict=True)] == [1, 1, 1]


async def test_a_failure_of_the_database_after_the_action_says_that_the_action_was_carried_out(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """graphql-core does not ask the same database again. A repetition with the same clientMutationId reads the rows."""

    async def fail(*arguments: Any) -> Any:
        raise ConnectionError

    before = await totals(office)
    operation = Operation(REQUEST, {"input": {**request_input(office), "clientMutationId": "a"}})
    with monkeypatch.context() as patch:
        patch.setattr(MutationStep, "run", fail)
        response = await office.running.run(operation, DUTY)
    assert (response.started, response.data) == (True, None)
    [error] = response.errors
    expected = {"code": "UNAVAILABLE", "reason": "NOT_AVAILABLE", "retryAfter": 5, "mutationsFinished": 1}
    assert error["extensions"] == expected
    assert [now - then for now, then in zip(await totals(office), before, strict=True)] == [1, 1, 1]
    assert (await office.running.run(operation, DUTY)).errors == []
    assert [now - then for now, then in zip(await totals(office), before, strict=True)] == [1, 1, 1]


async def test_an_action_is_not_retried_after_a_failed_notification(office: Office, graph: Graph) -> None:
    """The action is already committed when the notification fails."""
    tries = 0

    def fail() -> None:
        nonlocal tries
        tries += 1
        raise RuntimeError

    running = Executor(graph, office.database, SHANGHAI, lambda: NOW, notify=fail)
    for planned in (True, True, False):
        if not planned:
            running.plans = None
        before, tries = await totals(office), 0
        response = await running.run(Operation(REQUEST, {"input": request_input(office)}), DUTY)
        assert [path_and_code(error) for error in response.errors] == [(["assistanceRequest"], "INTERNAL")]
        assert [now - then for now, then in zip(await totals(office), before, strict=True)] == [1, 1, 0]
        assert tries == 1


async def test_several_actions_run_one_after_the_other(office: Office) -> None:
    two = REQUEST.replace("assistanceRequest(input: $input)", "one: assistanceRequest(input: $input)").replace(
        " cursor } } }", " cursor } } two: assistanceRequest(input: $input) { __typename } }"
    )
    before = await totals(office)
    response = await office.running.run(Operation(two, {"input": request_input(office)}), DUTY)
    assert (response.errors, response.written) == ([], None)
    assert [now - then for now, then in zip(await totals(office), before, strict=True)] == [2, 2, 2]


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
async def test_unusual_mutations_respond_as_without_plans(office: Office, graph: Graph, query: str) -> None:
    plain = Executor(graph, office.database, SHANGHAI, lambda: NOW, planned=False)
    operation = Operation(query, {"input": request_input(office)} if "$input" in query else {})
    one, other = [await running.run(operation, DUTY) for running in (office.running, plain)]
    assert (one.started, one.errors) == (other.started, other.errors)
    if other.data is not None and "assistanceRequest" not in other.data:
        assert one.data == other.data


async def test_a_repeated_mutation_is_answered_by_plan(office: Office) -> None:
    """A repetition with the same clientMutationId gives the first success."""
    desk = Desk(office.graph, office.database)
    values = {**request_input(office), "clientMutationId": "a"}
    before = await totals(office)
    responses = [await desk.running.run(Operation(REQUEST, {"input": values}), DUTY) for _ in range(2)]
    assert responses[0].written == responses[1].written
    assert responses[0].written is not None
    assert (await totals(office))[1] == before[1] + 1
