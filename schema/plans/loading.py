"""The parts of a plan that read more for the rows of a type, from how its fields say that they load."""

from collections.abc import Callable
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from graphql import FieldNode, GraphQLList, GraphQLNonNull, GraphQLObjectType, get_named_type, is_leaf_type

import models
from resolvers.sql.pagination import Key, Page
from resolvers.sql.prepared import decoder
from schema import declare
from schema.connection import ToList, ToMany
from schema.declare import LoadField, target
from schema.event import MODELS, Log, OfSubject
from schema.mutation import Written
from schema.plans.leaves import Code, Columns, Decoded, Leave, told
from schema.plans.lists import Asked, Connected, Connections, Group, Listing, Several
from schema.plans.lowered import carried
from schema.plans.parts import Batch, Each, Given, Leaves, Part, Refs, State, Table, ToOne, itself, shaped
from schema.plans.roots import FoundAll, FoundBy, FoundOne, LogConnections, TheOne
from schema.problem import Current, Missing
from schema.query import Find, FindAll, FindBy, Sole
from schema.subscription import Stream, Updates

if TYPE_CHECKING:
    from schema.plans.compiler import Compiler

Entry = Callable[[list[Any], Any, Group, int], Any]


class Loading:
    """Makes the parts of one type. Without `columns` its rows are plain values."""

    def __init__(self, compiler: "Compiler", of: GraphQLObjectType, columns: Columns | None) -> None:
        self._compiler, self._of, self._columns = compiler, of, columns

    def part(self, field: LoadField, of: Any, nodes: list[FieldNode]) -> Part:
        match field.load:
            case declare.Ref(attribute=attribute):
                return self._refs(lambda row: getattr(row, attribute), of, nodes)
            case Current():
                return self._refs(lambda row: row.current, of, nodes, scoped=False)
            case Written(name=name):
                return self._written(name, of, nodes)
            case Missing() as missing:
                return Leaves(lambda rows: [missing.id_of(row) for row in rows])
            case declare.Batch() as load:
                return self._batch(load, field, of, nodes)
            case Log() as load:
                return self._log(load, field, of, nodes)
            case ToMany() as load:
                return self._connections(load, field, of, nodes)
            case ToList() as load:
                return self._list(load, field, of, nodes)
            case Find() | FindAll() | FindBy() | Sole():
                return self._root(field, of, nodes)
            case Stream():
                return self._stream(field.load, of, nodes)
        if self._columns is None:
            raise Leave(f"{type(field.load).__name__} of a plain value")
        return self._of_row(field, of, nodes, self._columns)

    def _of_row(self, field: LoadField, of: Any, nodes: list[FieldNode], columns: Columns) -> Part:
        match field.load:
            case declare.ToOne(column=column, back=back):
                lookup = self._compiler.table(of, nodes).lookup(back)
                return ToOne(columns.at(column), lookup, isinstance(of, GraphQLNonNull))
            case declare.ToOneOf(columns=keys):
                places = [(model, columns.at(column)) for model, column in keys.items()]
                return self._refs(
                    lambda row: next(((m, row[at]) for m, at in places if row[at] is not None), None), of, nodes
                )
            case OfSubject():
                return self._refs(self._subject(columns), of, nodes)
            case declare.Compute(function=function, needs=needs, clock=False):
                code = Code()
                given = ", ".join(columns.decoded(code, need) for need in needs)
                value = code.function("r", f"{code.name(function)}({given})")
                return shaped(of, value, self._compiler.shape(of, nodes, None))
        raise Leave(f"a field of kind {type(field.load).__name__}")

    def _stream(self, load: Stream, of: Any, nodes: list[FieldNode]) -> Part:
        """What a stream hands to the root: an event's row, or a plain value."""
        if not isinstance(load, Updates):
            return shaped(of, itself, self._compiler.shape(of, nodes, None))
        table: Any = models.Event.__table__  # type: ignore[attr-defined]  # SQLModel adds it to tables
        columns = Decoded(table, sqlite=self._compiler.sqlite)
        shape = self._compiler.shape(of, nodes, columns)
        names = [column.key for column in columns.all]
        return shaped(of, lambda event: tuple(getattr(event.row, name) for name in names), shape)

    def _refs(self, refs: Callable[[Any], Any], of: Any, nodes: list[FieldNode], *, scoped: bool = True) -> Refs:
        return Refs(refs, self._compiler.lookups(of, nodes, scoped=scoped), isinstance(of, GraphQLNonNull))

    def _subject(self, columns: Columns) -> Callable[[Any], tuple[Any, int] | None]:
        subject, key = columns.at(models.Event.subject), columns.at(models.Event.subject_id)
        by_subject: dict[Any, Any] = dict(MODELS)
        if not isinstance(columns, Decoded):
            by_subject = {subject.name: model for subject, model in MODELS.items()}
        return lambda row: None if row[key] is None else (by_subject[row[subject]], row[key])

    def _written(self, name: str, of: Any, nodes: list[FieldNode]) -> Part:
        inner = of.of_type if isinstance(of, GraphQLNonNull) else of
        if not isinstance(inner, GraphQLList):
            return self._refs(lambda row: row.rows[name], of, nodes, scoped=False)
        return Each(lambda row: row.rows[name], self._refs(itself, inner.of_type, nodes, scoped=False), required=True)

    def _batch(self, load: declare.Batch, field: LoadField, of: Any, nodes: list[FieldNode]) -> Part:
        compiler, columns = self._compiler, self._columns
        code = Code()
        values = "".join(f"{columns.decoded(code, need)}, " for need in load.needs) if columns else ""
        needs = code.function("rows", f"[({values}) for r in rows]")
        given, carry = compiler.arguments(self._of, field, nodes[0]), carried(compiler, load, of, nodes)
        if is_leaf_type(get_named_type(of)):
            inner = Code()
            shape: Part = Leaves(inner.function("rows", f"[{told(inner, 'r', of)} for r in rows]"))
        else:
            shape = shaped(of, itself, compiler.shape(of, nodes, None, load.carries if carry else {}))

        def arguments(state: State) -> dict[str, Any]:
            return load.plain(given(state), state)

        return Batch(load.function, needs, arguments, shape, isinstance(of, GraphQLNonNull), carry)

    # -- lists --

    def _list(self, load: ToList, field: LoadField, of: Any, nodes: list[FieldNode]) -> Part:
        table = self._compiler.table(of, nodes)
        places = []
        for column in load.order(table.model):
            at = table.columns.at(column)
            places.append((at, decoder(table.columns.all[at].type, self._compiler.sqlite)))

        def order(row: Any) -> Any:
            values = [row[at] if decode is None else decode(row[at]) for at, decode in places]
            return tuple(getattr(value, "value", value) for value in values)

        by = itemgetter(places[0][0]) if len(places) == 1 else order
        listing = Listing(table, load.relation(field), self._at(load))
        return Several(listing, Asked(load.fixed), by, load.last, isinstance(of, GraphQLNonNull))

    def _at(self, load: Any) -> int | None:
        """The place of the parent's key."""
        if load.key is None:
            return None
        if self._columns is None:
            raise Leave("a list of a plain value")
        return self._columns.at(self._of.extensions["strawberry-definition"].origin.row.id)

    def _listing(
        self, load: ToMany, field: LoadField, of: Any, nodes: list[FieldNode]
    ) -> tuple[Listing, Connected, Given]:
        """The rows of a connection, what is asked of it, and its arguments."""
        compiler = self._compiler
        model = load.node(field).row
        columns = Columns(model.__table__, sqlite=compiler.sqlite)
        columns.at(model.id)
        wanted = Connected()
        named: Any = get_named_type(of)
        for key, asked in compiler.inner(named, nodes).items():
            wanted.entries.append((key, self._entry(wanted, named, asked, columns)))
        listing = Listing(Table(model, columns), load.relation(field), self._at(load))
        return listing, wanted, compiler.arguments(self._of, field, nodes[0])

    def _connections(self, load: ToMany, field: LoadField, of: Any, nodes: list[FieldNode]) -> Part:
        listing, wanted, given = self._listing(load, field, of, nodes)

        def ask(state: State) -> Asked:
            rows, page = load.asked(field, state, given(state))
            return Asked(rows.conditions, page)

        cursor = self._cursor(load.node(field), listing.table.columns) if wanted.cursors else None
        return Connections(listing, wanted, ask, given.fixed is not None, cursor)

    def _log(self, load: Log, field: LoadField, of: Any, nodes: list[FieldNode]) -> Part:
        listing, wanted, given = self._listing(load, field, of, nodes)
        return LogConnections(listing, wanted, lambda state: load.wanted(given(state)))

    def _cursor(self, node: Any, columns: Columns) -> Callable[[Page, Any], str]:
        """A page's cursor of a row. The columns of all orders are read for it: a variable may choose among them."""
        places: dict[Key, tuple[int, Any]] = {}
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
            return page.order.written(values)

        return cursor

    def _entry(self, wanted: Connected, of: Any, nodes: list[FieldNode], columns: Columns) -> Entry:
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

    def _edges(self, wanted: Connected, of: Any, nodes: list[FieldNode], columns: Columns) -> Entry:
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

    def _ends(self, wanted: Connected, of: Any, nodes: list[FieldNode]) -> Entry:
        wanted.ends = True
        names = [(key, asked[0].name.value) for key, asked in self._compiler.inner(of, nodes).items()]
        wanted.cursors |= any(name in ("startCursor", "endCursor") for _, name in names)

        def ends(made: list[Any], cursors: Any, group: Group, count: int) -> Any:
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

    def _root(self, field: LoadField, of: Any, nodes: list[FieldNode]) -> Part:
        compiler = self._compiler
        given = compiler.arguments(self._of, field, nodes[0])
        match field.load:
            case FindBy(columns=columns):
                table = compiler.table(of, nodes)
                lookups = {"id": table.lookup()} | {name: table.lookup(column) for name, column in columns.items()}
                return FoundBy(target(field.type).__name__, given, lookups)
            case Sole():
                return TheOne(compiler.table(of, nodes).lookup())
        tables = {t.name: compiler.table(t, nodes).lookup() for t in compiler.possible(of)}
        return FoundOne(given, tables) if isinstance(field.load, Find) else FoundAll(given, tables)
