"""Documents: broken in each way that the grammar and the schema know, and small ones that stand for huge ones."""

from collections.abc import Iterator

from tests.hostile.case import COMMANDER, NOBODY, WALL, Case, operation, request_case
from tests.hostile.texts import fragment, joined, nest, repeated
from tests.support import hostile_documents as worst

GROUP = "documents"
BAD = "400 BAD_DOCUMENT"
NAMED = "400 BAD_DOCUMENT|400 BAD_REQUEST"
ANSWERED = "200 data"
CHEAP = "200 data|400 BAD_DOCUMENT|400 TOO_COSTLY"
ANY = CHEAP + "|400 BAD_VARIABLES|400 BAD_REQUEST|400 BAD_ID|200 BAD_ID|200 BAD_INPUT|200 BAD_PAGE|200 FORBIDDEN"
NOBODY_TOO = "|401 UNAUTHENTICATED|200 UNAUTHENTICATED|413 BAD_REQUEST"

SYNTAX = {
    "nothing": "",
    "spaces": " \t\n",
    "a comment": "# nothing",
    "100,000 commas": "," * 99_000,
    "an open brace": "{",
    "5,000 open braces": "{" * 5_000,
    "a closing brace": "}",
    "5,000 closing braces": "{a" + "}" * 5_000,
    "a word": "zones",
    "an unknown keyword": "select { zones { id } }",
    "an open bracket": "{ a(b: [",
    "5,000 open brackets": "{ a(b: " + "[" * 5_000,
    "an open parenthesis": "{ a(",
    "empty parentheses": "{ zones() { id } }",
    "no value": "{ zone(by: ) { id } }",
    "no colon": "{ zone(by {code: 1}) { id } }",
    "an alias of an alias": "{ a: b: zones { id } }",
    "an open text": '{ search(text: "',
    "an open block": '{ search(text: """',
    "a text over two lines": '{ search(text: "a\nb") { matched } }',
    "a wrong escape": '{ search(text: "\\x") { matched } }',
    "half an escape": '{ search(text: "\\u00") { matched } }',
    "a surrogate's escape": '{ search(text: "\\uD800") { matched } }',
    "a code point beyond Unicode": '{ search(text: "\\u{110000}") { matched } }',
    "an escape of 10,000 digits": '{ search(text: "\\u{' + "0" * 10_000 + '41}") { matched } }',
    "two dots": "{ zones { ..F } }",
    "four dots": "{ zones { ....F } }",
    "a spread of nothing": "{ zones { ... } }",
    "a spread named on": "{ zones { ...on } }",
    "a fragment named on": "{ zones { id } } fragment on on Zone { id }",
    "a fragment without a type": "{ zones { id } } fragment F { id }",
    "a fragment with variables": "{ zones { ...F } } fragment F($a: Int) on Zone { id }",
    "a number with two dots": "{ hazards(first: 1.2.3) { totalCount } }",
    "a number with a zero before it": "{ hazards(first: 01) { totalCount } }",
    "a number with letters": "{ hazards(first: 1a) { totalCount } }",
    "a number with an open exponent": "{ hazards(first: 1e) { totalCount } }",
    "a number of full width": "{ hazards(first: １) { totalCount } }",
    "a name of full width": "{ ｚones { id } }",
    "a name in Chinese": "{ 战区 { id } }",
    "NUL": "{ zones\0 { id } }",
    "a byte order mark within": "{ zones \ufeff{ id } } \ufeff ?",
    "a control character": "{ zones \x07 { id } }",
    "a directive without a name": "{ zones @ { id } }",
    "a variable without a name": "query($: Int) { zones { id } }",
    "a variable in a default": "query($a: Int = $b) { zones { id } }",
    "a shorthand beside another": "{ zones { id } } query A { zones { id } }",
    "two shorthands": "{ zones { id } } { zones { id } }",
    "a type": "type A { b: Int }",
    "an extension": "extend type Query { a: Int }",
    "a schema": "schema { query: A }",
    "5,000 types": repeated("type A# { b: Int }", 1_600),
    "a semicolon": "{ zones { id }; }",
    "SQL": "SELECT * FROM hazard; DROP TABLE hazard; --",
    "HTML": "<script>alert(1)</script>",
    "JSON": '{"query": "{ zones { id } }"}',
}
MEANING = {
    "an unknown field": "{ nothing }",
    "an unknown field of a type": "{ zones { nothing } }",
    "5,000 unknown fields": "{ " + repeated("a#", 5_000) + " }",
    "5,000 fields that are almost known": "{ " + repeated("enterprisess#", 3_000) + " }",
    "a long name that is almost known": "{ " + "enterprises" * 9_000 + " }",
    "5,000 unknown arguments": "{ zones(" + repeated("a#: 1", 3_000) + ") { id } }",
    "an unknown argument": "{ hazards(frist: 1) { totalCount } }",
    "equal arguments": "{ hazards(first: 1, first: 2) { totalCount } }",
    "an unknown directive": "{ zones @nothing { id } }",
    "a directive in the wrong place": "query @skip(if: true) { zones { id } }",
    "a directive without its argument": "{ zones @skip { id } }",
    "equal directives": "{ zones @skip(if: false) @skip(if: false) { id } }",
    "an unknown type": "{ node(id: 1) { ... on Nothing { id } } }",
    "5,000 unknown types": "{ node(id: 1) { " + repeated("... on N# { id }", 1_500) + " } }",
    "a fragment on a scalar": "{ zones { ... on String { id } } }",
    "a fragment that cannot match": "{ zones { ... on Enterprise { id } } }",
    "an unknown fragment": "{ zones { ...F } }",
    "a fragment that is not used": "{ zones { id } } fragment F on Zone { id }",
    "equal fragments": "{ zones { ...F } } fragment F on Zone { id } fragment F on Zone { code }",
    "an object without fields": "{ zones }",
    "a scalar with fields": "{ zones { id { a } } }",
    "fields that do not merge": "{ zones { a: id a: code } }",
    "fields with other arguments": "{ hazards(first: 1) { totalCount } hazards(first: 2) { totalCount } }",
    "an unknown variable": "{ hazards(first: $a) { totalCount } }",
    "a variable that is not used": "query($a: Int) { zones { id } }",
    "equal variables": "query($a: Int, $a: Int) { hazards(first: $a) { totalCount } }",
    "a variable of an unknown type": "query($a: Nothing) { hazards(first: $a) { totalCount } }",
    "a variable of an output type": "query($a: Zone) { hazards(first: $a) { totalCount } }",
    "a variable of the wrong type": "query($a: String) { hazards(first: $a) { totalCount } }",
    "a missing argument": "{ zone { id } }",
    "an unknown enum value": "{ search(text: 1, kinds: [NOTHING]) { matched } }",
    "a value of the wrong kind": '{ hazards(first: "1") { totalCount } }',
    "an unknown input field": "{ hazards(filter: { nothing: 1 }) { totalCount } }",
    "equal input fields": "{ hazards(filter: { open: true, open: false }) { totalCount } }",
    "an empty key": "{ zone(by: {}) { id } }",
    "two keys": '{ zone(by: { code: "A", id: "B" }) { id } }',
    "two subscriptions in one": "subscription { updates { id } hazardUpdates { id } }",
    "a subscription to the type name": "subscription { __typename }",
    "an unknown mutation": "mutation { dropEverything }",
    "a mutation without its input": "mutation { hazardClose { __typename } }",
    "3,000 operations": repeated("query Q# { __typename }", 1_900),
    "equal operations": "query A { __typename } query A { __typename }",
    "a defer": "{ zones { ... @defer { id } } }",
    "a stream": "{ zones @stream(initialCount: 1) { id } }",
}
CYCLES = {
    "a fragment in itself": "{ zones { ...F } } fragment F on Zone { id ...F }",
    "a fragment in itself below a field": "{ zones { ...F } } fragment F on Zone { command { zone { ...F } } }",
    "two fragments in each other": "{ zones { ...A } } " + fragment("A", "...B") + fragment("B", "...A"),
    "a cycle of 1,000 fragments": "{ zones { ...F0 } } "
    + joined(fragment(f"F{n}", f"...F{(n + 1) % 1_000}") for n in range(1_000)),
    "a cycle that is not reached": "{ zones { id } } " + fragment("A", "...B") + fragment("B", "...A"),
    "300 fragments that all spread all": "{ zones { ...F0 } } "
    + joined(fragment(f"F{n}", joined(f"...F{m}" for m in range(60))) for n in range(60)),
    "a cycle through inline fragments": "{ zones { ...F } } " + fragment("F", "... on Zone { ... on Node { ...F } }"),
}


