"""Conditional GET: who has an answer is told so exactly where it is still the same to the byte, whatever happened."""

import datetime as dt
from collections import Counter
from random import Random

import httpx

from models.db.database import Database
from models.visibility import Role
from schema.build import Graph
from tests.conftest import NOW, Databases
from tests.resolvers.actions.test_errors import furnished
from tests.support.district import opened
from tests.support.proof_mode import PROVING
from tests.support.random_history import RandomHistory
from tests.support.reuse_executors import CHANGING, LASTING
from tests.support.sample_values import forgotten
from tests.web.conftest import SECRET, talking
from web.auth.tokens import Claims, Tokens
from web.settings import Settings

WRITES = 300 if PROVING else 15
ASKED = 5  # after each
REMEMBERED = 3  # answers of before, to one question

Tagged = tuple[str, bytes]


async def get(client: httpx.AsyncClient, query: str, headers: dict[str, str], tag: str | None = None) -> httpx.Response:
    known = {} if tag is None else {"if-none-match": tag}
    return await client.get("/graphql", params={"query": query}, headers={**headers, **known})


async def asked(client: httpx.AsyncClient, query: str, headers: dict[str, str], before: list[Tagged]) -> list[str]:
    """Ask as one who has answers of before; how each was answered. The answer of now is put behind them."""
    whole = await get(client, query, headers)
    assert whole.status_code == 200
    found = []
    for tag, body in before:
        again = await get(client, query, headers, tag)
        same = body == whole.content
        assert (again.status_code, again.content) == ((304, b"") if same else (200, whole.content)), (query, headers)
        assert again.headers["etag"] == whole.headers["etag"]
        found.append("not modified" if same else "modified")
    before[:] = [*before, (whole.headers["etag"], whole.content)][-REMEMBERED:]
    return found


async def test_304_is_said_exactly_where_the_bytes_are_the_same(
    databases: Databases, migrated_url: str, graph: Graph
) -> None:
    url, rng = await databases.new(migrated_url), Random(5)
    database = Database(url)
    office = await opened(graph, database)
    await furnished(office)
    happenings = RandomHistory(office, office.world, rng)
    tokens = Tokens(SECRET.get_secret_value())
    end = NOW + dt.timedelta(days=10_000)
    own = Claims(Role.ENTERPRISE, end, enterprise=f"e0{office.world.mark}")
    bearers = [f"Bearer {tokens.make(claims)}" for claims in (Claims(Role.COMMANDER, end), own)]
    viewers: list[dict[str, str]] = [{}, *({"authorization": bearer} for bearer in bearers)]
    found: Counter[str] = Counter()
    before: dict[tuple[bool, str, int], list[Tagged]] = {}

    async def nothing() -> None:
        return None

    with forgotten():
        async with (
            talking(Settings(database_url=url, demo=True, secret=SECRET, reuse=True), lambda: office.now) as reusing,
            talking(Settings(database_url=url, demo=True, secret=SECRET), lambda: office.now) as plain,
        ):
            for _ in range(WRITES):
                await happenings.next(nothing)
                for query in [*rng.sample(LASTING, ASKED), *rng.sample(CHANGING, 2)]:
                    who = rng.randrange(len(viewers))
                    for reuse, client in ((True, reusing), (False, plain)):
                        known = before.setdefault((reuse, query, who), [])
                        found.update(await asked(client, query, viewers[who], known))
                    one, other = before[True, query, who][-1], before[False, query, who][-1]
                    assert one == other
    happenings.close()
    await database.close()
    assert min(found["modified"], found["not modified"]) > WRITES, found
