"""Mutations as any viewer, a small district, and the contents of a database."""

import datetime as dt
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from graphql import get_named_type, is_leaf_type
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import SQLModel

import models
from models.db import portrait_rows, portrait_sums
from models.db.database import Database
from models.db.tables import table_of
from models.visibility import Role, Scope, Viewer, Visibility
from schema.build import Graph
from schema.execution.documents import Documents
from schema.execution.executor import Executor
from schema.execution.operation import Operation
from schema.types import node_id
from tests.conftest import DOCUMENT_BYTES, NOW, SHANGHAI

DUTY = Viewer(Visibility(Role.COMMANDER), subject="duty", name="值班长")
WALL = Viewer(Visibility(Role.WALL), subject="wall")
DAY = dt.timedelta(days=1)
HOUR = dt.timedelta(hours=1)

PROBLEMS = {
    "NotFound": "missing",
    "Forbidden": "",
    "InvalidInput": "field errors { field reason message parameters { name value } }",
    "IllegalTransition": "currentStatus wanted legal",
    "Conflict": "currentVersion row: current { __typename id }",
    "StockExhausted": "available item { id }",
}
SHOWN = ("id", "status", "version", "index")


def inspector(key: int, name: str = "检查员") -> Viewer:
    return Viewer(Visibility(Role.INSPECTOR), inspector=key, subject=f"badge-{key}", name=name)


def enterprise(key: int, name: str = "安全员") -> Viewer:
    return Viewer(Visibility(Role.ENTERPRISE, enterprise=key), subject=f"enterprise-{key}", name=name)


def program(*scopes: Scope) -> Viewer:
    return Viewer(Visibility(Role.INTEGRATOR, frozenset(scopes)), subject="program")


def at(moment: dt.datetime) -> str:
    return moment.isoformat()


def document(graph: Graph, mutation: str, selection: str = "") -> str:
    """The mutation's document. Selects `selection`, or else a few fields of a success; everything of a failure."""
    root = graph._schema.mutation_type
    assert root is not None
    success, *problems = get_named_type(root.fields[mutation].type).types
    shown = []
    for name, field in success.fields.items():
        of = get_named_type(field.type)
        shown.append(name if is_leaf_type(of) else f"{name} {{ {' '.join(n for n in SHOWN if n in of.fields)} }}")
    capital = mutation[0].upper() + mutation[1:]
    common = "message reason parameters { name value }"
    failures = [f"... on {p.name} {{ {common} {PROBLEMS[p.name]} }}" for p in problems]
    return (
        f"mutation($input: {capital}Input!) {{ {mutation}(input: $input) {{ __typename {' '.join(failures)}"
        f" ... on {success.name} {{ {selection or ' '.join(shown)} }} }} }}"
    )


ANALYSED: dict[tuple[Graph, bool], Documents] = {}  # by graph, and whether the database is SQLite


