"""The worst documents that we know for each stage of the analysis, as large as the limits allow."""

from collections.abc import Iterator
from functools import cache

from graphql import Lexer, Source, TokenKind

from schema.execution import limits

NAMES = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"


@cache
def tokens(text: str) -> int:
    lexer, count = Lexer(Source(text)), 0
    while lexer.advance().kind is not TokenKind.EOF:
        count += 1
    return count


def short(number: int) -> str:
    """A short name, different for each number."""
    text = ""
    while True:
        number, place = divmod(number, len(NAMES))
        text += NAMES[place]
        if not number:
            return text


def filled(before: str, unit: str, after: str = "", share: float = 1) -> str:
    """`unit` repeated as often as the limits on tokens and characters allow. Each # in it becomes a different name."""
    room = share * (limits.TOKENS_MAXIMUM - tokens(before) - tokens(after)) - 10
    characters = share * (limits.CHARACTERS_MAXIMUM - len(before) - len(after)) - 10
    parts, each = [], max(tokens(unit.replace("#", "x")), 1)
    for number in range(int(room / each)):
        part = unit.replace("#", short(number))
        characters -= len(part)
        if characters < 0:
            break
        parts.append(part)
    return before + "".join(parts) + after


def chain(count: int, body: str, last: str = "id") -> str:
    """Fragments on Zone, each of which spreads the next one in a body."""
    parts = [f"fragment F{n} on Zone{{{body.replace('@', f'...F{n + 1}')}}}" for n in range(count)]
    return "".join(parts) + f"fragment F{count} on Zone{{{last}}}"


def many(unit: str, count: int) -> str:
    return "".join(unit.replace("#", short(number)) for number in range(count))


