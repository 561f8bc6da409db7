"""What single fields cost: the bytes of a value, and the length of a list by its arguments."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLList,
    IntValueNode,
    ListValueNode,
    ObjectValueNode,
    SchemaMetaFieldDef,
    StringValueNode,
    TypeMetaFieldDef,
    ValueNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
)

from resolvers.queries.district_map import POINTS_MAXIMUM
from resolvers.queries.portraits import DAYS_MAXIMUM
from resolvers.sql.pagination import PAGE_DEFAULT, PAGE_MAXIMUM
from schema.execution.limits import LENGTHS
from schema.fields.source import FieldCost, LoadField

COUNTED = 50  # values read for a `totalCount`
WINDOW_DAYS = 30  # of a portrait without a window
# Lists whose length is given with the field of their parent.
SIZED = frozenset({"nodes", "edges", "trend", "results", "points"})
META_FIELDS = {"__schema": SchemaMetaFieldDef, "__type": TypeMetaFieldDef}
# By scalar, the bytes of a value in JSON. Columns with long texts declare their own size.
SCALAR_BYTES = {"Boolean": 5, "Date": 12, "DateTime": 28, "Float": 14, "GeoJSON": 4_000, "ID": 32, "Int": 6}
STRING_BYTES = 40


class Window(NamedTuple):
    """A window of days, one of whose ends is a variable."""

    first: ValueNode | None
    last: ValueNode | None


class PointCount(NamedTuple):
    """The greatest number of points on a map, which a variable gives."""

    variable: str


class ValueCount(NamedTuple):
    """How many values the value of a variable has."""

    variable: str


# Fields of filters that have filters.
BRANCHES = frozenset({"or", "not", "experts", "teams", "warehouses", "inspectors"})


class BranchCount(NamedTuple):
    """How many filters are in the `or` and `not` of a variable that is a filter, or with `inner` one of them."""

    variable: str
    inner: bool


Size = str | Window | PointCount | ValueCount | BranchCount  # a variable that is a size, or what gives one
Length = tuple[float, tuple[Size, ...]]  # a factor, and the sizes that multiply it
ONE: Length = (1, ())


class Sizes:
    """The sizes that the variables of one request give. Each is looked at once."""

    def __init__(self, variables: Mapping[str, Any], defaults: Mapping[str, Any]) -> None:
        self._variables, self._defaults = variables, defaults
        self._known: dict[Size, int] = {}

    def of(self, size: Size) -> int:
        if size not in self._known:
            self._known[size] = self._size(size)
        return self._known[size]

    def _size(self, size: Size) -> int:
        match size:
            case str():
                return page_size(self._value(size))
            case PointCount(variable=name):
                return point_count(self._value(name))
            case ValueCount(variable=name):
                return count_values(self._value(name))
            case BranchCount(variable=name, inner=inner):
                return max(count_objects(self._value(name)) - (not inner), 0)
            case Window():
                first, last = (self._value(end.name.value) if isinstance(end, VariableNode) else end for end in size)
                return days(getattr(first, "value", first), getattr(last, "value", last))

    def _value(self, name: str) -> Any:
        return self._variables.get(name, self._defaults.get(name))


def page_size(size: Any) -> int:
    """The number of items for a size. Invalid sizes count as the default; they are refused where they are used."""
    if isinstance(size, list):
        return len(size)
    if isinstance(size, dict):
        if isinstance(rows := size.get("rows"), list):
            return len(rows)
        return days(size.get("from"), size.get("to"))
    if isinstance(size, float) and size.is_integer():
        size = int(size)  # 1,000.0 is an Int as well
    return min(max(size, 1), PAGE_MAXIMUM) if type(size) is int else PAGE_DEFAULT


def point_count(size: Any) -> int:
    """The number of points for a size. Invalid sizes count as the most; they are refused where they are used."""
    return min(max(size, 1), POINTS_MAXIMUM) if type(size) is int else POINTS_MAXIMUM


def count_values(value: Any) -> int:
    """The number of values in lists and objects."""
    count, waiting = 0, [value]
    while waiting:
        value = waiting.pop()
        count += 1
        if isinstance(value, list | dict):
            waiting.extend(value.values() if isinstance(value, dict) else value)
    return count


def count_objects(value: Any) -> int:
    """The number of objects in lists and objects, itself included."""
    count, waiting = 0, [value]
    while waiting:
        value = waiting.pop()
        count += isinstance(value, dict)
        if isinstance(value, list | dict):
            waiting.extend(value.values() if isinstance(value, dict) else value)
    return count


def branches(filter: ValueNode) -> tuple[int, list[BranchCount]]:
    """How many filters a filter has in its `or` and `not`: so many, and those of variables."""
    count, sizes = -1, list[BranchCount]()  # the filter itself is none
    waiting: list[tuple[ValueNode, bool]] = [(filter, False)]
    while waiting:
        value, inner = waiting.pop()
        match value:
            case VariableNode():
                count += not inner
                sizes.append(BranchCount(value.name.value, inner))
            case ListValueNode():
                waiting += [(each, True) for each in value.values]
            case ObjectValueNode():
                count += 1
                waiting += [(f.value, True) for f in value.fields if f.name.value in BRANCHES]
    return max(count, 0), sizes


def days(first: Any, last: Any) -> int:
    """The days of a window, both ends inclusive."""
    try:
        return min(max((dt.date.fromisoformat(last) - dt.date.fromisoformat(first)).days + 1, 1), DAYS_MAXIMUM)
    except (TypeError, ValueError):
        return WINDOW_DAYS


@dataclass(frozen=True, slots=True)
class CountedField:
    """What a field costs without a document. `size` is that of a leaf, in bytes.

    `takes_length` says that the list's length is given with the field of its parent.
    """

    type: Any
    size: int | None
    is_list: bool
    takes_length: bool
    cost: FieldCost
    arguments: Mapping[str, GraphQLArgument]

    def length(self, sizes: Sequence[str], otherwise: float, given: Mapping[str, ValueNode]) -> Length:
        """How many items there are by the arguments `sizes`; `otherwise` if the field takes none of them."""
        taken = [name for name in sizes if name in self.arguments]
        if not taken:
            return otherwise, ()
        if "points" in taken:
            return point_length(given.get("points"), self.arguments["points"].default_value)
        factors = {name: size for name in taken if name in given and (size := factor(given[name])) is not None}
        if "first" in taken and not factors.keys() & {"first", "last"}:
            factors["first"] = page_size(self.arguments["first"].default_value), ()
        if "window" in taken and "window" not in factors:
            factors["window"] = WINDOW_DAYS, ()
        times, variables = 1.0, tuple[Size, ...]()
        for number, more in factors.values():
            times, variables = times * number, (*variables, *more)
        return times, variables


def counted_field(parent: Any, name: str) -> CountedField:
    definition = META_FIELDS.get(name) or parent.fields[name]
    inner, declared = get_named_type(definition.type), definition.extensions.get("strawberry-definition")
    is_list = isinstance(get_nullable_type(definition.type), GraphQLList)
    size, takes_length = leaf_bytes(inner) if is_leaf_type(inner) else None, False
    if name in META_FIELDS or parent.name.startswith("__"):
        is_list, cost = is_list or name in LENGTHS, FieldCost(length=LENGTHS.get(name, 1))
    elif isinstance(declared, LoadField):
        cost = declared.cost
        size = size and (cost.size or size)
    else:
        cost, takes_length = FieldCost(read=COUNTED if name == "totalCount" else 0), name in SIZED
    return CountedField(inner, size, is_list, takes_length, cost, definition.args)


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
            if "rows" in ends:
                return factor(ends["rows"])
            first, last = (ends.get(name) for name in ("from", "to"))
            if isinstance(first, StringValueNode) and isinstance(last, StringValueNode):
                return days(first.value, last.value), ()
            return 1, (Window(first, last),)
    return None


def point_length(value: ValueNode | None, otherwise: Any) -> Length:
    """The number of points that a map may have by its argument."""
    match value:
        case VariableNode():
            return 1, (PointCount(value.name.value),)
        case IntValueNode():
            return point_count(int(value.value)), ()
    return point_count(otherwise), ()


def leaf_bytes(named: Any) -> int:
    """The bytes of a value of a leaf type."""
    if isinstance(named, GraphQLEnumType):
        return 2 + max(map(len, named.values))
    return SCALAR_BYTES.get(named.name, STRING_BYTES)
