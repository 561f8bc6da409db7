"""What a compiled operation is made of: for each level of it a statement, and code that makes the answer of its rows.

A plan is run for all the parents of a level at once. Each part takes rows (the driver's, or plain values) and gives for
each what JSON has in its place. Whatever has an error raises Leave: graphql-core answers the whole then.
"""

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from graphql import GraphQLList, GraphQLNonNull

from models.visibility import Viewer
from resolvers.sql import selects
from resolvers.sql.readers import DriverReader
from resolvers.sql.row_source import RowSource
from resolvers.sql.selects import ExtraSelect, Relation
from schema.plan.arguments import Variables
from schema.plan.fallback import FallbackRequired
from schema.plan.row_codec import RowLayout


class ExecutionState:
    """What one execution brings to a plan."""

    __slots__ = ("now", "reader", "variables", "viewer")

    def __init__(self, variables: Variables, reader: DriverReader) -> None:
        self.variables, self.reader = variables, reader
        self.viewer: Viewer = reader.viewer
        self.now = reader.now


class ArgumentPlan:
    """The arguments of a field: `fixed` where no variable is among them, else what makes them."""

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


class Step(Protocol):
    """A part of a plan. `required` says that none of its values may be null."""

    required: bool

    @property
    def statements(self) -> int:
        """How many statements it runs at most."""

    async def run(self, state: ExecutionState, rows: Sequence[Any]) -> Sequence[Any]:
        """For each row its value."""


class ObjectStep:
    """A selection on rows of one type. `make` puts the values of `parts` into it."""

    required = False

    def __init__(self, make: Callable[..., list[Any]], parts: Sequence[Step]) -> None:
        self._make, self._parts = make, parts

    @property
    def statements(self) -> int:
        return sum(part.statements for part in self._parts)

    async def run(self, state: ExecutionState, rows: Sequence[Any]) -> Sequence[Any]:
        if not rows:
            return []
        values: list[Sequence[Any]] = []
        for part in self._parts:
            found = await part.run(state, rows)
            if part.required and None in found:
                raise FallbackRequired("a null where none may be")
            values.append(found)
        return self._make(rows, state.now, *values)


@dataclass(eq=False)
class PolymorphicStep:
    """A selection on rows of several types: `pick` says of which one is, by the names of `objects`."""

    pick: Callable[[Any], Hashable]
    objects: Mapping[Any, Step]
    required = False

    @property
    def statements(self) -> int:
        return sum(part.statements for part in self.objects.values())

    async def run(self, state: ExecutionState, rows: Sequence[Any]) -> Sequence[Any]:
        places: dict[Any, list[int]] = {}
        for i, row in enumerate(rows):
            places.setdefault(self.pick(row), []).append(i)
        made: list[Any] = [None] * len(rows)
        for name, mine in places.items():
            if name not in self.objects:
                raise FallbackRequired("a row of another type")
            found = await self.objects[name].run(state, [rows[i] for i in mine])
            for place, value in zip(mine, found, strict=True):
                made[place] = value
        return made


class TableSelection:
    """A selection on rows of a table, with the columns that it needs. `scoped` is off for rows just written."""

    def __init__(self, model: Any, columns: RowLayout, shape: Step | None = None, *, scoped: bool = True) -> None:
        self.model, self.columns, self._scoped = model, columns, scoped
        self.shape = shape or ScalarStep(list)

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
        return 1 + self._table.shape.statements

    async def find(self, state: ExecutionState, keys: Collection[Any]) -> dict[Any, Any]:
        """By key, the value of the row that has it; keys without a row are missing."""
        if not keys:
            return {}
        rows = await self._source.by_key(state.reader, list(keys), selected=self._table.columns.read(state))
        values = await self._table.shape.run(state, list(rows.values()))
        return dict(zip(rows, values, strict=True))


@dataclass(eq=False)
class ToOneStep:
    """The row whose key stands at a place of the parent's row."""

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
        found = (await self.lookup.find(state, keys)).get
        return [found(row[at]) for row in rows]


