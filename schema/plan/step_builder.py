"""The parts of a plan that read more for the rows of a type, from how its fields say that they load."""

from collections.abc import Callable
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from graphql import FieldNode, GraphQLList, GraphQLNonNull, GraphQLObjectType, get_named_type, is_leaf_type

import models
from models.db.tables import table_of
from resolvers.sql.pagination import Page, SortKey
from resolvers.sql.prepared import decoder
from schema.fields import batch, references
from schema.fields import columns as column_fields
from schema.fields.connections import ToList, ToMany
from schema.fields.event_log import Log
from schema.fields.events import MODELS, OfSubject
from schema.fields.lookups import NodeById, NodesByIds, RowByKey, Singleton
from schema.fields.mutation import WrittenRow
from schema.fields.source import LoadField, graph_type
from schema.plan.fallback import FallbackRequired
from schema.plan.root_steps import EventLogStep, KeyStep, NodesStep, NodeStep, SingletonStep
from schema.plan.row_codec import DecodedRowLayout, FunctionBuilder, RowLayout, json_expression
from schema.plan.row_steps import (
    ConnectionSelection,
    ConnectionStep,
    ParentSlice,
    RelatedRows,
    RowListStep,
    RowsRequest,
)
from schema.plan.sql_json_step import extra_select
from schema.plan.steps import (
    ArgumentPlan,
    BatchStep,
    ExecutionState,
    ListStep,
    ReferenceStep,
    ScalarStep,
    Step,
    TableSelection,
    ToOneStep,
    identity,
    value_step,
)
from schema.subscription import EventStream, StreamSource
from schema.types.errors import Current, Missing

if TYPE_CHECKING:
    from schema.plan.planner import Planner

Entry = Callable[[list[Any], Any, ParentSlice, int], Any]


