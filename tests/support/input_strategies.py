"""Inputs of mutations generated from the schema: valid ones, and random ones with unusual texts."""

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    get_named_type,
    is_required_input_field,
)
from hypothesis import strategies as st

from schema.build import Graph
from tests.conftest import NOW

# By argument: the type of its ids.
NODES = {
    "enterprise": "Enterprise",
    "hazard": "Hazard",
    "inspection": "Inspection",
    "reinspectionOf": "Inspection",
    "inspector": "Inspector",
    "inspectors": "Inspector",
    "case": "Case",
    "dispatch": "Dispatch",
    "team": "Team",
    "expert": "Expert",
    "stockItem": "StockItem",
    "assistanceRequest": "AssistanceRequest",
    "venue": "Venue",
    "zone": "Zone",
    "warning": "Warning",
    "controlMeasure": "ControlMeasure",
    "handover": "Handover",
    "evidence": "Evidence",
}
Ids = Callable[[str], list[str]]

NASTY = [
    "",
    " ",
    "\t\n",
    "\0",
    "a\0b",
    "\ud800",
    "x\udfff",
    "\u202e",
    "'; DROP TABLE hazard; --",
    "%_\\",
    "𝕳",
    "é" * 4001,
]
NUMBERS = [0, 1, -1, 2**31 - 1, -(2**31), 100, 5]
FLOATS = [0.0, -0.0, 1e308, -1e308, 5e-324, 90.0, 180.0, -180.0, 90.0000001, 30.1, 120.1, 100.0]
TIMES = [
    "0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-12:00", "1969-12-31T23:59:59Z",
    "2026-06-15T04:00:00", "2026-06-15T04:00:00.123456+08:00", "1900-01-01T00:00:00+23:59", "2999-12-31T23:59:59-23:59",
]  # fmt: skip


def root_fields(graph: Graph, *, bulk: bool = False) -> dict[str, GraphQLInputObjectType]:
    """The input type of each mutation; with `bulk` also of those of many rows."""
    root = graph._schema.mutation_type
    assert root is not None
    input_types = {}
    for name, field in root.fields.items():
        of = get_named_type(field.args["input"].type)
        assert isinstance(of, GraphQLInputObjectType)
        if bulk or "rows" not in of.fields:
            input_types[name] = of
    return input_types


def paths(of: GraphQLInputObjectType, before: str = "") -> Iterator[tuple[str, Any]]:
    """The path and type of every field of an input, nested ones included."""
    for name, field in of.fields.items():
        yield before + name, field.type
        inner = get_named_type(field.type)
        if isinstance(inner, GraphQLInputObjectType):
            yield from paths(inner, f"{before}{name}.")


def plain(name: str, of: Any, ids: Ids, *, whole: bool = False) -> Any:
    """A valid value for a field; with `whole`, with every field of an input and an element in every list."""
    if isinstance(of, GraphQLNonNull):
        return plain(name, of.of_type, ids, whole=whole)
    if isinstance(of, GraphQLList):
        return [plain(name, of.of_type, ids, whole=whole)]
    if isinstance(of, GraphQLInputObjectType):
        chosen = {n: f for n, f in of.fields.items() if whole or is_required_input_field(f)}
        return {n: plain(n, f.type, ids, whole=whole) for n, f in chosen.items()}
    if isinstance(of, GraphQLEnumType):
        return next(iter(of.values))
    if of.name == "ID":
        return ids(NODES[name])[0]
    values = {"Int": 1, "Float": 30.0, "Boolean": True, "Date": "2026-06-15", "DateTime": "2026-07-01T00:00:00Z"}
    return values.get(of.name, "文字")


def put(value: Any, path: str, wrong: Any) -> None:
    """Replace the value at a path; in a list, in its first element."""
    first, _, rest = path.partition(".")
    if not rest:
        value[first] = [wrong] if isinstance(value[first], list) else wrong
        return
    inner = value[first]
    put(inner[0] if isinstance(inner, list) else inner, rest, wrong)


# -- random inputs --


def values(name: str, of: Any, ids: Ids) -> st.SearchStrategy[Any]:
    """Any value of the type, valid or not."""
    if isinstance(of, GraphQLNonNull):
        return _present(name, of.of_type, ids)
    return st.none() | _present(name, of, ids)


def _present(name: str, of: Any, ids: Ids) -> st.SearchStrategy[Any]:
    if isinstance(of, GraphQLList):
        return st.lists(values(name, of.of_type, ids), max_size=4)
    if isinstance(of, GraphQLInputObjectType):
        return inputs(of, ids)
    if isinstance(of, GraphQLEnumType):
        return st.sampled_from(list(of.values))
    texts = mostly(st.sampled_from(["文字", "e0", "PASS"]), st.sampled_from(NASTY) | st.text(max_size=30))
    near = st.timedeltas(-dt.timedelta(30), dt.timedelta(90)).map(NOW.__add__)
    times = mostly(near, st.datetimes(timezones=st.just(dt.UTC)))
    if of.name == "ID":
        return _ids(name, ids)
    by_name: dict[str, st.SearchStrategy[Any]] = {
        "Int": st.sampled_from(NUMBERS) | st.integers(-(2**31), 2**31 - 1),
        "Float": st.sampled_from(FLOATS) | st.floats(allow_nan=False, allow_infinity=False),
        "Boolean": st.booleans(),
        "Date": st.dates().map(dt.date.isoformat),
        "DateTime": mostly(times.map(dt.datetime.isoformat), st.sampled_from(TIMES)),
    }
    return by_name.get(of.name, texts)


def mostly(good: st.SearchStrategy[Any], bad: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """The first strategy nine times out of ten."""
    return st.integers(0, 9).flatmap(lambda n: good if n else bad)


def _ids(name: str, ids: Ids) -> st.SearchStrategy[str]:
    """Mostly an existing row's id; else a missing row's, one of another type, or garbage."""
    node = NODES[name]
    there = ids(node)
    others = [one for other in sorted(set(NODES.values()) - {node}) for one in ids(other)[:1]]
    odd = st.sampled_from([*others, *NASTY]) | st.text(max_size=20)
    return mostly(st.sampled_from(there), odd) if there else odd


def inputs(of: GraphQLInputObjectType, ids: Ids) -> st.SearchStrategy[dict[str, Any]]:
    needed, more = {}, {}
    for name, field in of.fields.items():
        if is_required_input_field(field):
            needed[name] = values(name, field.type, ids)
        elif name in ("expectedVersion", "clientMutationId"):
            more[name] = st.one_of(*[st.none()] * 3, values(name, field.type, ids))
        else:
            more[name] = values(name, field.type, ids)
    return st.fixed_dictionaries(needed, optional=more)
