"""Queries generated from the schema: for any field, its required arguments and a selection of its type."""

from typing import Any

import sqlalchemy as sa
from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLNonNull,
    GraphQLUnionType,
    get_named_type,
    is_leaf_type,
    is_required_argument,
)
from strawberry.utils.str_converters import to_camel_case

import models
from models.db.database import Database
from resolvers.queries.group_counts import DIMENSIONS_MAXIMUM
from schema.fields.events import MODELS, TYPES
from schema.types import node_id
from tests.conftest import NOW

CONNECTED = "{ totalCount nodes { id } edges { cursor node { id } } pageInfo { hasNextPage endCursor } }"


def selection(of: Any) -> str:
    """A selection of a type: the ids of its rows, and all fields of objects without an id."""
    named = get_named_type(of)
    if is_leaf_type(named):
        return ""
    if named.name.endswith("Connection"):
        return CONNECTED
    if isinstance(named, GraphQLUnionType) or named.name == "Node":
        return "{ __typename ... on Node { id } }"
    if "id" in named.fields:
        return "{ id }"
    return "{ " + " ".join(f"{name} {selection(f.type)}" for name, f in named.fields.items()) + " }"


def needed(field: GraphQLField) -> str:
    """The required arguments of a field, in parentheses; for a list of an enum, all of its values."""
    arguments = [f"{name}: {example(a.type)}" for name, a in field.args.items() if is_required_argument(a)]
    return f"({', '.join(arguments)})" if arguments else ""


def example(of: Any) -> str:
    """A value of an input type."""
    if isinstance(of, GraphQLNonNull):
        return example(of.of_type)
    if isinstance(of, GraphQLEnumType):
        return str(next(iter(of.values)))
    if hasattr(of, "of_type"):
        inner = get_named_type(of)
        values = list(inner.values) if isinstance(inner, GraphQLEnumType) else [example(inner)]
        if inner.name.endswith("Dimension"):
            values = values[:DIMENSIONS_MAXIMUM]
        return f"[{', '.join(values)}]"
    if isinstance(of, GraphQLInputObjectType):
        return "{ " + ", ".join(f"{n}: {example(f.type)}" for n, f in of.fields.items()) + " }"
    return {"Int": "1", "Float": "30.2", "Boolean": "true", "Date": '"2026-06-15"'}.get(of.name, '"1"')


async def ids_of(database: Database, of: Any, most: int) -> list[str]:
    """The ids of the first rows of a type; for events, of the last."""
    table = of.row.__table__
    subjects = [subject for subject, event_type in TYPES.items() if event_type is of]
    conditions = [table.c.subject.in_(subjects)] if subjects else []
    order = table.c.id.desc() if subjects else table.c.id
    async with database.read() as connection:
        keys = await connection.execute(sa.select(table.c.id).where(*conditions).order_by(order).limit(most))
        return [node_id.encode(of.__name__, key) for (key,) in keys]


async def add_events(database: Database, each: int) -> None:
    """Append events about the first rows of every noun."""
    async with database.write() as session:
        enterprise = (await session.execute(sa.select(models.Enterprise).limit(1))).scalar_one()
        for kind in {kind.subject: kind for kind in models.EventKind}.values():
            keys: list[int | None] = [None] * each
            if kind.subject in MODELS:
                table = MODELS[kind.subject].__table__
                keys = list((await session.execute(sa.select(table.c.id).limit(each))).scalars())
            session.add_all(
                models.Event(
                    at=NOW,
                    kind=kind,
                    subject=kind.subject,
                    subject_id=key,
                    enterprise_id=enterprise.id,
                    zone_id=enterprise.zone_id,
                    actor_role=models.Role.COMMANDER,
                    changes=[{"field": "reason", "from": None, "to": "试验", "personal": False}],
                    rows=1,
                    source="a test",
                )
                for key in keys
            )


def graphql_name(field: Any) -> str:
    """A declared field's name in the schema."""
    return str(field.graphql_name or to_camel_case(field.python_name))
