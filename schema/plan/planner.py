"""Compiles a valid operation to a plan, once for each document and visibility.

The planner walks the selection sets. How a field gets its value is up to the field's source (schema/fields/source.py).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import strawberry
from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    OperationDefinitionNode,
    get_named_type,
    is_leaf_type,
)

from models.access import AccessKind
from models.visibility import Visibility
from resolvers.disclosures import disclosed_by
from resolvers.sql import authorization
from schema.fields.source import NO_ATTRIBUTES, TYPE_OF_ROW, LoadField, ParentRows, SelectedField
from schema.plan.arguments import ArgumentReader
from schema.plan.fallback import FallbackRequired
from schema.plan.row_codec import FunctionBuilder, RowLayout, json_expression, non_null
from schema.plan.selections import Fields, Selections, row_model
from schema.plan.sql_json import SqlJsonCompiler
from schema.plan.sql_json_step import fragment
from schema.plan.steps import ArgumentPlan, ObjectStep, PolymorphicStep, RowLookup, Step, TableSelection, value_step


class Planner:
    """Plans one operation for viewers of one visibility.

    `conditions` has the values of the variables in @skip and @include. Raises FallbackRequired for what plans do not
    support: introspection, other directives, too many selections.
    """

    def __init__(
        self,
        schema: strawberry.Schema,
        document: DocumentNode,
        conditions: Mapping[str, bool],
        visibility: Visibility,
        *,
        sqlite: bool,
    ) -> None:
        self.selections = Selections(schema._schema, document, conditions)
        self.visibility, self.sqlite = visibility, sqlite
        self._arguments = ArgumentReader(schema)

    def operation(self, root: GraphQLObjectType, operation: OperationDefinitionNode) -> ObjectStep:
        """The plan of an operation, whose one row is the root value."""
        fields = self.selections.fields(root, [operation.selection_set])
        return SelectionPlanner(self, root, fields, None).step()

    def arguments(self, selected: SelectedField) -> ArgumentPlan:
        return self._arguments.plan(selected)

    def layout(self, model: Any) -> RowLayout:
        # A statement has no JSON columns where its rows are of several types, each with a selection of its own.
        takes_json = not self.sqlite and model not in TYPE_OF_ROW
        layout = RowLayout(model.__table__, sqlite=self.sqlite, takes_json=takes_json)
        layout.at(model.id)
        return layout

    def objects(
        self,
        graph_type: Any,
        nodes: Sequence[FieldNode],
        layout: RowLayout | None,
        json_attributes: Mapping[str, str] = NO_ATTRIBUTES,
    ) -> Step:
        named = get_named_type(graph_type)
        if isinstance(named, GraphQLObjectType):
            return self._object(named, nodes, layout, json_attributes)
        types = self.selections.possible_types(graph_type)
        objects = {t.name: self._object(t, nodes, layout) for t in types}
        if layout is not None:
            return PolymorphicStep(TYPE_OF_ROW[row_model(named)](layout), objects)
        origins = {t.name: t.extensions["strawberry-definition"].origin for t in types}

        def type_name(value: Any) -> str | None:
            return next((name for name, origin in origins.items() if origin.is_type_of(value, None)), None)

        return PolymorphicStep(type_name, objects)

    def _object(
        self,
        named: GraphQLObjectType,
        nodes: Sequence[FieldNode],
        layout: RowLayout | None,
        json_attributes: Mapping[str, str] = NO_ATTRIBUTES,
    ) -> ObjectStep:
        fields = self.selections.subfields(named, nodes)
        return SelectionPlanner(self, named, fields, layout, json_attributes).step()

    def limited(self, model: Any) -> bool:
        """Whether viewers with this role and these scopes may have only some of the table's rows."""
        return bool(authorization.row_conditions(model, self.visibility))

    def table(self, graph_type: Any, nodes: Sequence[FieldNode], *, scoped: bool = True) -> TableSelection:
        model, named = row_model(graph_type), get_named_type(graph_type)
        layout = self.layout(model)
        objects = self.objects(graph_type, nodes, layout)
        if model in TYPE_OF_ROW and isinstance(named, GraphQLObjectType):
            # The rows are of several types, and an id is valid for its own type only.
            objects = PolymorphicStep(TYPE_OF_ROW[model](layout), {named.name: objects})
        return TableSelection(model, layout, objects, scoped=scoped and self.limited(model))

    def lookups(self, graph_type: Any, nodes: Sequence[FieldNode], *, scoped: bool = True) -> dict[Any, RowLookup]:
        lookups = {}
        for each in self.selections.possible_types(graph_type):
            model = row_model(each)
            if model not in TYPE_OF_ROW:
                lookups[model] = self.table(each, nodes, scoped=scoped).lookup()
        return lookups

    def json_compiler(self) -> SqlJsonCompiler:
        return SqlJsonCompiler(self.selections, self.visibility, self.arguments)


