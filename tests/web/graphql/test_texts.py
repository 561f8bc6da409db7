"""Texts that JSON and GraphQL can express but databases cannot store, in every argument that takes a text."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
import pytest
from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLSchema,
    build_schema,
    get_named_type,
    is_abstract_type,
    is_composite_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
)

from web.graphql.negotiation import JSON
from web.settings import ROOT

SCHEMA: GraphQLSchema = build_schema((ROOT / "schema" / "schema.graphql").read_text())
TEXTS = {"String", "ID"}
# By scalar, the value of other required arguments and input fields.
FILLERS = {"Int": "1", "Float": "30.2", "String": '"GUALI"', "ID": '"x"', "Boolean": "true"}
FILLERS |= {"DateTime": '"2026-06-15T04:00:00Z"', "Date": '"2026-06-15"'}


@dataclass(frozen=True)
class Place:
    """An argument or input field that takes a text, with a document that passes it the variable `$text`."""

    name: str
    document: str


def inputs(of: GraphQLInputType, seen: tuple[str, ...] = ()) -> Iterator[tuple[str, str, str]]:
    """Every value of an input type with `$text` in one position: its name, the value, and the text's type."""
    inner: Any = of.of_type if is_non_null_type(of) else of
    if is_list_type(inner):
        for where, value, leaf in inputs(inner.of_type, seen):
            yield f"{where}[]", f"[{value}]", leaf
    elif is_leaf_type(inner) and inner.name in TEXTS:
        yield "", "$text", inner.name
    elif isinstance(inner, GraphQLInputObjectType) and inner.name not in seen:
        for name, field in inner.fields.items():
            others = {n: f for n, f in inner.fields.items() if n != name and required(f) and not inner.is_one_of}
            rest = [f"{n}: {filler(f.type)}" for n, f in others.items()]
            for where, value, leaf in inputs(field.type, (*seen, inner.name)):
                yield f".{name}{where}", "{ " + ", ".join([f"{name}: {value}", *rest]) + " }", leaf


def required(part: GraphQLArgument | GraphQLInputField) -> bool:
    return is_non_null_type(part.type) and part.ast_node is not None and part.ast_node.default_value is None


def filler(of: GraphQLInputType, *, single: bool = False) -> str:
    """A value; a list of enum members has all of them, or a `single` one."""
    named = get_named_type(of)
    if is_list_type(of.of_type if is_non_null_type(of) else of):
        members = list(named.values)[: 1 if single else None] if isinstance(named, GraphQLEnumType) else []
        return f"[{', '.join(members)}]"
    if isinstance(named, GraphQLInputObjectType):
        needed = [(n, f) for n, f in named.fields.items() if required(f)] or list(named.fields.items())[:1]
        return "{ " + ", ".join(f"{n}: {filler(f.type)}" for n, f in needed) + " }"
    return next(iter(named.values)) if isinstance(named, GraphQLEnumType) else FILLERS[named.name]


def arguments(field: GraphQLField, but: str | None = None) -> list[str]:
    """The required arguments of a field, and a small page for connections."""
    required_arguments = [
        f"{name}: {filler(a.type, single=but == 'after')}"  # each kind of rows has pages of its own
        for name, a in field.args.items()
        if name != but and required(a)
    ]
    return [*required_arguments, *(["first: 3"] if "first" in field.args and but not in ("first", "last") else [])]


def routes() -> dict[str, str]:
    """For every type with fields, a selection from the root to it, with `%s` for the fields of the type."""
    assert SCHEMA.query_type is not None
    routes: dict[str, str] = {SCHEMA.query_type.name: "%s"}
    waiting: list[Any] = [SCHEMA.query_type]
    while waiting:
        source = waiting.pop(0)
        for name, field in getattr(source, "fields", {}).items():
            target: Any = get_named_type(field.type)
            if not is_composite_type(target) or name == "node":
                continue
            values = arguments(field)
            call = f"{name}({', '.join(values)})" if values else name
            for each in SCHEMA.get_possible_types(target) if is_abstract_type(target) else [target]:
                if each.name not in routes:
                    inner = f"... on {each.name} {{ %s }}" if each is not target else "%s"
                    routes[each.name] = routes[source.name] % f"{call} {{ {inner} }}"
                    waiting.append(each)
    return routes


