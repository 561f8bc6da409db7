"""What tables have in common: base classes, indexes and constraints."""

import sqlalchemy as sa
from sqlalchemy.schema import SchemaItem
from sqlmodel import Field, SQLModel


def order_indexes(scopes: dict[str, list[str]], orders: dict[str, sa.TextClause | str]) -> list[sa.Index]:
    """For each scope (a prefix of names and its columns) an index for each order, ending in the primary key.

    The names are `ix_<scope><order>`; paging by keyset costs the same on every page because of these.
    """
    return [
        sa.Index(f"ix_{scope}by_{order}", *columns, key, "id")
        for scope, columns in scopes.items()
        for order, key in orders.items()
    ]


def location_check() -> sa.CheckConstraint:
    return sa.CheckConstraint(
        "(latitude IS NULL) = (longitude IS NULL) AND latitude BETWEEN -90 AND 90 AND longitude BETWEEN -180 AND 180",
        name="location",
    )


def zone_and_location() -> tuple[SchemaItem, ...]:
    """For what lies in a zone and is looked for nearby. Each table needs its own, so this makes them."""
    return (location_check(), sa.Index(None, "zone_id", "id"), sa.Index(None, "latitude", "longitude"))


def table_of(model: type[SQLModel]) -> sa.Table:
    """The table of a model declared with `table=True`. Raises AttributeError for any other class."""
    table: sa.Table = model.__table__  # type: ignore[attr-defined]  # SQLModel adds the attribute at run time
    return table


class Row(SQLModel):
    """What every table has."""

    id: int = Field(default=None, primary_key=True)


class Located(SQLModel):
    """A place in WGS-84 degrees; both are null where it is not known."""

    latitude: float | None = None
    longitude: float | None = None


class Registered(SQLModel):
    """A row that a register from elsewhere may name: its key there, by which an import finds it again."""

    external_id: str | None = Field(default=None, unique=True, index=True)


class Versioned(SQLModel):
    """A row that two people may change at once: its version rises by one with every change."""

    version: int = Field(default=1, sa_column_kwargs={"server_default": "1"})