class SelectionPlanner:
    """Plans the fields that are selected on one object type.

    Each becomes an expression of the function that builds the objects; steps give the values that must be read.
    """

    def __init__(
        self,
        planner: Planner,
        parent: GraphQLObjectType,
        fields: Fields,
        layout: RowLayout | None,
        json_attributes: Mapping[str, str] = NO_ATTRIBUTES,
    ) -> None:
        self._planner, self._parent = planner, parent
        self._rows = ParentRows(layout, FunctionBuilder(), json_attributes)
        self._steps: list[Step] = []
        self._discloses: dict[tuple[AccessKind, int], None] = {}
        self._read: dict[tuple[int, ...], str] = {}  # by fingerprint, expressions for values that are read
        planner.selections.count(fields)
        self._entries = [(key, self._entry(nodes)) for key, nodes in fields.items()]

    def step(self) -> ObjectStep:
        values = [f"k{i}" for i in range(len(self._steps))]
        parameters = ", ".join(["rows", "now", "disclosures", *(f"{value}s" for value in values)])
        each = ", ".join(["r", *values])
        among = f"zip({', '.join(['rows', *(f'{value}s' for value in values)])})" if values else "rows"
        body = ", ".join(f"{key!r}: {expression}" for key, expression in self._entries)
        build = self._rows.code.function(parameters, f"[{{{body}}} for {each} in {among}]")
        return ObjectStep(build, self._steps, list(self._discloses))

    def _entry(self, nodes: list[FieldNode]) -> str:
        name = nodes[0].name.value
        if name == "__typename":
            return repr(self._parent.name)
        if name.startswith("__"):
            raise FallbackRequired("introspection")
        definition = self._parent.fields[name]
        field = definition.extensions["strawberry-definition"]
        if not isinstance(field, LoadField):
            return self._attribute(field.python_name, definition.type, nodes)
        if not field.visible_to(self._planner.visibility):
            return self._hidden(definition.type)
        self._note(field)
        selected = SelectedField(field, self._parent, definition.type, nodes)
        expression = field.source.expression(selected, self._rows, self._planner)
        return self._value(selected) if expression is None else expression

    def _note(self, field: LoadField) -> None:
        """Have the rows' enterprises noted where the field shows their personal data."""
        layout = self._rows.layout
        shown = None if layout is None else disclosed_by(layout.table, field.sees, self._planner.visibility)
        if layout is not None and shown is not None:
            kind, key = shown
            self._discloses[kind, layout.position(key)] = None

    def _attribute(self, name: str, graph_type: Any, nodes: list[FieldNode]) -> str:
        """An attribute of a plain value."""
        named = get_named_type(graph_type)
        if is_leaf_type(named):
            return json_expression(self._rows.code, f"r.{name}", graph_type)
        objects = self._planner.objects(named, nodes, None)
        return self._add(value_step(graph_type, lambda row: getattr(row, name), objects))

    def _hidden(self, graph_type: Any) -> str:
        if isinstance(graph_type, GraphQLNonNull):
            return "[]" if isinstance(graph_type.of_type, GraphQLList) else non_null(self._rows.code, "None")
        return "[]" if isinstance(graph_type, GraphQLList) else "None"

    def _value(self, selected: SelectedField) -> str:
        """A value that is read: once, even if it is selected under two names or in two fragments."""
        fingerprint = self._planner.selections.fingerprint(selected.nodes)
        if fingerprint not in self._read:
            self._read[fingerprint] = self._json_column(selected) or self._step(selected)
        return self._read[fingerprint]

    def _json_column(self, selected: SelectedField) -> str | None:
        """The field as a JSON column of its row's own statement."""
        layout = self._rows.layout
        if layout is None or not layout.takes_json:
            return None
        compiler = layout.json if isinstance(layout.json, SqlJsonCompiler) else self._planner.json_compiler()
        writer = compiler.field(selected)
        if writer is None:
            return None
        layout.json = compiler
        return f"{self._rows.code.name(fragment)}(r[{layout.add(writer)}], disclosures)"

    def _step(self, selected: SelectedField) -> str:
        step = selected.field.source.step(selected, self._rows, self._planner)
        if step is None:
            kind = "a plain value" if self._rows.layout is None else "a row"
            raise FallbackRequired(f"{type(selected.field.source).__name__} of {kind}")
        return self._add(step)

    def _add(self, step: Step) -> str:
        self._steps.append(step)
        return f"k{len(self._steps) - 1}"
