"""Strawberry as in its documentation: async SQLAlchemy, rows of the ORM, DataLoaders, uvicorn.

`DATABASE_URL=postgresql+asyncpg://… python -m bench.peers.strawberry.server PORT [--tuned]`. Tuned, it has what takes a
few lines to add: a cache of parsed and validated documents, orjson, and a garbage collector that runs seldom and
ignores the objects of the start.
"""

import base64
import datetime as dt
import enum
import gc
import os
import sys
from typing import Annotated, Any, Union

import orjson
import sqlalchemy as sa
import strawberry
import uvicorn
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from starlette.applications import Starlette
from starlette.routing import Route
from strawberry.asgi import GraphQL
from strawberry.extensions import ParserCache, ValidationCache

import models
from bench.peers.strawberry.loaders import Loaders, near
from models.db.tables import table_of

Info = strawberry.Info[Any, Any]

for enumeration in (
    models.ControlGrade,
    models.RiskGrade,
    models.HazardLevel,
    models.HazardStatus,
    models.InspectionKind,
    models.InspectionStatus,
    models.InspectionResult,
    models.MeasureKind,
    models.ZoneFocus,
):
    strawberry.enum(enumeration)


def loaders(info: Info) -> Loaders:
    result: Loaders = info.context["loaders"]
    return result


@strawberry.type
class Zone:
    id: strawberry.ID
    code: str
    name: str
    name_en: str | None
    focus: list[models.ZoneFocus]

    @strawberry.field
    async def enterprises(self, info: Info, first: int) -> list["Enterprise"]:
        result: list[Enterprise] = await loaders(info).enterprises.load((int(self.id), first))
        return result


@strawberry.type
class ControlRing:
    id: strawberry.ID
    grade: models.ControlGrade
    radius_metres: int

    @strawberry.field
    async def enterprises(self, info: Info, first: int) -> list["Enterprise"]:
        result: list[Enterprise] = await loaders(info).ring_enterprises.load((int(self.id), first))
        return result


@strawberry.type
class Venue:
    id: strawberry.ID
    code: str
    name: str

    @strawberry.field
    async def rings(self, info: Info) -> list[ControlRing]:
        result: list[ControlRing] = await loaders(info).rings.load((int(self.id), 3))
        return result


@strawberry.type
class Contact:
    name: str | None
    phone: str | None


@strawberry.type
class Enterprise:
    id: strawberry.ID
    credit_code: str | None
    name: str
    address: str | None
    risk_grade: models.RiskGrade | None
    hazardous_chemicals: bool
    major_hazard_level: int | None
    legal_name: strawberry.Private[str | None]
    legal_phone: strawberry.Private[str | None]

    @classmethod
    def is_type_of(cls, row: Any, info: Any) -> bool:
        return isinstance(row, models.Enterprise)

    @strawberry.field
    def legal_representative(self) -> Contact | None:
        if self.legal_name is None and self.legal_phone is None:
            return None
        return Contact(name=self.legal_name, phone=self.legal_phone)

    @strawberry.field
    async def hazards(self, info: Info, first: int) -> list["Hazard"]:
        result: list[Hazard] = await loaders(info).hazards.load((int(self.id), first))
        return result

    @strawberry.field
    async def inspections(self, info: Info, first: int) -> list["Inspection"]:
        result: list[Inspection] = await loaders(info).inspections.load((int(self.id), first))
        return result

    @strawberry.field
    async def control_measures(self, info: Info, first: int) -> list["ControlMeasure"]:
        result: list[ControlMeasure] = await loaders(info).measures.load((int(self.id), first))
        return result


@strawberry.type
class Hazard:
    id: strawberry.ID
    level: models.HazardLevel
    status: models.HazardStatus
    description: str
    found_at: dt.datetime
    deadline: dt.datetime | None
    enterprise_id: strawberry.Private[int]
    inspection_id: strawberry.Private[int | None]

    @strawberry.field
    async def enterprise(self, info: Info) -> Enterprise:
        result: Enterprise = await loaders(info).enterprise.load(self.enterprise_id)
        return result

    @strawberry.field
    async def inspection(self, info: Info) -> Union["Inspection", None]:
        if self.inspection_id is None:
            return None
        result: Inspection = await loaders(info).inspection.load(self.inspection_id)
        return result


@strawberry.type
class Inspection:
    id: strawberry.ID
    kind: models.InspectionKind
    status: models.InspectionStatus
    result: models.InspectionResult | None
    submitted_at: dt.datetime | None

    @strawberry.field
    async def inspectors(self, info: Info) -> list["Inspector"]:
        result: list[Inspector] = await loaders(info).inspectors.load(int(self.id))
        return result


@strawberry.type
class Inspector:
    id: strawberry.ID
    badge: str
    full_name: str