class StepBuilder:
    """Makes the parts of one type. Without `columns` its rows are plain values."""

    def __init__(self, compiler: "Planner", of: GraphQLObjectType, columns: RowLayout | None) -> None:
        self._compiler, self._of, self._columns = compiler, of, columns

    def part(self, field: LoadField, of: Any, nodes: list[FieldNode]) -> Step:
        match field.source:
            case references.Ref(attribute=attribute):
                return self._refs(lambda row: getattr(row, attribute), of, nodes)
            case Current():
                return self._refs(lambda row: row.current, of, nodes, scoped=False)
            case WrittenRow(name=name):
                return self._written(name, of, nodes)
            case Missing() as missing:
                return ScalarStep(lambda rows: [missing.id_of(row) for row in rows])
            case batch.Batch() as load:
                return self._batch(load, field, of, nodes)
            case Log() as load:
                return self._log(load, field, of, nodes)
            case ToMany() as load:
                return self._connections(load, field, of, nodes)
            case ToList() as load:
                return self._list(load, field, of, nodes)
            case NodeById() | NodesByIds() | RowByKey() | Singleton():
                return self._root(field, of, nodes)
            case StreamSource():
                return self._stream(field.source, of, nodes)
        if self._columns is None:
            raise FallbackRequired(f"{type(field.source).__name__} of a plain value")
        return self._of_row(field, of, nodes, self._columns)

    def _of_row(self, field: LoadField, of: Any, nodes: list[FieldNode], columns: RowLayout) -> Step:
        match field.source:
            case references.ToOne(column=column, back=back):
                lookup = self._compiler.table(of, nodes).lookup(back)
                return ToOneStep(columns.at(column), lookup, isinstance(of, GraphQLNonNull))
            case references.ToOneOf(columns=keys):
                places = [(model, columns.at(column)) for model, column in keys.items()]
                return self._refs(
                    lambda row: next(((m, row[at]) for m, at in places if row[at] is not None), None), of, nodes
                )
            case OfSubject():
                return self._refs(self._subject(columns), of, nodes)
            case column_fields.Compute(function=function, needs=needs, clock=False):
                code = FunctionBuilder()
                given = ", ".join(columns.decoded(code, need) for need in needs)
                value = code.function("r", f"{code.name(function)}({given})")
                return value_step(of, value, self._compiler.shape(of, nodes, None))
        raise FallbackRequired(f"a field of kind {type(field.source).__name__}")

    def _stream(self, load: StreamSource, of: Any, nodes: list[FieldNode]) -> Step:
        """What a stream hands to the root: an event's row, or a plain value."""
        if not isinstance(load, EventStream):
            return value_step(of, identity, self._compiler.shape(of, nodes, None))
        table: Any = table_of(models.Event)
        columns = DecodedRowLayout(table, sqlite=self._compiler.sqlite)
        shape = self._compiler.shape(of, nodes, columns)
        names = [column.key for column in columns.all]
        return value_step(of, lambda event: tuple(getattr(event.row, name) for name in names), shape)

    def _refs(
        self, refs: Callable[[Any], Any], of: Any, nodes: list[FieldNode], *, scoped: bool = True
    ) -> ReferenceStep:
        return ReferenceStep(refs, self._compiler.lookups(of, nodes, scoped=scoped), isinstance(of, GraphQLNonNull))

    def _subject(self, columns: RowLayout) -> Callable[[Any], tuple[Any, int] | None]:
        subject, key = columns.at(models.Event.subject), columns.at(models.Event.subject_id)
        by_subject: dict[Any, Any] = dict(MODELS)
        if not isinstance(columns, DecodedRowLayout):
            by_subject = {subject.name: model for subject, model in MODELS.items()}
        return lambda row: None if row[key] is None else (by_subject[row[subject]], row[key])

    def _written(self, name: str, of: Any, nodes: list[FieldNode]) -> Step:
        inner = of.of_type if isinstance(of, GraphQLNonNull) else of
        if not isinstance(inner, GraphQLList):
            return self._refs(lambda row: row.rows[name], of, nodes, scoped=False)
        return ListStep(
            lambda row: row.rows[name], self._refs(identity, inner.of_type, nodes, scoped=False), required=True
        )

    def _batch(self, load: batch.Batch, field: LoadField, of: Any, nodes: list[FieldNode]) -> Step:
        compiler, columns = self._compiler, self._columns
        code = FunctionBuilder()
        values = "".join(f"{columns.decoded(code, need)}, " for need in load.needs) if columns else ""
        needs = code.function("rows", f"[({values}) for r in rows]")
        given, carry = compiler.arguments(self._of, field, nodes[0]), extra_select(compiler, load, of, nodes)
        if is_leaf_type(get_named_type(of)):
            inner = FunctionBuilder()
            shape: Step = ScalarStep(inner.function("rows", f"[{json_expression(inner, 'r', of)} for r in rows]"))
        else:
            shape = value_step(of, identity, compiler.shape(of, nodes, None, load.carries if carry else {}))

        def arguments(state: ExecutionState) -> dict[str, Any]:
            return load.plain(given(state), state)

        return BatchStep(load.function, needs, arguments, shape, isinstance(of, GraphQLNonNull), carry)

    # -- lists --

    def _list(self, load: ToList, field: LoadField, of: Any, nodes: list[FieldNode]) -> Step:
        table = self._compiler.table(of, nodes)
        places = []
        for column in load.order(table.model):
            at = table.columns.at(column)
            places.append((at, decoder(table.columns.all[at].type, self._compiler.sqlite)))

        def order(row: Any) -> Any:
            values = [row[at] if decode is None else decode(row[at]) for at, decode in places]
            return tuple(getattr(value, "value", value) for value in values)

        by = itemgetter(places[0][0]) if len(places) == 1 else order
        listing = RelatedRows(table, load.relation(field), self._at(load))
        return RowListStep(listing, RowsRequest(load.fixed), by, load.last, isinstance(of, GraphQLNonNull))

    def _at(self, load: Any) -> int | None:
        """The place of the parent's key."""
        if load.key is None:
            return None
        if self._columns is None:
            raise FallbackRequired("a list of a plain value")
        return self._columns.at(self._of.extensions["strawberry-definition"].origin.row.id)

    def _listing(
        self, load: ToMany, field: LoadField, of: Any, nodes: list[FieldNode]
    ) -> tuple[RelatedRows, ConnectionSelection, ArgumentPlan]:
        """The rows of a connection, what is asked of it, and its arguments."""
        compiler = self._compiler
        model = load.node(field).row
        columns = RowLayout(model.__table__, sqlite=compiler.sqlite)
        columns.at(model.id)
        wanted = ConnectionSelection()
        named: Any = get_named_type(of)
        for key, asked in compiler.inner(named, nodes).items():
            wanted.entries.append((key, self._entry(wanted, named, asked, columns)))
        listing = RelatedRows(TableSelection(model, columns), load.relation(field), self._at(load))
        return listing, wanted, compiler.arguments(self._of, field, nodes[0])

    def _connections(self, load: ToMany, field: LoadField, of: Any, nodes: list[FieldNode]) -> Step:
        listing, wanted, given = self._listing(load, field, of, nodes)

        def ask(state: ExecutionState) -> RowsRequest:
            rows, page = load.asked(field, state, given(state))
            return RowsRequest(rows.conditions, page)

        cursor = self._cursor(load.node(field), listing.table.columns) if wanted.cursors else None
        return ConnectionStep(listing, wanted, ask, given.fixed is not None, cursor)

    def _log(self, load: Log, field: LoadField, of: Any, nodes: list[FieldNode]) -> Step:
        listing, wanted, given = self._listing(load, field, of, nodes)
        return EventLogStep(listing, wanted, lambda state: load.wanted(given(state)))

    def _cursor(self, node: Any, columns: RowLayout) -> Callable[[Page, Any], str]:
        """A page's cursor of a row. The columns of all orders are read for it: a variable may choose among them."""
        places: dict[SortKey, tuple[int, Any]] = {}
        for order in [*node.orders.values(), node.default_order]:
            for key in order.keys:
                at = columns.at(key.column)
                places[key] = at, decoder(columns.all[at].type, columns.sqlite)

        def cursor(page: Page, row: Any) -> str:
            values = []
            for key in page.order.keys:
                at, decode = places[key]
                value = row[at]
                values.append(value if decode is None or value is None else decode(value))
            return page.order.encode(values)

        return cursor

    def _entry(self, wanted: ConnectionSelection, of: Any, nodes: list[FieldNode], columns: RowLayout) -> Entry:
        """What makes a field of a connection."""
        name = nodes[0].name.value
        if name == "__typename":
            return lambda made, cursors, group, count: of.name
        if name == "totalCount":
            wanted.counts = True
            return lambda made, cursors, group, count: count
        wanted.rows = True
        inner: Any = get_named_type(of.fields[name].type)
        if name == "nodes":
            place = len(wanted.shapes)
            wanted.shapes.append(self._compiler.shape(inner, nodes, columns))
            return lambda made, cursors, group, count: made[place]
        return self._edges(wanted, inner, nodes, columns) if name == "edges" else self._ends(wanted, inner, nodes)

    def _edges(self, wanted: ConnectionSelection, of: Any, nodes: list[FieldNode], columns: RowLayout) -> Entry:
        parts: list[tuple[str, int | str]] = []
        for key, asked in self._compiler.inner(of, nodes).items():
            name = asked[0].name.value
            if name == "node":
                parts.append((key, len(wanted.shapes)))
                wanted.shapes.append(self._compiler.shape(of.fields[name].type, asked, columns))
            else:
                parts.append((key, name))
                wanted.cursors |= name == "cursor"

        def value(part: int | str, i: int, made: list[Any], cursors: Any) -> Any:
            if isinstance(part, int):
                return made[part][i]
            return cursors[i] if part == "cursor" else of.name

        return lambda made, cursors, group, count: [
            {key: value(part, i, made, cursors) for key, part in parts} for i in range(group.end - group.start)
        ]

    def _ends(self, wanted: ConnectionSelection, of: Any, nodes: list[FieldNode]) -> Entry:
        wanted.ends = True
        names = [(key, asked[0].name.value) for key, asked in self._compiler.inner(of, nodes).items()]
        wanted.cursors |= any(name in ("startCursor", "endCursor") for _, name in names)

        def ends(made: list[Any], cursors: Any, group: ParentSlice, count: int) -> Any:
            found = {
                "__typename": of.name,
                "hasNextPage": group.has_next,
                "hasPreviousPage": group.has_previous,
                "startCursor": cursors[0] if cursors else None,
                "endCursor": cursors[-1] if cursors else None,
            }
            return {key: found[name] for key, name in names}

        return ends

    # -- the root --

    def _root(self, field: LoadField, of: Any, nodes: list[FieldNode]) -> Step:
        compiler = self._compiler
        given = compiler.arguments(self._of, field, nodes[0])
        match field.source:
            case RowByKey(columns=columns):
                table = compiler.table(of, nodes)
                lookups = {"id": table.lookup()} | {name: table.lookup(column) for name, column in columns.items()}
                return KeyStep(graph_type(field.type).__name__, given, lookups)
            case Singleton():
                return SingletonStep(compiler.table(of, nodes).lookup())
        tables = {t.name: compiler.table(t, nodes).lookup() for t in compiler.possible(of)}
        return NodeStep(given, tables) if isinstance(field.source, NodeById) else NodesStep(given, tables)
