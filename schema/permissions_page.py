"""Writes docs/reference/rights.md from the declarations (`make docs`)."""

import sys
from collections.abc import Iterator
from enum import Enum
from typing import Any

from graphql import GraphQLNamedType, get_named_type

from models import lifecycle
from models.visibility import PERSONAL_DATA, Right, Role, Scope, Visibility
from resolvers.queries import monthly_trends, portraits, usual_bands
from resolvers.queries.monthly_trends import TRENDS
from resolvers.queries.usual_bands import HISTORIES
from resolvers.sql import authorization
from resolvers.sql.predicates import Nothing, Predicate
from schema.build import Graph, build
from schema.fields.batch import Batch
from schema.fields.filters import camel
from schema.fields.source import NODES, OF_ROW, LoadField
from schema.subscription import PositionStream

READ, BOTH = frozenset({Scope.READ}), frozenset({Scope.READ, Scope.PERSONAL})
# Kinds of viewers, in the order of the columns. A program without `read` sees nothing and has no column.
VIEWERS = {
    "commander": Visibility(Role.COMMANDER),
    "inspector": Visibility(Role.INSPECTOR),
    "enterprise": Visibility(Role.ENTERPRISE),
    "wall": Visibility(Role.WALL),
    "`read`": Visibility(Role.INTEGRATOR, READ),
    "`read`, `personal`": Visibility(Role.INTEGRATOR, BOTH),
}
INTRODUCTION = """\
# Who sees what, and who may do what

This page is generated from the declarations by `make docs`. A test fails when it is stale, and other tests check the
graph itself.

## The roles

- **Commander**: the duty officer. Sees everything and may do everything.
- **Inspector**: an officer in the field. Sees every enterprise's file and all resources, and acts on their own
  inspections and the hazards of those.
- **Enterprise**: sees its own file, the district's geography (zones, towns, venues, rings) and its warnings, the
  inspectors of its own inspections, and the dispatches to it. Rows of others do not exist for it, whichever way it
  asks: by id, in lists and counts, through filters, by distance, by search, in the log, in streams. It sees only its
  own portrait. It is not warned (below).
- **Wall**: a screen. Sees everything but personal data, and changes nothing.
- **Integrator**: a program. With the scope `read` it sees what a wall sees, and with `personal` personal data too.
  The scopes `register`, `positions`, `readings` and `warnings` let it act. Without `read` it sees only the rows that it
  wrote, and no rows that they refer to.

## Inspections come unannounced

For an enterprise an inspection begins when the inspectors arrive (四不两直): before that neither the inspection nor
its inspectors, its events or a count tell of it, and a visit that is cancelled earlier never existed. From the arrival
on the enterprise sees the inspection with its inspectors, and of its events those from the arrival on, also in a stream
that is resumed. Two exceptions are seen from the dispatch on: inspections of kind `ASSISTANCE`, for which it asked,
and the kinds that the setting `HUHANG_ANNOUNCED` lists.

A case exists for it once it is filed; it never sees one that was proposed and declined. An inspection after a complaint
looks like a routine one, in filters too. It never sees where inspectors are, nor how far away. Everybody else sees all
of this.

Without a token a client gets the schema at most, where the settings allow that. In demo mode a client without a token
is a wall.

## Personal data

Personal data are all contacts, the names and telephone numbers of inspectors and experts, the name of an actor in the
log, the addresses of cameras' streams, and evidence with its address. A viewer who may not see a value gets null or an
empty list, and may not filter, sort, search or count by it: such a filter ignores the value or is refused.

## Tokens

`Authorization: Bearer <token>`. A token is a JSON Web Token that this server has issued: signed with a key derived from
its secret (HS256), with a row in the database that says who holds it. Each has a name, for the log names a person or
program with every event; an inspector's badge and an enterprise's code are names already. It lasts 366 days at most.

```sh check
python -m web token add --role commander --name 值班长
python -m web token add --role inspector --inspector XS1001
python -m web token add --role enterprise --enterprise 91350100M000100Y43 --ttl 7d
python -m web token add --role wall --name "Hall, left" --ttl 366d
python -m web token add --role integrator --name weather-station --scopes read,register
python -m web token add --account li.wei --ttl 30d
python -m web token list
python -m web token revoke 7
```

`add` prints the token alone on the last line, once: the database does not keep it. A token of an account has the
account's role, and ends when the account is disabled. Of the tokens in force, no two people, programs or screens have
the same name. Revoking one closes what was opened with it within five seconds, on every server.

A demo server also accepts tokens that were only signed, not issued: `python -m web token --demo --role commander`.
GraphiQL offers one for each role there.
"""


class See(Enum):
    """How much of something a viewer sees."""

    ALL = "all"
    OWN = "own"
    NONE = "–"

    def limited_by(self, other: "See") -> "See":
        order = [See.NONE, See.OWN, See.ALL]
        return min(self, other, key=order.index)


def rows(model: Any, visibility: Visibility) -> See:
    """How many of a table's rows the viewer sees."""
    conditions = authorization.row_conditions(model, visibility)
    if any(isinstance(condition.predicate, Nothing) for condition in conditions):
        return See.NONE
    own = visibility.role is Role.ENTERPRISE and authorization.OWNERSHIP[model] is not authorization.EVERYTHING
    return See.OWN if own else See.ALL


