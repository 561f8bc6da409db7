"""The database fails during an operation: the response says what was kept, and nothing asks the database again."""

from typing import Any

import asyncpg
import pytest
import pytest_asyncio

import models
from resolvers.sql.readers import DriverReader
from schema.build import Graph
from schema.execution import executor
from schema.execution.operation import GraphQLResponse, Operation
from tests.conftest import COMMANDER
from tests.support.actors import DUTY, contents
from tests.support.district import Office, open_office
from tests.support.held_commits import before_commits

ONE = "assistanceRequest(input: $input) { __typename }"
TWO = f"mutation($input: AssistanceRequestInput!) {{ one: {ONE} two: {ONE} }}"


@pytest_asyncio.fixture
async def office(graph: Graph, database: Any) -> Office:
    return await open_office(graph, database)


async def ask(office: Office, query: str) -> GraphQLResponse:
    values = {"enterprise": office.enterprise, "problem": "排水"}
    return await office.running.run(Operation(query, {"input": values}), DUTY)


async def requests(office: Office) -> int:
    return len((await contents(office.database, models.AssistanceRequest))["assistance_request"])


async def test_a_query_is_not_executed_a_second_time(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = 0

    async def away(*_: Any, **__: Any) -> Any:
        nonlocal reads
        reads += 1
        raise ConnectionRefusedError

    async def never(*_: Any) -> Any:
        raise AssertionError("graphql-core asks the same database")

    monkeypatch.setattr(DriverReader, "fetch", away)
    monkeypatch.setattr(executor, "execute_by_graphql_core", never)
    response = await office.running.run(Operation("{ zones { name } }"), COMMANDER)
    assert (response.started, response.data, reads) == (False, None, 1)
    assert [error["extensions"]["code"] for error in response.errors] == ["UNAVAILABLE"]


async def test_a_connection_that_is_lost_during_the_commit_leaves_open_what_was_kept(office: Office) -> None:
    if office.database.sqlite:
        pytest.skip("SQLite has no connection that could be lost")
    url = office.database.url.set(drivername="postgresql").render_as_string(False)

    async def lose() -> None:
        other = await asyncpg.connect(url)
        await other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await other.close()

    with before_commits(office.database, lose):
        response = await ask(office, f"mutation($input: AssistanceRequestInput!) {{ {ONE} }}")
    assert (response.started, response.data) == (True, None)
    [error] = response.errors
    expected = {"code": "UNAVAILABLE", "reason": "COMMIT_UNANSWERED", "retryAfter": 5, "mutationsFinished": None}
    assert error["extensions"] == expected


@pytest.mark.parametrize("first", [True, False])
async def test_of_several_mutations_the_response_tells_how_many_were_kept(office: Office, first: bool) -> None:
    """A failure before anything was kept refuses the whole operation."""
    commits = 0

    async def fail() -> None:
        nonlocal commits
        commits += 1
        if first or commits > 1:
            raise asyncpg.PostgresError.new({"C": "53100", "M": "could not extend a file: no space left"})

    before = await requests(office)
    with before_commits(office.database, fail):
        response = await ask(office, TWO)
    kept = await requests(office) - before
    assert kept == (0 if first else 1)
    assert response.started is not first
    assert {error["extensions"]["code"] for error in response.errors} == {"UNAVAILABLE"}
    assert {error["extensions"]["mutationsFinished"] for error in response.errors} == {kept}
