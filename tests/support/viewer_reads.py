"""All that a viewer is told who asks for everything, in a demo whose personal data is marked."""

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
from tests.support.exhaustive_queries import Walk, leaves
from tests.support.owner_subset import Keys, own_keys, table
from tests.support.personal_data import mark, marks
from tests.support.sample_values import names, richest

DEPTH = 2


def program(*scopes: Scope) -> Viewer:
    return Viewer(Visibility(Role.INTEGRATOR, frozenset(scopes)), subject="program")


@dataclass
class ViewerReads:
    """What one viewer was told."""

    answers: dict[str, Any] = field(default_factory=dict)
    fields: set[str] = field(default_factory=set)  # as Type.field, those that were ever there
    marks: set[tuple[str, str, int]] = field(default_factory=set)

    @property
    def kinds(self) -> set[tuple[str, str]]:
        return {mark[:2] for mark in self.marks}


@dataclass
class MarkedDemo:
    """The demo with its personal data marked, and everybody who may ask."""

    graph: Graph
    database: Database
    running: Executor
    own: Keys
    enterprise: int
    viewers: dict[str, Viewer]
    ids: dict[str, list[str]]  # by type, those of the enterprise's rows, or else of some
    mine: dict[str, list[str]]
    every: dict[str, list[str]]
    told: dict[str, ViewerReads] = field(default_factory=dict)

    async def ask(self, who: str, query: str, **variables: Any) -> Any:
        answer = await self.running.run(Operation(query, variables), self.viewers[who])
        assert not {e["extensions"]["code"] for e in answer.errors} - {"FORBIDDEN"}, (who, answer.errors, query)
        return answer.data

    async def number(self, of: str) -> int:
        """How many rows a table has."""
        async with self.database.read() as connection:
            found = await connection.execute(sa.select(sa.func.count()).select_from(table(of)))
            return found.scalar_one()

    def walk(self) -> Walk:
        some = {name: keys[:2] for name, keys in self.ids.items()}
        given = {f"{name}Key": f'{{id: "{some[name][0]}"}}' for name in ("Zone", "Venue", "Enterprise")}
        return Walk(self.graph, {**given, "text": '"a"'}, few=2)

    async def everything(self, who: str) -> ViewerReads:
        """All that a viewer is told who asks for everything; asked once."""
        if who not in self.told:
            told = self.told[who] = ViewerReads()
            for name, query in self.operations().items():
                told.answers[name] = data = await self.ask(who, query)
                for alias, value in leaves(data):
                    told.fields.add(alias.replace("_", ".", 1))
                    told.marks |= marks([value])
                told.fields |= {f"{of}.{n}" for of, n in object_fields(data)}
        return self.told[who]

    def operations(self) -> dict[str, str]:
        """By name: the fields of Query, and each type of rows by its ids, all with what is around them."""
        walk, schema = self.walk(), self.graph._schema
        root = schema.query_type
        assert root is not None
        found = {}
        for name in set(root.fields) - {"node", "nodes"}:
            # Of unions every member is asked for, and of the log every type: one level less is enough of them.
            depth = 1 if name in ("nearby", "search", "events", "viewer") else DEPTH
            found[name] = f"{{ {walk.field(root, name, depth)} }}"
        for name, keys in self.ids.items():
            given = ", ".join(f'"{key}"' for key in keys[:2])
            inner = walk.selection(schema.type_map[name], DEPTH)
            found[name] = f"{{ nodes(ids: [{given}]) {{ ... on {name} {{ {inner} }} }} }}"
        for name in ("Enterprise", "Evidence", "HazardUpdate"):
            one = f'node(id: "{self.ids[name][0]}")'
            found[f"node {name}"] = f"{{ {one} {{ ... on {name} {{ {walk.selection(schema.type_map[name], 1)} }} }} }}"
        return found


def object_fields(found: Any) -> set[tuple[str, str]]:
    """As (type, field), the fields of an answer that led to something."""
    seen: set[tuple[str, str]] = set()
    if isinstance(found, list):
        return seen.union(*map(object_fields, found)) if found else seen
    if isinstance(found, dict):
        for alias, value in found.items():
            of, _, name = alias.partition("_")
            if of and name and value not in (None, [], ""):
                seen.add((of, name))
            seen |= object_fields(value)
    return seen


async def marked_demo(url: str, graph: Graph) -> MarkedDemo:
    """The scene on this copy of the demo. The enterprise is the one with the richest file."""
    database = Database(url)
    [enterprise] = await richest(database, 1)
    # Of these the demo's log has none.
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
        graph, database, make_executor(graph, database), own, enterprise, viewers, {**every, **mine}, mine, every
    )