def selection(of: Any) -> str:
    """A selection that reads rows: the name of a connection needs none."""
    if "nodes" in getattr(of, "fields", {}):
        return " { totalCount nodes { __typename } }"
    return " { __typename }" if is_composite_type(of) else ""


def places() -> Iterator[Place]:
    """Every text among the arguments of the fields of a query."""
    for name, route in routes().items():
        yield from places_of(SCHEMA.type_map[name], f"query A($text: %s!) {{ {route} }}")


def places_of(source: Any, document: str) -> Iterator[Place]:
    """Every text among the arguments of a type's fields. `document` has a `%s` for the text's type and the field."""
    for field_name, field in source.fields.items():
        for argument, declaration in field.args.items():
            rest = arguments(field, argument)
            for where, value, leaf in inputs(declaration.type):
                call = f"{field_name}({', '.join([f'{argument}: {value}', *rest])})"
                name = f"{source.name}.{field_name}({argument}{where})"
                yield Place(name, document % (leaf, call + selection(get_named_type(field.type))))


PLACES = list(places())
ACTIONS = list(places_of(SCHEMA.mutation_type, "mutation A($text: %s!) { %s }"))


def codes(response: httpx.Response) -> set[str]:
    return {error["extensions"]["code"] for error in response.json().get("errors", [])}


def test_the_schema_has_the_expected_places() -> None:
    names = {place.name for place in PLACES}
    assert {"Query.search(text)", "Query.node(id)", "Query.nodes(ids[])", "Query.hazards(after)"} <= names
    assert {"Query.zone(by.code)", "Query.enterprise(by.creditCode)"} <= names
    assert any(name.startswith("Zone.enterprises(filter.") for name in names)


@pytest.mark.exhaustive
async def test_every_place_takes_a_text(client: httpx.AsyncClient) -> None:
    """Otherwise the next tests would see refusals for another reason."""
    wrong = {}
    for place in PLACES:
        response = await client.post("/graphql", json={"query": place.document, "variables": {"text": "a"}})
        if not codes(response) <= {"BAD_INPUT", "BAD_ID", "BAD_CURSOR", "NOT_FOUND"}:
            wrong[place] = response.text
    assert wrong == {}


async def test_a_nul_is_refused_and_never_reaches_the_database(client: httpx.AsyncClient) -> None:
    wrong = {}
    for place in PLACES:
        response = await client.post("/graphql", json={"query": place.document, "variables": {"text": "a\0b"}})
        refusals = codes(response)
        # Below the root, the demo may have no row on which the field is executed.
        reached = place.name.startswith("Query.")
        if not refusals <= {"BAD_INPUT", "BAD_ID", "BAD_CURSOR"} or (reached and not refusals):
            wrong[place] = response.text
    assert wrong == {}


async def test_a_nul_in_an_action_is_invalid_input(client: httpx.AsyncClient) -> None:
    assert len({place.name.split("(")[0] for place in ACTIONS}) > 30
    wrong = {}
    for place in ACTIONS:
        response = await client.post("/graphql", json={"query": place.document, "variables": {"text": "a\0b"}})
        body = response.json()
        expected = {"InvalidInput", "Forbidden"} if "(input.rows." in place.name else {"InvalidInput"}
        # A mutation of many rows looks at the viewer's right before it looks at the rows.
        if "errors" in body or {result["__typename"] for result in body["data"].values()} - expected:
            wrong[place] = response.text
    assert wrong == {}


async def test_half_a_surrogate_pair_is_refused(client: httpx.AsyncClient) -> None:
    for place in PLACES + ACTIONS:
        body = orjson.dumps({"query": place.document, "variables": {"text": "HERE"}}).replace(b"HERE", b"\\ud800")
        response = await client.post("/graphql", content=body, headers={"content-type": JSON})
        assert codes(response) == {"BAD_REQUEST"}, place
        # As a literal in the document, the lexer refuses it.
        literal = place.document.replace("$text:", "$unused:").replace("$text", '"\\uD800"')
        assert codes(await client.post("/graphql", json={"query": literal})) == {"BAD_DOCUMENT"}, place
