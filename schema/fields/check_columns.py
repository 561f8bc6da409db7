"""A check of declarations that no type checker makes."""

from typing import Any

from resolvers.sql.predicates import table_column
from schema.fields.batch import Batch
from schema.fields.columns import Column, Compute, GlobalId, SubObject
from schema.fields.references import ToOne, ToOneOf


def check_columns(cls: Any) -> None:
    """A field must not take another table's column: no type checker sees that."""
    for field in cls.__strawberry_definition__.fields:
        load = getattr(field, "source", None)
        columns: list[Any] = []
        match load:
            case Column(column=one) | GlobalId(column=one) | ToOne(column=one):
                columns = [one]
            case Compute(needs=needs) | Batch(needs=needs):
                columns = list(needs)
            case SubObject(columns=parts) | ToOneOf(columns=parts):
                columns = list(parts.values())
        for one in columns:
            if table_column(one).table is not cls.row.__table__:
                raise TypeError(f"{cls.__name__}.{field.python_name} takes {one}, a column of another table")
