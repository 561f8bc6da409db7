"""Queries that ask for as much as the limits allow, and more: they are answered in bounds or refused."""

from collections.abc import Iterator

from schema.types import node_id
from tests.hostile.case import COMMANDER, ENTERPRISE, NOBODY, WALL, Case, Target, faults_of, operation, request_case
from tests.hostile.raw_http import NoAnswerError
from tests.hostile.texts import repeated

GROUP = "sizes"
ID = node_id.encode("Enterprise", 1)
ANSWER_MAXIMUM = 16 << 20
# What a query that is too large may get: it is answered, or refused before, or ended at a limit.
BOUNDED = (
    "200 data|400 TOO_COSTLY|200 TOO_COSTLY|400 BAD_DOCUMENT|200 TIMEOUT|503 TIMEOUT|200 TOO_LARGE|503 BUSY|200 BUSY"
)
INPUT = "|200 BAD_INPUT|200 BAD_ID|200 BAD_PAGE|200 BAD_CURSOR|200 FORBIDDEN|400 BAD_VARIABLES"
UNKNOWN = "|401 UNAUTHENTICATED|200 UNAUTHENTICATED"
KINDS = "ENTERPRISE CAMERA EXPERT TEAM WAREHOUSE"
POINT = "{ latitude: 30.2, longitude: 120.3 }"
YEAR = '{ from: "2025-12-01", to: "2026-11-30" }'
DECADES = '{ from: "1900-01-01", to: "2999-12-31" }'
FILE = "name address industry hazards(first: 50) { nodes { category description } } inspections(first: 50) { nodes { id } }"