def value(right: Right | None, visibility: Visibility) -> See:
    return See.ALL if visibility.allows(right) else See.NONE


class Page:
    """Writes the page for one graph."""

    def __init__(self, graph: Graph) -> None:
        self._types = graph._schema.type_map
        self._models = {type_.__name__: type_.row for type_ in (*OF_ROW.values(), *NODES.values())}

    def lines(self) -> Iterator[str]:
        yield INTRODUCTION
        yield "## What each role sees\n"
        yield (
            "*all*: of every row; *own*: of an enterprise's own rows; –: nothing. A field that leads to other rows"
            " leads to those that the viewer sees.\n"
        )
        for name in sorted(self._models):
            yield from self._type(name)
        yield from self._plain()
        yield from self._streams()
        yield from self._filters()
        yield from self._mutations()

    def _type(self, name: str) -> Iterator[str]:
        yield f"### {name}\n"
        yield from head("field")
        for field, definition in self._types[name].fields.items():  # type: ignore[attr-defined]  # a type of rows has fields
            yield row(field, [self._field(name, definition, v) for v in VIEWERS.values()])
        yield ""

    def _field(self, name: str, definition: Any, visibility: Visibility) -> See:
        declared = definition.extensions["strawberry-definition"]
        seen = rows(self._models[name], visibility)
        if isinstance(declared, LoadField):
            seen = seen.limited_by(value(declared.sees, visibility))
            function = declared.source.function if isinstance(declared.source, Batch) else None
            if visibility.role is Role.ENTERPRISE and function in (*portraits.KINDS, *HISTORIES, *TRENDS):
                own = portraits.of_enterprises, monthly_trends.of_enterprises, usual_bands.of_enterprises
                seen = See.OWN if function in own else See.NONE
        return seen.limited_by(self._target(get_named_type(definition.type), visibility))

    def _target(self, type_: GraphQLNamedType, visibility: Visibility) -> See:
        """How much the viewer sees of the rows that a field leads to."""
        node = type_.name.removesuffix("Connection")
        return rows(self._models[node], visibility) if node in self._models else See.ALL

    def _plain(self) -> Iterator[str]:
        """Values inside rows that need a right of their own."""
        yield "### Values inside events\n"
        yield from head("value")
        for name in ("Actor.name", "FieldChange of names and telephone numbers"):
            yield row(name, [value(PERSONAL_DATA, v).limited_by(self._events(v)) for v in VIEWERS.values()])
        yield ""

    def _events(self, visibility: Visibility) -> See:
        return rows(self._models["HazardUpdate"], visibility)

    def _streams(self) -> Iterator[str]:
        yield "## Streams\n"
        yield "Streams give the events and portraits that a query would give. A program without `read` has none.\n"
        yield from head("stream")
        for name, definition in self._types["Subscription"].fields.items():  # type: ignore[attr-defined]  # a root type has fields
            source = definition.extensions["strawberry-definition"].source
            positions = isinstance(source, PositionStream)
            limits = [
                See.ALL if v.role is not Role.ENTERPRISE else See.NONE if positions else See.OWN
                for v in VIEWERS.values()
            ]
            yield row(name, limits)
        yield ""

    def _filters(self) -> Iterator[str]:
        """The filters that some viewers may not use, or not in full."""
        yield "## Filters with limits\n"
        yield (
            "*part*: ignores what the viewer may not see; *refused*: the error FORBIDDEN. Every viewer may use all"
            " other filters.\n"
        )
        yield from head("filter")
        for name in sorted(NODES):
            for field, filter_field in getattr(NODES[name], "filters", {}).items():
                cells = [allowed(filter_field.predicate, v) for v in VIEWERS.values()]
                if set(cells) != {"all"}:
                    yield f"| {name}: {camel(field)} | {' | '.join(cells)} |"
        yield ""

    def _mutations(self) -> Iterator[str]:
        yield "## What each role may do\n"
        yield (
            "*own*: an inspector's own inspections and what follows from them, and reports about themselves; an"
            " enterprise's own rows. A program needs the scope named. Further conditions are in lifecycles.md.\n"
        )
        roles = [Role.COMMANDER, Role.INSPECTOR, Role.ENTERPRISE, Role.WALL]
        yield "| mutation | commander | inspector | enterprise | wall | integrator |"
        yield "|---|---|---|---|---|---|"
        for name in self._types["Mutation"].fields:  # type: ignore[attr-defined]  # a root type has fields
            permitted, scope = lifecycle.PERMITTED[name]
            cells = ["–" if r not in permitted else "all" if r is Role.COMMANDER else "own" for r in roles]
            yield f"| {name} | {' | '.join(cells)} | {f'`{scope.value}`' if scope else '–'} |"


def allowed(predicate: Predicate, visibility: Visibility) -> str:
    visible = predicate.visible_to(visibility)
    if visible is None or not authorization.may_filter_by(visible, visibility):
        return "refused"
    return "all" if visible is predicate else "part"


def head(first: str) -> Iterator[str]:
    yield f"| {first} | {' | '.join(VIEWERS)} |"
    yield "|---" * (1 + len(VIEWERS)) + "|"


def row(name: str, cells: list[See]) -> str:
    return f"| {name} | {' | '.join(cell.value for cell in cells)} |"


def page(graph: Graph) -> str:
    return "\n".join(Page(graph).lines()) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page(build()))
