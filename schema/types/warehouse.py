"""Warehouses and their stock."""

import strawberry

import models
from models import PERSONAL_DATA
from resolvers.availability import AVAILABLE, HasStock
from resolvers.sql.named_rows import ZONE_CODE, HasKey
from resolvers.sql.predicates import AllOf, Among, Contains, Equal, Exceeds, Flag, Within
from schema.fields.columns import column, compute, sub_object
from schema.fields.connections import Connection, to_many
from schema.fields.filters import FilterField, part_of
from schema.fields.nodes import node
from schema.fields.references import to_one
from schema.fields.source import Node
from schema.types import lazy
from schema.types.resource import ResourceFilter
from schema.types.scalars import Contact, Point


@node(
    models.Warehouse,
    filter=ResourceFilter,
    predicates={
        "zones": FilterField(Among(models.Warehouse.zone_id), "Zone"),
        "zone_codes": FilterField(HasKey(models.Warehouse.zone_id, ZONE_CODE), by=ZONE_CODE),
        "available": FilterField(Flag(AVAILABLE[models.Warehouse])),
        "text": FilterField(Contains(models.Warehouse.name)),
        "stock": FilterField(HasStock()),
        "stock_code": FilterField(
            Within(
                models.Warehouse.id,
                models.StockItem.warehouse_id,
                AllOf(Equal(models.StockItem.code), Exceeds(models.StockItem.quantity)),
            )
        ),
    },
)
class Warehouse(Node):
    """A store of emergency supplies (物资仓库)."""

    name: str = column(models.Warehouse.name, "Name.")
    keeper: Contact | None = sub_object(
        "Keeper; null if not known, or for a viewer who may not see personal data.",
        sees=PERSONAL_DATA,
        name=models.Warehouse.keeper_name,
        phone=models.Warehouse.keeper_phone,
    )
    location: Point | None = sub_object(
        "Location; null if not known.", latitude=models.Warehouse.latitude, longitude=models.Warehouse.longitude
    )
    zone: lazy.Zone | None = to_one(models.Warehouse.zone_id, "Zone; null outside all zones.")
    stock: "Connection[StockItem]" = to_many(models.StockItem.warehouse_id, "Its stock.")


def available(quantity: int, reserved: int) -> int:
    return quantity - reserved


@strawberry.input
class StockArguments:
    text: str | None = part_of("Name or code contains this text.", models.StockItem.name, models.StockItem.code)


@node(models.StockItem, filter=StockArguments, inline=True)
class StockItem(Node):
    """One kind of supply in one warehouse (库存物资)."""

    warehouse: Warehouse = to_one(models.StockItem.warehouse_id, "The warehouse.")
    code: str = column(models.StockItem.code, "Code of emergency supplies (GB/T 38565-2020), 7 digits.")
    name: str = column(models.StockItem.name, "Name.")
    unit: str = column(models.StockItem.unit, "Unit of count, such as 件 or 箱.")
    quantity: int = column(models.StockItem.quantity, "Units in stock, reserved ones included.")
    reserved: int = column(models.StockItem.reserved, "Units reserved for dispatches.")
    available: int = compute(
        available,
        models.StockItem.quantity,
        models.StockItem.reserved,
        description="Units that can still be reserved: `quantity` less `reserved`.",
    )
    version: int = column(models.StockItem.version, "Version; rises by one with every change.")
