"""What an operation costs at most: the values that it produces and reads, computed before anything is read.

A value is about 20 bytes of the answer, so that a cost of 1,000 stands for 20 kB. Each field has a size, from its
declaration or its type; objects in a list count as often as the list is long, so that nested pages multiply. What a
field reads without returning it, such as the rows behind a count, counts too (FieldCost in schema/fields/source.py).

Sizes of pages may be variables. The cost is therefore an expression: made once for an operation, and evaluated for each
request in time linear in the document.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any, NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentSpreadNode,
    GraphQLEnumType,
    GraphQLField,
    GraphQLList,
    GraphQLObjectType,
    IntValueNode,
    ListValueNode,
    NamedTypeNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SchemaMetaFieldDef,
    SelectionNode,
    SelectionSetNode,
    StringValueNode,
    TypeMetaFieldDef,
    ValueNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
    value_from_ast_untyped,
)

from resolvers.queries.portraits import DAYS_MAXIMUM
from resolvers.sql.pagination import PAGE_DEFAULT, PAGE_MAXIMUM
from schema.build import Graph
from schema.execution.limits import LENGTHS
from schema.fields.source import FieldCost, LoadField
from schema.plan.selections import SKIP, Fields, fragments_of, walk

BYTES = 20  # of one value
COUNTED = 50  # values read for a `totalCount`
WINDOW_DAYS = 30  # of a portrait without a window
SIZED = frozenset({"nodes", "edges", "trend"})  # lists whose length is given with the field of their parent
# By scalar, the bytes of a value in JSON. Columns with long texts declare their own size.
SCALAR_BYTES = {"Boolean": 5, "Date": 12, "DateTime": 28, "Float": 14, "GeoJSON": 4_000, "ID": 32, "Int": 6}
STRING_BYTES = 40
COST_LIMIT = 400_000  # of an operation: about 8 MB
MAXIMUM = 10**15  # of a cost that is told to a client

Length = tuple[int, tuple[Any, ...]]  # a factor, and the variables whose sizes multiply it
ONE: Length = (1, ())
PLAIN = FieldCost()  # of a field of a plain value


@dataclass(slots=True, eq=False)
class Amount:
    """A number of bytes: `constant`, the `parts`, and the greatest of the `choices`.

    A part is a factor, the variables whose sizes multiply it, and another amount.
    """

    constant: int = 0
    parts: list[tuple[int, tuple[Any, ...], "Amount"]] = field(default_factory=list)
    choices: list["Amount"] = field(default_factory=list)

    @property
    def fixed(self) -> bool:
        return not self.parts and not self.choices

    def add(self, amount: "Amount", length: Length = ONE) -> None:
        times, names = length
        if not names and amount.fixed:
            self.constant += times * amount.constant
        else:
            self.parts.append((times, names, amount))

    def add_greatest(self, amounts: Sequence["Amount"]) -> None:
        fixed = max((each.constant for each in amounts if each.fixed), default=0)
        variable = [each for each in amounts if not each.fixed]
        if variable:
            self.choices = [Amount(fixed), *variable]
        else:
            self.constant += fixed


class OperationCost:
    """The cost of an operation. `constant` is None where it depends on variables."""

    def __init__(self, amount: Amount, defaults: Mapping[str, Any]) -> None:
        self._amount, self._defaults = amount, defaults
        self.constant = values(amount.constant) if amount.fixed else None

    def of(self, variables: Mapping[str, Any]) -> int:
        """The cost for these variables."""
        if self.constant is not None:
            return self.constant
        return values(evaluate(self._amount, Sizes(variables, self._defaults), {}))


class Window(NamedTuple):
    """A window of days whose ends are written in the document, or variables."""

    first: ValueNode | None
    last: ValueNode | None


class Sizes:
    """The sizes that variables give. Each is looked at once."""

    def __init__(self, variables: Mapping[str, Any], defaults: Mapping[str, Any]) -> None:
        self._variables, self._defaults = variables, defaults
        self._known: dict[Any, int] = {}

    def of(self, size: str | Window) -> int:
        if size not in self._known:
            self._known[size] = page_size(self._value(size)) if isinstance(size, str) else self._days(size)
        return self._known[size]

    def _value(self, name: str) -> Any:
        return self._variables.get(name, self._defaults.get(name))

    def _days(self, window: Window) -> int:
        first, last = (self._value(end.name.value) if isinstance(end, VariableNode) else end for end in window)
        return days(getattr(first, "value", first), getattr(last, "value", last))


def evaluate(amount: Amount, sizes: Sizes, known: dict[int, int]) -> int:
    """The number of bytes. Shared amounts are evaluated once: `known` has them by identity."""
    if amount.fixed:
        return amount.constant
    if id(amount) in known:
        return known[id(amount)]
    total = amount.constant
    for times, names, inner in amount.parts:
        for name in names:
            times *= sizes.of(name)
        total += times * evaluate(inner, sizes, known)
    total += max((evaluate(choice, sizes, known) for choice in amount.choices), default=0)
    known[id(amount)] = total = min(total, MAXIMUM * BYTES)
    return total


def cost_excess(cost: int, limit: int) -> str | None:
    """The message for a client whose operation costs more than the limit."""
    if cost <= limit:
        return None
    return (
        f"The operation costs {cost:,}, because it may produce or read that many values. The limit is {limit:,}."
        " Ask for smaller pages, since nested ones multiply, or for fewer fields."
    )


def values(size: int) -> int:
    return min(1 + size // BYTES, MAXIMUM)


def page_size(size: Any) -> int:
    """The number of items for a size. Invalid sizes count as the default; they are refused where they are used."""
    if isinstance(size, list):
        return len(size)
    if isinstance(size, dict):
        return days(size.get("from"), size.get("to"))
    return min(max(size, 1), PAGE_MAXIMUM) if type(size) is int else PAGE_DEFAULT


def days(first: Any, last: Any) -> int:
    """The days of a window, both ends inclusive."""
    try:
        return min(max((dt.date.fromisoformat(last) - dt.date.fromisoformat(first)).days + 1, 1), DAYS_MAXIMUM)
    except (TypeError, ValueError):
        return WINDOW_DAYS


def operation_cost(graph: Graph, document: DocumentNode, operation: OperationDefinitionNode) -> OperationCost:
    """The cost of a valid operation, which is within the limits of schema/execution/limits.py when expanded."""
    root = graph._schema.get_root_type(operation.operation)
    defaults = {
        definition.variable.name.value: value_from_ast_untyped(definition.default_value)
        for definition in operation.variable_definitions or ()
        if definition.default_value is not None
    }
    return OperationCost(CostCalculator(graph, document).objects(root, [operation.selection_set]), defaults)


class CostCalculator:
    """Adds up merged selections. Equal selections of one type are added up once."""

    def __init__(self, graph: Graph, document: DocumentNode) -> None:
        self._types, self._fragments = graph._schema.type_map, fragments_of(document)
        self._known: dict[Any, Amount] = {}

    def objects(self, parent: Any, sets: Sequence[SelectionSetNode | None], length: Length = ONE) -> Amount:
        """The bytes of one object of a type. `length` is that of the list in it whose length its field gives."""
        key = (parent.name, length, *map(id, sets))
        if key not in self._known:
            self._known[key] = self._objects(parent, sets, length)
        return self._known[key]

    def _objects(self, parent: Any, sets: Sequence[SelectionSetNode | None], length: Length) -> Amount:
        # An object of an interface or a union costs what all types have in common, and the most that one type adds.
        parts = self._parts(parent, sets)
        amount, choices = Amount(3), []  # the braces and a comma
        for named, fields in parts.items():
            added = amount
            if named is not parent and isinstance(named, GraphQLObjectType):
                choices.append(added := Amount())
            for key, nodes in fields.items():
                added.constant += len(key) + 4  # quotes, a colon and a comma
                self._add_field(added, named, nodes, length)
        amount.add_greatest(choices)
        return amount

    def _parts(self, parent: Any, sets: Sequence[SelectionSetNode | None]) -> dict[Any, Fields]:
        """The fields of an object by type: of an object type all in one part, of others by the innermost condition."""
        first: dict[str, Any] = {}  # by fragment, the type in whose part it was spread first

        def enter(part: Any, node: SelectionNode, condition: NamedTypeNode | None) -> Any:
            named = part if condition is None else self._types[condition.name.value]
            if isinstance(parent, GraphQLObjectType):
                return SKIP if isinstance(named, GraphQLObjectType) and named is not parent else None
            if isinstance(named, GraphQLObjectType) or not isinstance(part, GraphQLObjectType):
                return named
            # What several types spread is common to all, lest it be added up for each of them.
            if isinstance(node, FragmentSpreadNode) and first.setdefault(node.name.value, part) is not part:
                return named
            return part

        parts: dict[Any, Fields] = {}
        for node, part in walk(sets, self._fragments, enter=enter):
            if isinstance(node, FieldNode):
                fields = parts.setdefault(part or parent, {})
                fields.setdefault((node.alias or node.name).value, []).append(node)
        return parts

    def _add_field(self, amount: Amount, parent: Any, nodes: list[FieldNode], length: Length) -> None:
        name = nodes[0].name.value
        if name == "__typename":
            amount.constant += BYTES
            return
        definition = self._field(parent, name)
        declared = definition.extensions.get("strawberry-definition")
        cost = declared.cost if isinstance(declared, LoadField) else PLAIN
        arguments = {a.name.value: a.value for a in nodes[0].arguments or ()}
        inner, own = get_named_type(definition.type), list_length(definition, cost.sizes, cost.length, arguments)
        is_list = isinstance(get_nullable_type(definition.type), GraphQLList)
        if is_leaf_type(inner):
            value = Amount(cost.size or leaf_bytes(inner))
        else:
            value = self.objects(inner, [node.selection_set for node in nodes], ONE if is_list else own)
        if parent.name.startswith("__") or name == "__type":
            amount.add(value, (ceil(LENGTHS.get(name, 1)), ()))
        elif is_list:
            amount.add(value, length if name in SIZED and cost is PLAIN else own)
        else:
            amount.add(value)
        if cost.read:
            amount.add(Amount(cost.read * BYTES), list_length(definition, cost.read_for_each, 1, arguments))
        elif name == "totalCount" and cost is PLAIN:
            amount.constant += COUNTED * BYTES

    def _field(self, parent: Any, name: str) -> GraphQLField:
        if name == "__schema":
            return SchemaMetaFieldDef
        if name == "__type":
            return TypeMetaFieldDef
        field: GraphQLField = parent.fields[name]
        return field


def list_length(
    definition: GraphQLField, sizes: Sequence[str], otherwise: int, arguments: Mapping[str, ValueNode]
) -> Length:
    """How many items a field has, by the arguments `sizes`; `otherwise` if it takes none of them."""
    taken = [name for name in sizes if name in definition.args]
    given = {name: size for name in taken if name in arguments and (size := factor(arguments[name])) is not None}
    if "first" in taken and not given.keys() & {"first", "last"}:
        default = definition.args["first"].default_value
        given["first"] = page_size(default), ()
    if "window" in taken and "window" not in given:
        given["window"] = WINDOW_DAYS, ()
    times, names = 1 if taken else otherwise, tuple[Any, ...]()
    for number, variables in given.values():
        times, names = times * number, (*names, *variables)
    return times, names


def factor(value: ValueNode) -> Length | None:
    """What a size multiplies by; None for null."""
    match value:
        case VariableNode():
            return 1, (value.name.value,)
        case IntValueNode():
            return page_size(int(value.value)), ()
        case ListValueNode():
            return len(value.values), ()
        case ObjectValueNode():
            ends = {f.name.value: f.value for f in value.fields}
            first, last = (ends.get(name) for name in ("from", "to"))
            if isinstance(first, StringValueNode) and isinstance(last, StringValueNode):
                return days(first.value, last.value), ()
            return 1, (Window(first, last),)
    return None


def leaf_bytes(named: Any) -> int:
    """The bytes of a value of a leaf type."""
    if isinstance(named, GraphQLEnumType):
        return 2 + max(map(len, named.values))
    return SCALAR_BYTES.get(named.name, STRING_BYTES)
