"""From a valid operation and the declarations of its fields to a plan; once for a document and a visibility."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    is_leaf_type,
)

import models
from models.visibility import Visibility
from resolvers.sql import authorization
from schema.build import Graph
from schema.fields import batch, references
from schema.fields import columns as column_fields
from schema.fields.events import TYPES, EventId
from schema.fields.source import LoadField
from schema.plan.arguments import ArgumentReader, evaluate, named_variables
from schema.plan.fallback import FallbackRequired
from schema.plan.interning import FieldInterner
from schema.plan.row_codec import DecodedRowLayout, FunctionBuilder, RowLayout, json_expression, non_null
from schema.plan.sql_json_step import fragment, inline_json, sql_json_step
from schema.plan.step_builder import StepBuilder
from schema.plan.steps import ArgumentPlan, ObjectStep, PolymorphicStep, RowLookup, Step, TableSelection, value_step
from schema.types import node_id

Fields = dict[str, list[FieldNode]]
NOTHING: Mapping[str, str] = MappingProxyType({})
SELECTIONS_MAXIMUM = 2_000  # of one plan, for each type that an interface or a union can be


class Planner:
    """Compiles one operation. `conditions` are the variables of its @skip and @include."""

    def __init__(
        self,
        graph: Graph,
        document: DocumentNode,
        conditions: Mapping[str, bool],
        visibility: Visibility,
        *,
        sqlite: bool,
    ) -> None:
        self._schema, self._arguments, self.sqlite = graph._schema, ArgumentReader(graph), sqlite
        self._conditions, self.visibility = conditions, visibility
        self._fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
        self.alike, self._selections = FieldInterner(), 0
        self.query = self._schema.query_type

    def count(self) -> None:
        """One selection more. Raises Leave where they are too many: of interfaces within each other they multiply."""
        self._selections += 1
        if self._selections > SELECTIONS_MAXIMUM:
            raise FallbackRequired("too many selections")

    # -- selections, as the specification collects them --

    def included(self, node: Any) -> bool:
        for directive in node.directives or ():
            name = directive.name.value
            if name in ("skip", "include"):
                given = directive.arguments[0].value
                holds = self._conditions[given.name.value] if isinstance(given, VariableNode) else given.value
                if holds is (name == "skip"):
                    return False
            else:
                raise FallbackRequired("a directive")
        return True

    def collect(self, of: GraphQLObjectType, sets: Sequence[SelectionSetNode | None]) -> Fields:
        found: Fields = {}
        self._collect(of, sets, found, set())
        return found

    def _collect(
        self, of: GraphQLObjectType, sets: Sequence[SelectionSetNode | None], found: Fields, seen: set[str]
    ) -> None:
        for selections in sets:
            for node in selections.selections if selections else ():
                if not self.included(node):
                    continue
                if isinstance(node, FieldNode):
                    found.setdefault(node.alias.value if node.alias else node.name.value, []).append(node)
                    continue
                inner: Any = node
                if isinstance(node, FragmentSpreadNode):
                    if node.name.value in seen:
                        continue
                    seen.add(node.name.value)
                    inner = self._fragments[node.name.value]
                if self._applies(inner.type_condition, of):
                    self._collect(of, [inner.selection_set], found, seen)

    def _applies(self, condition: Any, of: GraphQLObjectType) -> bool:
        if condition is None:
            return True
        named: Any = self._schema.type_map[condition.name.value]
        return named is of or (not isinstance(named, GraphQLObjectType) and self._schema.is_sub_type(named, of))

    def inner(self, of: GraphQLObjectType, nodes: Sequence[FieldNode]) -> Fields:
        return self.collect(of, [node.selection_set for node in nodes])

    def possible(self, of: Any) -> list[GraphQLObjectType]:
        named: Any = get_named_type(of)
        return [named] if isinstance(named, GraphQLObjectType) else list(self._schema.get_possible_types(named))

    def arguments(self, of: GraphQLObjectType, field: LoadField, node: FieldNode) -> ArgumentPlan:
        """The field's arguments as its declaration takes them, made once where no variable is among them."""
        definition = of.fields[node.name.value]
        if not definition.args:
            return ArgumentPlan({})
        if not any(named_variables(argument) for argument in node.arguments or ()):
            return ArgumentPlan(self._arguments.general(definition, field.arguments, node, None))
        short = self._arguments.short(definition, field.arguments, node)
        if short is not None:
            return ArgumentPlan(None, lambda state: evaluate(short, state.variables.coerced))
        return ArgumentPlan(
            None, lambda state: self._arguments.general(definition, field.arguments, node, state.variables.full)
        )

    # -- shapes --

    def shape(
        self, of: Any, nodes: Sequence[FieldNode], columns: RowLayout | None, carried: Mapping[str, str] = NOTHING
    ) -> Step:
        """What rows of the type, or of any type that it can be, become. Without `columns` they are plain values.

        `carried` names attributes of plain values: by that which refers to a row, that which has the row's text.
        """
        types = self.possible(of)
        named = get_named_type(of)
        if isinstance(named, GraphQLObjectType):
            return SelectionPlanner(self, named, self.inner(named, nodes), columns, carried).made()
        objects = {t.name: SelectionPlanner(self, t, self.inner(t, nodes), columns).made() for t in types}
        if columns is not None:
            return PolymorphicStep(event_type(columns), objects)
        origins = {t.name: t.extensions["strawberry-definition"].origin for t in types}

        def pick(value: Any) -> str | None:
            return next((name for name, origin in origins.items() if origin.is_type_of(value, None)), None)

        return PolymorphicStep(pick, objects)

    def table(self, of: Any, nodes: Sequence[FieldNode], *, scoped: bool = True) -> TableSelection:
        """Rows of a graph type (or of one interface that is of one model) as they are read from their table."""
        definition = get_named_type(of).extensions["strawberry-definition"]
        model = definition.origin.row
        columns = RowLayout(model.__table__, sqlite=self.sqlite)
        columns.at(model.id)
        shape = self.shape(of, nodes, columns)
        named = get_named_type(of)
        if model is models.Event and isinstance(named, GraphQLObjectType):
            # Several types tell of events, and an id is good for its own only.
            shape = PolymorphicStep(event_type(columns), {named.name: shape})
        return TableSelection(model, columns, shape, scoped=scoped)

    def lookups(self, of: Any, nodes: Sequence[FieldNode], *, scoped: bool = True) -> dict[Any, RowLookup]:
        """By model, rows by their primary keys, of each type that `of` can be."""
        found = {}
        for each in self.possible(of):
            model = each.extensions["strawberry-definition"].origin.row
            if model is not models.Event:
                found[model] = self.table(each, nodes, scoped=scoped).lookup()
        return found