class Desk:
    """Runs operations on one database, at the time `now`."""

    def __init__(self, graph: Graph, database: Database, now: dt.datetime = NOW) -> None:
        self.now, self.graph, self.database = now, graph, database
        self.notifications = 0
        self.device: str | None = None  # that sends the operations
        self.running = Executor(
            graph, database, SHANGHAI, lambda: self.now, notify=self._notify, document_bytes=DOCUMENT_BYTES
        )
        # Desks analyse the same documents, and compile the same plans, so that each does it only if no other has.
        self.running.documents = ANALYSED.setdefault((graph, database.sqlite), self.running.documents)
        self._documents: dict[tuple[str, str], str] = {}

    def _notify(self) -> None:
        self.notifications += 1

    def later(self, delta: dt.timedelta) -> None:
        self.now += delta

    async def ask(self, query: str, viewer: Viewer = DUTY, **variables: Any) -> Any:
        answer = await self.running.run(Operation(query, variables, device=self.device), viewer)
        assert answer.errors == [], answer.errors
        return answer.data

    async def act(self, viewer: Viewer, mutation: str, selection: str = "", **given: Any) -> dict[str, Any]:
        """Carry out a mutation. Returns the success or failure."""
        key = mutation, selection
        query = self._documents.setdefault(key, document(self.graph, mutation, selection))
        answer: dict[str, Any] = (await self.ask(query, viewer, input=given))[mutation]
        return answer

    async def done(self, viewer: Viewer, mutation: str, selection: str = "", **given: Any) -> dict[str, Any]:
        """Carry out a mutation that must succeed. Returns the success."""
        answer = await self.act(viewer, mutation, selection, **given)
        assert answer["__typename"] not in PROBLEMS, answer
        return answer

    async def invalid(self, viewer: Viewer, mutation: str, **given: Any) -> str:
        """Carry out a mutation that must fail with InvalidInput. Returns the field that it names."""
        answer = await self.act(viewer, mutation, **given)
        assert answer["__typename"] == "InvalidInput", answer
        field: str = answer["field"]
        return field

    async def refused(self, viewer: Viewer, mutation: str, **given: Any) -> str:
        """Carry out a mutation that must fail. Returns the failure's type."""
        answer = await self.act(viewer, mutation, **given)
        assert answer["__typename"] in PROBLEMS, answer
        kind: str = answer["__typename"]
        return kind


# -- a small district --


@dataclass(frozen=True)
class World:
    """Keys of the rows of a small district. `mark` makes its codes unique in a database with several districts."""

    mark: str
    zone: int
    other_zone: int
    venue: int
    enterprise: int
    other_enterprise: int
    inspector: int
    other_inspector: int
    resting: int
    team: int
    expert: int
    stock_item: int
    evidence: int

    @property
    def own(self) -> Viewer:
        return enterprise(self.enterprise)

    @property
    def officer(self) -> Viewer:
        return inspector(self.inspector)

    def id(self, name: str) -> str:
        """The global id of the row `name`."""
        node = name.removeprefix("other_")
        node = {"stock_item": "StockItem", "resting": "Inspector"}.get(node, node.capitalize())
        return node_id.encode(node, getattr(self, name))


def square(west: float, east: float) -> dict[str, Any]:
    ring = [[west, 30.0], [east, 30.0], [east, 30.3], [west, 30.3], [west, 30.0]]
    return {"type": "Polygon", "coordinates": [ring]}


async def small_world(database: Database, mark: str = "") -> World:
    """Insert two zones, a venue with three rings, two enterprises, three inspectors, and one of each resource."""
    zones, venue, rings = await _geography(database, mark)
    guarded = {"risk_grade": models.RiskGrade.YELLOW, "legal_name": "法人", "legal_phone": "1", "updated_at": NOW - DAY}
    places = [{"latitude": 30.101, "longitude": 120.101}, {"latitude": 30.2, "longitude": 120.3}]
    enterprises = await insert(
        database,
        models.Enterprise,
        *(
            {"name": f"企业{n}", "external_id": f"e{n}{mark}", "zone_id": zone, **place, **guarded}
            for n, (zone, place) in enumerate(zip(zones, places, strict=True))
        ),
    )
    await insert(database, models.EnterpriseRing, *({"ring_id": r, "enterprise_id": enterprises[0]} for r in rings))
    spots = [(30.11, 120.11), (None, None), (30.1, 120.1)]
    officers = await insert(
        database,
        models.Inspector,
        *(
            {"badge": f"b{n}{mark}", "full_name": f"检查员{n}", "on_duty": n < 2, "zone_id": zones[0]}
            | {"latitude": latitude, "longitude": longitude, "position_at": latitude and NOW - HOUR / 3}
            for n, (latitude, longitude) in enumerate(spots)
        ),
    )
    return World(
        mark,
        *(zones[0], zones[1], venue, enterprises[0], enterprises[1], officers[0], officers[1], officers[2]),
        *await _resources(database, mark, zones[0]),
    )


