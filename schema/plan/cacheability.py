"""Which queries give the same answer until the log goes on: those that are made of logged rows alone.

Each declaration that is met must be known to be so; whatever is not known is taken to change at any time.
"""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from graphql import FieldNode, GraphQLObjectType, ObjectValueNode, OperationDefinitionNode, is_leaf_type

from models.visibility import Visibility
from resolvers.actions.change_tracker import is_logged
from resolvers.sql import authorization
from resolvers.sql.pagination import Order
from resolvers.sql.predicates import Predicate, table_column
from schema.fields import columns as column_fields
from schema.fields import references
from schema.fields.connections import ToList, ToMany
from schema.fields.filters import FilterField, camel
from schema.fields.lookups import RowByKey, Singleton
from schema.fields.source import LoadField
from schema.plan.planner import Fields, Planner

VALUE = "value"
PAGE = frozenset({"first", "after", "last", "before"})


class CacheabilityCheck:
    """Looks through one operation for one visibility."""

    def __init__(self, compiler: Planner, visibility: Visibility) -> None:
        self._compiler, self._visibility = compiler, visibility

    def holds(self, root: GraphQLObjectType, operation: OperationDefinitionNode) -> bool:
        return self._selection(root, self._compiler.collect(root, [operation.selection_set]))

    def _selection(self, of: GraphQLObjectType, fields: Fields) -> bool:
        return all(self._field(of, nodes) for nodes in fields.values())

    def _field(self, of: GraphQLObjectType, nodes: list[FieldNode]) -> bool:
        name = nodes[0].name.value
        if name == "__typename":
            return True
        definition = of.fields.get(name)
        if definition is None:
            return False  # it is introspection
        field = definition.extensions["strawberry-definition"]
        # What does not load is a part of what did: of a connection, or of an object made of columns.
        known = not isinstance(field, LoadField) or self._loaded(field, nodes[0])
        return known and self._inside(definition.type, nodes)

    def _inside(self, of: Any, nodes: list[FieldNode]) -> bool:
        if is_leaf_type(getattr(of, "of_type", of)):
            return True
        return all(
            self._rows(named.extensions["strawberry-definition"].origin)
            and self._selection(named, self._compiler.inner(named, nodes))
            for named in self._compiler.possible(of)
            if not is_leaf_type(named)
        )

    def _rows(self, of: Any) -> bool:
        """Whether it is known which rows of a type there are, for this viewer."""
        row = getattr(of, "row", None)
        if row is None:
            return True
        scope = authorization.scope(row, self._visibility)
        return self._columns([row.id]) and all(self._clause(condition.clause) for condition in scope)

    def _loaded(self, field: LoadField, node: FieldNode) -> bool:
        match field.source:
            case column_fields.GlobalId(column=column) | column_fields.Column(column=column):
                return self._columns([column])
            case column_fields.Compute(needs=needs, clock=False):
                return self._columns(needs)
            case column_fields.SubObject(columns=parts):
                return self._columns(parts.values())
            case references.ToOne(column=column, back=back):
                return self._columns([column, *([] if back is None else [back])])
            case references.ToOneOf(columns=columns):
                return self._columns(columns.values())
            case Singleton():
                return True
            case RowByKey(columns=columns):
                return self._columns(columns[name] for name in self._names(node, "by", columns) if name in columns)
            case ToList() as load:
                where = load.where is None or self._clause(load.where)
                return where and self._related(load, field) and self._columns(load.order(load.node(field).row))
            case ToMany() as load if type(load) is ToMany:
                of = load.node(field)  # its rows may be counted and not shown
                return self._rows(of) and self._related(load, field) and self._asked(of, node)
        return False

    def _related(self, load: ToList | ToMany, field: LoadField) -> bool:
        relation = load.relation(field)
        return self._columns([*([] if relation.key is None else [relation.key]), *(relation.through or ())])

    def _asked(self, of: Any, node: FieldNode) -> bool:
        """The filter and the order of a connection's rows."""
        filters: dict[str, FilterField] = of.filters
        given = {argument.name.value for argument in node.arguments or ()}
        wanted = [*self._names(node, "filter", filters), *(name for name in filters if camel(name) in given)]
        others = given - PAGE - {"filter", "orderBy"} - {camel(name) for name in filters}
        orders: list[Order] = [of.default_order, *(of.orders.values() if "orderBy" in given else ())]
        return (
            not others
            and all(name in filters and self._clause(filters[name].clause) for name in wanted)
            and all(self._expression(key.column) for order in orders for key in order.keys)
        )

    def _names(self, node: FieldNode, argument: str, every: Iterable[str]) -> list[str]:
        """The fields of an input that are given; all of them where a variable says."""
        value = next((a.value for a in node.arguments or () if a.name.value == argument), None)
        if value is None:
            return []
        if not isinstance(value, ObjectValueNode):
            return list(every)
        names = {camel(name): name for name in every}
        return [names.get(field.name.value, field.name.value) for field in value.fields]

    # -- columns, wherever they stand --

    def _columns(self, columns: Iterable[Any]) -> bool:
        return all(is_logged(table_column(column)) for column in columns)

    def _clause(self, clause: Predicate) -> bool:
        every = [clause.chosen(value) for value in (True, False)]
        return all(self._expression(one.sql(VALUE, self._compiler.sqlite)) for one in every)

    def _expression(self, expression: Any) -> bool:
        """Whether nothing but logged columns and the one value is in it: no clock, above all."""
        if not isinstance(expression, sa.sql.ClauseElement):
            return self._columns([expression])
        for element in sa.sql.visitors.iterate(expression):
            if isinstance(element, sa.Column) and not is_logged(element):
                return False
            if isinstance(element, sa.BindParameter) and element.required and element.key != VALUE:
                return False
        return True
