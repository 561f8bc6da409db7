"""Nothing that was promised to clients is missing from the schema, or of another type than was promised."""

import re
from pathlib import Path
from typing import Any

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    build_schema,
    print_ast,
)

from schema.build import Graph

CONTRACT = Path(__file__).parent / "contract.graphql"

PAGE = {"first": "Int", "after": "String", "last": "Int", "before": "String"}


CONNECTION = """
type {0}Connection {{ edges: [{0}Edge!]! nodes: [{0}!]! pageInfo: PageInfo! totalCount: Int! }}
type {0}Edge {{ cursor: String! node: {0}! }}
"""


@pytest.fixture(scope="module")
def promised() -> dict[str, str]:
    """The contract, with the connections that its head describes."""
    text = CONTRACT.read_text()
    lists = sorted(set(re.findall(r"\b(\w+)Connection!", text)))
    found = paths(build_schema(text + "".join(CONNECTION.format(node) for node in lists)))
    for path, of in list(found.items()):
        if of.endswith("Connection!"):
            found |= {f"{path}({name})": argument for name, argument in PAGE.items()}
    return found


@pytest.fixture(scope="module")
def built(graph: Graph) -> dict[str, str]:
    return paths(build_schema(graph.as_str()))


def members(of: Any) -> dict[str, str]:
    """What a type has, by name: fields and arguments with their types and defaults, values, members, interfaces."""
    if isinstance(of, GraphQLEnumType):
        return dict.fromkeys(of.values, "")
    if isinstance(of, GraphQLUnionType):
        return {t.name: "" for t in of.types}
    if isinstance(of, GraphQLInputObjectType):
        return {name: given(field) for name, field in of.fields.items()}
    if isinstance(of, GraphQLObjectType | GraphQLInterfaceType):
        found = {name: str(field.type) for name, field in of.fields.items()}
        found |= {f"implements {i.name}": "" for i in of.interfaces}
        for name, field in of.fields.items():
            found |= {f"{name}({n})": given(argument) for n, argument in field.args.items()}
        return found
    return {}


def given(of: Any) -> str:
    """An argument's or input field's type and default."""
    default = of.ast_node.default_value
    return f"{of.type}" if default is None else f"{of.type} = {print_ast(default)}"


def paths(schema: GraphQLSchema) -> dict[str, str]:
    """Everything in a schema, by its path: `Type`, `Type.field`, `Type.field(argument)`."""
    found = {}
    for name, of in schema.type_map.items():
        if name.startswith("__") or name in ("String", "Int", "Float", "Boolean", "ID"):
            continue
        found[name] = f"{type(of).__name__}{' @oneOf' if getattr(of, 'is_one_of', False) else ''}"
        found |= {f"{name}.{member}": text for member, text in members(of).items()}
    return found


def test_what_was_promised_is_there(promised: dict[str, str], built: dict[str, str]) -> None:
    assert len(promised) > 800
    assert {path: (text, built.get(path)) for path, text in promised.items() if built.get(path) != text} == {}


def test_what_was_not_promised_can_be_left_out(promised: dict[str, str], built: dict[str, str]) -> None:
    """A client that keeps to the contract gives no argument that the schema needs besides."""
    new = {path: text for path, text in built.items() if path not in promised and path.split("(")[0] in promised}
    assert {path: text for path, text in new.items() if text.endswith("!") and "(" in path} == {}
    fields = {path: text for path, text in built.items() if path not in promised and path.split(".")[0] in promised}
    inputs = {path for path in promised if promised[path].startswith("GraphQLInputObjectType")}
    assert {path: text for path, text in fields.items() if path.split(".")[0] in inputs and text.endswith("!")} == {}
