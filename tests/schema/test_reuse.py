"""Answers that are given again are those that would be made anew, whatever was written, and whenever they are asked."""

import datetime as dt
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest
import pytest_asyncio
import sqlalchemy as sa

import models
from models.database import Database
from models.visibility import Role, Scope, Viewer, Visibility
from resolvers.changes import FOLLOWING, GUARDED
from schema import ids
from schema.execution import Execution, Operation
from schema.plans.answers import BESIDES, Answers
from schema.root import Graph
from tests.acting import DUTY, PROBLEMS, World, change, document, insert, program
from tests.conftest import NOW, SHANGHAI, Databases
from tests.disguising import disguised
from tests.inputs import plain, root_fields
from tests.office import opened
from tests.proofs import record
from tests.proving import PROVING
from tests.stocking import forgotten, names, texts
from tests.tables import given as needs
from tests.test_problems import furnished, known
from tests.wandering import Stock, Wanderer

WRITES = 2_000 if PROVING else 60
BATCH = 20
POOL = 2_000 if PROVING else 120  # operations that are asked again and again
ASKED = 12  # of them after each write
# Plain ones, all of which last.
LASTING = (
    "{ enterprises(first: 5) { totalCount nodes { id name riskGrade version zone { name } rings { grade } } } }",
    "{ hazards(first: 20) { nodes { id status level version enterprise { name } extensions { reason } } } }",
    "{ inspections(last: 5) { edges { cursor node { id status inspectors { badge } hazards { nodes { id } } } } } }",
    "{ zones { code name enterprises(first: 3) { totalCount } } district { name } }",
    "{ warnings { nodes { id headline } } cases { nodes { id number status } } dispatches { nodes { id status } } }",
    "{ teams { nodes { onStandby } } warehouses { nodes { stock { nodes { quantity } } } } }",
)