def fan(depth: int, *names: str) -> str:
    """Fragments each of which spreads the next one below each of the names: many paths from a short text."""
    levels = (fragment(f"F{n}", joined(f"{name} {{ zone {{ ...F{n + 1} }} }}" for name in names)) for n in range(depth))
    return "{ zones { ...F0 } } " + joined(levels) + fragment(f"F{depth}", "id")


def flat_fan(depth: int, spread: str) -> str:
    """Fragments each of which spreads the next one twice in the same place."""
    levels = (fragment(f"F{n}", spread.replace("#", str(n + 1))) for n in range(depth))
    return "{ zones { ...F0 } } " + joined(levels) + fragment(f"F{depth}", "id")


FANS = {
    "2^20 paths by fragments": fan(20, "a: command", "b: command"),
    "2^30 paths by fragments": fan(30, "a: command", "b: command"),
    "2^30 paths of one name": fan(30, "command", "command"),
    "10^20 paths by fragments": fan(20, *(f"x{n}: command" for n in range(10))),
    "2^30 spreads in one place": flat_fan(30, "...F# ...F#"),
    "2^30 spreads within inline fragments": flat_fan(30, "... { ...F# } ... on Zone { ...F# }"),
    "2^30 spreads that are skipped": flat_fan(30, "...F# @skip(if: true) ...F# @include(if: false)"),
    "2^30 paths that are skipped": fan(30, "a: command @skip(if: true)", "b: command"),
    "2^30 rows by lists": fan(30, "a: command", "b: command").replace("zone {", "zone { towns { id }"),
    "2^30 paths below an unknown field": fan(30, "a: nothing", "b: nothing"),
    "2^30 paths in a mutation": fan(30, "a: command", "b: command").replace("{ zones", "mutation { zones", 1),
    "2^30 paths in a subscription": "subscription { portrait(of: 1) { of { ... on Zone { ...F0 } } } } "
    + fan(30, "a: command", "b: command").partition("} } ")[2],
    "2^30 paths that no operation reaches": "{ __typename } "
    + fan(30, "a: command", "b: command").partition("} } ")[2],
    "2^13 fields by inline fragments": "{ zones { " + nest("... on Zone {", 13, "id", wide=2) + " } }",
    "2^14 fields by aliases": "{ zones { " + nest("a: command { zone {", 7, "id", wide=2) + " } }",
    "a fan with connections": fan(30, "enterprises(first: 1000)")
    .replace("zone {", "nodes { zone {")
    .replace("} }", "} } }"),
    "a fan of introspection": "{ __schema { types { ...F0 } } } "
    + joined(
        f"fragment F{n} on __Type {{ a: ofType {{ ...F{n + 1} }} b: ofType {{ ...F{n + 1} }} }} " for n in range(30)
    )
    + "fragment F30 on __Type { name }",
}
FLOODS = {
    # The coming grammar of GraphQL has empty selections, and graphql-core takes them.
    "empty braces": "{ }",
    "a mutation without fields": "mutation { }",
    "rows without fields": "{ enterprises(first: 1000) { nodes { } } }",
    "1,000 equal fields": "{ zones { " + "code " * 1_000 + "} }",
    "9,000 equal fields": "{ zones { " + "code " * 9_000 + "} }",
    "9,000 type names": "{ " + "__typename " * 9_000 + "}",
    "3,000 type names by alias": "{ " + repeated("a#: __typename", 3_000) + " }",
    "3,000 aliases": "{ zones { " + repeated("a#: code", 3_000) + " } }",
    "1,500 aliases of a root field": "{ " + repeated("a#: zones { id }", 1_500) + " }",
    "1,000 aliases of a list": "{ " + repeated("a#: enterprises(first: 1) { totalCount }", 900) + " }",
    "1,000 aliases of a search": "{ " + repeated('a#: search(text: "a") { matched }', 900) + " }",
    "5,000 directives on a field": "{ zones " + "@include(if: true) " * 1_600 + "{ id } }",
    "5,000 unknown directives": "{ zones " + repeated("@a#", 4_000) + " { id } }",
    "directives on each of 1,000 fields": "{ zones { " + repeated("a#: code @include(if: true)", 1_000) + " } }",
    "900 levels of braces": "{ " + "a { " * 3_000 + "a" + " }" * 3_000 + " }",
    "300 levels of rows": "{ zones { " + "command { zone { " * 300 + "id" + " } }" * 300 + " } }",
    "3,000 levels of inline fragments": "{ zones { " + "... { " * 3_000 + "id" + " }" * 3_000 + " } }",
    "3,000 levels of a list": "{ search(text: " + "[" * 3_000 + "]" * 3_000 + ") { matched } }",
    "3,000 levels of an object": "{ hazards(filter: " + "{ a: " * 2_900 + "1" + " }" * 2_900 + ") { totalCount } }",
    "3,000 levels of a type": "query($a: " + "[" * 3_000 + "Int" + "]" * 3_000 + ") { zones { id } }",
    "a list of 9,000 values": "{ nodes(ids: [" + "1 " * 9_000 + "]) { id } }",
    "an object of 3,000 fields": "{ hazards(filter: { " + repeated("a#: 1", 3_000) + " }) { totalCount } }",
    "a text of 99,000 characters": '{ search(text: "' + "a" * 99_000 + '") { matched } }',
    "a text of 16,000 escapes": '{ search(text: "' + "\\u00e9" * 16_000 + '") { matched } }',
    "a text of 45,000 escaped quotes": '{ search(text: "' + '\\"' * 45_000 + '") { matched } }',
    "a block of 9,000 lines": '{ search(text: """' + "\n  a" * 9_000 + '""") { matched } }',
    "a block of 9,000 empty lines": '{ search(text: """' + "\n" * 9_000 + '""") { matched } }',
    "a block of 45,000 spaces before a line": '{ search(text: """\n'
    + " " * 45_000
    + "a\n"
    + " " * 45_000
    + 'b""") { matched } }',
    "a comment of 99,000 characters": "{ __typename } #" + "a" * 99_000,
    "30,000 comments": "#\n" * 30_000 + "{ __typename }",
    "9,000 lines": "\n" * 9_000 + "{ __typename }",
    "200,000 characters": "{ __typename } " + " " * 200_000,
    "900,000 characters": "{ __typename } " + "a" * 900_000,
    "10,000 variables": "query(" + repeated("$a#: Int", 2_400) + ") { hazards(first: $a0) { totalCount } }",
    "3,000 variables, all used": "query("
    + repeated("$a#: Int", 900)
    + ") { "
    + repeated("a#: hazards(first: $a#) { totalCount }", 900)
    + " }",
    "a default of 9,000 values": "query($a: [ID!]! = [" + "1 " * 9_000 + "]) { nodes(ids: $a) { id } }",
    "a number of 90,000 digits": "{ hazards(first: " + "9" * 90_000 + ") { totalCount } }",
    "a fraction of 90,000 digits": "{ nearby(point: { latitude: 0."
    + "9" * 90_000
    + ", longitude: 1 }, kinds: []) { metres } }",
    "a name of 99,000 letters": "{ " + "a" * 99_000 + " }",
    "an alias of 99,000 letters": "{ " + "a" * 99_000 + ": __typename }",
    "1,000 fragments": "{ zones { "
    + repeated("...F#", 1_000)
    + " } } "
    + repeated("fragment F# on Zone { id }", 1_000),
    "500 fragments of 10 spreads": "{ zones { ...F0 } } "
    + joined(fragment(f"F{n}", joined(f"...F{m}" for m in range(n + 1, min(n + 11, 500))) + " id") for n in range(500)),
    "300 errors in one document": "{ " + repeated("nothing#(a: $b, c: [1, 2]) @d { e }", 600) + " }",
}
INTROSPECTION = {
    "the whole schema": "{ __schema { types { name fields { name args { name type { name } } type { name } } } } }",
    "the schema 100 times": "{ " + repeated("a#: __schema { types { name fields { name } } }", 100) + " }",
    "fields of fields": "{ __schema { types { " + "fields { type { " * 8 + "name" + " } }" * 8 + " } } }",
    "types of types, 10 deep": "{ __schema { types { "
    + "possibleTypes { interfaces { " * 10
    + "name"
    + " } }" * 10
    + " } } }",
    "a type 1,000 times": "{ " + repeated('a#: __type(name: "Query") { name }', 900) + " }",
    "types that do not exist": "{ " + repeated('a#: __type(name: "N#") { fields { name } }', 900) + " }",
    "a type's name of 90,000 letters": '{ __type(name: "' + "a" * 90_000 + '") { name } }',
    "an unknown field of the schema": "{ __schema { nothing } }",
    "names that begin with underscores": "{ __nothing }",
}


def cases() -> Iterator[Case]:
    for kind, texts in (("syntax", SYNTAX), ("meaning", MEANING), ("cycle", CYCLES)):
        for name, text in texts.items():
            yield request_case(GROUP, f"{kind}: {name}", operation(text), BAD, nobody=BAD + NOBODY_TOO)
    for kind, texts in (("fan", FANS), ("flood", FLOODS), ("introspection", INTROSPECTION)):
        for name, text in texts.items():
            yield request_case(
                GROUP,
                f"{kind}: {name}",
                operation(text),
                ANY,
                nobody=CHEAP + NOBODY_TOO,
                viewers=[NOBODY, WALL, COMMANDER],
            )
    for kind, name, text in worst.documents():
        # Some are refused and some answered; each is as large as the limits allow.
        request = operation(text, variables={"v": True} if "$v:Boolean" in text else {})
        yield request_case(GROUP, f"worst {kind}: {name}", request, ANY, nobody=CHEAP + NOBODY_TOO)
    yield request_case(
        GROUP, "an operation that is not there", operation("query A { __typename }", operationName="B"), NAMED
    )
    yield request_case(
        GROUP, "no operation named among two", operation("query A { __typename } query B { __typename }"), NAMED
    )
