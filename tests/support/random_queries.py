"""Random operations, generated from the schema: any fields, any arguments, with ids, texts and cursors that exist."""

import datetime as dt
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import orjson
from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLUnionType,
    get_named_type,
    is_leaf_type,
)

from schema.build import Graph
from tests.conftest import TODAY

DEPTH = 4
ROOTS = 3
# By argument, the type whose ids it takes; other arguments take ids of any type.
ID_TYPES = {
    "zone": "Zone",
    "zones": "Zone",
    "towns": "Town",
    "rings": "ControlRing",
    "venue": "Venue",
    "venues": "Venue",
    "enterprises": "Enterprise",
    "inspectors": "Inspector",
    "EnterpriseFilter.ids": "Enterprise",
    "ZoneKey.id": "Zone",
    "VenueKey.id": "Venue",
    "EnterpriseKey.id": "Enterprise",
}
# Fields that depend on the log's length or on the time of the query. Their aliases tell comparisons to skip them.
VOLATILE_FIELDS = frozenset({("Query", "cursor"), ("Portrait", "cursor"), ("Portrait", "asOf")})
# Fields of a filter shared by several types that apply to only one of them, with its connection.
FIELD_CONNECTIONS = {
    "teamKinds": "TeamConnection",
    "specialty": "ExpertConnection",
    "stockCode": "WarehouseConnection",
    "stock": "WarehouseConnection",
}
NEARBY = {"teams": "TeamConnection", "experts": "ExpertConnection", "warehouses": "WarehouseConnection"}
BRANCHES = 2  # filters within `or` and `not`, one within the other
LATITUDES = frozenset({"latitude", "south", "north"})
# Integers that are no size of a page.
INTEGERS = {"withinMetres": (0, 300, 2_500, 20_000), "zoom": (0, 8, 11, 14, 17, 24), "points": (0, 1, 3, 20, 2_000)}


@dataclass
class ArgumentPool:
    """The values of arguments: by type, ids of the viewer's own rows and of all rows; by connection, its cursors; by
    argument, codes.
    """

    own: Mapping[str, Sequence[str]]
    every: Mapping[str, Sequence[str]]
    texts: Sequence[str]
    cursors: Mapping[str, Sequence[str]] = field(default_factory=dict)
    codes: Mapping[str, Sequence[str]] = field(default_factory=dict)


