"""Samples for random operations: ids, texts and cursors of a database."""

import gc
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from models.db.database import Database
from models.db.tables import table_of
from models.visibility import Viewer
from resolvers.sql.named_rows import BADGE, CREDIT_CODE, RING_CODE, TOWN_CODE, VENUE_CODE, ZONE_CODE
from schema.build import Graph
from schema.execution.executor import Executor
from schema.execution.operation import Operation
from schema.fields.events import TYPES
from schema.fields.source import OF_ROW
from schema.types import node_id
from tests.support.owner_subset import ENTERPRISE_TABLES, Keys, table

SPECIALTIES = ("危险化学品", "hazardous", "electrical", "防汛")
# Columns whose values a client may search for, in its own rows and in others'.
SEARCHED_COLUMNS = {
    "enterprise": ("name", "credit_code", "address", "industry", "legal_name", "safety_phone"),
    "venue": ("name", "name_en", "code"),
    "zone": ("code",),
    "inspector": ("badge", "full_name", "phone"),
    "expert": ("full_name", "phone"),
    "team": ("name", "leader_name"),
    "warehouse": ("name", "keeper_name"),
    "stock_item": ("name", "code"),
}
# By argument, what it names rows by.
CODES = {
    "zoneCodes": ZONE_CODE,
    "townCodes": TOWN_CODE,
    "venueCodes": VENUE_CODE,
    "ringCodes": RING_CODE,
    "codes": TOWN_CODE,
    "creditCodes": CREDIT_CODE,
    "inspectorBadges": BADGE,
}


async def richest(database: Database, number: int) -> list[int]:
    """The enterprises that have rows in the most tables."""
    enterprise = table("enterprise")
    kinds: sa.ColumnElement[Any] = sa.literal(0)
    for name in ENTERPRISE_TABLES:
        within = table(name).c.enterprise_id == enterprise.c.id
        kinds = kinds + sa.case((sa.exists().where(within).correlate(enterprise), 1), else_=0)
    dispatch = table("dispatch")
    for column in (dispatch.c.team_id, dispatch.c.expert_id, dispatch.c.stock_item_id):
        sent = sa.exists().where(dispatch.c.enterprise_id == enterprise.c.id, column.is_not(None))
        kinds = kinds + sa.case((sent.correlate(enterprise), 1), else_=0)
    statement = sa.select(enterprise.c.id).order_by(kinds.desc(), enterprise.c.id).limit(number)
    async with database.read() as connection:
        return list((await connection.execute(statement)).scalars())


async def names(database: Database, keys: Keys | None) -> dict[str, list[str]]:
    """By type, the global ids of all rows, or of those in `keys`."""
    ids: dict[str, list[str]] = {}
    async with database.read() as connection:
        for model, of in OF_ROW.items():
            column = table_of(model).c.id
            conditions = [] if keys is None else [column.in_(sorted(keys[table_of(model).name]))]
            if "id" in of.__annotations__ and (rows := await connection.execute(sa.select(column).where(*conditions))):
                ids[of.__name__] = [node_id.encode(of.__name__, key) for (key,) in rows]
        event = table("event")
        conditions = [] if keys is None else [event.c.id.in_(sorted(keys["event"]))]
        for key, subject in await connection.execute(sa.select(event.c.id, event.c.subject).where(*conditions)):
            name = TYPES[subject].__name__
            ids.setdefault(name, []).append(node_id.encode(name, key))
    return {name: some for name, some in ids.items() if some}


async def texts(database: Database) -> list[str]:
    samples = [*SPECIALTIES]
    async with database.read() as connection:
        for name, columns in SEARCHED_COLUMNS.items():
            for column in columns:
                rows = await connection.execute(sa.select(table(name).c[column]).limit(40))
                samples += [str(value) for (value,) in rows if value]
    return samples


async def codes(database: Database) -> dict[str, list[str]]:
    """By argument, codes that exist."""
    samples: dict[str, list[str]] = {}
    async with database.read() as connection:
        for name, by in CODES.items():
            rows = await connection.execute(by.keys.where(by.expression.is_not(None)).limit(40))
            samples[name] = [row.name for row in rows]
        items = await connection.execute(sa.select(table("stock_item").c.code).distinct())
        samples["StockNeed.code"] = [code for (code,) in items]
        column = table("hazard").c.category
        rows = await connection.execute(sa.select(column).where(column.is_not(None)).distinct())
        samples["categories"] = [category for (category,) in rows]
    return samples


async def cursors(executor: Executor, viewer: Viewer, graph: Graph) -> dict[str, list[str]]:
    """By type of connection, the cursors of some of the rows that a viewer can list."""
    root = graph._schema.query_type
    assert root is not None
    samples: dict[str, list[str]] = {}
    for name, of in root.fields.items():
        kind = getattr(getattr(of.type, "of_type", None), "name", "")
        if kind.endswith("Connection"):
            response = await executor.run(Operation(f"{{ {name}(first: 30) {{ edges {{ cursor }} }} }}"), viewer)
            assert response.data is not None
            samples[kind] = [edge["cursor"] for edge in response.data[name]["edges"]]
    near = "{ nearby(point: {latitude: 30.2, longitude: 120.3}, kinds: [TEAM], first: 20) { cursor } }"
    response = await executor.run(Operation(near), viewer)
    assert response.data is not None
    samples["Nearby"] = [near["cursor"] for near in response.data["nearby"]]
    return samples


@contextmanager
def ignore_unawaited() -> Iterator[None]:
    """Suppress warnings about coroutines that were never awaited.

    After an error in a field, graphql-core drops the coroutines of its siblings. Each gives a warning when it is
    collected, so they are collected here.
    """
    gc.collect()
    gc.disable()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
        try:
            yield
        finally:
            gc.collect()
            gc.enable()
