"""A conditional GET gets 304 exactly where the bytes are the same, whatever happened in between."""

import datetime as dt
from collections import Counter
from random import Random

import httpx
import pytest

from models.db.database import Database
from models.visibility import Role
from schema.build import Graph
from tests.conftest import NOW, Databases
from tests.support.district import furnish, open_office
from tests.support.proof_mode import PROVING
from tests.support.random_history import RandomHistory
from tests.support.sample_values import ignore_unawaited
from tests.web.conftest import SECRET, talking
from web.auth.tokens import Claims, Tokens
from web.settings import Settings

# Their rows change only together with the log.
LOGGED = (
    "{ enterprises(first: 5) { totalCount nodes { id name riskGrade version zone { name } rings { grade } } } }",
    "{ hazards(first: 20) { nodes { id status level version enterprise { name } extensions { reason } } } }",
    "{ inspections(last: 5) { edges { cursor node { id status inspectors { badge } hazards { nodes { id } } } } } }",
    "{ zones { code name enterprises(first: 3) { totalCount } } district { name } }",
    "{ warnings { nodes { id headline } } cases { nodes { id number status } } dispatches { nodes { id status } } }",
    "{ teams { nodes { onStandby strength } } warehouses { nodes { stock { nodes { quantity } } } } }",
    "{ venues { nodes { name rings { grade radiusMetres } cameras { nodes { name online } } } } }",
)

# Their answers may change without an event: by the clock, by positions, by columns that are not logged.
UNLOGGED = (
    "{ viewer { role } }",
    "{ cursor }",
    "{ inspectors { nodes { position { latitude } } } }",
    "{ hazards(first: 3) { nodes { overdue } } }",
    "query($f: HazardFilter) { hazards(filter: $f) { totalCount } }",
    "{ hazards(filter: {overdue: true}) { totalCount } }",
    "{ enterprises(filter: {hasOpenHazards: true}) { totalCount } }",
    "{ enterprises(orderBy: {field: LAST_INSPECTED, direction: ASCENDING}) { nodes { id } } }",
    "{ enterprises(first: 1) { nodes { externalId } } }",
    '{ enterprise(by: {externalId: "x"}) { id } }',
    "{ district { portrait { hazardsOpen } } }",
    "{ nearby(point: {latitude: 30, longitude: 120}, kinds: [INSPECTOR]) { distanceMetres } }",
    '{ search(text: "企") { __typename } }',
    "{ events(first: 1) { nodes { id } } }",
    "{ hazards(first: 1) { nodes { evidence { id url } } } }",
    '{ node(id: "x") { id } }',
)

WRITES = 300 if PROVING else 10
LOGGED_QUERIES, UNLOGGED_QUERIES = 5, 2  # asked after each write
REMEMBERED = 3  # earlier responses, for each query and viewer

Tagged = tuple[str, bytes]


async def get(client: httpx.AsyncClient, query: str, headers: dict[str, str], tag: str | None = None) -> httpx.Response:
    conditions = {} if tag is None else {"if-none-match": tag}
    return await client.get("/graphql", params={"query": query}, headers={**headers, **conditions})


async def revalidate(
    client: httpx.AsyncClient, query: str, headers: dict[str, str], earlier: list[Tagged]
) -> list[str]:
    """Ask as a client that has earlier responses. Return each outcome, and append the current response to them."""
    current = await get(client, query, headers)
    assert current.status_code == 200
    outcomes = []
    for tag, body in earlier:
        response = await get(client, query, headers, tag)
        same = body == current.content
        expected = (304, b"") if same else (200, current.content)
        assert (response.status_code, response.content) == expected, (query, headers)
        assert response.headers["etag"] == current.headers["etag"]
        outcomes.append("not modified" if same else "modified")
    earlier[:] = [*earlier, (current.headers["etag"], current.content)][-REMEMBERED:]
    return outcomes


@pytest.mark.exhaustive
async def test_304_is_returned_exactly_where_the_bytes_are_the_same(
    databases: Databases, migrated_url: str, graph: Graph
) -> None:
    url, rng = await databases.new(migrated_url), Random(5)
    database = Database(url)
    office = await open_office(graph, database)
    await furnish(office)
    history = RandomHistory(office, office.world, rng)
    tokens = Tokens(SECRET.get_secret_value())
    end = NOW + dt.timedelta(days=10_000)
    own = Claims(Role.ENTERPRISE, end, enterprise=f"e0{office.world.mark}")
    bearers = [f"Bearer {tokens.make(claims)}" for claims in (Claims(Role.COMMANDER, end), own)]
    viewers: list[dict[str, str]] = [{}, *({"authorization": bearer} for bearer in bearers)]
    outcomes: Counter[str] = Counter()
    earlier: dict[tuple[str, int], list[Tagged]] = {}

    settings = Settings(database_url=url, demo=True, secret=SECRET)
    with ignore_unawaited():
        async with talking(settings, lambda: office.now) as client:
            for _ in range(WRITES):
                await history.next()
                for query in [*rng.sample(LOGGED, LOGGED_QUERIES), *rng.sample(UNLOGGED, UNLOGGED_QUERIES)]:
                    who = rng.randrange(len(viewers))
                    responses = earlier.setdefault((query, who), [])
                    outcomes.update(await revalidate(client, query, viewers[who], responses))
    history.close()
    await database.close()
    assert min(outcomes["modified"], outcomes["not modified"]) > WRITES / 2, outcomes
