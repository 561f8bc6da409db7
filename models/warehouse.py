"""Warehouses and the emergency supplies in them."""

import sqlalchemy as sa
from sqlmodel import Field

from models.db.column_types import SortableText
from models.db.tables import PERSONAL, Located, Registered, Row, Versioned, zone_and_location


class Warehouse(Located, Registered, Row, table=True):
    """A warehouse of emergency supplies."""

    __table_args__ = zone_and_location()

    name: str = Field(sa_type=SortableText)
    keeper_name: str | None = Field(default=None, sa_column_kwargs=PERSONAL)
    keeper_phone: str | None = Field(default=None, sa_column_kwargs=PERSONAL)
    zone_id: int | None = Field(default=None, foreign_key="zone.id")


class StockItem(Versioned, Row, table=True):
    """One kind of supply in one warehouse. `code` has the 7 digits of GB/T 38565-2020."""

    __tablename__ = "stock_item"
    __table_args__ = (
        sa.UniqueConstraint("warehouse_id", "code"),
        sa.Index(None, "warehouse_id", "id"),
        sa.Index(None, "code"),
        sa.CheckConstraint("quantity >= 0 AND reserved BETWEEN 0 AND quantity", name="stock"),
    )

    warehouse_id: int = Field(foreign_key="warehouse.id")
    code: str = Field(max_length=7)
    name: str
    unit: str
    quantity: int = 0
    reserved: int = 0
