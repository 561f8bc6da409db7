"""Values as the text of JSON, written by PostgreSQL as orjson writes what Python makes of them."""

from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa
from graphql import GraphQLNonNull, get_named_type
from sqlalchemy import ColumnElement
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlmodel import AutoString

from models.db.column_types import JsonList, RankedEnum, UtcTime

ARGUMENTS_MAXIMUM = 90  # of one call; PostgreSQL takes 100
# Stands for what must be there and is not, or cannot be written here: no JSON has this character.
MISSING, MISSING_SQL = "\x01", "chr(1)"


class UnsupportedInSql(Exception):
    """What is asked needs more than one statement can write."""


def constant(text: str) -> ColumnElement[Any]:
    quoted = text.replace("'", "''")
    return sa.literal_column(f"'{quoted}'", sa.Text)


def joined(pieces: Sequence[ColumnElement[Any] | str]) -> ColumnElement[Any]:
    """Texts one after another, constants that meet made one."""
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
    """The comma of a `string_agg`, and the order of its texts."""
    return aggregate_order_by(constant(","), *keys)


def quoted(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """Null where the value is."""
    return constant('"').concat(value).concat(constant('"'))


def scalar(column: sa.Column[Any], of: Any) -> Callable[[ColumnElement[Any]], ColumnElement[Any]]:
    """What writes a column as orjson writes what Python makes of it."""
    if not column.nullable:
        return written(column, of)
    write = written(column, of)
    absent = missing(of)
    return lambda value: sa.func.coalesce(write(value), absent)


def missing(of: Any) -> ColumnElement[Any]:
    """What stands where there is nothing."""
    return sa.literal_column(MISSING_SQL) if isinstance(of, GraphQLNonNull) else constant("null")


def written(column: sa.Column[Any], of: Any) -> Callable[[ColumnElement[Any]], ColumnElement[Any]]:
    """The same; SQL's null for null."""
    named = get_named_type(of).name
    match column.type:
        case RankedEnum(of=members):
            names: list[tuple[Any, Any]] = [(sa.literal_column(str(m.value)), constant(f'"{m.name}"')) for m in members]
            return lambda value: sa.case(*((value == n, name) for n, name in names))
        case UtcTime():
            return time
        case sa.Boolean():
            return lambda value: sa.case((value, constant("true")), (~value, constant("false")))
        case JsonList():
            return lambda value: sa.case((value.is_not(None), texts(value)))
        case sa.Float() if named == "Float":
            return number
        case sa.JSON():
            raise UnsupportedInSql
        case sa.Enum() | sa.Date():
            return lambda value: quoted(sa.cast(value, sa.Text))
        case sa.Integer() if named == "Int":
            return lambda value: sa.cast(value, sa.Text)
        case sa.String() | AutoString() if named == "String":
            return json
    raise UnsupportedInSql


def texts(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """A list of texts, or of names; not as it is kept, since there may be blanks in that."""
    each = sa.func.json_array_elements_text(value).table_valued("value", with_ordinality="n", name=None)
    each = each.render_derived()
    found = sa.select(sa.func.string_agg(json(each.c.value), in_order(each.c.n))).scalar_subquery()
    return joined(["[", found, "]"])


def json(value: ColumnElement[Any]) -> ColumnElement[Any]:
    return sa.cast(sa.func.to_json(sa.cast(value, sa.Text)), sa.Text)


def number(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """Both write the shortest digits that stand for the number; PostgreSQL no .0, and powers of ten in its own way."""
    text, size = sa.cast(value, sa.Text), sa.func.abs(value)
    plain = sa.or_(value == sa.literal_column("0"), size.between(sa.literal_column("1e-4"), sa.literal_column("1e14")))
    whole = value == sa.func.trunc(value)
    return sa.case(
        (value.is_(None), sa.null()),
        (~plain, sa.literal_column(MISSING_SQL)),
        (whole, text.concat(constant(".0"))),
        else_=text,
    )


def time(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """As `isoformat` has it: six digits of a second's fraction, or none."""
    whole = sa.cast(sa.func.to_json(value), sa.Text)
    fraction = sa.func.to_char(sa.func.timezone("UTC", value), sa.literal_column("'YYYY-MM-DD\"T\"HH24:MI:SS.US'"))
    exact = constant('"').concat(fraction).concat(constant('+00:00"'))
    return sa.case((value == sa.func.date_trunc("second", value), whole), else_=exact)


def global_id(name: str, key: ColumnElement[Any]) -> ColumnElement[Any]:
    """As schema/ids.py makes it. Of letters, digits and a colon no + and no / comes."""
    plain = sa.cast(constant(f"{name}:").concat(sa.cast(key, sa.Text)), sa.LargeBinary)
    return quoted(sa.func.rtrim(sa.func.encode(plain, constant("base64")), constant("=")))