def event_type(columns: RowLayout) -> Callable[[Any], str]:
    """Which type tells of an event, by its row."""
    at, decoded = columns.at(models.Event.subject), isinstance(columns, DecodedRowLayout)
    types: dict[Any, str] = {s if decoded else s.name: made.__name__ for s, made in TYPES.items()}
    return lambda row: types[row[at]]


class SelectionPlanner:
    """The fields that are asked of one object type: an expression for each, and parts where more must be read."""

    def __init__(
        self,
        compiler: Planner,
        of: GraphQLObjectType,
        fields: Fields,
        columns: RowLayout | None,
        carried: Mapping[str, str] = NOTHING,
    ) -> None:
        self._compiler, self._of, self._columns, self._carried = compiler, of, columns, carried
        self._code, self._parts = FunctionBuilder(), list[Step]()
        self._asked: dict[tuple[int, ...], str] = {}
        compiler.count()
        self._entries = [(key, self._entry(nodes)) for key, nodes in fields.items()]

    def made(self) -> ObjectStep:
        names = [f"k{i}" for i in range(len(self._parts))]
        given = ", ".join(["rows", "now", *(f"{name}s" for name in names)])
        each = ", ".join(["r", *names])
        among = f"zip({', '.join(['rows', *(f'{name}s' for name in names)])})" if names else "rows"
        body = ", ".join(f"{key!r}: {value}" for key, value in self._entries)
        return ObjectStep(self._code.function(given, f"[{{{body}}} for {each} in {among}]"), self._parts)

    def _part(self, part: Step) -> str:
        self._parts.append(part)
        return f"k{len(self._parts) - 1}"

    def _entry(self, nodes: list[FieldNode]) -> str:
        name = nodes[0].name.value
        if name == "__typename":
            return repr(self._of.name)
        if name.startswith("__"):
            raise FallbackRequired("introspection")
        definition = self._of.fields[name]
        field = definition.extensions["strawberry-definition"]
        if not isinstance(field, LoadField):
            return self._plain(field.python_name, definition.type, nodes)
        if not self._compiler.visibility.allows(field.sees):
            return self._hidden(definition.type)
        return self._loaded(field, definition.type, nodes)

    def _hidden(self, of: Any) -> str:
        if isinstance(of, GraphQLNonNull):
            return "[]" if isinstance(of.of_type, GraphQLList) else non_null(self._code, "None")
        return "[]" if isinstance(of, GraphQLList) else "None"

    def _plain(self, name: str, of: Any, nodes: list[FieldNode]) -> str:
        """An attribute of a plain value."""
        named = get_named_type(of)
        if is_leaf_type(named):
            return json_expression(self._code, f"r.{name}", of)
        shape = self._compiler.shape(named, nodes, None)
        return self._part(value_step(of, lambda row: getattr(row, name), shape))

    def _loaded(self, field: LoadField, of: Any, nodes: list[FieldNode]) -> str:
        if (
            isinstance(field.source, batch.Batch)
            and field.source.needs
            and not authorization.may_read(self._compiler.visibility)
        ):
            return self._hidden(of)  # the row is one that the viewer wrote, and this is more than the row
        columns, code, leaf = self._columns, self._code, is_leaf_type(get_named_type(of))
        match field.source:
            case column_fields.GlobalId(name=name, column=column) if columns:
                return f"{code.name(node_id.encode)}({name!r}, {columns.decoded(code, column)})"
            case EventId() if columns:
                subject = columns.decoded(code, models.Event.subject)
                key = columns.decoded(code, models.Event.id)
                return f"{code.name(event_id)}({subject}, {key})"
            case column_fields.Column(column=column) if columns:
                return columns.told(code, column, of)
            case column_fields.Compute(function=function, needs=needs, clock=clock) if columns and leaf:
                given = [*(["now"] if clock else []), *(columns.decoded(code, need) for need in needs)]
                value = f"{code.name(function)}({', '.join(given)})"
                # The type checker has seen to it that the function gives what the field promises.
                return json_expression(code, value, of, nullable=not isinstance(of, GraphQLNonNull))
            case column_fields.SubObject(columns=parts) if columns:
                return self._object(parts, of, nodes)
            case references.Ref(attribute=attribute) if attribute in self._carried:
                return f"{code.name(fragment)}(r.{self._carried[attribute]})"
        # Asked twice, under two names or in two fragments, it is read once.
        asked = tuple(self._compiler.alike.field(node) for node in nodes)
        if asked not in self._asked:
            self._asked[asked] = self._made(field, of, nodes)
        return self._asked[asked]

    def _made(self, field: LoadField, of: Any, nodes: list[FieldNode]) -> str:
        compiler, columns, whole = self._compiler, self._columns, None
        place = inline_json(compiler, columns, self._of, field, of, nodes)
        if place is not None:
            return f"{self._code.name(fragment)}(r[{place}])"
        if self._of is compiler.query and not compiler.sqlite:
            whole = sql_json_step(compiler, self._of, field, of, nodes)
        return self._part(whole or StepBuilder(compiler, self._of, columns).part(field, of, nodes))

    def _object(self, parts: dict[str, Any], of: Any, nodes: list[FieldNode]) -> str:
        columns, code = self._columns, self._code
        assert columns is not None
        named: Any = get_named_type(of)
        inner = []
        for key, asked in self._compiler.inner(named, nodes).items():
            name = asked[0].name.value
            if name == "__typename":
                inner.append(f"{key!r}: {named.name!r}")
            else:
                asks = named.fields[name]
                column = parts[asks.extensions["strawberry-definition"].python_name]
                inner.append(f"{key!r}: {columns.told(code, column, asks.type)}")
        absent = " and ".join(f"r[{columns.at(column)}] is None" for column in parts.values())
        value = f"(None if {absent} else {{{', '.join(inner)}}})"
        return non_null(code, value) if isinstance(of, GraphQLNonNull) else value


def event_id(subject: Any, key: int) -> str:
    return node_id.encode(TYPES[subject].__name__, key)
