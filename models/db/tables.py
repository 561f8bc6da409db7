"""Parts that tables share: base classes, indexes and constraints."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.schema import SchemaItem
from sqlmodel import Field, SQLModel

# Marks a column with data about a person: `Field(sa_column_kwargs=PERSONAL)`. The log marks changes of such a column,
# and the schema refuses a field of it that is visible without the right to personal data.
PERSONAL: dict[str, Any] = {"info": {"personal": True}}


def order_indexes(scopes: dict[str, list[str]], orders: dict[str, sa.TextClause | str]) -> list[sa.Index]:
    """Indexes for pagination by keyset: one for each scope and order, ending in the primary key.

    A scope is a prefix of names with the columns before the order's. The names are `ix_<scope>by_<order>`. With these
    indexes a page costs the same wherever it is in its list.
    """
    return [
        sa.Index(f"ix_{scope}by_{order}", *columns, key, "id")
        for scope, columns in scopes.items()
        for order, key in orders.items()
    ]


def location_check() -> sa.CheckConstraint:
    """Latitude and longitude are both null or both within their ranges."""
    return sa.CheckConstraint(
        "(latitude IS NULL) = (longitude IS NULL) AND latitude BETWEEN -90 AND 90 AND longitude BETWEEN -180 AND 180",
        name="location",
    )


def zone_and_location() -> tuple[SchemaItem, ...]:
    """New constraints and indexes for a table whose rows are in a zone and are searched by distance."""
    return (location_check(), sa.Index(None, "zone_id", "id"), sa.Index(None, "latitude", "longitude"))


def table_of(model: type[SQLModel]) -> sa.Table:
    """The table of a model declared with `table=True`. Raises AttributeError for any other class."""
    table: sa.Table = model.__table__  # type: ignore[attr-defined]  # only models with table=True have it
    return table


def is_personal(column: "sa.Column[Any]") -> bool:
    """Whether the column has data about a person."""
    return bool(column.info.get("personal"))


class Row(SQLModel):
    """The primary key that every table has."""

    id: int = Field(default=None, primary_key=True)


class Located(SQLModel):
    """A place in WGS-84 degrees; both are null if it is unknown."""

    latitude: float | None = None
    longitude: float | None = None


class Registered(SQLModel):
    """A row that may come from another register. `external_id` is its key there; imports find the row by it."""

    external_id: str | None = Field(default=None, unique=True, index=True)


class Versioned(SQLModel):
    """A row that two people may change at once. Every change raises its version by one."""

    version: int = Field(default=1, sa_column_kwargs={"server_default": "1"})