class QueryGenerator:
    """Makes random operations. Equal seeds give equal operations. `selected` counts the fields by (type, name)."""

    def __init__(self, graph: Graph, pool: ArgumentPool) -> None:
        self.selected: Counter[tuple[str, str]] = Counter()
        self._schema, self._pool = graph._schema, pool
        self._rng, self._number, self._branches = Random(), 0, 0

    def operation(self, seed: object, roots: int = ROOTS) -> str:
        self._rng, self._number = Random(repr(seed)), 0
        root = self._schema.query_type
        assert root is not None
        names = self._rng.choices(list(root.fields), k=roots)
        return "{ " + " ".join(self._field(root, name, DEPTH) for name in names) + " }"

    def root_operation(self, name: str, seed: object) -> str:
        """An operation with one field of Query."""
        self._rng, self._number = Random(repr(seed)), 0
        return f"{{ {self._field(self._schema.query_type, name, DEPTH)} }}"

    def selection(self, of: Any, seed: object) -> str:
        """A selection on a type."""
        self._rng, self._number = Random(repr(seed)), 0
        return self._selection(of, DEPTH - 1)

    def _field(self, of: Any, name: str, depth: int) -> str:
        self._number += 1
        self.selected[of.name, name] += 1
        definition = of.fields[name]
        alias = f"{'volatile' if (of.name, name) in VOLATILE_FIELDS else name}_{self._number}"
        field = f"{alias}: {name}{self._arguments(definition.args, definition.type)}"
        target = get_named_type(definition.type)
        return field if is_leaf_type(target) else f"{field} {{ {self._selection(target, depth - 1)} }}"

    def _selection(self, of: Any, depth: int) -> str:
        if isinstance(of, GraphQLUnionType):
            return self._members(of.types, depth)
        if isinstance(of, GraphQLInterfaceType):
            inner = self._members(self._rng.sample(self._schema.get_possible_types(of), 3), depth)
            return f"id {inner}"
        leaves = [n for n, f in of.fields.items() if is_leaf_type(get_named_type(f.type))]
        deeper = [n for n in of.fields if n not in leaves]
        names = self._rng.sample(leaves, min(len(leaves), self._rng.randint(1, 5)))
        if depth > 0 or not leaves:
            names += self._rng.sample(deeper, min(len(deeper), self._rng.randint(1, 3)))
        if of.name.endswith("Connection") and depth >= 0:
            names = list({*names, "nodes", "totalCount"})
        # At the depth limit only scalars remain.
        if depth <= 0:
            names = [name for name in names if name in leaves] or ["__typename"]
        rows = "id" if "id" in of.fields else "__typename"
        fields = (name if name == "__typename" else self._field(of, name, depth) for name in sorted(names))
        return " ".join([rows, *fields])

    def _members(self, members: Sequence[Any], depth: int) -> str:
        return " ".join(["__typename", *(f"... on {m.name} {{ {self._selection(m, depth)} }}" for m in members)])

    # -- arguments --

    def _arguments(self, arguments: Mapping[str, GraphQLArgument], field_type: Any) -> str:
        chosen = {n: a for n, a in arguments.items() if isinstance(a.type, GraphQLNonNull) or self._rng.random() < 0.35}
        if "first" in arguments and "last" in arguments:
            # Only one of them is allowed, and backward pages are rarer.
            size = "last" if self._rng.random() < 0.2 else "first"
            chosen = {n: a for n, a in chosen.items() if n not in ("first", "last")} | {size: arguments[size]}
        if "orderBy" in chosen or self._rng.random() < 0.5:
            # A cursor is valid for one order, and those of the pool are of the default order.
            chosen = {n: a for n, a in chosen.items() if n not in ("after", "before")}
        context = get_named_type(field_type).name
        values = [f"{name}: {self._value(argument.type, context, name)}" for name, argument in chosen.items()]
        if context == "Nearby" and "after" in chosen:
            # A cursor is of one kind, and those of the pool are of teams.
            values = [value for value in values if not value.startswith("kinds:")] + ["kinds: [TEAM]"]
        return f"({', '.join(values)})" if values else ""

    def _value(self, of: Any, context: str, name: str) -> str:
        """A literal. `context` is the input that contains it, or the type of the field that takes it."""
        if isinstance(of, GraphQLNonNull):
            return self._value(of.of_type, context, name)
        if isinstance(of, GraphQLList):
            items = [self._value(of.of_type, context, name) for _ in range(self._rng.choice((0, 1, 1, 2, 3, 6)))]
            return f"[{', '.join(items)}]"
        if isinstance(of, GraphQLEnumType):
            return str(self._rng.choice(list(of.values)))
        if isinstance(of, GraphQLInputObjectType):
            return self._object(of, context)
        makers: dict[str, Callable[[str, str], str]] = {
            "ID": self._id,
            "String": self._string,
            "Int": self._int,
            "Float": self._float,
            "Boolean": lambda *_: self._rng.choice(("true", "false")),
            "GeoJSON": lambda *_: self._polygon(),
            "Date": lambda *_: f'"{TODAY - dt.timedelta(days=self._rng.randint(-20, 400))}"',
        }
        return makers[of.name](context, name)

    def _object(self, of: GraphQLInputObjectType, context: str) -> str:
        if of.extensions["strawberry-definition"].is_one_of:
            names = [self._rng.choice(list(of.fields))]
        else:
            names = [n for n, f in of.fields.items() if isinstance(f.type, GraphQLNonNull) or self._rng.random() < 0.2]
        if self._branches == BRANCHES:
            names = [name for name in names if name not in ("or", "not")]
        if self._rng.random() < 0.95:
            names = [name for name in names if context == FIELD_CONNECTIONS.get(name, context)]
        values = {}
        for name in names:
            self._branches += name in ("or", "not")
            inner = context if name in ("or", "not") else NEARBY.get(name, of.name)
            values[name] = self._value(of.fields[name].type, inner, name)
            self._branches -= name in ("or", "not")
        if of.name == "Window":
            values = dict(zip(values, sorted(values.values()), strict=True))
        if of.name == "BoxInput":
            for pair in (("south", "north"), ("west", "east")):
                values |= zip(pair, sorted((values[name] for name in pair), key=float), strict=True)
        return f"{{{', '.join(f'{name}: {value}' for name, value in values.items())}}}"

    def _id(self, context: str, name: str) -> str:
        node = ID_TYPES.get(f"{context}.{name}") or ID_TYPES.get(name)
        if node is None or self._rng.random() < 0.02:
            node = self._rng.choice(list(self._pool.every))
        own = self._pool.own.get(node)
        return f'"{self._rng.choice(own if own and self._rng.random() < 0.6 else self._pool.every[node])}"'

    def _string(self, context: str, name: str) -> str:
        if name in ("after", "before"):
            return f'"{self._rng.choice(self._pool.cursors.get(context) or ("none",))}"'
        codes = self._pool.codes.get(f"{context}.{name}") or self._pool.codes.get(name)
        if codes and self._rng.random() < 0.98:
            return orjson.dumps(self._rng.choice(codes)).decode()
        text = self._rng.choice(self._pool.texts)
        if name not in ("code", "creditCode", "externalId", "stockCode", "industry") and self._rng.random() < 0.6:
            start = self._rng.randrange(len(text))
            text = text[start : start + self._rng.randint(1, 4)]
        return orjson.dumps(text).decode()

    def _int(self, context: str, name: str) -> str:
        if name == "majorHazardLevels":
            return str(self._rng.randint(1, 4))
        if name in INTEGERS:
            return str(self._rng.choice(INTEGERS[name]))
        # Rarely a size that is not allowed.
        return str(self._rng.choice((0, 1, 2, 3, 4, 5, 50) if self._rng.random() < 0.99 else (-1, 1_001)))

    def _polygon(self) -> str:
        """A triangle around the middle of the district."""
        corners = [(self._float("", "longitude"), self._float("", "latitude")) for _ in range(3)]
        positions = ", ".join(f"[{x}, {y}]" for x, y in [*corners, corners[0]])
        return f'{{type: "Polygon", coordinates: [[{positions}]]}}'

    def _float(self, context: str, name: str) -> str:
        return str(round((30.2 if name in LATITUDES else 120.3) + self._rng.uniform(-0.2, 0.2), 5))


def without_volatile(data: Any) -> Any:
    """The data of a response without the VOLATILE_FIELDS."""
    if isinstance(data, dict):
        return {name: without_volatile(value) for name, value in data.items() if not name.startswith("volatile_")}
    return [without_volatile(value) for value in data] if isinstance(data, list) else data
