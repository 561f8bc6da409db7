"""Steps whose values PostgreSQL writes as JSON."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy import ColumnElement, Select, bindparam

from resolvers.disclosures import BEGIN, Disclosure, unmarked, unmarked_bytes
from resolvers.errors import ErrorCode
from resolvers.sql.named_rows import require_rows
from resolvers.sql.predicates import table_column
from resolvers.sql.prepared import Statement, StatementCache
from schema.execution.bounds import OperationStopped
from schema.fields.source import JsonCompiler, SelectedField
from schema.plan.fallback import FallbackRequired
from schema.plan.selections import row_model
from schema.plan.sql_json import as_text, json_object
from schema.plan.sql_json_scalars import MISSING
from schema.plan.sql_json_scopes import JsonWriter, QueryScope, ScopeWriter, scope_requests
from schema.plan.steps import ExecutionState

MISSING_BYTE, BEGIN_BYTE = MISSING.encode(), BEGIN.encode()


@dataclass(eq=False)
class SqlJsonStep:
    """The value of a root field, by one statement. For a single row, `key` gives the name and the value of its key."""

    scopes: Sequence[QueryScope]
    write: Callable[[ScopeWriter, Any], Select[Any]]
    key: Callable[[ExecutionState], tuple[Any, Any]] | None
    required: bool
    statements: int = 1
    _statements: StatementCache = field(default_factory=StatementCache)

    async def run(self, state: ExecutionState, rows: Sequence[Any]) -> Sequence[Any]:
        requests = scope_requests(self.scopes, state)
        if requests.named:
            await require_rows(state.reader, requests.named)
        key_name, key = (None, None) if self.key is None else self.key(state)
        statement = self._statements.get((key_name, requests.shape))
        if statement is None:
            statement = Statement(self.write(requests.writer, key_name), sqlite=False)
            self._statements.put((key_name, requests.shape), statement)
        fetched = await state.reader.fetch(statement, requests.values | {"key": key, "limit": state.limit})
        if not fetched:
            return [None]
        text: bytes | None = fetched[0][0]
        if text is None:
            raise OperationStopped(ErrorCode.TOO_LARGE)
        if MISSING_BYTE in text:
            raise FallbackRequired("a null where none may be")
        if BEGIN_BYTE in text:
            text = unmarked_bytes(text, state.reader.disclosures)
        return [orjson.Fragment(text)]


def list_step(compiler: JsonCompiler, write: JsonWriter, *, required: bool) -> SqlJsonStep:
    """The value of a root field that has no parent."""
    no_parent: Any = sa.select().subquery()

    def write_list(writer: ScopeWriter, _: Any) -> Select[Any]:
        return bounded(sa.select(as_bytes(write(writer, no_parent)).label("text")))

    return SqlJsonStep(compiler.scopes, write_list, None, required)


def row_step(
    compiler: JsonCompiler,
    selected: SelectedField,
    columns: dict[str, Any],
    key: Callable[[ExecutionState], tuple[str, Any]],
) -> SqlJsonStep | None:
    """A single row by one of its keys, with rows below it; `columns` are those of the keys, by name.

    None if SQL cannot write it, or if there are no rows below it: then identical lookups share a statement.
    """
    model = row_model(selected.type)
    scope = compiler.scope(model)
    entries = compiler.objects(selected.type, selected.nodes)
    if entries is None or len(compiler.scopes) == 1:
        return None

    def write(writer: ScopeWriter, key_name: str) -> Select[Any]:
        row = model.__table__.alias()
        column = table_column(columns[key_name])
        matches = row.c[column.key] == bindparam("key", type_=column.type)
        text = as_bytes(json_object(entries, writer, row)).label("text")
        return bounded(sa.select(text).where(matches, *writer.where(scope, row)))

    return SqlJsonStep(compiler.scopes, write, key, selected.required)


def bounded(select: Select[Any]) -> Select[Any]:
    """The text, or NULL where it is longer than the parameter `limit`: so that it is not sent."""
    # With the offset PostgreSQL computes the text once, not once for each use.
    text = select.offset(sa.literal_column("0")).subquery().c.text
    return sa.select(sa.case((sa.func.octet_length(text) <= bindparam("limit", type_=sa.Integer), text)))


def fragment(text: str, disclosures: set[Disclosure]) -> orjson.Fragment:
    """A JSON column's text as a part of the response. Raises FallbackRequired where a value is missing."""
    if MISSING in text:
        raise FallbackRequired("a null where none may be")
    if BEGIN in text:
        text = unmarked(text, disclosures)
    return orjson.Fragment(text)


def as_bytes(value: ColumnElement[Any] | str) -> ColumnElement[Any]:
    """The text as UTF-8: decoding a response of 200 KB only to encode it again would cost time."""
    return sa.func.convert_to(as_text(value), sa.literal_column("'UTF8'"), type_=sa.LargeBinary)
