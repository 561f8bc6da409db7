"""The scopes of a statement that returns JSON: which rows each has, and what an execution asks of them."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import ColumnElement, FromClause, Select, bindparam
from sqlalchemy.sql.visitors import replacement_traverse

from resolvers.sql import authorization, selects
from resolvers.sql.named_rows import NamedRows
from resolvers.sql.pagination import Page
from resolvers.sql.predicates import Predicate
from schema.plan.row_steps import RowsRequest
from schema.plan.steps import ExecutionState

RowsOf = Callable[[ExecutionState], RowsRequest]  # the rows that one execution asks of a scope


@dataclass(frozen=True)
class QueryScope:
    """Rows of one model in the statement. The names of the scope's parameters begin with its number."""

    number: int
    model: Any
    rows: RowsOf


class ScopeWriter:
    """Writes one statement. `requests` has the predicates and the page of each scope, by number."""

    def __init__(self, requests: Sequence[tuple[tuple[Predicate, ...], Page | None]]) -> None:
        self._requests = requests

    def page(self, scope: QueryScope) -> Page:
        page = self._requests[scope.number][1]
        assert page is not None
        return page

    def where(self, scope: QueryScope, row: FromClause, *, paged: bool = True) -> list[ColumnElement[bool]]:
        """The conditions for the rows of a scope, on the alias `row`; if `paged`, those of its cursors too."""
        predicates, page = self._requests[scope.number]
        conditions = selects.where(predicates, False)
        if page is not None and paged:
            conditions.append(page.ranges(False)[0].condition)
        return [self.aliased(scope, row, condition) for condition in conditions]

    def aliased(self, scope: QueryScope, row: FromClause, expression: Any) -> Any:
        """An expression on the scope's table as one on the alias `row`, with the scope's own parameters."""
        table = scope.model.__table__

        def renamed(element: Any, **_: Any) -> Any:
            if isinstance(element, sa.BindParameter) and element.required and element.key != "now":
                return bindparam(f"l{scope.number}{element.key}", type_=element.type)
            return None

        def replaced(element: Any, **_: Any) -> Any:
            if isinstance(element, Select) and table in element.get_final_froms():
                # A subquery on other rows of the same table: its columns stay.
                return replacement_traverse(element, {}, renamed)
            if isinstance(element, sa.Column) and element.table is table:
                return row.c[element.key]
            return renamed(element)

        return replacement_traverse(expression, {}, replaced)


# Writes a JSON value of a row, given the row's alias: an SQL expression of type text, or constant JSON.
JsonWriter = Callable[[ScopeWriter, FromClause], ColumnElement[Any] | str]
JsonEntries = list[tuple[str, JsonWriter]]  # of an object, by response key


class ScopeRequests(NamedTuple):
    """The requests of one execution to all scopes. Statements of one shape differ only in the parameters' values."""

    writer: ScopeWriter
    shape: Hashable
    values: dict[str, Any]
    named: tuple[NamedRows, ...]


def scope_requests(scopes: Sequence[QueryScope], state: ExecutionState) -> ScopeRequests:
    requests: list[tuple[tuple[Predicate, ...], Page | None]] = []
    shape: list[Hashable] = []
    values: dict[str, Any] = {"now": state.now}
    named: list[NamedRows] = []
    for scope in scopes:
        rows = scope.rows(state)
        conditions = [*rows.conditions, *authorization.row_conditions(scope.model, state.viewer.visibility)]
        predicates = tuple(c.predicate for c in conditions)
        named += [each for condition in conditions for each in condition.named]
        requests.append((predicates, rows.page))
        shape.append((predicates, rows.page and rows.page.shape))
        parameters = selects.parameters(conditions, state.reader)
        parameters |= {} if rows.page is None else rows.page.parameters
        values |= {f"l{scope.number}{name}": value for name, value in parameters.items()}
    return ScopeRequests(ScopeWriter(requests), tuple(shape), values, tuple(named))
