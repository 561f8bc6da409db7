"""Search for a part of a text, Chinese or Latin, in plain SQL. Exact matches come first, then prefixes, then others."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy import ColumnElement, bindparam

import models
from models.db.column_types import JsonList
from models.reason import Reason
from models.visibility import PERSONAL_DATA, Visibility
from resolvers.errors import ErrorCode, RequestError
from resolvers.sql import authorization, selects
from resolvers.sql.pagination import check_size
from resolvers.sql.predicates import Predicate, fold, like_part, table_column, text_matches
from resolvers.sql.prepared import cached_select
from resolvers.sql.readers import Reader

TEXT_MAXIMUM = 200


class SearchKind(enum.Enum):
    ENTERPRISE = "enterprise"
    VENUE = "venue"
    EXPERT = "expert"
    TEAM = "team"
    WAREHOUSE = "warehouse"
    INSPECTOR = "inspector"


@dataclass(frozen=True)
class SearchedTable:
    """The columns of a table to search, the most important first; `personal` ones need the right to personal data."""

    row: Any
    columns: tuple[Any, ...]
    personal: tuple[Any, ...] = ()

    def visible(self, visibility: Visibility) -> tuple[Any, ...]:
        return (*(self.personal if visibility.allows(PERSONAL_DATA) else ()), *self.columns)


SEARCHED_TABLES: dict[SearchKind, SearchedTable] = {
    SearchKind.ENTERPRISE: SearchedTable(
        models.Enterprise,
        (
            models.Enterprise.name,
            models.Enterprise.credit_code,
            models.Enterprise.external_id,
            models.Enterprise.address,
        ),
    ),
    SearchKind.VENUE: SearchedTable(models.Venue, (models.Venue.name, models.Venue.name_en, models.Venue.code)),
    SearchKind.EXPERT: SearchedTable(models.Expert, (models.Expert.specialties,), personal=(models.Expert.full_name,)),
    SearchKind.TEAM: SearchedTable(models.Team, (models.Team.name,)),
    SearchKind.WAREHOUSE: SearchedTable(models.Warehouse, (models.Warehouse.name,)),
    SearchKind.INSPECTOR: SearchedTable(
        models.Inspector, (models.Inspector.badge,), personal=(models.Inspector.full_name,)
    ),
}


@dataclass(frozen=True, slots=True)
class Hit:
    """A row that matches, and the text that matched."""

    matched: str
    item: tuple[Any, int]


async def find(
    reader: Reader, parents: Sequence[tuple[()]], *, text: str, kinds: list[SearchKind] | None = None, first: int = 20
) -> list[list[Hit]]:
    """The best hits of the kinds, by default of all kinds. One statement for each kind. Raises RequestError."""
    wanted = text.strip()
    if not 1 <= len(wanted) <= TEXT_MAXIMUM:
        raise RequestError(
            ErrorCode.BAD_INPUT,
            Reason(
                "SEARCH_TEXT_LENGTH",
                "`text` must have from 1 to {maximum} characters besides blanks.",
                maximum=TEXT_MAXIMUM,
            ),
        )
    check_size("first", first)
    hits: list[tuple[Any, Hit]] = []
    for order, kind in enumerate(dict.fromkeys(kinds if kinds is not None else SearchKind)):
        searched = SEARCHED_TABLES[kind]
        columns = searched.visible(reader.viewer.visibility)
        conditions = authorization.row_conditions(searched.row, reader.viewer.visibility)
        part = like_part(wanted)
        values = {"whole": fold(wanted), "beginning": part[1:], "part": part, "n": first}
        statement = _statement(searched.row, columns, tuple(c.predicate for c in conditions), reader.sqlite)
        for row in await reader.rows(statement, {**selects.parameters(conditions, reader), **values}):
            hit = Hit(_matched(row, columns, wanted), (searched.row, row.id))
            hits.append(((row.rank, row.length, order, row.id), hit))
    best = [hit for _, hit in sorted(hits, key=lambda h: h[0])[:first]]
    return [best for _ in parents]


@cached_select
def _statement(row: Any, columns: tuple[Any, ...], clauses: tuple[Predicate, ...], sqlite: bool) -> sa.Select[Any]:
    """The best rows of one table. `rank` is 3 × the column's place + 0 for an exact match, 1 for a prefix, else 2."""
    texts = [table_column(c) for c in columns]
    patterns = [bindparam(n, type_=sa.String) for n in ("whole", "beginning", "part")]
    tests = [partial(_test, pattern, exact=pattern is patterns[0]) for pattern in patterns]
    cases = [
        (text_matches(text, sqlite, test), 3 * i + degree)
        for i, text in enumerate(texts)
        for degree, test in enumerate(tests)
    ]
    rank = sa.case(*cases).label("rank")
    # Of two equal matches, the shorter text is the closer one.
    length = sa.func.length(_plain(texts[0])).label("length")
    id_ = row.__table__.c.id
    return (
        sa.select(id_, rank, length, *(_plain(t).label(f"t{i}") for i, t in enumerate(texts)))
        .where(sa.or_(*(text_matches(t, sqlite, tests[2]) for t in texts)), *selects.where(clauses, sqlite))
        .order_by(rank, length, id_)
        .limit(bindparam("n", type_=sa.Integer))
    )


def _test(pattern: ColumnElement[Any], text: ColumnElement[Any], *, exact: bool) -> ColumnElement[bool]:
    return text == pattern if exact else text.like(pattern, escape="\\")


def _plain(column: ColumnElement[Any]) -> ColumnElement[Any]:
    return sa.cast(column, sa.Text) if isinstance(column.type, JsonList) else column


def _matched(row: Any, columns: Sequence[Any], wanted: str) -> str:
    """The text that matched; of a list of texts, the best match."""
    place = row.rank // 3
    text: str = row[3 + place]
    if not isinstance(table_column(columns[place]).type, JsonList):
        return text
    matches: list[str] = [t for t in orjson.loads(text) if fold(wanted) in fold(t)]
    return min(matches, key=lambda t: (fold(t) != fold(wanted), not fold(t).startswith(fold(wanted))))
