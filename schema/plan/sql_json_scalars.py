"""Scalars as JSON text, written by PostgreSQL exactly as orjson writes the Python values."""

from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa
from graphql import GraphQLNonNull, get_named_type
from sqlalchemy import ColumnElement
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlmodel import AutoString

from models.db.column_types import JsonList, RankedEnum, UtcTime

ARGUMENTS_MAXIMUM = 90  # of one function call; PostgreSQL takes 100
# Stands for a value that must not be missing, or that SQL cannot write: no JSON contains this character.
MISSING, MISSING_SQL = "\x01", "chr(1)"

ValueWriter = Callable[[ColumnElement[Any]], ColumnElement[Any]]


def constant(text: str) -> ColumnElement[Any]:
    escaped = text.replace("'", "''")
    return sa.literal_column(f"'{escaped}'", sa.Text)


def joined(pieces: Sequence[ColumnElement[Any] | str]) -> ColumnElement[Any]:
    """The concatenation of expressions and constants; adjacent constants become one."""
    merged: list[ColumnElement[Any] | str] = []
    for piece in pieces:
        if isinstance(piece, str) and merged and isinstance(merged[-1], str):
            merged[-1] += piece
        else:
            merged.append(piece)
    parts = [constant(piece) if isinstance(piece, str) else piece for piece in merged]
    while len(parts) > ARGUMENTS_MAXIMUM:
        chunks = [parts[i : i + ARGUMENTS_MAXIMUM] for i in range(0, len(parts), ARGUMENTS_MAXIMUM)]
        parts = [sa.func.concat(*chunk) for chunk in chunks]
    return sa.func.concat(*parts, type_=sa.Text)


def in_order(*keys: Any) -> Any:
    """The separator of a `string_agg`, with the order of its texts."""
    return aggregate_order_by(constant(","), *keys)


def quoted(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """A text in double quotes; NULL stays NULL."""
    return constant('"').concat(value).concat(constant('"'))


def scalar_writer(column: sa.Column[Any], graph_type: Any) -> ValueWriter | None:
    """Writes values of a column for a field of this GraphQL type; None if SQL cannot write them as orjson does."""
    write = nullable_writer(column, graph_type)
    if write is None or not column.nullable:
        return write
    absent = missing(graph_type)
    return lambda value: sa.func.coalesce(write(value), absent)


def missing(graph_type: Any) -> ColumnElement[Any]:
    """The text for NULL: the mark of a missing value if the GraphQL type is non-null, otherwise JSON's null."""
    return sa.literal_column(MISSING_SQL) if isinstance(graph_type, GraphQLNonNull) else constant("null")


def nullable_writer(column: sa.Column[Any], graph_type: Any) -> ValueWriter | None:
    """Like `scalar_writer`, but NULL stays NULL."""
    named = get_named_type(graph_type).name
    match column.type:
        case RankedEnum(of=members):
            names: list[tuple[Any, Any]] = [(sa.literal_column(str(m.value)), constant(f'"{m.name}"')) for m in members]
            return lambda value: sa.case(*((value == n, name) for n, name in names))
        case UtcTime():
            return time_json
        case sa.Boolean():
            return lambda value: sa.case((value, constant("true")), (~value, constant("false")))
        case JsonList():
            return lambda value: sa.case((value.is_not(None), list_json(value)))
        case sa.Float() if named == "Float":
            return float_json
        case sa.JSON():
            return None
        case sa.Enum() | sa.Date():
            return lambda value: quoted(sa.cast(value, sa.Text))
        case sa.Integer() if named == "Int":
            return lambda value: sa.cast(value, sa.Text)
        case sa.String() | AutoString() if named == "String":
            return text_json
    return None


def list_json(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """A list of texts or names, written anew: the stored text may contain blanks."""
    each = sa.func.json_array_elements_text(value).table_valued("value", with_ordinality="n", name=None)
    each = each.render_derived()
    items = sa.select(sa.func.string_agg(text_json(each.c.value), in_order(each.c.n))).scalar_subquery()
    return joined(["[", items, "]"])


def text_json(value: ColumnElement[Any]) -> ColumnElement[Any]:
    return sa.cast(sa.func.to_json(sa.cast(value, sa.Text)), sa.Text)


def float_json(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """A float by its shortest digits, as both orjson and PostgreSQL write it.

    PostgreSQL leaves out a trailing .0, which is added here. Where it uses powers of ten it writes them differently
    from orjson: such numbers are marked as missing.
    """
    text, size = sa.cast(value, sa.Text), sa.func.abs(value)
    plain = sa.or_(value == sa.literal_column("0"), size.between(sa.literal_column("1e-4"), sa.literal_column("1e14")))
    whole = value == sa.func.trunc(value)
    return sa.case(
        (value.is_(None), sa.null()),
        (~plain, sa.literal_column(MISSING_SQL)),
        (whole, text.concat(constant(".0"))),
        else_=text,
    )


def time_json(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """A time in the form of `isoformat`: six digits of a second's fraction, or none."""
    whole = sa.cast(sa.func.to_json(value), sa.Text)
    fraction = sa.func.to_char(sa.func.timezone("UTC", value), sa.literal_column("'YYYY-MM-DD\"T\"HH24:MI:SS.US'"))
    exact = constant('"').concat(fraction).concat(constant('+00:00"'))
    return sa.case((value == sa.func.date_trunc("second", value), whole), else_=exact)


def global_id_json(name: str, key: ColumnElement[Any]) -> ColumnElement[Any]:
    """A global id as schema/types/node_id.py makes it.

    The base64 of letters, digits and a colon contains neither + nor /, so it is the same as the URL-safe one.
    """
    plain = sa.cast(constant(f"{name}:").concat(sa.cast(key, sa.Text)), sa.LargeBinary)
    return quoted(sa.func.rtrim(sa.func.encode(plain, constant("base64")), constant("=")))
