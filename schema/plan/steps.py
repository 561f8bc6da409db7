"""The steps of a plan: statements, one for each level of the operation, and code that builds JSON values of their rows.

A plan handles all parents of a level at once. Each step takes rows (the driver's, or plain Python values) and gives a
JSON value for each. Any error raises FallbackRequired, and graphql-core answers the whole operation.
"""

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import orjson
from graphql import GraphQLList, GraphQLNonNull

from models.access import AccessKind
from models.visibility import Viewer
from resolvers.errors import ErrorCode
from resolvers.sql import selects
from resolvers.sql.readers import DriverReader
from resolvers.sql.row_source import RowSource
from resolvers.sql.selects import ExtraSelect, Relation
from schema.execution.bounds import ANSWER_LIMIT, OperationStopped
from schema.plan.fallback import FallbackRequired
from schema.plan.row_codec import RowLayout
from schema.plan.variables import Variables

T = TypeVar("T")

PORTION = 256  # objects that are built at once where the answer is large


class AnswerSize:
    """Bounds the JSON of a large answer: it is written object by object, and so never takes much more than `limit`."""

    __slots__ = ("limit", "written")

    def __init__(self, limit: int) -> None:
        self.limit, self.written = limit, 0

    def fragments(self, values: Sequence[Any], total: int) -> tuple[list[orjson.Fragment], int]:
        """The values as JSON texts, and `total` with their sizes added. Raises OperationStopped."""
        texts = [orjson.dumps(value) for value in values]
        total += sum(map(len, texts))
        if total > self.limit:
            raise OperationStopped(ErrorCode.TOO_LARGE)
        return [orjson.Fragment(text) for text in texts], total


class ExecutionState:
    """What one execution brings to a plan: its variables, and the reader with its viewer and clock.

    `limit` is the greatest size of the answer in bytes. `size` counts that of a large answer, and is None for others.
    """

    __slots__ = ("limit", "now", "reader", "size", "variables", "viewer")

    def __init__(
        self, variables: Variables, reader: DriverReader, limit: int = ANSWER_LIMIT, size: AnswerSize | None = None
    ) -> None:
        self.variables, self.reader, self.limit, self.size = variables, reader, limit, size
        self.viewer: Viewer = reader.viewer
        self.now = reader.now


class ArgumentPlan:
    """The arguments of a field: `fixed` if no variable is among them, otherwise made for each execution."""

    __slots__ = ("_make", "fixed")

    def __init__(
        self, fixed: dict[str, Any] | None, make: Callable[[ExecutionState], dict[str, Any]] | None = None
    ) -> None:
        self.fixed, self._make = fixed, make

    def __call__(self, state: ExecutionState) -> dict[str, Any]:
        if self.fixed is not None:
            return self.fixed
        assert self._make is not None
        return self._make(state)

    def once_if_fixed(self, function: Callable[[dict[str, Any]], T]) -> Callable[[ExecutionState], T]:
        """`function` of the arguments of each execution; called at the first one only if they are fixed."""
        results: list[T] = []

        def result(state: ExecutionState) -> T:
            if results:
                return results[0]
            value = function(self(state))
            if self.fixed is not None:
                results.append(value)
            return value

        return result


class Step(Protocol):
    """One step of a plan. If `required`, none of its values may be null."""

    required: bool

    @property
    def statements(self) -> int:
        """The number of statements that it runs at most."""

    async def run(self, state: ExecutionState, rows: Sequence[Any]) -> Sequence[Any]:
        """One value for each row, in their order. Raises FallbackRequired."""


class ObjectStep:
    """Builds objects of one type.

    `build` takes the rows, the clock, the operation's disclosures, and the values of each step in `steps`. For each
    kind in `discloses`, an enterprise's key is at that position of the rows.
    """

    required = False

    def __init__(
        self, build: Callable[..., list[Any]], steps: Sequence[Step], discloses: Sequence[tuple[AccessKind, int]] = ()
    ) -> None:
        self._build, self._steps, self._discloses = build, steps, discloses

    @property
    def statements(self) -> int:
        return sum(step.statements for step in self._steps)

    async def run(self, state: ExecutionState, rows: Sequence[Any]) -> Sequence[Any]:
        if not rows:
            return []
        before = 0 if state.size is None else state.size.written
        columns: list[Sequence[Any]] = []
        for step in self._steps:
            values = await step.run(state, rows)
            if step.required and None in values:
                raise FallbackRequired("a null where none may be")
            columns.append(values)
        disclosures = state.reader.disclosures
        for kind, at in self._discloses:
            disclosures.update({(kind, row[at]) for row in rows if row[at] is not None})
        if state.size is None:
            return self._build(rows, state.now, disclosures, *columns)
        built: list[Any] = []
        total = before
        for start in range(0, len(rows), PORTION):
            part = slice(start, start + PORTION)
            objects = self._build(rows[part], state.now, disclosures, *[values[part] for values in columns])
            fragments, total = state.size.fragments(objects, total)
            built += fragments
        # The objects contain the values of the steps below. A value that is used in many objects makes them larger, and
        # one that is used in none was written all the same.
        state.size.written = max(state.size.written, total)
        return built