async def _resources(database: Database, mark: str, zone: int) -> tuple[int, int, int, int]:
    """Insert a team, an expert, a stock item and a piece of evidence. Returns their keys."""
    near = {"latitude": 30.1, "longitude": 120.12, "zone_id": zone}
    team = {"name": "救援队", "kind": models.TeamKind.FIRE, "strength": 9, "on_standby": True, **near}
    [team_key] = await insert(database, models.Team, team)
    expert = {"full_name": "专家", "specialties": [], "on_standby": True, **near}
    [expert_key] = await insert(database, models.Expert, expert)
    [warehouse] = await insert(database, models.Warehouse, {"name": "仓库", **near})
    tents = {"warehouse_id": warehouse, "code": "1010101", "name": "帐篷", "unit": "顶", "quantity": 100, "reserved": 0}
    [stock] = await insert(database, models.StockItem, tents)
    picture = {"media_type": "image/jpeg", "bytes": 1, "sha256": f"{mark:0>64}"}
    [evidence] = await insert(database, models.Evidence, picture)
    return team_key, expert_key, stock, evidence


async def _geography(database: Database, mark: str) -> tuple[list[int], int, list[int]]:
    """Insert the zones, the venue and its rings. Returns their keys."""
    [district] = await insert(database, models.District, {"name": "萧山区", "time_zone": "Asia/Shanghai"})
    zones = await insert(
        database,
        models.Zone,
        *(
            {"district_id": district, "code": f"z{n}{mark}", "name": f"战区{n}", "focus": [], "plan": ""}
            | {"boundary": square(*span)}
            for n, span in enumerate([(120.0, 120.2), (120.2, 120.4)])
        ),
    )
    place = {"zone_id": zones[0], "latitude": 30.1, "longitude": 120.1}
    [venue] = await insert(
        database, models.Venue, {"code": f"v{mark}", "name": "场馆", "kind": models.VenueKind.COMPETITION, **place}
    )
    rings = await insert(
        database,
        models.ControlRing,
        *({"venue_id": venue, "grade": g, "radius_metres": 1000 * (4 - g.value)} for g in models.ControlGrade),
    )
    return zones, venue, rings


async def insert(database: Database, model: Any, *rows: dict[str, Any]) -> list[int]:
    """Insert rows without an action. Returns their keys in order."""
    table = model.__table__
    async with database.write() as session:
        statement = sa.insert(table).returning(table.c.id, sort_by_parameter_order=True)
        connection = await session.connection()
        keys = [row.id for row in await connection.execute(statement, list(rows))] if rows else []
        await _renew_sums(connection, table)
    return keys


async def change(database: Database, statement: Any) -> None:
    """Execute a statement without an action."""
    async with database.write() as session:
        connection = await session.connection()
        await connection.execute(statement)
        await _renew_sums(connection, statement.table)


async def _renew_sums(connection: AsyncConnection, table: Any) -> None:
    """Make the sums of portraits anew where they count the table's rows."""
    if table in {model.__table__ for model in (*portrait_rows.FIELDS, models.EnterpriseRing)}:
        await portrait_sums.rebuild(connection)


# -- contents --

Contents = dict[str, dict[int, Any]]


async def contents(database: Database, *only: Any) -> Contents:
    """Every row, by table and key; of the models `only` if given."""
    tables = [m.__table__ for m in only] or [t for t in SQLModel.metadata.sorted_tables if "id" in t.c]
    async with database.read() as connection:
        return {t.name: {r.id: r for r in await connection.execute(sa.select(t).order_by(t.c.id))} for t in tables}


async def row_of(database: Database, model: Any, key: int) -> Any:
    [row] = [row for k, row in (await contents(database, model))[model.__table__.name].items() if k == key]
    return row


async def log_after(database: Database, number: int = 0) -> list[Any]:
    """The events after `number`, oldest first."""
    event = table_of(models.Event)
    async with database.read() as connection:
        return list(await connection.execute(sa.select(event).where(event.c.id > number).order_by(event.c.id)))


def named(viewer: Viewer, name: str) -> Viewer:
    return replace(viewer, name=name)