@dataclass(eq=False)
class ReferenceStep:
    """Rows of several models: `refs` gives for each parent (model, key), or None."""

    refs: Callable[[Any], tuple[Any, int] | None]
    lookups: Mapping[Any, RowLookup]
    required: bool

    @property
    def statements(self) -> int:
        return sum(lookup.statements for lookup in self.lookups.values())

    async def run(self, state: ExecutionState, rows: Sequence[Any]) -> Sequence[Any]:
        wanted = [self.refs(row) for row in rows]
        found: dict[Any, Any] = {}
        for model, keys in by_model(wanted).items():
            if model not in self.lookups:
                raise FallbackRequired("a row of another type")
            made = await self.lookups[model].find(state, keys)
            found.update({(model, key): value for key, value in made.items()})
        return [None if ref is None else found.get(ref) for ref in wanted]


def by_model(refs: Sequence[tuple[Any, int] | None]) -> dict[Any, set[int]]:
    keys: dict[Any, set[int]] = {}
    for ref in refs:
        if ref is not None:
            keys.setdefault(ref[0], set()).add(ref[1])
    return keys


@dataclass(eq=False)
class ListStep:
    """A list of values for each parent: what `part` makes of all of them, cut to lists again."""

    values: Callable[[Any], Sequence[Any] | None]
    part: Step
    required: bool

    @property
    def statements(self) -> int:
        return self.part.statements

    async def run(self, state: ExecutionState, rows: Sequence[Any]) -> Sequence[Any]:
        lists = [self.values(row) for row in rows]
        made = await self.part.run(state, [value for values in lists for value in values or ()])
        if self.part.required and None in made:
            raise FallbackRequired("a null where none may be")
        out: list[Any] = []
        start = 0
        for values in lists:
            if values is None:
                out.append(None)
            else:
                out.append(made[start : start + len(values)])
                start += len(values)
        return out


@dataclass(eq=False)
class ItemStep:
    """One value for each parent, or none."""

    value: Callable[[Any], Any]
    part: Step
    required: bool

    @property
    def statements(self) -> int:
        return self.part.statements

    async def run(self, state: ExecutionState, rows: Sequence[Any]) -> Sequence[Any]:
        values = [self.value(row) for row in rows]
        made = iter(await self.part.run(state, [value for value in values if value is not None]))
        return [None if value is None else next(made) for value in values]


def value_step(of: Any, value: Callable[[Any], Any], shape: Step) -> Step:
    """A value of each row, or a list of them, in a shape; as the graph's type `of` has it."""
    required = isinstance(of, GraphQLNonNull)
    inner = of.of_type if required else of
    if not isinstance(inner, GraphQLList):
        return ItemStep(value, shape, required)
    if not isinstance(inner.of_type, GraphQLNonNull):
        shape = ItemStep(identity, shape, required=False)
    return ListStep(value, shape, required)


def identity(value: Any) -> Any:
    return value


@dataclass(eq=False)
class BatchStep:
    """A function over all parents; `needs` gives for each row what it takes, `shape` shows what it gave.

    `carry` says what the function is to read along.
    """

    function: Callable[..., Any]
    needs: Callable[[Sequence[Any]], list[tuple[Any, ...]]]
    arguments: Callable[[ExecutionState], dict[str, Any]]
    shape: Step
    required: bool
    carry: Callable[[ExecutionState], ExtraSelect] | None = None

    @property
    def statements(self) -> int:
        return 2 + self.shape.statements  # it may run any number

    async def run(self, state: ExecutionState, rows: Sequence[Any]) -> Sequence[Any]:
        keys = self.needs(rows)
        once = list(dict.fromkeys(keys))
        reader = state.reader if self.carry is None else state.reader.with_extra_select(self.carry(state))
        given = await self.function(reader, once, **self.arguments(state))
        found = dict(zip(once, given, strict=True))
        return await self.shape.run(state, [found[key] for key in keys])


@dataclass(eq=False)
class ScalarStep:
    """Values without fields of their own."""

    make: Callable[[Sequence[Any]], list[Any]]
    required = False
    statements = 0

    async def run(self, state: ExecutionState, rows: Sequence[Any]) -> Sequence[Any]:
        return self.make(rows)