@dataclass(eq=False)
class PolymorphicStep:
    """Builds objects of several types: `type_name` says which type a row has, `objects` has a step for each."""

    type_name: Callable[[Any], Hashable]
    objects: Mapping[Any, Step]
    required = False

    @property
    def statements(self) -> int:
        return sum(step.statements for step in self.objects.values())

    async def run(self, state: ExecutionState, rows: Sequence[Any]) -> Sequence[Any]:
        places: dict[Any, list[int]] = {}
        for i, row in enumerate(rows):
            places.setdefault(self.type_name(row), []).append(i)
        merged: list[Any] = [None] * len(rows)
        for name, indexes in places.items():
            if name not in self.objects:
                raise FallbackRequired("a row of another type")
            values = await self.objects[name].run(state, [rows[i] for i in indexes])
            for i, value in zip(indexes, values, strict=True):
                merged[i] = value
        return merged


class TableSelection:
    """A selection on the rows of a table: the columns to read, and the step that builds objects of them.

    Rows that the operation has just written are read with `scoped` off: their writer may see them.
    """

    def __init__(self, model: Any, columns: RowLayout, objects: Step | None = None, *, scoped: bool = True) -> None:
        self.model, self.columns, self._scoped = model, columns, scoped
        self.objects = objects or ScalarStep(list)

    def source(self, relation: Relation) -> RowSource:
        return RowSource(self.model, relation, scoped=self._scoped)

    def lookup(self, column: Any = None) -> "RowLookup":
        """Rows by a unique column, by default the primary key."""
        return RowLookup(self, selects.relation(self.model, column))


class RowLookup:
    """Finds rows by their keys."""

    def __init__(self, table: TableSelection, relation: Relation) -> None:
        self._table, self._source = table, table.source(relation)

    @property
    def statements(self) -> int:
        return 1 + self._table.objects.statements

    async def find(self, state: ExecutionState, keys: Collection[Any]) -> dict[Any, Any]:
        """By key, the value of the row that has it; keys without a row are missing."""
        if not keys:
            return {}
        rows = await self._source.by_key(state.reader, list(keys), selected=self._table.columns.read(state))
        values = await self._table.objects.run(state, list(rows.values()))
        return dict(zip(rows, values, strict=True))


@dataclass(eq=False)
class ToOneStep:
    """The row whose key is at the position `at` of the parent's row."""

    at: int
    lookup: RowLookup
    required: bool

    @property
    def statements(self) -> int:
        return self.lookup.statements

    async def run(self, state: ExecutionState, rows: Sequence[Any]) -> Sequence[Any]:
        at = self.at
        keys = {row[at] for row in rows}
        keys.discard(None)
        value_of = (await self.lookup.find(state, keys)).get
        return [value_of(row[at]) for row in rows]


@dataclass(eq=False)
class KeyStep:
    """A row by one of its keys. `key` gives the name and the value of the key, `lookups` are by the keys' names."""

    key: Callable[[ExecutionState], tuple[str, Any]]
    lookups: Mapping[str, RowLookup]
    required = False

    @property
    def statements(self) -> int:
        return max(lookup.statements for lookup in self.lookups.values())

    async def run(self, state: ExecutionState, rows: Sequence[Any]) -> Sequence[Any]:
        name, key = self.key(state)
        return [(await self.lookups[name].find(state, [key])).get(key)]


