"""Everything that a viewer can read, in a demo whose personal data is marked."""

from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

import models
from models import EventKind, Subject
from models.db.database import Database
from models.visibility import Role, Scope, Viewer, Visibility
from schema.build import Graph
from schema.execution.executor import Executor
from schema.execution.operation import Operation
from tests.conftest import NOW, make_executor
from tests.support.actors import insert
from tests.support.exhaustive_queries import ExhaustiveQueries, scalar_values
from tests.support.owner_subset import Keys, own_keys, table
from tests.support.personal_data import mark, marks
from tests.support.sample_values import names, richest

DEPTH = 2
UNLIMITED = 10**9  # A query for everything at once passes the limit of cost.


def program(*scopes: Scope) -> Viewer:
    return Viewer(Visibility(Role.INTEGRATOR, frozenset(scopes)), subject="program")


@dataclass
class ViewerReads:
    """Everything that one viewer could read."""

    answers: dict[str, Any] = field(default_factory=dict)
    fields_by_operation: dict[str, set[str]] = field(default_factory=dict)  # as Type.field, those ever not null
    marks: set[tuple[str, str, int]] = field(default_factory=set)

    @property
    def fields(self) -> set[str]:
        return set().union(*self.fields_by_operation.values())

    @property
    def kinds(self) -> set[tuple[str, str]]:
        return {mark[:2] for mark in self.marks}


@dataclass
class MarkedDemo:
    """The demo with its personal data marked, and a viewer of every kind."""

    graph: Graph
    database: Database
    executor: Executor
    own_keys: Keys  # the enterprise's own rows
    enterprise: int
    viewers: dict[str, Viewer]
    ids: dict[str, list[str]]  # by type: of the enterprise's rows where it has any, or else of all
    own_ids: dict[str, list[str]]
    all_ids: dict[str, list[str]]
    _reads: dict[str, ViewerReads] = field(default_factory=dict)

    async def ask(self, who: str, query: str, **variables: Any) -> Any:
        """The data of a query; the only error that it may have is FORBIDDEN."""
        response = await self.executor.run(Operation(query, variables), self.viewers[who])
        assert not {e["extensions"]["code"] for e in response.errors} - {"FORBIDDEN"}, (who, response.errors, query)
        return response.data

    async def row_count(self, name: str) -> int:
        """The number of rows of a table."""
        async with self.database.read() as connection:
            result = await connection.execute(sa.select(sa.func.count()).select_from(table(name)))
            return result.scalar_one()

    def walk(self) -> ExhaustiveQueries:
        few_ids = {name: keys[:2] for name, keys in self.ids.items()}
        arguments = {f"{name}Key": f'{{id: "{few_ids[name][0]}"}}' for name in ("Zone", "Venue", "Enterprise")}
        return ExhaustiveQueries(self.graph, {**arguments, "text": '"a"'}, few=2)

    async def read_all(self, who: str) -> ViewerReads:
        """Everything that a viewer can read. It is read once for each viewer."""
        if who not in self._reads:
            reads = self._reads[who] = ViewerReads()
            for name, query in self.operations().items():
                reads.answers[name] = data = await self.ask(who, query)
                fields = reads.fields_by_operation[name] = {f"{of}.{n}" for of, n in object_fields(data)}
                for alias, value in scalar_values(data):
                    fields.add(alias.replace("_", ".", 1))
                    reads.marks |= marks([value])
        return self._reads[who]

    def operations(self) -> dict[str, str]:
        """Queries by name: every field of Query and every node type, with everything around them."""
        walk, schema = self.walk(), self.graph._schema
        root = schema.query_type
        assert root is not None
        queries = {}
        for name in set(root.fields) - {"node", "nodes"}:
            # One level less is enough for unions and the log, of which every member and type is selected.
            depth = 1 if name in ("nearby", "search", "events", "viewer") else DEPTH
            queries[name] = f"{{ {walk.field(root, name, depth)} }}"
        for name, keys in self.ids.items():
            some = ", ".join(f'"{key}"' for key in keys[:2])
            inner = walk.selection(schema.type_map[name], DEPTH)
            queries[name] = f"{{ nodes(ids: [{some}]) {{ ... on {name} {{ {inner} }} }} }}"
        for name in ("Enterprise", "Evidence", "HazardUpdate"):
            node = f'node(id: "{self.ids[name][0]}")'
            queries[f"node {name}"] = (
                f"{{ {node} {{ ... on {name} {{ {walk.selection(schema.type_map[name], 1)} }} }} }}"
            )
        return queries


def object_fields(data: Any) -> set[tuple[str, str]]:
    """The fields of an answer that are not empty, as (type, field)."""
    if isinstance(data, list):
        return set().union(*map(object_fields, data))
    fields: set[tuple[str, str]] = set()
    if isinstance(data, dict):
        for alias, value in data.items():
            type_name, _, name = alias.partition("_")
            if type_name and name and value not in (None, [], ""):
                fields.add((type_name, name))
            fields |= object_fields(value)
    return fields


async def marked_demo(url: str, graph: Graph) -> MarkedDemo:
    """Mark this copy of the demo. The enterprise is the one with the most rows."""
    database = Database(url)
    [enterprise] = await richest(database, 1)
    # Kinds of event that the demo's log lacks.
    when = {"at": NOW, "actor_role": Role.COMMANDER, "rows": None, "source": None}
    await insert(
        database,
        models.Event,
        {"kind": EventKind.ENTERPRISE_GRADED, "subject": Subject.ENTERPRISE, "subject_id": enterprise, **when}
        | {"enterprise_id": enterprise},
        {"kind": EventKind.EXPERT_STANDBY_SET, "subject": Subject.EXPERT, "subject_id": 1, **when}
        | {"enterprise_id": None},
    )
    await mark(database)
    own = await own_keys(database, enterprise)
    viewers = {
        "commander": Viewer(Visibility(Role.COMMANDER), subject="duty"),
        "inspector": Viewer(Visibility(Role.INSPECTOR), inspector=1),
        "enterprise": Viewer(Visibility(Role.ENTERPRISE, enterprise=enterprise), subject="own"),
        "wall": Viewer(Visibility(Role.WALL)),
        "read": program(Scope.READ),
        "read and personal": program(Scope.READ, Scope.PERSONAL),
        "no scope": program(),
        "personal without read": program(Scope.PERSONAL),
        "register": program(Scope.REGISTER, Scope.POSITIONS, Scope.READINGS, Scope.WARNINGS),
    }
    every, mine = await names(database, None), await names(database, own)
    return MarkedDemo(
        graph,
        database,
        make_executor(graph, database, cost_limit=UNLIMITED),
        own,
        enterprise,
        viewers,
        {**every, **mine},
        mine,
        every,
    )


def without_steps(value: Any) -> Any:
    """The answer without what each role may do next."""
    if isinstance(value, list):
        return [without_steps(each) for each in value]
    if isinstance(value, dict):
        return {name: without_steps(each) for name, each in value.items() if not name.endswith("_nextSteps")}
    return value
