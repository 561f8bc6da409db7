"""What an operation costs at most: the values that it produces and reads, computed before anything is read.

A value is about 20 bytes of the answer, so that a cost of 1,000 stands for 20 kB. Each field has a size, from its
declaration or its type; objects in a list count as often as the list is long, so that nested pages multiply. What a
field reads without returning it, such as the rows behind a count, counts too (FieldCost in schema/fields/source.py).

Sizes of pages may be variables. The cost is therefore an expression: made once for an operation, and evaluated for each
request in time linear in the document.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentSpreadNode,
    GraphQLObjectType,
    ListTypeNode,
    NamedTypeNode,
    NonNullTypeNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    ValueNode,
    is_input_object_type,
    value_from_ast_untyped,
)

from models.reason import Reason
from models.visibility import Role
from resolvers.errors import ErrorCode
from schema.build import Graph
from schema.execution.errors import coded_error
from schema.execution.field_costs import (
    COUNTED,
    ONE,
    CountedField,
    Length,
    Size,
    Sizes,
    ValueCount,
    branches,
    counted_field,
)
from schema.plan.selections import SKIP, Fields, fragments_of, walk
from schema.plan.variables import named_variables

BYTES = 20  # of one value
# By role, how many quarters of the limit an operation may cost.
COST_QUARTERS = {Role.COMMANDER: 4, Role.INTEGRATOR: 4, Role.INSPECTOR: 2, Role.WALL: 2, Role.ENTERPRISE: 1}
MAXIMUM = 10**15  # of a cost that is told to a client
KNOWN_MAXIMUM = 20  # costs of one operation that are remembered, by its variables
NO_ARGUMENTS: Mapping[str, ValueNode] = {}


@dataclass(slots=True, eq=False)
class Amount:
    """A number of bytes: `constant`, the `parts`, each times a length, and the greatest of the `choices`."""

    constant: float = 0
    parts: list[tuple[Length, "Amount"]] = field(default_factory=list)
    choices: list["Amount"] = field(default_factory=list)

    @property
    def fixed(self) -> bool:
        return not self.parts and not self.choices

    def add(self, amount: "Amount", length: Length = ONE) -> None:
        if amount.fixed and not length[1]:
            self.constant += length[0] * amount.constant
        else:
            self.parts.append((length, amount))

    def add_greatest(self, amounts: Sequence["Amount"]) -> None:
        fixed = max((each.constant for each in amounts if each.fixed), default=0)
        variable = [each for each in amounts if not each.fixed]
        if variable:
            self.choices = [Amount(fixed), *variable]
        else:
            self.constant += fixed


def evaluate(amount: Amount, sizes: Sizes, known: dict[int, float]) -> float:
    """The number of bytes. Amounts that several others share are evaluated once: `known` has them by identity."""
    if amount.fixed:
        return amount.constant
    if id(amount) in known:
        return known[id(amount)]
    total = amount.constant
    for (times, variables), inner in amount.parts:
        for size in variables:
            times *= sizes.of(size)
        total += times * evaluate(inner, sizes, known)
    total += max((evaluate(choice, sizes, known) for choice in amount.choices), default=0)
    known[id(amount)] = total = min(total, MAXIMUM * BYTES)
    return total


def sizes_of(amount: Amount) -> dict[Size, None]:
    """The sizes on which an amount depends."""
    sizes: dict[Size, None] = {}
    known, waiting = {id(amount)}, [amount]
    while waiting:
        each = waiting.pop()
        for (_, more), _ in each.parts:
            sizes |= dict.fromkeys(more)
        for inner in [*(part for _, part in each.parts), *each.choices]:
            if id(inner) not in known:
                known.add(id(inner))
                waiting.append(inner)
    return sizes


def values(size: float) -> int:
    """The number of values for a number of bytes."""
    return min(1 + int(size // BYTES), MAXIMUM)


class OperationCost:
    """The cost of an operation. `constant` is None where it depends on variables.

    `defaults` has the default values of the variables.
    """

    def __init__(self, amount: Amount, defaults: Mapping[str, Any]) -> None:
        self._amount, self._defaults = amount, defaults
        self.constant = values(amount.constant) if amount.fixed else None
        sizes = sizes_of(amount)
        # The variables, where all of them are plain sizes: the costs of the last ones are remembered.
        self._names = (
            [size for size in sizes if isinstance(size, str)] if all(isinstance(s, str) for s in sizes) else []
        )
        self._known: dict[Any, int] = {}

    def of(self, variables: Mapping[str, Any]) -> int:
        """The cost for these variables."""
        if self.constant is not None:
            return self.constant
        key = tuple([variables.get(name) for name in self._names])
        if key and all(type(size) is int for size in key):
            if key in self._known:
                return self._known[key]
            if len(self._known) >= KNOWN_MAXIMUM:
                self._known.clear()
            cost = self._known[key] = self._of(variables)
            return cost
        return self._of(variables)

    def _of(self, variables: Mapping[str, Any]) -> int:
        return values(evaluate(self._amount, Sizes(variables, self._defaults), {}))


def cost_error(cost: int, limit: int) -> dict[str, Any]:
    """The error of an operation that costs more than the limit, as the client gets it."""
    reason = Reason(
        "COST",
        "The operation costs {cost:,}, because it may produce or read that many values. The limit is {limit:,}."
        " Ask for smaller pages, since nested ones multiply, or for fewer fields.",
        cost=cost,
        limit=limit,
    )
    error = coded_error(ErrorCode.TOO_COSTLY, reason)
    error["extensions"] |= {"cost": cost, "limit": limit}
    return error


class CostCalculator:
    """Computes the costs of operations on one graph."""

    def __init__(self, graph: Graph) -> None:
        self.schema = graph._schema
        self._fields: dict[tuple[str, str], CountedField] = {}

    def operation(self, document: DocumentNode, operation: OperationDefinitionNode) -> OperationCost:
        """The cost of a valid operation, which is within the limits of schema/execution/limits.py when expanded."""
        root, definitions = self.schema.get_root_type(operation.operation), operation.variable_definitions or ()
        large = {d.variable.name.value for d in definitions if self._may_be_large(d.type)}
        defaults = {
            d.variable.name.value: value_from_ast_untyped(d.default_value) for d in definitions if d.default_value
        }
        amount = SelectionCosts(self, document, large).objects(root, [operation.selection_set])
        return OperationCost(amount, defaults)

    def field(self, parent: Any, name: str) -> CountedField:
        key = parent.name, name
        if key not in self._fields:
            self._fields[key] = counted_field(parent, name)
        return self._fields[key]

    def _may_be_large(self, node: Any) -> bool:
        """Whether the values of a type can be lists or objects."""
        named = node.type if isinstance(node, NonNullTypeNode) else node
        return isinstance(named, ListTypeNode) or is_input_object_type(self.schema.type_map[named.name.value])


class SelectionCosts:
    """Adds up merged selections. Equal selections of one type are added up once.

    `large` has the variables that can be lists or objects.
    """

    def __init__(self, model: CostCalculator, document: DocumentNode, large: set[str]) -> None:
        self._field, self._types, self._fragments = model.field, model.schema.type_map, fragments_of(document)
        self._large = large
        self._known: dict[Any, Amount] = {}

    def objects(self, parent: Any, sets: Sequence[SelectionSetNode | None], length: Length = ONE) -> Amount:
        """The bytes of one object of a type. `length` is that of the list in it whose length its field gives."""
        key = (parent.name, length, *map(id, sets))
        if key not in self._known:
            self._known[key] = self._objects(parent, sets, length)
        return self._known[key]

    def _objects(self, parent: Any, sets: Sequence[SelectionSetNode | None], length: Length) -> Amount:
        # An object of an interface or a union costs what all types have in common, and the most that one type adds.
        amount, choices = Amount(3), []  # the braces and a comma
        for named, fields in self._parts(parent, sets).items():
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
        node = nodes[0]
        if node.name.value == "__typename":
            amount.constant += BYTES
            return
        field = self._field(parent, node.name.value)
        arguments = {a.name.value: a.value for a in node.arguments} if node.arguments else NO_ARGUMENTS
        own = field.length(field.cost.sizes, field.cost.length, arguments)
        if field.size is not None:
            value = Amount(field.size)
        else:
            sets = [each.selection_set for each in nodes]
            value = self.objects(field.type, sets, ONE if field.is_list else own)
        if field.is_list:
            amount.add(value, length if field.takes_length else own)
        else:
            amount.add(value)
        if field.cost.read:
            amount.add(Amount(field.cost.read * BYTES), field.length(field.cost.read_for_each, 1, arguments))
        if not arguments.keys().isdisjoint(field.cost.filters):
            amount.add(Amount(field.cost.filtered * BYTES), field.length(field.cost.filtered_for_each, 1, arguments))
        for filter in ("filter", "resources"):
            if filter not in arguments:
                continue
            # Each filter in `or` and `not` is one more condition on every row that is read.
            count, sizes = branches(arguments[filter])
            amount.constant += count * COUNTED * BYTES
            for size in sizes:
                if size.variable in self._large:
                    amount.add(Amount(COUNTED * BYTES), (1, (size,)))
        if self._large:
            # Each use of a long list is read, compared with rows, and sent to the database.
            for name in self._large & {name for each in arguments.values() for name in named_variables(each)}:
                amount.add(Amount(BYTES), (1, (ValueCount(name),)))
