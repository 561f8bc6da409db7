"""Who asks the same again and again: executions that give answers again, beside one that makes each anew."""

import datetime as dt
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import Any

from graphql import get_operation_ast

from models.db.database import Database
from models.visibility import Scope, Viewer
from schema.build import Graph
from schema.execution.executor import Executor
from schema.execution.operation import Operation
from schema.plan.fallback import FallbackRequired
from schema.plan.result_cache import ResultCache
from schema.types import node_id
from tests.conftest import NOW, SHANGHAI
from tests.support.actors import DUTY, WALL, Desk, World, enterprise, program
from tests.support.query_variants import disguised
from tests.support.random_queries import Stock, Wanderer
from tests.support.sample_values import cursors, names, texts

# Plain ones, all of which last.
LASTING = (
    "{ enterprises(first: 5) { totalCount nodes { id name riskGrade version zone { name } rings { grade } } } }",
    "{ hazards(first: 20) { nodes { id status level version enterprise { name } extensions { reason } } } }",
    "{ inspections(last: 5) { edges { cursor node { id status inspectors { badge } hazards { nodes { id } } } } } }",
    "{ zones { code name enterprises(first: 3) { totalCount } } district { name } }",
    "{ warnings { nodes { id headline } } cases { nodes { id number status } } dispatches { nodes { id status } } }",
    "{ teams { nodes { onStandby strength } } warehouses { nodes { stock { nodes { quantity } } } } }",
    "{ venues { nodes { name rings { grade radiusMetres } cameras { nodes { name online } } } } }",
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

Asked = tuple[str, dict[str, Any], Viewer]


def answers_of(execution: Executor) -> ResultCache:
    assert execution.plans is not None
    assert execution.plans.answers is not None
    return execution.plans.answers


@dataclass
class Readers:
    """One database: acted upon and asked by an execution that gives answers again, asked by another such one that has
    connections of its own as another process has, and by one that makes every answer anew.
    """

    graph: Graph
    database: Database
    elsewhere: Database
    world: World
    now: dt.datetime = NOW
    found: Counter[str] = field(default_factory=Counter)
    rng: Random = field(default_factory=lambda: Random(7))
    # What is asked again and again for a while.
    asked: list[Asked] = field(default_factory=list)
    reusing: Executor = field(init=False)
    other: Executor = field(init=False)
    fresh: Executor = field(init=False)

    def __post_init__(self) -> None:
        self.reusing = self._execution(self.database, reuse=True)
        self.other = self._execution(self.elsewhere, reuse=True)
        self.fresh = self._execution(self.database, reuse=False)
        # To read a text is the dearest part of the test, and not what it is about.
        self.other._documents = self.fresh._documents = self.reusing._documents
        self.desk = Desk(self.graph, self.database)
        self.desk.running = self.reusing

    def _execution(self, database: Database, *, reuse: bool) -> Executor:
        return Executor(self.graph, database, lambda: SHANGHAI, lambda: self.desk.now, reuse=reuse)

    @property
    def viewers(self) -> list[Viewer]:
        """Among them some of one role who see different things; the last one sees nothing."""
        own, others = self.world.own, enterprise(self.world.other_enterprise)
        return [DUTY, self.world.officer, own, others, WALL, program(Scope.READ), program(*Scope), program()]

    @property
    def answers(self) -> ResultCache:
        return answers_of(self.reusing)

    async def compare(self, query: str, variables: dict[str, Any], viewer: Viewer) -> None:
        """All three say the same, byte for byte."""
        operation = Operation(query, variables)
        fresh = await self.fresh.run(operation, viewer)
        assert fresh.started, fresh.errors
        self.found["asked"] += 1
        for name, execution in (("given again", self.reusing), ("given again elsewhere", self.other)):
            before = answers_of(execution).reused
            answer = await execution.run(operation, viewer)
            again = answers_of(execution).reused > before
            self.found[name] += again
            assert not again or answer.written is not None
            assert (answer.written, answer.found) == (fresh.written, fresh.found), (name, query, variables, viewer)

    async def compare_all(self) -> None:
        """What is asked for a while, and some of what never lasts."""
        for asked in self.asked:
            await self.compare(*asked)
        for query in self.rng.sample(CHANGING, 2):
            await self.compare(query, {}, DUTY)

    async def compare_some(self) -> None:
        """Some of that."""
        for asked in self.rng.sample(self.asked, 3):
            await self.compare(*asked)

    # -- what is asked for a while --

    async def ask_others(self, lasting: int, others: int) -> None:
        """Something else from now on: some of the plain ones, random ones that last, and any."""
        rng, schema = self.rng, self.graph._schema
        assert schema.query_type is not None
        nodes = schema.get_possible_types(schema.type_map["Node"])  # type: ignore[arg-type]  # an interface
        every = {node.name: [node_id.encode(node.name, 1)] for node in nodes} | await names(self.database, None)
        pages = await cursors(self.fresh, DUTY, self.graph)
        wanderer = Wanderer(self.graph, Stock(every, every, await texts(self.database), pages))
        self.asked = [(query, {}, rng.choice(self.viewers)) for query in rng.sample(LASTING, 3)]
        while len(self.asked) < 3 + lasting + others:
            viewer, seed = rng.choice(self.viewers), rng.random()
            query = wanderer.of(rng.choice(sorted(schema.query_type.fields)), seed)
            variables: dict[str, Any] = {}
            if rng.random() < 0.5:
                query, variables = disguised(schema, query, rng.randrange(1_000))
            if len(self.asked) >= 3 + lasting or self.lasts(query, variables, viewer):
                self.asked.append((query, variables, viewer))

    def lasts(self, query: str, variables: dict[str, Any], viewer: Viewer) -> bool:
        plans, document = self.reusing.plans, self.reusing.document(Operation(query))
        operation = get_operation_ast(document, None)
        assert plans is not None
        assert operation is not None
        known = plans.learn(query, None, document, operation)
        try:
            return plans._lasts(known, known.coercion(variables), viewer.visibility)
        except FallbackRequired:
            return False