def texts() -> Iterator[tuple[str, str]]:
    """Lexing and parsing."""
    yield "fields", filled("{zones{", "#:id ", "}}")
    yield "fields without aliases", filled("{zones{id ", "id ", "}}", 0.02)
    yield "objects", filled("{", "#:zones{id}", "}")
    yield "objects of several fields", filled("{", "#:zones{id code name focus plan boundary}", "}")
    yield "a long string", '{zone(by:{code:"' + "x" * (limits.CHARACTERS_MAXIMUM - 60) + '"}){id}}'
    yield "a string of escapes", '{zone(by:{code:"' + "\\u00e9" * ((limits.CHARACTERS_MAXIMUM - 60) // 6) + '"}){id}}'
    yield "short escapes", '{zone(by:{code:"' + "\\n" * ((limits.CHARACTERS_MAXIMUM - 60) // 2) + '"}){id}}'
    lines = min(limits.LINES_MAXIMUM, limits.CHARACTERS_MAXIMUM // 3) - 10
    yield "a block of lines", '{zone(by:{code:"""' + "\n x" * lines + '"""}){id}}'
    yield "a long comment", "{zones{id}}#" + "x" * (limits.CHARACTERS_MAXIMUM - 30)
    yield "comments", "{zones{id}}" + "#\n" * (limits.LINES_MAXIMUM - 10)
    yield "blanks", "{zones{id" + ", " * ((limits.CHARACTERS_MAXIMUM - 60) // 2) + "}}"
    yield "a long name", "{zones{" + "x" * (limits.CHARACTERS_MAXIMUM - 30) + "}}"
    yield "braces", "{" * (limits.TOKENS_MAXIMUM - 10)
    yield "lists", "{zone(by:" + "[" * (limits.TOKENS_MAXIMUM - 10)
    yield "empty lists", filled("{zone(by:[", "[]", "]){id}}")
    yield "empty objects", filled("{zone(by:[", "{}", "]){id}}")


def values() -> Iterator[tuple[str, str]]:
    """Arguments, variables and directives."""
    point = "point:{latitude:1,longitude:1}"
    yield "a list of enum values", filled(f"{{nearby({point},kinds:[", "TEAM ", "]){bearingDegrees}}")
    yield "a list of wrong values", filled(f"{{nearby({point},kinds:[", "TEEM ", "]){bearingDegrees}}")
    yield "ids", filled("{nodes(ids:[", "1 ", "]){id}}")
    yield "fields with arguments", filled("{", f"#:nearby({point},kinds:[TEAM]){{bearingDegrees}}", "}")
    yield (
        "fields with filters",
        filled("{", '#:hazards(filter:{statuses:[FOUND],overdue:true,foundAt:{since:"2026-01-01"}}){totalCount}', "}"),
    )
    yield "unknown fields of an input", filled("{zone(by:{", "#:1 ", "}){id}}")
    yield "unknown arguments", filled("{zones(", "#:1 ", "){id}}")
    yield "variables", filled("query(", "$#:Int ", "){zones{id}}")
    yield "variables of unknown types", filled("query(", "$#:Enterprize ", "){zones{id}}")
    yield "variables with defaults", filled("query(", "$#:[ID!]=[1 2 3]", "){zones{id}}")
    used = int(limits.TOKENS_MAXIMUM / 2 / 6)
    yield (
        "variables, each used",
        (f"query({many('$#:Int ', used // 2)}){{{many('#:venues(first:$#){totalCount}', used // 2)}}}"),
    )
    yield "one variable often", filled("query($v:[ID!]!){", "#:nodes(ids:$v){id}", "}")
    yield "a variable in a list", filled("query($v:ID!){nodes(ids:[", "$v ", "]){id}}")
    yield "undefined variables", filled("{nodes(ids:[", "$# ", "]){id}}")
    yield "directives", filled("{zones ", "@include(if:true)", "{id}}")
    yield "unknown directives", filled("{zones ", "@x ", "{id}}")
    yield "directives on fields", filled("{zones{", "#:id@include(if:true)", "}}")
    yield "conditions", filled("query($v:Boolean!){zones{", "#:id@include(if:$v)", "}}")
    conditions = int(limits.TOKENS_MAXIMUM / 20)
    yield (
        "conditions, each its own",
        (f"query({many('$#:Boolean! ', conditions)}){{zones{{{many('#:id@skip(if:$#)', conditions)}}}}}"),
    )


def fragments() -> Iterator[tuple[str, str]]:
    """Fragments and operations."""
    room = limits.TOKENS_MAXIMUM - 20
    for name, body in (
        ("2^30 paths in 31 fragments, one position", "@ @"),
        ("2^30 paths, aliases", "a:command{zone{@}} b:command{zone{@}}"),
        ("2^30 paths, inline fragments", "...on Zone{@} ...on Node{...on Zone{@}}"),
        ("2^30 paths, conditions", "...@include(if:$v){@} ...@skip(if:$v){@}"),
        ("2^30 paths, merged objects", "command{zone{@}} command{zone{@}}"),
    ):
        head = "query($v:Boolean!)" if "$v" in body else ""
        yield name, f"{head}{{zones{{...F0}}}}" + chain(30, body)
    yield "a chain of fragments", "{zones{...F0}}" + chain(room // 12, "id @")
    yield "a chain of objects", "{zones{...F0}}" + chain(60, "command{zone{@}}")
    spread = int((room / 13) ** 0.5 * 2.5)
    yield (
        "fragments that spread all others",
        "{zones{...F0}}"
        + "".join(
            f"fragment F{n} on Zone{{id {' '.join(f'...F{m}' for m in range(n + 1, spread))}}}" for n in range(spread)
        ),
    )
    side = room // 9
    yield "fragments beside each other", f"{{zones{{{many('...F# ', side)}}}}}" + many("fragment F# on Zone{id}", side)
    yield (
        "fragments of equal fields",
        (f"{{zones{{{many('...F# ', side // 2)}}}}}" + many("fragment F# on Zone{id code name}", side // 2)),
    )
    yield "one fragment often", filled("{", "#:zones{...F}", "}fragment F on Zone{id}")
    yield "unused fragments", filled("{zones{id}}", "fragment # on Zone{id}")
    yield "unknown fragments", filled("{zones{", "...# ", "}}")
    yield "a cycle", "{zones{...F0}}" + "".join(f"fragment F{n} on Zone{{...F{(n + 1) % side}}}" for n in range(side))
    yield (
        "cycles",
        "{zones{...F0}}"
        + "".join(
            f"fragment F{n} on Zone{{{' '.join(f'...F{m}' for m in range(spread // 2))}}}" for n in range(spread // 2)
        ),
    )


def operations() -> Iterator[tuple[str, str]]:
    """Many operations in one document."""
    room = limits.TOKENS_MAXIMUM - 20
    yield "operations", filled("", "query # {zones{id}}")
    yield "anonymous operations", filled("", "{zones{id}}")
    yield "operations of one name", filled("", "query q {zones{id}}")
    half = filled("", "query #($v:ID!){...F}", "", 0.5)
    uses = "$v " * int(room / 4)
    yield "operations of one fragment with variables", f"{half}fragment F on Query{{nodes(ids:[{uses}]){{id}}}}"
    yield "operations of one fragment", half + "fragment F on Query{" + many("#:cursor ", room // 6) + "}"
    few = filled("", "query #{...F}", "", 0.4)
    spreads, fragments = many("...G# ", room // 20), many("fragment G# on Query{cursor}", room // 20)
    yield "operations of many fragments", f"{few}fragment F on Query{{{spreads}}}{fragments}"
    yield "subscriptions", filled("", "subscription #{updates{id}}")


def merged() -> Iterator[tuple[str, str]]:
    """Fields that are merged."""
    for count in (60, 95, 140, 200, 1_000):
        yield f"{count} equal fields", f"{{zones{{{'id ' * count}}}}}"
    for count in (40, 60, 90, 140):
        yield f"{count} equal objects", f"{{zones{{{'command{id name kind} ' * count}}}}}"
    for count in (20, 40, 60, 90):
        arguments = "filter:{statuses:[FOUND ASSIGNED],overdue:true},first:20"
        yield f"{count} equal fields with arguments", f"{{{f'hazards({arguments}){{totalCount}}' * count}}}"
    for count in (40, 60, 90, 140):
        yield f"{count} conflicts", f"{{zones{{{many('x:id x:code ', count)}}}}}"
    for count in (30, 60, 90):
        yield f"{count} conflicting objects", f"{{zones{{{many('x:command{#:id} x:command{#:name} ', count)}}}}}"
    for depth in (3, 5, 6, 7, 8):
        inner = "id"
        for _ in range(depth):
            inner = f"command{{zone{{{inner}}}}}" * 2
        yield f"a tree of equal fields, {depth} deep", f"{{zones{{{inner}}}}}"
    yield (
        "equal fields of fragments",
        "{zones{...A ...B ...C}}"
        + "".join(f"fragment {name} on Zone{{{many('#:id ', limits.TOKENS_MAXIMUM // 10)}}}" for name in "ABC"),
    )


def deep() -> Iterator[tuple[str, str]]:
    """Deep nesting, and types that multiply."""
    for depth in (50, 90, 400):
        yield f"{depth} objects deep", "{zones{" + "command{zone{" * (depth // 2) + "id" + "}}" * (depth // 2) + "}}"
        yield f"{depth} inline fragments deep", "{zones{" + "...{" * depth + "id" + "}" * depth + "}}"
        yield f"{depth} lists deep", "{zone(by:" + "[" * depth + "]" * depth + "){id}}"
        yield f"{depth} list types deep", f"query($v:{'[' * depth}ID{']' * depth}){{zones{{id}}}}"
    yield "fields of an interface", filled("{node(id:1){", "#:id ", "}}")
    yield "objects of an interface", filled("{events{nodes{", "#:zone{id}", "}}}")
    inner = "id"
    for _ in range(4):
        inner = f"search(text:1){{item{{...on Enterprise{{nearest(kinds:[TEAM]){{item{{...on Node{{{inner}}}}}}}}}}}}}"
    yield "an interface in an interface", filled("{node(id:1){", "#:id...on Event{enterprise{id}}", "}}")
    types = [
        "Enterprise",
        "Hazard",
        "Inspection",
        "Case",
        "Venue",
        "Zone",
        "Town",
        "Team",
        "Expert",
        "Warehouse",
        "Inspector",
        "Camera",
    ]
    body = " ".join(f"...on {name}{{id}}" for name in types)
    yield "all types of an interface, often", filled("{", f"#:node(id:1){{id {body}}}", "}")
    nested = "id"
    for _ in range(3):
        nested = f"zone{{warnings{{nodes{{id}}}} enterprises{{nodes{{timeline{{nodes{{{nested}}}}}}}}}}}"
    yield "events of events", f"{{events{{nodes{{{nested}}}}}}}"
    yield "fields of mutations", filled("mutation{", "#:enterpriseGrade(id:1,riskGrade:RED){__typename}", "}")


def suggested() -> Iterator[tuple[str, str]]:
    """Misspelt names, for which others are suggested."""
    for length in (12, 20, 28, 36, 50):
        name = "x" * length
        yield f"a field of {length} letters", filled("{zones{", f"{name}# ", "}}", 0.1)
        yield f"a type of {length} letters", filled("{zones{", f"...on {name}#{{id}}", "}}", 0.1)
        yield f"an enum value of {length} letters", f"{{events(filter:{{kinds:[{name}]}}){{totalCount}}}}"
    yield "types", filled("query(", "$#:InspectionAssistanceRequestSuccess# ", "){zones{id}}", 0.3)
    yield "fields", filled("{", "assistanceRequestsinspectio#:assistanceRequestsinspectio# ", "}", 0.3)
    yield "mutations", filled("mutation{", "inspectionAcknowledg# ", "}", 0.3)
    yield "fields of an interface", filled("{node(id:1){", "statuss# ", "}}", 0.3)


def introspection() -> Iterator[tuple[str, str]]:
    yield "the schema", filled("{__schema{types{", "#:name ", "}}}", 0.1)
    yield "introspection", "{__schema{types{fields{type{ofType{ofType{ofType{name}}}}args{name type{name}}}}}}"


def mixed() -> Iterator[tuple[str, str]]:
    """Several kinds together."""
    equal = "x:hazards(filter:{statuses:[FOUND ASSIGNED],overdue:true},first:20){totalCount}" * 50
    yield "objects and equal fields", filled("{" + equal, "#:zones{id code name focus plan boundary}", "}")
    yield "objects and an interface", filled("{node(id:1){" + many("#:id ", 50) + "}", "#:zones{id code name}", "}")
    escapes = '{zone(by:{code:"' + "\\n" * (limits.ESCAPES_MAXIMUM - 10) + "x" * 10_000 + '"}){id}'
    yield "objects and escapes", filled(escapes, "#:zones{id code name focus plan boundary}", "}")


GROUPS = {
    "texts": texts,
    "values": values,
    "fragments": fragments,
    "operations": operations,
    "merged": merged,
    "deep": deep,
    "suggested": suggested,
    "introspection": introspection,
    "mixed": mixed,
}


def documents() -> Iterator[tuple[str, str, str]]:
    """Group, name and text of each document."""
    for group, make in GROUPS.items():
        for name, text in make():
            yield group, name, text