@strawberry.type
class ControlMeasure:
    id: strawberry.ID
    kind: models.MeasureKind
    description: str
    since: dt.date


@strawberry.type
class Camera:
    id: strawberry.ID
    name: str
    online: bool

    @classmethod
    def is_type_of(cls, row: Any, info: Any) -> bool:
        return isinstance(row, models.Camera)


@strawberry.type
class PageInfo:
    has_next_page: bool
    end_cursor: str | None


@strawberry.type
class HazardPage:
    nodes: list[Hazard]
    page_info: PageInfo


@strawberry.type
class Nearby:
    distance_metres: int
    bearing_degrees: int
    item: Annotated[Camera | Enterprise, strawberry.union("NearbyItem")]


@strawberry.enum
class NearbyKind(enum.Enum):
    CAMERA = models.Camera
    ENTERPRISE = models.Enterprise


@strawberry.type
class Query:
    @strawberry.field
    async def zone(self, info: Info, code: str) -> Zone | None:
        async with loaders(info).sessions() as session:
            result: Zone | None = await session.scalar(sa.select(models.Zone).filter_by(code=code))
            return result

    @strawberry.field
    async def venue(self, info: Info, code: str) -> Venue | None:
        async with loaders(info).sessions() as session:
            result: Venue | None = await session.scalar(sa.select(models.Venue).filter_by(code=code))
            return result

    @strawberry.field
    async def enterprise(self, info: Info, id: strawberry.ID) -> Enterprise | None:
        result: Enterprise | None = await loaders(info).enterprise.load(int(id))
        return result

    @strawberry.field
    async def enterprises(self, info: Info, first: int) -> list[Enterprise]:
        async with loaders(info).sessions() as session:
            rows: Any = await session.scalars(sa.select(models.Enterprise).order_by(sa.text("id")).limit(first))
            result: list[Enterprise] = rows.all()
            return result

    @strawberry.field
    async def hazards(
        self, info: Info, first: int, after: str | None = None, level: models.HazardLevel | None = None
    ) -> HazardPage:
        at: Any = table_of(models.Hazard).c
        statement = sa.select(models.Hazard).order_by(at.found_at.desc(), at.id.desc()).limit(first + 1)
        if level is not None:
            statement = statement.where(at.level == level)
        if after is not None:
            time, key = orjson.loads(base64.urlsafe_b64decode(after))
            seen = sa.tuple_(sa.literal(dt.datetime.fromisoformat(time), at.found_at.type), sa.literal(key))
            statement = statement.where(sa.tuple_(at.found_at, at.id) < seen)
        async with loaders(info).sessions() as session:
            result: list[Any] = list(await session.scalars(statement))
        nodes, cursor = result[:first], None
        if nodes:
            cursor = base64.urlsafe_b64encode(orjson.dumps([nodes[-1].found_at, nodes[-1].id])).decode()
        return HazardPage(nodes=nodes, page_info=PageInfo(has_next_page=len(result) > first, end_cursor=cursor))

    @strawberry.field
    async def nearby(
        self, info: Info, latitude: float, longitude: float, kinds: list[NearbyKind], within_metres: int, first: int
    ) -> list[Nearby]:
        result = []
        for rank, kind in enumerate(kinds):
            for away, bearing, row in await near(
                loaders(info).sessions, kind.value, latitude, longitude, within_metres, first
            ):
                result.append((away, rank, row.id, bearing, row))
        result.sort(key=lambda f: f[:3])
        return [Nearby(distance_metres=round(f[0]), bearing_degrees=f[3], item=f[4]) for f in result]


class Endpoint(GraphQL[Any, Any]):
    """Strawberry's view, with new loaders for each request."""

    sessions: Any
    tuned = False

    async def get_context(self, request: Any, response: Any) -> Any:
        return {"request": request, "response": response, "loaders": Loaders(self.sessions)}

    def encode_json(self, data: object) -> str | bytes:
        return orjson.dumps(data) if self.tuned else super().encode_json(data)


def application(tuned: bool) -> Starlette:
    schema = strawberry.Schema(Query, extensions=[ParserCache, ValidationCache] if tuned else [])
    endpoint = Endpoint(schema, graphql_ide=None)
    engine = create_async_engine(os.environ["DATABASE_URL"], pool_size=10, max_overflow=0)
    endpoint.sessions, endpoint.tuned = async_sessionmaker(engine, expire_on_commit=False), tuned
    return Starlette(routes=[Route("/graphql", endpoint)])


if __name__ == "__main__":
    tuned = "--tuned" in sys.argv
    app = application(tuned)
    if tuned:
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 100)
    # Sixteen responses can take this server longer than the five seconds for which uvicorn keeps idle connections.
    uvicorn.run(app, port=int(sys.argv[1]), log_level="warning", access_log=False, timeout_keep_alive=60)
