"""Fields whose value a function computes for many parents at once."""

import dataclasses
import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, TypeVarTuple, get_type_hints

import strawberry
from graphql import get_named_type, is_leaf_type
from sqlalchemy import ColumnElement
from strawberry.types.arguments import StrawberryArgument

from models.visibility import Right, Visibility
from resolvers.sql import authorization
from resolvers.sql.readers import Reader
from resolvers.sql.selects import ExtraSelect
from schema.execution.context import Context, Requester
from schema.fields.references import Ref
from schema.fields.source import (
    FieldCost,
    FieldPlanner,
    FieldSource,
    LoadField,
    ParentRows,
    SelectedField,
    argument,
    declare_field,
)
from schema.plan.row_codec import FunctionBuilder, json_expression
from schema.plan.selections import row_model
from schema.plan.sql_json import json_object
from schema.plan.sql_json_scopes import JsonEntries, scope_requests
from schema.plan.steps import BatchStep, ExecutionState, ScalarStep, Step, identity, value_step

P = ParamSpec("P")
N = TypeVarTuple("N")


@dataclass(frozen=True)
class BatchArgument:
    """An argument whose type is not that of the function's parameter; `convert` makes the parameter of its value.

    `always`: also of an argument that is left out.
    """

    description: str
    annotation: Callable[[], Any]
    convert: Callable[[Any, Requester], Any]
    always: bool = False


