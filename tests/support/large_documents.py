"""Documents beyond the limits, ordinary documents of clients, and random ones in between."""

from random import Random

from schema.execution import limits


def many(text: str, count: int) -> str:
    """The text repeated. Each # in it is replaced by the number of the repetition."""
    return " ".join(text.replace("#", str(number)) for number in range(count))


def fragment(name: str, body: str) -> str:
    return f" fragment {name} on Zone {{ {body} }}"


def beside(count: int, body: str) -> str:
    """Fragments that are spread side by side."""
    return f"{{ zones {{ {many('...F#', count)} }} }}" + many(fragment("F#", body), count)


def fanned(depth: int, *names: str) -> str:
    """Fragments each of which spreads the next one under each of the names."""
    text = "{ zones { ...F0 } }" + fragment(f"F{depth}", "id")
    for level in range(depth):
        below = (f"{name} {{ zone {{ ...F{level + 1} }} }}" for name in names)
        text += fragment(f"F{level}", " ".join(below))
    return text


def nested(depth: int, wide: int) -> str:
    return "id" if depth == 0 else many(f"command {{ zone {{ {nested(depth - 1, wide)} }} }}", wide)


REFUSED = {
    "equal fields": f"{{ zones {{ {many('code', 1_000)} }} }}",
    "equal fields, as many as can be": f"{{ zones {{ {many('code', 1_900)} }} }}",
    "equal objects": f"{{ zones {{ {many('command { id }', 200)} }} }}",
    "equal fields with arguments": f"{{ {many('zone(by: {code: 1}) { id }', 150)} }}",
    "equal names": f"{{ zones {{ {many('x: code x: name', 200)} }} }}",
    "fragments beside each other": beside(200, "code"),
    "fragments of other fields": beside(170, "x#: code"),
    "an unused fragment": "{ zones { id } }" + fragment("F", many("code", 140)),
    "the first of two fragments": "{ zones { ...F } }" + fragment("F", many("code", 140)) + fragment("F", "id"),
    "fragments that all spread the others": "{ zones { ...F0 } }"
    + "".join(fragment(f"F{n}", "id " + " ".join(f"...F{m}" for m in range(n + 1, 40))) for n in range(40)),
    "a million paths": fanned(20, "a: command", "b: command"),
    "10^20 paths": fanned(20, *(f"x{number}: command" for number in range(8))),
    "paths of one name": fanned(8, *["command"] * 30),
    "inline fragments": f"{{ zones {{ {many('... on Zone { code }', 300)} }} }}",
    "a tree of equal fields": f"{{ zones {{ {nested(3, 5)} }} }}",
    "a flat tree of equal fields": f"{{ zones {{ {nested(2, 15)} }} }}",
    "operations together": many("query Q# { ...F }", 30).replace("...F", f"zones {{ {many('code', 50)} }}"),
}
LONG = {
    "characters": "{ zones { id } } #" + "x" * limits.CHARACTERS_MAXIMUM,
    "tokens": f"{{ zones {{ {many('x#: code', 900)} }} }}",
    "lines": "\n" * limits.LINES_MAXIMUM + "{ zones { id } }",
    "other lines": "\r" * limits.LINES_MAXIMUM + "{ zones { id } }",
}
INTROSPECTION = {
    "the schema often": f"{{ {many('x#: __schema { types { name fields { name } } }', 100)} }}",
    "fields often": f"{{ __schema {{ types {{ {many('x#: fields { name }', 100)} }} }} }}",
    "names often": f"{{ __schema {{ types {{ fields {{ {many('x#: name', 200)} }} }} }} }}",
}
ORDINARY = {
    "some hundred fields": f"{{ {many('x#: zones { id code name command { id } }', 150)} }}",
    "a field forty times": f"{{ zones {{ {many('command { id zone { id code name } }', 40)} }} }}",
    "a fragment in thirty places": f"{{ {many('x#: zones { ...F }', 30)} }}" + fragment("F", "id code command { id }"),
    "forty components": beside(40, "...Name command { id zone { ...Name } }") + fragment("Name", "id code name"),
    "components in components": "{ zones { ...F0 } }"
    + "".join(fragment(f"F{n}", f"id code command {{ zone {{ ...F{n + 1} name }} }}") for n in range(30))
    + fragment("F30", "id"),
    "a thousand ids": f"{{ nodes(ids: [{many('1', 1_000)}]) {{ id }} }}",
    "depth": "{ zones { " + "command { zone { " * 40 + "id" + " } }" * 40 + " } }",
}


def endless(count: int) -> str:
    """Fragments each of which spreads all of them."""
    return "{ zones { ...F0 } }" + many(fragment("F#", many("command { zone { ...F# } }", count)), count)


def random_selection(rng: Random, names: list[str], depth: int, wide: int) -> str:
    """A random selection of a zone, with fragments of these names."""
    parts = []
    for _ in range(rng.randint(1, wide)):
        kind = rng.random()
        if kind < 0.4:
            parts.append(rng.choice(["id", "code", "a: code", "b: code", "b: code", "b: name"]))
        elif kind < 0.6 and depth:
            below = random_selection(rng, names, depth - 1, wide)
            parts.append(f"{rng.choice(['', 'x: '])}command {{ zone {{ {below} }} }}")
        elif kind < 0.85 and names:
            parts.append(f"...{rng.choice(names)}")
        elif depth:
            parts.append(f"... on Zone {{ {random_selection(rng, names, depth - 1, wide)} }}")
    return " ".join(parts or ["id"])


def document(seed: int) -> str:
    """A random document with fragments."""
    rng = Random(seed)
    names = [f"F{number}" for number in range(rng.randint(0, 8))]
    wide = rng.randint(2, 8)
    text = f"{{ zones {{ {random_selection(rng, names, rng.randint(0, 3), wide)} }} }}"
    for number, name in enumerate(names):
        text += fragment(name, random_selection(rng, names[number + 1 :], rng.randint(0, 2), wide))
    return text
