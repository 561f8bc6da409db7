"""Every argument of the schema with values at and beyond its bounds.

The arguments are read from the schema, so a new one is attacked without a new line here.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any

import orjson
from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
    get_named_type,
    is_leaf_type,
    is_required_input_field,
)

from schema.types import node_id
from tests.hostile.case import COMMANDER, NOBODY, Case, Target, faults_of, leaks, post
from tests.hostile.raw_http import NoAnswerError, connected
from tests.support.source_files import ROOT

GROUP = "bounds"
EXPECTED = "200|400|401 UNAUTHENTICATED"
ID = node_id.encode("Enterprise", 1)
SLOT = "\ue000"  # stands for the hostile value in a variable
LONG = b'"' + b"a" * 100_000 + b'"'

# As JSON, which has numbers that Python's libraries would not write.
TEXTS = [
    b'""', b'" "', b'"\\t\\n"', b'"\\u0000"', b'"a\\u0000b"', b'"\\ud800"', b'"\\udc00x"', b'"\\u202e\\u200b\\ufeff"',
    b"\"'; DROP TABLE hazard; --\"", b'"%"', b'"_%\\\\%_"', '"１２"'.encode(), '"é"'.encode(), b'"' + "é".encode() * 4_001 + b'"',
    LONG, b'"<script>alert(1)</script>"', b'"${7*7}{{7*7}}"', b'"../../etc/passwd"', b"1", b"true", b"[]", b"{}", b"null",
]  # fmt: skip
VALUES: dict[str, list[bytes]] = {
    "Int": [
        b"0", b"-1", b"1", b"1001", b"2147483647", b"-2147483648", b"2147483648", b"9223372036854775807",
        b"9223372036854775808", b"-9223372036854775809", b"1e3", b"1.5", b"1e400", b'"1"', '"１"'.encode(), b'" 1 "', b'"1_0"',
        b"true", b"[1]", b"{}", b"null",
    ],
    "Float": [
        b"0", b"-0.0", b"1e308", b"-1e308", b"5e-324", b"1e400", b"90.0000001", b"-180.0000001", b"0." + b"3" * 5_000,
        b'"1"', b'"NaN"', b'"Infinity"', b"true", b"[1]", b"{}", b"null",
    ],
    "Boolean": [b"0", b"1", b'"true"', b"[]", b"{}", b"null"],
    "String": TEXTS,
    "ID": [
        *TEXTS, b"0", b"-1", b"2147483648", b"1.5", b'"WkI6"', b'"===="', b'"Wg=="',
        *(orjson.dumps(node_id.encode(name, number)) for name in ("Enterprise", "Zone", "Nothing")
          for number in (0, -1, 2**31, 2**63, 10**30)),
    ],
    "Date": [
        b'"2026-02-30"', b'"0000-00-00"', b'"0001-01-01"', b'"9999-12-31"', b'"+10000-01-01"', b'"-0001-01-01"', b'"2026-W01-1"',
        b'"20260101"', '"２０２６-01-01"'.encode(), b'"2026-01-01T00:00:00Z"', b'"today"', b'""', b"0", b"1e9", b"null",
    ],
    "DateTime": [
        b'"0001-01-01T00:00:00+14:00"', b'"9999-12-31T23:59:59-12:00"', b'"2026-06-15T04:00:00"', b'"2026-06-15T25:00:00Z"',
        b'"2026-06-15T04:00:60Z"', b'"2026-06-15T04:00:00.1234567890123Z"', b'"2026-06-15T04:00:00+99:99"', b'"2026-06-15"',
        b'"1900-01-01T00:00:00+23:59"', b'"now"', b'""', b"0", b"1e15", b"null",
    ],
    "GeoJSON": [
        *TEXTS[:3], b"null", b"0", b"[]", b"{}", b'{"type":"Point","coordinates":[120,30]}', b'{"type":"Polygon"}',
        *(b'{"type":"Polygon","coordinates":%s}' % each for each in (
            b"null", b"[]", b"[[]]", b"[[[120,30]]]", b"[[[120,30],[120,30],[120,30],[120,30]]]", b"[" * 90 + b"]" * 90,
            b"[[[120,30],[121,31],[121,30],[120,31],[120,30]]]", b"[[[1e308,1e308],[-1e308,0],[0,-1e308],[1e308,1e308]]]",
            b'[[["120","30"],[121,30],[121,31],["120","30"]]]', b"[[[1e400,30],[121,30],[121,31],[1e400,30]]]",
            b"[[%s]]" % b",".join([b"[120,30]"] * 5_000), b"[%s]" % b",".join([b"[[0,0],[1,0],[1,1],[0,0]]"] * 2_000),
        )),
        b'{"type":"MultiPolygon","coordinates":[%s]}' % b",".join([b"[[[0,0],[1,0],[1,1],[0,0]]]"] * 2_000),
    ],
}  # fmt: skip
ENUM = [b'""', b'"NOTHING"', b'"nothing"', b"0", b"true", b"[]", b"{}", b"null", LONG]
LISTS = [b"[]", b"null", b"[null]", b"[[[]]]", b"{}", b"[" + b",".join([b"null"] * 5_000) + b"]"]
# Filters of filters.
NESTED = [
    b'{"not":' * 90 + b"{}" + b"}" * 90,
    b'{"or":[%s]}' % b",".join([b"{}"] * 2_000),
    b'{"and":[{"or":[{}]},{"not":{"and":[]}}]}',
]
# From a type to a query that reaches an object of it; FIELD stands for the field under attack.
REACHED = {
    "Query": "{ FIELD }",
    "District": "{ district { FIELD } }",
    "Zone": "{ zones { FIELD } }",
    "Enterprise": "{ enterprises(first: 3) { nodes { FIELD } } }",
    "Inspection": "{ inspections(first: 3) { nodes { FIELD } } }",
    "Hazard": "{ hazards(first: 3) { nodes { FIELD } } }",
    "Warehouse": "{ warehouses(first: 3) { nodes { FIELD } } }",
    "Venue": "{ venues(first: 3) { nodes { FIELD } } }",
    "Inspector": "{ inspectors(first: 3) { nodes { FIELD } } }",
    "Team": "{ teams(first: 3) { nodes { FIELD } } }",
}


@cache
def schema() -> GraphQLSchema:
    return build_schema((ROOT / "schema" / "schema.graphql").read_text("utf-8"))


def plain(of: Any) -> Any:
    """An ordinary value of an input type, with the fields that are required."""
    if isinstance(of, GraphQLNonNull):
        return plain(of.of_type)
    if isinstance(of, GraphQLList):
        return [plain(of.of_type)]
    if isinstance(of, GraphQLInputObjectType):
        return {name: plain(field.type) for name, field in of.fields.items() if is_required_input_field(field)}
    if isinstance(of, GraphQLEnumType):
        return next(iter(of.values))
    ordinary = {
        "Int": 1,
        "Float": 30.0,
        "Boolean": True,
        "ID": ID,
        "Date": "2026-06-15",
        "DateTime": "2026-07-01T00:00:00Z",
    }
    return ordinary.get(of.name, "文字")


def slots(of: Any, around: tuple[Any, ...] = ()) -> Iterator[tuple[str, Any, list[bytes]]]:
    """Each place in a value of this type: its path, the value with SLOT at that place, and the hostile values for it.

    A type that is `around` itself has its own places there already.
    """
    if isinstance(of, GraphQLNonNull):
        yield from slots(of.of_type, around)
    elif isinstance(of, GraphQLList):
        yield "", SLOT, LISTS
        yield from (("[]" + path, [value], wrong) for path, value, wrong in slots(of.of_type, around))
    elif isinstance(of, GraphQLInputObjectType):
        yield "", SLOT, [b"{}", b"[]", b"null", b'"x"', b'{"nothing":1}', *NESTED]
        for name, field in of.fields.items() if of not in around else ():
            for path, value, wrong in slots(field.type, (*around, of)):
                yield f".{name}{path}", {**plain(of), name: value}, wrong
    else:
        yield "", SLOT, ENUM if isinstance(of, GraphQLEnumType) else VALUES[of.name]


def selection(field: GraphQLField) -> str:
    return "" if is_leaf_type(get_named_type(field.type)) else " { __typename }"


def bodies_of(parent: str, name: str, field: GraphQLField, argument: str) -> Iterator[tuple[str, list[bytes]]]:
    """For each place in an argument, its path and the bodies of requests with hostile values there."""
    of = field.args[argument].type
    others = [
        f"{other}: $_{other}"
        for other, one in field.args.items()
        if other != argument and isinstance(one.type, GraphQLNonNull)
    ]
    declared = [f"$value: {of}"] + [f"$_{o.split(':')[0]}: {field.args[o.split(':')[0]].type}" for o in others]
    call = f"{name}({', '.join([f'{argument}: $value', *others])}){selection(field)}"
    kind = {"Mutation": "mutation", "Subscription": "subscription"}.get(parent, "query")
    query = f"{kind}({', '.join(declared)}) " + REACHED.get(parent, "{ FIELD }").replace("FIELD", call)
    more = {f"_{o.split(':')[0]}": plain(field.args[o.split(":")[0]].type) for o in others}
    for path, value, wrong in slots(of):
        body = orjson.dumps({"query": query, "variables": {**more, "value": value}})
        slot = orjson.dumps(SLOT)
        yield f"{parent}.{name}({argument}{path})", [body.replace(slot, one) for one in wrong]


def bound_case(name: str, wrong: list[bytes]) -> Case:
    async def attack(target: Target) -> list[str]:
        faults: list[str] = []
        async with connected(target.port) as connection:
            for number, request in enumerate(wrong):
                # Without a token the first few show what the others would.
                for viewer in (COMMANDER, NOBODY) if number < 2 else (COMMANDER,):
                    connection.send(target.filled(request, viewer))
                    try:
                        answer = await connection.answer()
                    except NoAnswerError as error:
                        return [*faults, f"{request[-200:]!r}: no answer: {error}"]
                    target.count(answer.outcome)
                    wrongs = faults_of(answer.outcome, EXPECTED, viewer) + leaks(answer)
                    faults += [f"{one} for {request[-200:]!r}" for one in wrongs]
        return faults

    return Case(GROUP, name, attack)


def cases() -> Iterator[Case]:
    for parent in (*REACHED, "Mutation"):
        of = schema().get_type(parent)
        assert isinstance(of, GraphQLObjectType)
        for name, field in of.fields.items():
            for argument in field.args:
                for path, bodies in bodies_of(parent, name, field, argument):
                    yield bound_case(path, [post(body) for body in bodies])