@dataclass(eq=False)
class Batch(FieldSource):
    """A batch function of the columns `needs` of each parent.

    `declared` describes the field's arguments, which are the function's keyword arguments. `json_attributes` names
    attributes of the results: by the one that refers to a row, the one for that row's JSON text. `asks` names further
    keyword arguments of the function, which are true unless a plan selects none of these fields of the results.
    """

    function: Callable[..., Awaitable[Sequence[Any]]]
    needs: Sequence[Any]
    declared: Mapping[str, str | BatchArgument]
    json_attributes: Mapping[str, str] = dataclasses.field(default_factory=dict)
    asks: Mapping[str, frozenset[str]] = dataclasses.field(default_factory=dict)

    def parent_columns(self) -> Sequence[Any]:
        return self.needs

    def visible_to(self, visibility: Visibility) -> bool:
        # Without the right to read, a viewer sees rows that it wrote, but not what else belongs to them.
        return not self.needs or authorization.may_read(visibility)

    def arguments(self, field: LoadField) -> list[StrawberryArgument]:
        hints = get_type_hints(self.function)
        parameters = list(inspect.signature(self.function).parameters.values())[2:]
        parameters = [p for p in parameters if p.name not in self.asks]
        if [p.name for p in parameters] != list(self.declared):
            raise TypeError(f"{self.function.__name__}: describe {[p.name for p in parameters]}, in that order")
        arguments = []
        for p in parameters:
            declared = self.declared[p.name]
            # A client may give null for an argument that has a default; the default applies then.
            required = p.default is inspect.Parameter.empty
            if isinstance(declared, BatchArgument):
                default = p.default if required else strawberry.UNSET
                arguments.append(argument(p.name, declared.description, declared.annotation(), default))
            else:
                default = strawberry.UNSET if p.default is None else p.default
                annotation = hints[p.name] if required else hints[p.name] | None
                arguments.append(argument(p.name, declared, annotation, default))
        return arguments

    def keywords(self, arguments: dict[str, Any], requester: Requester) -> dict[str, Any]:
        """The function's keyword arguments, without those that the client left out or gave as null."""
        keywords: dict[str, Any] = {}
        for name, declared in self.declared.items():
            value = arguments.get(name)
            if isinstance(declared, BatchArgument):
                if declared.always or not (value is None or value is strawberry.UNSET):
                    keywords[name] = declared.convert(value, requester)
            elif not (value is None or value is strawberry.UNSET):
                keywords[name] = value
        return keywords

    def resolve(self, field: LoadField, parent: Any, context: Context, arguments: dict[str, Any]) -> Any:
        keywords = self.keywords(arguments, context)
        needs = tuple(parent.get(column) for column in self.needs)

        async def read(keys: list[Any]) -> Sequence[Any]:
            return await self.function(context.reader, keys, **keywords)

        shape = tuple((name, repr(value)) for name, value in sorted(arguments.items()))
        return context.load((self, shape), read, needs)

    def step(self, selected: SelectedField, rows: ParentRows, planner: FieldPlanner) -> Step | None:
        if self.needs and rows.layout is None:
            return None
        code = FunctionBuilder()
        values = "".join(f"{rows.layout.decoded(code, need)}, " for need in self.needs) if rows.layout else ""
        needs = code.function("rows", f"[({values}) for r in rows]")
        arguments, extra = planner.arguments(selected), self._extra_select(selected, planner)
        if is_leaf_type(get_named_type(selected.type)):
            inner = FunctionBuilder()
            value = json_expression(inner, "r", selected.type)
            result: Step = ScalarStep(inner.function("rows", f"[{value} for r in rows]"))
        else:
            attributes = {} if extra is None else self.json_attributes
            objects = planner.objects(selected.type, selected.nodes, None, attributes)
            result = value_step(selected.type, identity, objects)

        asked = self._asked(selected, planner)

        def keywords(state: ExecutionState) -> dict[str, Any]:
            return self.keywords(arguments(state), state) | asked

        return BatchStep(self.function, needs, keywords, result, selected.required, extra)

    def _asked(self, selected: SelectedField, planner: FieldPlanner) -> dict[str, bool]:
        """Whether the fields of `asks` are selected."""
        if not self.asks:
            return {}
        result: Any = get_named_type(selected.type)
        fields = planner.selections.subfields(result, selected.nodes).values()
        names = {nodes[0].name.value for nodes in fields}
        return {keyword: not names.isdisjoint(wanted) for keyword, wanted in self.asks.items()}

    def _extra_select(
        self, selected: SelectedField, planner: FieldPlanner
    ) -> Callable[[ExecutionState], ExtraSelect] | None:
        """The JSON of the rows that the results refer to, for the function to select with them on PostgreSQL.

        None if it cannot be written in SQL, or unless exactly one selection leads to those rows.
        """
        if planner.sqlite or not self.json_attributes:
            return None
        result: Any = get_named_type(selected.type)
        fields = planner.selections.subfields(result, selected.nodes).values()
        references = [nodes for nodes in fields if self._refers(result, nodes[0].name.value)]
        if len(references) != 1:
            return None
        [nodes] = references
        compiler = planner.json_compiler()
        entries: dict[Any, JsonEntries] = {}
        for each in planner.selections.possible_types(result.fields[nodes[0].name.value].type):
            row_entries = compiler.entries(each, planner.selections.subfields(each, nodes))
            if row_entries is None:
                return None
            entries[row_model(each)] = row_entries

        owner = object()

        def extra_select(state: ExecutionState) -> ExtraSelect:
            requests = scope_requests(compiler.scopes, state)

            def write(model: Any) -> ColumnElement[Any]:
                return json_object(entries[model], requests.writer, model.__table__)

            return ExtraSelect(owner, requests.shape, write, requests.values, requests.named)

        return extra_select

    def _refers(self, result: Any, name: str) -> bool:
        definition = result.fields.get(name)
        field = None if definition is None else definition.extensions["strawberry-definition"]
        source = field.source if isinstance(field, LoadField) else None
        return isinstance(source, Ref) and source.attribute in self.json_attributes


def batch(
    function: Callable[Concatenate[Reader, Sequence[tuple[*N]], P], Awaitable[Sequence[Any]]],
    *needs: *N,
    description: str,
    arguments: Mapping[str, str | BatchArgument] | None = None,
    sees: Right | None = None,
    json_attributes: Mapping[str, str] | None = None,
    cost: FieldCost | None = None,
    asks: Mapping[str, frozenset[str]] | None = None,
) -> Any:
    """One call for all parents: (reader, a tuple of the needed columns for each parent, arguments) → one result each.

    The function's keyword arguments become the field's; `arguments` describes each of them. `json_attributes`
    names attributes of the results: by the one that refers to a row, the one that gets the value of the reader's extra
    column. `asks` names keyword arguments that tell the function which fields of the results are selected.
    """
    source = Batch(function, needs, arguments or {}, json_attributes or {}, asks or {})
    return declare_field(source, description, sees, cost=cost)
