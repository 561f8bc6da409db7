"""The schema has everything that the contract with clients has, with the same types."""

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
    """The contract's elements, with the connections that its introduction describes."""
    text = CONTRACT.read_text()
    lists = sorted(set(re.findall(r"\b(\w+)Connection!", text)))
    promised_paths = paths(build_schema(text + "".join(CONNECTION.format(node) for node in lists)))
    for path, of in list(promised_paths.items()):
        if of.endswith("Connection!"):
            promised_paths |= {f"{path}({name})": argument for name, argument in PAGE.items()}
    return promised_paths


@pytest.fixture(scope="module")
def built(graph: Graph) -> dict[str, str]:
    return paths(build_schema(graph.as_str()))


def members(of: Any) -> dict[str, str]:
    """A type's fields and arguments with types and defaults, its values, members and interfaces, by name."""
    if isinstance(of, GraphQLEnumType):
        return dict.fromkeys(of.values, "")
    if isinstance(of, GraphQLUnionType):
        return {t.name: "" for t in of.types}
    if isinstance(of, GraphQLInputObjectType):
        return {name: type_and_default(field) for name, field in of.fields.items()}
    if isinstance(of, GraphQLObjectType | GraphQLInterfaceType):
        by_name = {name: str(field.type) for name, field in of.fields.items()}
        by_name |= {f"implements {i.name}": "" for i in of.interfaces}
        for name, field in of.fields.items():
            by_name |= {f"{name}({n})": type_and_default(argument) for n, argument in field.args.items()}
        return by_name
    return {}


def type_and_default(of: Any) -> str:
    """An argument's or input field's type and default."""
    default = of.ast_node.default_value
    return f"{of.type}" if default is None else f"{of.type} = {print_ast(default)}"


def paths(schema: GraphQLSchema) -> dict[str, str]:
    """Everything in a schema, by its path: `Type`, `Type.field`, `Type.field(argument)`."""
    by_path = {}
    for name, of in schema.type_map.items():
        if name.startswith("__") or name in ("String", "Int", "Float", "Boolean", "ID"):
            continue
        by_path[name] = f"{type(of).__name__}{' @oneOf' if getattr(of, 'is_one_of', False) else ''}"
        by_path |= {f"{name}.{member}": text for member, text in members(of).items()}
    return by_path


def test_the_schema_has_everything_in_the_contract(promised: dict[str, str], built: dict[str, str]) -> None:
    assert len(promised) > 800
    assert {path: (text, built.get(path)) for path, text in promised.items() if built.get(path) != text} == {}


def test_every_argument_outside_the_contract_is_optional(promised: dict[str, str], built: dict[str, str]) -> None:
    """A client that follows the contract never lacks a required argument."""
    new = {path: text for path, text in built.items() if path not in promised and path.split("(")[0] in promised}
    assert {path: text for path, text in new.items() if text.endswith("!") and "(" in path} == {}
    fields = {path: text for path, text in built.items() if path not in promised and path.split(".")[0] in promised}
    inputs = {path for path in promised if promised[path].startswith("GraphQLInputObjectType")}
    assert {path: text for path, text in fields.items() if path.split(".")[0] in inputs and text.endswith("!")} == {}
