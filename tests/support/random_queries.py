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
# Which type's ids an argument takes, by its name; others take any type's.
TAKES = {
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
# What tells how long the log is, or when it was asked: it stands aside in a comparison.
ASIDE = frozenset({("Query", "cursor"), ("Portrait", "cursor"), ("Portrait", "asOf")})
# Fields of a filter of several types that apply to one of them alone.
APPLIES = {"teamKinds": "TeamConnection", "specialty": "ExpertConnection", "stockCode": "WarehouseConnection"}
METRES = (0, 300, 2_500, 20_000)


@dataclass
class Stock:
    """What arguments are drawn from: by type the ids of one's own rows and of all, by connection its cursors."""

    own: Mapping[str, Sequence[str]]
    every: Mapping[str, Sequence[str]]
    texts: Sequence[str]
    cursors: Mapping[str, Sequence[str]] = field(default_factory=dict)


class Wanderer:
    """Makes operations. Equal seeds give equal operations."""

    def __init__(self, graph: Graph, stock: Stock) -> None:
        self.asked: Counter[tuple[str, str]] = Counter()
        self._schema, self._stock = graph._schema, stock
        self._rng, self._number = Random(), 0

    def operation(self, seed: object, roots: int = ROOTS) -> str:
        self._rng, self._number = Random(repr(seed)), 0
        root = self._schema.query_type
        assert root is not None
        names = self._rng.choices(list(root.fields), k=roots)
        return "{ " + " ".join(self._field(root, name, DEPTH) for name in names) + " }"

    def of(self, name: str, seed: object) -> str:
        """An operation of one field of Query."""
        self._rng, self._number = Random(repr(seed)), 0
        return f"{{ {self._field(self._schema.query_type, name, DEPTH)} }}"

    def selection(self, of: Any, seed: object) -> str:
        """Something that can be asked of a type."""
        self._rng, self._number = Random(repr(seed)), 0
        return self._selection(of, DEPTH - 1)

    def _field(self, of: Any, name: str, depth: int) -> str:
        self._number += 1
        self.asked[of.name, name] += 1
        asked = of.fields[name]
        alias = f"{'aside' if (of.name, name) in ASIDE else name}_{self._number}"
        shown = f"{alias}: {name}{self._arguments(asked.args, asked.type)}"
        target = get_named_type(asked.type)
        return shown if is_leaf_type(target) else f"{shown} {{ {self._selection(target, depth - 1)} }}"

    def _selection(self, of: Any, depth: int) -> str:
        if isinstance(of, GraphQLUnionType):
            return self._members(of.types, depth)
        if isinstance(of, GraphQLInterfaceType):
            inner = self._members(self._rng.sample(self._schema.get_possible_types(of), 3), depth)
            return f"id {inner}"
        leaves = [n for n, f in of.fields.items() if is_leaf_type(get_named_type(f.type))]
        deeper = [n for n in of.fields if n not in leaves]
        wants = self._rng.sample(leaves, min(len(leaves), self._rng.randint(1, 5)))
        if depth > 0 or not leaves:
            wants += self._rng.sample(deeper, min(len(deeper), self._rng.randint(1, 3)))
        if of.name.endswith("Connection") and depth >= 0:
            wants = list({*wants, "nodes", "totalCount"})
        # A path ends at the ids, where it cannot go on.
        if depth <= 0:
            wants = [w for w in wants if w in leaves] or ["__typename"]
        rows = "id" if "id" in of.fields else "__typename"
        return " ".join([rows, *(w if w == "__typename" else self._field(of, w, depth) for w in sorted(wants))])

    def _members(self, members: Sequence[Any], depth: int) -> str:
        return " ".join(["__typename", *(f"... on {m.name} {{ {self._selection(m, depth)} }}" for m in members)])

    # -- arguments --

    def _arguments(self, arguments: Mapping[str, GraphQLArgument], leads_to: Any) -> str:
        given = {n: a for n, a in arguments.items() if isinstance(a.type, GraphQLNonNull) or self._rng.random() < 0.35}
        if "first" in arguments and "last" in arguments:
            # Both at once are refused, and a backward page is rarer.
            chosen = "last" if self._rng.random() < 0.2 else "first"
            given = {n: a for n, a in given.items() if n not in ("first", "last")} | {chosen: arguments[chosen]}
        if "orderBy" in given or self._rng.random() < 0.5:
            # A cursor is of one order, and those in stock are of the order by default.
            given = {n: a for n, a in given.items() if n not in ("after", "before")}
        context = get_named_type(leads_to).name
        shown = [f"{name}: {self._value(argument.type, context, name)}" for name, argument in given.items()]
        return f"({', '.join(shown)})" if shown else ""

    def _value(self, of: Any, context: str, name: str) -> str:
        """A literal. `context` is the input that it stands in, or the type to which the field leads."""
        if isinstance(of, GraphQLNonNull):
            return self._value(of.of_type, context, name)
        if isinstance(of, GraphQLList):
            many = [self._value(of.of_type, context, name) for _ in range(self._rng.choice((0, 1, 1, 2, 3, 6)))]
            return f"[{', '.join(many)}]"
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
            "Date": lambda *_: f'"{TODAY - dt.timedelta(days=self._rng.randint(-20, 400))}"',
        }
        return makers[of.name](context, name)

    def _object(self, of: GraphQLInputObjectType, context: str) -> str:
        if of.extensions["strawberry-definition"].is_one_of:
            chosen = [self._rng.choice(list(of.fields))]
        else:
            chosen = [n for n, f in of.fields.items() if isinstance(f.type, GraphQLNonNull) or self._rng.random() < 0.2]
        if self._rng.random() < 0.95:
            chosen = [name for name in chosen if context == APPLIES.get(name, context)]
        given = {name: self._value(of.fields[name].type, of.name, name) for name in chosen}
        if of.name == "Window":
            given = dict(zip(given, sorted(given.values()), strict=True))
        return f"{{{', '.join(f'{name}: {value}' for name, value in given.items())}}}"

    def _id(self, context: str, name: str) -> str:
        takes = TAKES.get(f"{context}.{name}") or TAKES.get(name)
        if takes is None or self._rng.random() < 0.02:
            takes = self._rng.choice(list(self._stock.every))
        own = self._stock.own.get(takes)
        return f'"{self._rng.choice(own if own and self._rng.random() < 0.6 else self._stock.every[takes])}"'

    def _string(self, context: str, name: str) -> str:
        if name in ("after", "before"):
            return f'"{self._rng.choice(self._stock.cursors.get(context) or ("none",))}"'
        text = self._rng.choice(self._stock.texts)
        if name not in ("code", "creditCode", "externalId", "stockCode", "industry") and self._rng.random() < 0.6:
            start = self._rng.randrange(len(text))
            text = text[start : start + self._rng.randint(1, 4)]
        return orjson.dumps(text).decode()

    def _int(self, context: str, name: str) -> str:
        if name == "withinMetres":
            return str(self._rng.choice(METRES))
        # Now and then more than there can be, and no page at all.
        return str(self._rng.choice((1, 2, 3, 4, 5, 50) if self._rng.random() < 0.99 else (0, 1_001)))

    def _float(self, context: str, name: str) -> str:
        return str(round((30.2 if name == "latitude" else 120.3) + self._rng.uniform(-0.2, 0.2), 5))


def without_aside(found: Any) -> Any:
    """An answer without what stands aside."""
    if isinstance(found, dict):
        return {name: without_aside(value) for name, value in found.items() if not name.startswith("aside_")}
    return [without_aside(value) for value in found] if isinstance(found, list) else found