# What may be another without any event.
CHANGING = (
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


@dataclass
class Readers:
    """One database, acted upon and asked by an execution that gives answers again, and asked by one that does not."""

    database: Database
    world: World
    there: dict[str, list[str]]
    viewers: list[Viewer]
    pool: list[tuple[str, dict[str, Any]]]
    now: dt.datetime = NOW
    found: Counter[str] = field(default_factory=Counter)
    rng: Random = field(default_factory=lambda: Random(7))
    reusing: Execution = field(init=False)
    fresh: Execution = field(init=False)

    @property
    def answers(self) -> Answers:
        assert self.reusing.plans is not None
        assert self.reusing.plans.answers is not None
        return self.reusing.plans.answers

    async def compared(self, number: int, who: int) -> None:
        query, variables = self.pool[number % len(self.pool)]
        operation, viewer = Operation(query, variables), self.viewers[who % len(self.viewers)]
        before = self.answers.reused
        one = await self.reusing.run(operation, viewer)
        other = await self.fresh.run(operation, viewer)
        assert other.started, other.errors
        again = self.answers.reused > before
        self.found["asked"] += 1
        self.found["given again"] += again
        assert not again or one.written is not None
        assert one.written == other.written, (again, query, variables, viewer)


@pytest_asyncio.fixture(scope="module")
async def readers(databases: Databases, migrated_url: str, graph: Graph) -> AsyncIterator[Readers]:
    database = Database(await databases.new(migrated_url))
    office = await opened(graph, database)
    await furnished(office)
    there, words = await known(database), await texts(database)
    nodes = graph._schema.get_possible_types(graph._schema.type_map["Node"])  # type: ignore[arg-type]  # an interface
    every = {node.name: [ids.encode(node.name, 1)] for node in nodes} | await names(database, None)
    wanderer = Wanderer(graph, Stock(every, every, words))
    pool: list[tuple[str, dict[str, Any]]] = [(query, {}) for query in LASTING + CHANGING]
    pool += [disguised(graph._schema, wanderer.operation(n), n) for n in range(POOL)]
    root = graph._schema.query_type
    assert root is not None
    for n in range(POOL // 20):
        pool += [disguised(graph._schema, wanderer.of(name, n), n) for name in root.fields]
    reader = Viewer(Visibility(Role.INTEGRATOR, frozenset({Scope.READ})), subject="program")
    viewers = [DUTY, office.world.officer, office.world.own, Viewer(Visibility(Role.WALL)), reader, program()]
    made = Readers(database, office.world, there, viewers, pool)
    for name, reuse in (("reusing", True), ("fresh", False)):
        setattr(made, name, Execution(graph, database, lambda: SHANGHAI, lambda: made.now, reuse=reuse))
    yield made
    await database.close()


async def silent(readers: Readers, which: int, number: int) -> None:
    """What leaves no event: positions, rain, the names that an export gives, and evidence."""
    key, serial = number % 3 + 1, readers.found["written in silence"]
    inspector: Any = models.Inspector.__table__  # type: ignore[attr-defined]  # SQLModel adds it to tables
    enterprise: Any = models.Enterprise.__table__  # type: ignore[attr-defined]  # as above
    if which == 0:
        place = {"latitude": 30 + number / 10_000, "longitude": 120.1, "position_at": readers.now}
        await change(readers.database, sa.update(inspector).where(inspector.c.id == key).values(place))
    elif which == 1:
        await insert(
            readers.database,
            models.RainfallReading,
            {"zone_id": 1, "at": NOW - dt.timedelta(seconds=serial), "millimetres": 1.0},
        )
    elif which == 2:
        named = sa.update(enterprise).where(enterprise.c.id == key).values(external_id=f"x{serial}")
        await change(readers.database, named)
    else:
        picture = {"media_type": "image/png", "bytes": 1, "sha256": f"silent-{serial:0>57}"}
        await insert(readers.database, models.Evidence, picture)


async def act(readers: Readers, graph: Graph) -> None:
    """Some action, on some of the rows that there are; it may be refused."""
    rng = readers.rng
    mutation, of = rng.choice(sorted(root_fields(graph).items()))
    good = plain("input", of, lambda node: [rng.choice(readers.there[node])], whole=rng.random() < 0.3)
    given_now = {**good, **needs(readers.world, readers.now).get(mutation, {})}
    given_now.pop("expectedVersion", None)
    given_now.pop("clientMutationId", None)
    answer = await readers.reusing.run(Operation(document(graph, mutation), {"input": given_now}), DUTY)
    assert answer.data is not None, answer.errors
    readers.found["refused" if answer.data[mutation]["__typename"] in PROBLEMS else "actions"] += 1


async def test_what_is_given_again_is_what_would_be_made_anew(readers: Readers, graph: Graph) -> None:
    rng = readers.rng
    for batch in range(0, WRITES, BATCH):
        with forgotten():
            for _ in range(batch, batch + BATCH):
                if rng.random() < 0.5:
                    await act(readers, graph)
                else:
                    await silent(readers, rng.randrange(4), rng.randrange(1_000))
                    readers.found["written in silence"] += 1
                readers.now += dt.timedelta(seconds=rng.choice((0, 1, 40_000)))
                start, who = rng.randrange(len(readers.pool)), rng.randrange(len(readers.viewers))
                for number in [*range(start, start + ASKED), *range(len(LASTING)), start]:
                    await readers.compared(number, who)
                for number in range(len(LASTING), len(LASTING + CHANGING)):
                    await readers.compared(number, 0)
    assert readers.found["actions"] > WRITES / 20


async def test_much_is_given_again(readers: Readers) -> None:
    """After the test before."""
    for who in range(3):
        for number in range(len(LASTING)):
            before = readers.answers.reused
            await readers.compared(number, who)
            await readers.compared(number, who)
            assert readers.answers.reused > before, LASTING[number]
    print(readers.found)
    record(
        "reuse",
        "Answers given again, each compared with one made anew, between random writes",
        {
            "database": "SQLite" if readers.database.sqlite else "PostgreSQL",
            **{name: f"{times:,}" for name, times in sorted(readers.found.items())},
            "different": 0,
        },
    )


@pytest.mark.parametrize("query", CHANGING)
async def test_what_may_change_without_an_event_is_never_kept(readers: Readers, query: str) -> None:
    kept = len(readers.answers._kept)
    for _ in range(2):
        answer = await readers.reusing.run(Operation(query), DUTY)
        assert answer.started, answer.errors
    assert len(readers.answers._kept) == kept


def test_guarded_and_following_tables_have_each_a_reason() -> None:
    """What comes new is taken to change at any time until somebody says otherwise."""
    known_tables = {model.__table__.name for model in GUARDED + FOLLOWING}
    others = {name for name in models.Event.metadata.tables if name not in known_tables}
    assert others == {
        "client_mutation",
        "event",
        "event_log",
        "evidence",
        "evidence_upload",
        "hazard_evidence",
        "inspection_evidence",
        "rainfall_reading",
    }


async def test_no_more_is_kept_than_may_be(readers: Readers) -> None:
    answers = Answers(readers.database.held, sqlite=readers.database.sqlite, most=20 * BESIDES)

    async def work(fetch: Any) -> bytes:
        return b"x" * 500

    for number in range(50):
        assert await answers.get(("k", str(number).encode(), None), work) == b"x" * 500
        assert answers.bytes <= 20 * BESIDES
    assert len(answers._kept) == 13
    reused = answers.reused
    await answers.get(("k", b"49", None), work)
    await answers.get(("k", b"0", None), work)
    assert answers.reused == reused + 1

    async def long(fetch: Any) -> bytes:
        return b"x" * 10 * BESIDES

    await answers.get(("k", b"49", "long"), long)
    assert len(answers._kept) == 13