QUERIES = {
    "1,000 enterprises": "{ enterprises(first: 1000) { nodes { id name address } } }",
    "the last 1,000 enterprises": "{ enterprises(last: 1000) { edges { cursor node { id name } } } }",
    "1,000 hazards of 1,000 enterprises": "{ enterprises(first: 1000) { nodes { hazards(first: 1000) { nodes { id } } } } }",
    "three levels of 1,000": "{ enterprises(first: 1000) { nodes { hazards(first: 1000) { nodes { enterprise {"
    " inspections(first: 1000) { nodes { id } } } } } } } }",
    "ten levels of 1,000": "{ " + "enterprises(first: 1000) { nodes { zone { " * 10 + "id" + " } } }" * 10 + " }",
    "pages of a variable": "{ zones { enterprises(first: 1000) { totalCount nodes { hazards(first: 100) { totalCount } } } } }",
    "totals of 1,000 enterprises": "{ enterprises(first: 1000) { nodes { "
    "hazards(first: 1) { totalCount } inspections(first: 1) { totalCount } cases(first: 1) { totalCount } } } }",
    "900 totals": "{ " + repeated("a#: enterprises(first: 1) { totalCount }", 900) + " }",
    "totals by 50 aliases of 1,000 enterprises": "{ enterprises(first: 1000) { nodes { "
    + repeated("a#: hazards(first: 1) { totalCount }", 50)
    + " } } }",
    "names by 500 aliases of 1,000 enterprises": "{ enterprises(first: 1000) { nodes { "
    + repeated("a#: name", 500)
    + " } } }",
    "addresses by 3,000 aliases": "{ enterprises(first: 1000) { nodes { " + repeated("a#: address", 3_000) + " } } }",
    "boundaries by 1,000 aliases": "{ zones { " + repeated("a#: boundary", 1_000) + " } }",
    "the zone of each of 1,000 enterprises": "{ enterprises(first: 1000) { nodes { zone { boundary plan } } } }",
    "the zone of each by 20 aliases": "{ enterprises(first: 1000) { nodes { "
    + repeated("a#: zone { boundary }", 20)
    + " } } }",
    "files of 1,000 enterprises": "{ enterprises(first: 1000) { nodes { " + FILE + " } } }",
    "files of 1,000 enterprises, twice": "{ a: enterprises(first: 1000) { nodes { "
    + FILE
    + " } } b: enterprises(last: 1000) { nodes { "
    + FILE
    + " } } }",
    "portraits of 1,000 enterprises": f"{{ enterprises(first: 1000) {{ nodes {{ portrait(window: {YEAR}) {{ hazardsFound }} }} }} }}",
    "100 portraits of the district": "{ district { "
    + repeated(f"a#: portrait(window: {YEAR}) {{ hazardsFound }}", 100)
    + " } }",
    "900 portraits of the district": "{ district { " + repeated("a#: portrait { hazardsFound }", 900) + " } }",
    "a portrait of eleven centuries": f"{{ district {{ portrait(window: {DECADES}) {{ hazardsFound }} }} }}",
    "100 portraits of four zones": "{ zones { " + repeated("a#: portrait { hazardsFound }", 100) + " } }",
    "portraits of the zone of each enterprise": "{ enterprises(first: 1000) { nodes { zone { portrait { hazardsFound } } } } }",
    "the nearest of 1,000 enterprises": f"{{ enterprises(first: 1000) {{ nodes {{ nearest(kinds: [{KINDS}], first: 50) {{ distanceMetres }} }} }} }}",
    "the nearest by 20 aliases": "{ enterprises(first: 1000) { nodes { "
    + repeated(f"a#: nearest(kinds: [{KINDS}], first: 10) {{ distanceMetres }}", 20)
    + " } } }",
    "the nearest of the nearest": "{ enterprises(first: 100) { nodes { nearest(kinds: [ENTERPRISE], first: 50) { item {"
    " ... on Enterprise { nearest(kinds: [ENTERPRISE], first: 50) { distanceMetres } } } } } } }",
    "the whole earth nearby": f"{{ nearby(point: {POINT}, kinds: [{KINDS}], withinMetres: 2147483647, first: 1000) {{ distanceMetres }} }}",
    "500 places nearby": "{ "
    + repeated(
        f"a#: nearby(point: {POINT}, kinds: [{KINDS}], withinMetres: 50000, first: 100) {{ distanceMetres }}", 500
    )
    + " }",
    "no place nearby": "{ nearby(point: { latitude: 90, longitude: -180 }, kinds: [ENTERPRISE], first: 1000) { distanceMetres } }",
    "1,000 kinds nearby": f"{{ nearby(point: {POINT}, kinds: [{'ENTERPRISE ' * 1_000}], first: 100) {{ distanceMetres }} }}",
    "500 searches": "{ " + repeated('a#: search(text: "公司", first: 100) { matched }', 500) + " }",
    "a search for one letter": '{ search(text: "a", first: 1000) { matched item { __typename } } }',
    "a search for wildcards": '{ search(text: "%%%%%%%%%%_%_%_%_%", first: 100) { matched } }',
    "a search for 4,000 letters": '{ search(text: "' + "a" * 4_000 + '", first: 100) { matched } }',
    "a search for 500 words": '{ search(text: "' + repeated("a#", 500) + '", first: 100) { matched } }',
    "filters by 9,000 zones": "{ enterprises(filter: { zones: [" + f'"{ID}" ' * 9_000 + "] }) { totalCount } }",
    "the timelines of 1,000 enterprises": "{ enterprises(first: 1000) { nodes { timeline(first: 100) { nodes { kind } } } } }",
    "the timelines by 50 aliases": "{ enterprises(first: 100) { nodes { "
    + repeated("a#: timeline(first: 100) { nodes { kind at } }", 50)
    + " } } }",
    "1,000 events": "{ events(first: 1000) { totalCount nodes { kind at changes { field } } } }",
    "500 lists of events": "{ " + repeated("a#: events(last: 1000) { nodes { kind } }", 500) + " }",
    "9,000 bad ids": "{ nodes(ids: [" + "1 " * 9_000 + "]) { id } }",
    "the same id 3,000 times": "{ nodes(ids: [" + f'"{ID}" ' * 3_000 + "]) { id __typename } }",
    "900 nodes": "{ " + repeated('a#: node(id: "#") { id }', 900) + " }",
    "one bad id beside 1,000 enterprises": '{ node(id: "x") { id } enterprises(first: 1000) { nodes { '
    + FILE
    + " } } }",
    "one bad id beside 500 aliases": '{ node(id: "x") { id } enterprises(first: 1000) { nodes { '
    + repeated("a#: name", 100)
    + " } } }",
    "a bad cursor in each of 1,000 rows": '{ enterprises(first: 1000) { nodes { hazards(first: 5, after: "x") { totalCount } } } }',
    "a bad page in each of 1,000 rows": "{ enterprises(first: 1000) { nodes { hazards(first: -1) { totalCount } } } }",
    "a hidden field in each of 1,000 rows": "{ enterprises(first: 1000) { nodes { safetyContact { name phone } } } }",
    "all kinds of resources": "{ experts(first: 1000) { nodes { id } } teams(first: 1000) { nodes { id } }"
    " warehouses(first: 1000) { nodes { id stock(first: 1000) { nodes { quantity } } } } inspectors(first: 1000) { nodes { id } } }",
    "cases with everything": "{ cases(first: 1000) { nodes { inspection { hazards(first: 100) { nodes { enterprise {"
    " inspections(first: 100) { nodes { inspectors { fullName } } } } } } } } } }",
}


def bounded_case(name: str, query: str) -> Case:
    """A large query of each viewer: its answer is at most as long as the limit."""
    request = operation(query)

    async def attack(target: Target) -> list[str]:
        faults = []
        for viewer in (NOBODY, WALL, COMMANDER, ENTERPRISE):
            try:
                answer = await target.ask(request, viewer)
            except NoAnswerError as error:
                faults.append(f"{viewer}: no answer: {error}")
                continue
            target.count(answer.outcome)
            expected = BOUNDED + INPUT + (UNKNOWN if viewer == NOBODY else "")
            faults += faults_of(answer.outcome, expected, viewer)
            if len(answer.body) > ANSWER_MAXIMUM:
                faults.append(f"{viewer}: an answer of {len(answer.body):,} bytes")
        return faults

    return Case(GROUP, name, attack)


def cases() -> Iterator[Case]:
    for name, query in QUERIES.items():
        yield bounded_case(name, query)
    for count in (100, 1_000):
        ids = ['"' + "a" * 1_000 + '"'] * count
        query = f"{{ nodes(ids: [{' '.join(ids)}]) {{ id }} }}"
        yield request_case(GROUP, f"{count} ids of 1,000 letters", operation(query), BOUNDED + INPUT + UNKNOWN)
