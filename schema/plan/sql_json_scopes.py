"""The levels of a statement that writes JSON: whose rows each has, and what is asked of them when it is run."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import ColumnElement, FromClause, Select, bindparam
from sqlalchemy.sql.visitors import replacement_traverse

from resolvers.sql import authorization, selects
from resolvers.sql.pagination import Page
from resolvers.sql.predicates import Predicate
from schema.plan.row_steps import RowsRequest
from schema.plan.steps import ExecutionState


@dataclass(frozen=True)
class QueryScope:
    """Rows of one model in the statement, with what is asked of them. Its parameters have its number before them."""

    number: int
    model: Any
    ask: Callable[[ExecutionState], RowsRequest]


class ScopeWriter:
    """Writes one statement. `asked` are the clauses and the page of each level, by its number."""

    def __init__(self, asked: Sequence[tuple[tuple[Predicate, ...], Page | None]]) -> None:
        self._asked = asked

    def page(self, level: QueryScope) -> Page:
        page = self._asked[level.number][1]
        assert page is not None
        return page

    def where(self, level: QueryScope, row: FromClause, *, paged: bool = True) -> list[ColumnElement[bool]]:
        """What holds for the rows of a level, told of its alias; `paged` says that those before a cursor are out."""
        clauses, page = self._asked[level.number]
        found = selects.where(clauses, False)
        if page is not None and paged:
            found.append(page.ranges(False)[0].condition)
        return [self.told(level, row, expression) for expression in found]

    def told(self, level: QueryScope, row: FromClause, expression: Any) -> Any:
        table = level.model.__table__

        def renamed(element: Any, **_: Any) -> Any:
            if isinstance(element, sa.BindParameter) and element.required and element.key != "now":
                return bindparam(f"l{level.number}{element.key}", type_=element.type)
            return None

        def replaced(element: Any, **_: Any) -> Any:
            if isinstance(element, Select) and table in element.get_final_froms():
                # Other rows of the same table: they stay what they are.
                return replacement_traverse(element, {}, renamed)
            if isinstance(element, sa.Column) and element.table is table:
                return row.c[element.key]
            return renamed(element)

        return replacement_traverse(expression, {}, replaced)


class ScopeRequests(NamedTuple):
    """What one execution asks of all levels. Statements of one shape differ in nothing but their parameters' values."""

    writer: ScopeWriter
    shape: Hashable
    values: dict[str, Any]


def scope_requests(levels: Sequence[QueryScope], state: ExecutionState) -> ScopeRequests:
    asked: list[tuple[tuple[Predicate, ...], Page | None]] = []
    shape: list[Hashable] = []
    values: dict[str, Any] = {"now": state.now}
    for level in levels:
        one = level.ask(state)
        conditions = [*one.conditions, *authorization.scope(level.model, state.viewer.visibility)]
        clauses = tuple(c.predicate for c in conditions)
        asked.append((clauses, one.page))
        shape.append((clauses, one.page and one.page.shape))
        given = selects.parameters(conditions, state.reader)
        given |= {} if one.page is None else one.page.parameters()
        values |= {f"l{level.number}{name}": value for name, value in given.items()}
    return ScopeRequests(ScopeWriter(asked), tuple(shape), values)