@dataclass(eq=False)
class ReferenceStep:
    """Rows of several models. `reference` gives (model, key) for a parent, or None."""

    reference: Callable[[Any], tuple[Any, int] | None]
    lookups: Mapping[Any, RowLookup]
    required: bool

    @property
    def statements(self) -> int:
        return sum(lookup.statements for lookup in self.lookups.values())

    async def run(self, state: ExecutionState, rows: Sequence[Any]) -> Sequence[Any]:
        references = [self.reference(row) for row in rows]
        values: dict[Any, Any] = {}
        for model, keys in keys_by_model(references).items():
            if model not in self.lookups:
                raise FallbackRequired("a row of another type")
            by_key = await self.lookups[model].find(state, keys)
            values.update({(model, key): value for key, value in by_key.items()})
        return [None if reference is None else values.get(reference) for reference in references]


def keys_by_model(references: Sequence[tuple[Any, int] | None]) -> dict[Any, set[int]]:
    keys: dict[Any, set[int]] = {}
    for reference in references:
        if reference is not None:
            keys.setdefault(reference[0], set()).add(reference[1])
    return keys


@dataclass(eq=False)
class ListStep:
    """A list for each parent. `item` runs once for the items of all lists; a list that is None stays null."""

    items: Callable[[Any], Sequence[Any] | None]
    item: Step
    required: bool

    @property
    def statements(self) -> int:
        return self.item.statements

    async def run(self, state: ExecutionState, rows: Sequence[Any]) -> Sequence[Any]:
        lists = [self.items(row) for row in rows]
        values = await self.item.run(state, [item for items in lists for item in items or ()])
        if self.item.required and None in values:
            raise FallbackRequired("a null where none may be")
        built: list[Any] = []
        start = 0
        for items in lists:
            if items is None:
                built.append(None)
            else:
                built.append(values[start : start + len(items)])
                start += len(items)
        return built


@dataclass(eq=False)
class ItemStep:
    """One value for each parent. `item` runs for those that are not None; the others stay null."""

    value: Callable[[Any], Any]
    item: Step
    required: bool

    @property
    def statements(self) -> int:
        return self.item.statements

    async def run(self, state: ExecutionState, rows: Sequence[Any]) -> Sequence[Any]:
        values = [self.value(row) for row in rows]
        built = iter(await self.item.run(state, [value for value in values if value is not None]))
        return [None if value is None else next(built) for value in values]


@dataclass(eq=False)
class EitherStep:
    """The values of `first`, and those of `second` where `first` gives null."""

    first: Step
    second: Step
    required = False

    @property
    def statements(self) -> int:
        return self.first.statements + self.second.statements

    async def run(self, state: ExecutionState, rows: Sequence[Any]) -> Sequence[Any]:
        first, second = await self.first.run(state, rows), await self.second.run(state, rows)
        return [b if a is None else a for a, b in zip(first, second, strict=True)]


def value_step(graph_type: Any, value: Callable[[Any], Any], item: Step) -> Step:
    """A plain value of each parent, or a list of such values if the GraphQL type is a list; `item` builds each."""
    required = isinstance(graph_type, GraphQLNonNull)
    inner = graph_type.of_type if required else graph_type
    if not isinstance(inner, GraphQLList):
        return ItemStep(value, item, required)
    if not isinstance(inner.of_type, GraphQLNonNull):
        item = ItemStep(identity, item, required=False)
    return ListStep(value, item, required)


def identity(value: Any) -> Any:
    return value


@dataclass(eq=False)
class BatchStep:
    """Calls a batch function once for all parents; `result` builds a value of each of its results.

    `needs` gives for each row the tuple that the function takes; equal tuples are passed once. `extra` makes the
    columns that the function's statements select besides their own.
    """

    function: Callable[..., Any]
    needs: Callable[[Sequence[Any]], list[tuple[Any, ...]]]
    arguments: Callable[[ExecutionState], dict[str, Any]]
    result: Step
    required: bool
    extra: Callable[[ExecutionState], ExtraSelect] | None = None

    @property
    def statements(self) -> int:
        return 2 + self.result.statements  # the function itself may run any number

    async def run(self, state: ExecutionState, rows: Sequence[Any]) -> Sequence[Any]:
        keys = self.needs(rows)
        distinct = list(dict.fromkeys(keys))
        reader = state.reader if self.extra is None else state.reader.with_extra_select(self.extra(state))
        results = await self.function(reader, distinct, **self.arguments(state))
        by_key = dict(zip(distinct, results, strict=True))
        return await self.result.run(state, [by_key[key] for key in keys])


@dataclass(eq=False)
class ScalarStep:
    """Values without a selection."""

    convert: Callable[[Sequence[Any]], list[Any]]
    required = False
    statements = 0

    async def run(self, state: ExecutionState, rows: Sequence[Any]) -> Sequence[Any]:
        return self.convert(rows)
