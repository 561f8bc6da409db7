"""Legal parts in odd mixtures: one connection for two protocols, proxies' headers, deep filters, rows in bulk."""

import asyncio
import base64
from collections.abc import Iterator
from typing import Any

import orjson

from tests.hostile.case import (
    COMMANDER,
    GRAPHQL,
    NOBODY,
    WALL,
    Attack,
    Case,
    Target,
    faults_of,
    http,
    leaks,
    operation,
    post,
    request_case,
)
from tests.hostile.raw_http import Answer, NoAnswerError, connected
from tests.hostile.raw_socket import HANDSHAKE, PROTOCOL, message

GROUP = "mixtures"
DATA = "200 data"
BODY = b'{"query":"{ __typename }"}'
FORWARDED: dict[str, tuple[bytes, ...]] = {
    "an address with a port": (b"X-Forwarded-For: 203.0.113.9:65535",),
    "an address of IPv6 with a zone": (b"X-Forwarded-For: fe80::1%eth0",),
    "an address in brackets": (b"X-Forwarded-For: [2001:db8::1]:443",),
    "no address": (b"X-Forwarded-For: unknown, _hidden, ''",),
    "nothing between commas": (b"X-Forwarded-For: ,,,, ,",),
    "3,000 addresses": (b"X-Forwarded-For: " + b", ".join(b"10.0.%d.%d" % divmod(n, 250) for n in range(3_000)),),
    "bytes": (b"X-Forwarded-For: \xff\xfe\xed\xa0\x80",),
    "two headers": (b"X-Forwarded-For: 203.0.113.9", b"X-Forwarded-For: 127.0.0.1"),
    "two schemes": (b"X-Forwarded-Proto: https, javascript",),
    "a scheme of a script": (b"X-Forwarded-Proto: javascript:alert(1)//",),
    "a scheme of 10 KiB": (b"X-Forwarded-Proto: " + b"a" * 10_000,),
    "the scheme of sockets": (b"X-Forwarded-Proto: wss",),
}
LANGUAGES: dict[str, bytes] = {
    "a weight of nan": b"zh;q=nan, en;q=inf",
    "8,000 languages": b", ".join(b"x%d;q=0.%d" % (n, n) for n in range(2_000)),
    "bytes": b"\xff\xfe;q=\xff",
    "a weight of 10,000 digits": b"zh;q=0." + b"9" * 10_000,
}
CODINGS: dict[str, bytes] = {
    "none at all": b"identity;q=0, *;q=0",
    "2,000 codings": b", ".join(b"x%d" % n for n in range(2_000)),
    "a weight of nan": b"gzip;q=nan",
    "gzip of every case": b"GzIp;q=1.0000, gzip;q=0",
}
BOX = "enterpriseMap(box: {{ west: {}, south: {}, east: {}, north: {} }}, zoom: {}) {{ total }}"
BOXES = {
    "across the date line": (179.9, -10, -179.9, 10, 3),
    "the whole globe": (-180, -90, 180, 90, 24),
    "beyond the globe": (-1e308, -1e308, 1e308, 1e308, 0),
    "a point": (120, 30, 120, 30, 24),
    "upside down": (119, 31, 121, 29, 10),
    "almost nothing": (120, 30, 120 + 5e-324, 30.000000000000001, 24),
    "minus zero": ("-0.0", "-0.0", 0, 0, 12),
    "a zoom of -1": (119, 29, 121, 31, -1),
    "a zoom of 2^31": (119, 29, 121, 31, 1 << 31),
}
BAD_VALUE = "200 data|400 BAD_INPUT|200 BAD_INPUT|400 BAD_DOCUMENT|200 TOO_COSTLY|400 TOO_COSTLY|400 BAD_VARIABLES"
REFUSED = "400 BAD_INPUT|200 BAD_INPUT|400 BAD_DOCUMENT|400 BAD_VARIABLES|400 TOO_LARGE|400 TOO_COSTLY|400 BAD_REQUEST"
TEXTS = {
    "wildcards": "%_" * 100,
    "backslashes": "\\" * 200,
    "quotes of SQL": "' OR 1=1; --",
    "a pattern that explodes": "(a+)+$" * 30,
    "marks on one letter": "e" + "\u0301" * 199,
    "from right to left": "\u202e" + "\u0645" * 100,
    "joined emoji": "👩‍👩‍👧‍👦" * 25,
    "private and unassigned": "\ue000\U000f0000\U0010ffff\ufffe",
    "NUL": "a\0b",
    "spaces of every kind": "\u00a0\u2003\u3000\u200b\t\n",
    "a ligature that grows": "\ufdfa" * 100,
    "100,000 letters": "危" * 100_000,
}
DATES = (
    "0001-01-01",
    "9999-12-31",
    "0000-01-01",
    "10000-01-01",
    "2026-02-29",
    "2026-06-31",
    "２０２６-06-15",
    "2026-W25-1",
)
TIMES = (
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59",
    "2026-06-30T23:59:60Z",
    "2026-06-15T24:00:00Z",
    "2026-06-15T00:00:00+24:00",
    "2026-06-15T00:00:00.9999999999Z",
    "2026-06-15T00:00:00",
    "2026-06-15 00:00:00Z",
    "2026-06-15T00:00:00 08:00",
)
NUMBERS = ("2147483648", "-2147483649", "9007199254740993", "1e3", "1.0", "-0", "1e400", '"1"', "true", "[1]", "{}")


def nested(depth: int, word: str) -> dict[str, Any]:
    """A filter in a filter in a filter."""
    value: dict[str, Any] = {"text": "x"}
    for _ in range(depth):
        value = {word: [value]} if word == "or" else {word: value}
    return value


def filters() -> Iterator[tuple[str, object, str]]:
    for word in ("or", "not"):
        yield f"{word} 4 deep", nested(3, word), DATA
        for depth in (5, 60, 110):
            yield f"{word} {depth} deep", nested(depth, word), REFUSED
    yield "32 alternatives", {"or": [{"text": "x"}] * 31}, DATA
    yield "10,000 alternatives", {"or": [{}] * 10_000}, REFUSED
    yield "no alternatives", {"or": []}, DATA
    yield "alternatives of nothing", {"or": [{}, {"not": {}}]}, DATA
    ring = [[120 + n / 1e6, 30] for n in range(30_000)]
    shapes: dict[str, object] = {
        "30,000 positions": [[*ring, [120, 31], ring[0]]],
        "no ring": [],
        "a ring of nothing": [[]],
        "a ring of one position": [[[120, 30]]],
        "an open ring": [[[120, 30], [121, 30], [121, 31]]],
        "a bow tie": [[[120, 30], [121, 31], [121, 30], [120, 31], [120, 30]]],
        "a line": [[[120, 30], [121, 30], [120, 30], [120, 30]]],
        "positions beyond the globe": [[[1e9, 30], [121, 1e9], [121, 31], [1e9, 30]]],
        "1,000 holes": [[[120, 30], [121, 30], [121, 31], [120, 30]]] * 1_000,
        "positions of 50 numbers": [[[120, 30] + [0] * 48] * 5],
        "words for numbers": [[["a", "b"]] * 4],
        "across the date line": [[[179, 30], [-179, 30], [-179, 31], [179, 30]]],
    }
    for name, shape in shapes.items():
        yield f"a polygon of {name}", {"within": {"type": "Polygon", "coordinates": shape}}, f"{DATA}|{REFUSED}"
    for kind in ("Point", "MultiPolygon", "GeometryCollection", "Feature", 1, None):
        yield f"the geometry {kind}", {"within": {"type": kind, "coordinates": [], "geometries": []}}, REFUSED


LIST = "query($f: EnterpriseFilter) { enterprises(filter: $f, first: 1) { totalCount } }"


def value_cases() -> Iterator[Case]:
    for name, value, expected in filters():
        yield request_case(GROUP, f"filter: {name}", operation(LIST, variables={"f": value}), expected)
    for name, box in BOXES.items():
        yield request_case(GROUP, f"box: {name}", operation(f"{{ {BOX.format(*box)} }}"), BAD_VALUE)
    for name, text in TEXTS.items():
        query = "query($t: String!) { search(text: $t) { __typename } enterprises(filter: {text: $t}) { totalCount } }"
        yield request_case(GROUP, f"search: {name}", operation(query, variables={"t": text}), BAD_VALUE)
    since = "query($d: Date) { enterprises(filter: {inspectedSince: $d}) { totalCount } }"
    for date in DATES:
        yield request_case(GROUP, f"date: {date}", operation(since, variables={"d": date}), BAD_VALUE)
    plan = (
        'mutation($d: DateTime!) { inspectionPlan(input: {enterprise: "x", kind: ROUTINE, plannedFor: $d})'
        " { __typename } }"
    )
    for moment in TIMES:
        asked = operation(plan, variables={"d": moment})
        yield request_case(GROUP, f"time: {moment}", asked, BAD_VALUE, viewers=[COMMANDER])
    first = b'{"query":"query($n: Int) { enterprises(first: $n) { nodes { id } } }","variables":{"n":%s}}'
    for number in NUMBERS:
        outcome = f"{BAD_VALUE}|400 BAD_PAGE|200 BAD_PAGE|400 BAD_REQUEST|400 TOO_LARGE"
        yield request_case(GROUP, f"number: {number}", post(first % number.encode()), outcome)


def cursor_cases() -> Iterator[Case]:
    """A cursor of one list in another, and cursors that decode to something else."""
    page = "query($a: String) { hazards(first: 1, after: $a) { nodes { id } } }"
    outcome = "400 BAD_CURSOR|200 BAD_CURSOR|401 UNAUTHENTICATED"

    async def of_another_list(target: Target) -> list[str]:
        asked = operation("{ enterprises(first: 1, orderBy: {field: NAME}) { pageInfo { endCursor } } }")
        answer = await target.ask(asked, WALL)
        if answer.outcome != DATA:
            asked = operation("{ enterprises(first: 1) { pageInfo { endCursor } } }")
            answer = await target.ask(asked, WALL)
        cursor = orjson.loads(answer.body)["data"]["enterprises"]["pageInfo"]["endCursor"]
        again = await target.ask(operation(page, variables={"a": cursor}), WALL)
        target.count(again.outcome)
        return faults_of(again.outcome, f"{outcome}|{DATA}") + leaks(again)

    yield Case(GROUP, "cursor: of another list", of_another_list)
    for value in (b"[]", b"[1e400]", b"[null,null]", b"[9223372036854775808]", b'["\\ud800",1]', b"[" * 500, b"\xff"):
        cursor = base64.urlsafe_b64encode(value).decode()
        yield request_case(GROUP, f"cursor: {value[:20]!r}", operation(page, variables={"a": cursor}), outcome)


def bulk_cases() -> Iterator[Case]:
    """Rows in bulk, and many mutations in one document."""
    upsert = "mutation($i: EnterprisesUpsertInput!) { enterprisesUpsert(input: $i) { __typename } }"
    rows = {
        "no rows": [],
        "1,001 rows": [{"externalId": f"H-{n}", "name": "x"} for n in range(1_001)],
        "30,000 rows": [{}] * 30_000,
        "1,000 times the same": [{"externalId": "H-1", "name": f"x{n}"} for n in range(1_000)],
        "rows of nothing": [{}] * 100,
        "a row of null": [None],
        "NUL and a surrogate": [{"externalId": "H\0", "name": "x"}, {"externalId": "H-2", "name": "\ufffe"}],
        "a name of 900 kB": [{"externalId": "H-3", "name": "x" * 900_000}],
        "a location at the pole": [{"externalId": "H-4", "name": "x", "location": {"latitude": 90, "longitude": 180}}],
        "a location beyond it": [{"externalId": "H-5", "name": "x", "location": {"latitude": 91, "longitude": 1e9}}],
    }
    for name, given in rows.items():
        asked = operation(upsert, variables={"i": {"rows": given}})
        outcome = f"{DATA}|{REFUSED}|200 TOO_COSTLY"
        yield request_case(GROUP, f"bulk: {name}", asked, outcome, viewers=[COMMANDER, WALL, NOBODY])
    issue = 'warningIssue(input: {kind: RAINSTORM, level: BLUE, headline: "x", clientMutationId: "%s"}) { __typename }'
    many = "mutation { " + " ".join(f"a{n}: {issue % n}" for n in range(60)) + " }"
    yield request_case(GROUP, "bulk: 60 mutations", operation(many), f"{DATA}|{REFUSED}", viewers=[COMMANDER])
    for name, key in {"900 kB": "k" * 900_000, "NUL": "\\u0000", "nothing": "", "quotes": "\\\"'`"}.items():
        asked = operation(f"mutation {{ {issue % key} }}")
        yield request_case(GROUP, f"bulk: a client's id of {name}", asked, f"{DATA}|{REFUSED}", viewers=[COMMANDER])


def sent(*parts: bytes, answers: int, expected: str) -> Attack:
    """These parts on one connection, and so many answers, or fewer when the connection changes its protocol."""

    async def attack(target: Target) -> list[str]:
        outcomes = []
        async with connected(target.port) as connection:
            connection.send(target.filled(b"".join(parts), WALL))
            try:
                for _ in range(answers):
                    outcomes.append((await connection.answer()).outcome)
                    if outcomes[-1] == "101":
                        break
            except NoAnswerError as error:
                outcomes.append("ended" if outcomes else f"no answer: {error}")
        target.count(outcomes[-1])
        return faults_of(" then ".join(outcomes), expected)

    return attack


def connection_cases() -> Iterator[Case]:
    """Several protocols on one connection."""
    init = message({"type": "connection_init"}) + message({"type": "ping"})
    upgrade = HANDSHAKE + PROTOCOL + b"\r\n"

    plain = post(BODY)
    mixtures = {
        "a socket after a request": sent(plain, upgrade, answers=2, expected="200 data then 101"),
        "frames with the handshake": sent(upgrade, init, answers=1, expected="101"),
        "two handshakes": sent(upgrade, upgrade, answers=1, expected="101|400"),
        "a request behind a handshake": sent(upgrade, plain, answers=1, expected="101|400"),
        "a handshake with a length": sent(
            HANDSHAKE + PROTOCOL + b"Content-Length: %d\r\n\r\n" % len(plain), plain, answers=1, expected="101|400"
        ),
        "a handshake in chunks": sent(
            HANDSHAKE + PROTOCOL + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", plain, answers=1, expected="101|400"
        ),
        "two upgrades in one header": sent(
            upgrade.replace(b"Upgrade: websocket", b"Upgrade: h2c, websocket"), answers=1, expected="101|400|405|426"
        ),
        "a request behind a stream": sent(
            post(b'{"query":"subscription { updates { id } }"}', b"Connection: keep-alive").replace(GRAPHQL, b"x/y"),
            plain,
            answers=2,
            expected="406 BAD_REQUEST then 200 data",
        ),
    }
    for name, attack in mixtures.items():
        yield Case(GROUP, f"connection: {name}", attack)


async def together(target: Target, request: bytes, number: int) -> list[Answer]:
    """The answers to one request that is sent so many times at once."""
    answers = await asyncio.gather(*(target.ask(request, COMMANDER) for _ in range(number)))
    for answer in answers:
        target.count(answer.outcome)
    return list(answers)


async def one_account(target: Target) -> list[str]:
    body = orjson.dumps({"name": "twin", "fullName": "x", "role": "WALL", "password": "a long pass phrase"})
    request = http(b"POST", b"/auth/accounts", b"Content-Type: application/json", body=body)
    outcomes = [answer.outcome for answer in await together(target, request, 12)]
    wrong = set(outcomes) - {"201", "409 NAME_TAKEN", "503 BUSY", "429 TOO_MANY"}
    return [f"{outcomes.count('201')} accounts of one name"] * (outcomes.count("201") != 1) + sorted(wrong)


async def one_mutation(target: Target) -> list[str]:
    given = '{kind: RAINSTORM, level: BLUE, headline: "once", clientMutationId: "at once"}'
    asked = operation(f"mutation {{ warningIssue(input: {given}) {{ ... on WarningIssued {{ cursor }} }} }}")
    bodies = {answer.body for answer in await together(target, asked, 20)}
    return [f"{len(bodies)} different answers: {sorted(bodies)[:2]!r}"] * (len(bodies) != 1)


async def one_change(target: Target) -> list[str]:
    first = await target.ask(operation("{ enterprises(first: 1) { nodes { id version } } }"), COMMANDER)
    row = orjson.loads(first.body)["data"]["enterprises"]["nodes"][0]
    given = f'{{enterprise: "{row["id"]}", riskGrade: RED, expectedVersion: {row["version"]}}}'
    asked = operation(f"mutation {{ enterpriseGrade(input: {given}) {{ __typename }} }}")
    kinds = [orjson.loads(each.body)["data"]["enterpriseGrade"] for each in await together(target, asked, 20)]
    number = kinds.count({"__typename": "EnterpriseGraded"})
    return [f"{number} changes of one version: {kinds[:3]}"] * (number != 1 or {"__typename": "Conflict"} not in kinds)


async def one_enterprise(target: Target) -> list[str]:
    upsert = 'mutation { enterpriseUpsert(input: {externalId: "H-race", name: "x"}) { __typename } }'
    kinds = {answer.body for answer in await together(target, operation(upsert), 20)}
    listed = operation('{ search(text: "H-race") { __typename } enterprise(by: {externalId: "H-race"}) { id } }')
    answer = await target.ask(listed, COMMANDER)
    return [f"{sorted(kinds)!r}"] * (len(kinds) != 1) + faults_of(answer.outcome, DATA)


def races() -> Iterator[Case]:
    """The same request many times at once takes effect once."""
    for attack in (one_account, one_mutation, one_change, one_enterprise):
        yield Case(GROUP, f"at once: {attack.__name__.replace('_', ' ')}", attack)


def header_cases() -> Iterator[Case]:
    for name, lines in FORWARDED.items():
        yield request_case(GROUP, f"forwarded: {name}", post(BODY, *lines), f"{DATA}|400|431")
        body = b'{"name":"nobody","password":"x"}'
        attempt = http(b"POST", b"/auth/sign-in", b"Content-Type: application/json", *lines, body=body)
        outcome = "401 BAD_CREDENTIALS|429 TOO_MANY|503 BUSY|400|431"
        yield request_case(GROUP, f"forwarded sign-in: {name}", attempt, outcome, viewers=[NOBODY])
    for name, value in LANGUAGES.items():
        yield request_case(GROUP, f"language: {name}", post(b"{}", b"Accept-Language: " + value), "400|431")
    large = "{ enterprises(first: 20) { nodes { name address } } }"
    for name, value in CODINGS.items():
        asked = operation(large).replace(b"\r\n", b"\r\nAccept-Encoding: " + value + b"\r\n", 1)
        yield request_case(GROUP, f"coding: {name}", asked, "200|406", viewers=[WALL])
        yield request_case(
            GROUP, f"coding of a page: {name}", http(b"GET", b"/", b"Accept-Encoding: " + value), "200|406"
        )


def cases() -> Iterator[Case]:
    yield from connection_cases()
    yield from header_cases()
    yield from value_cases()
    yield from cursor_cases()
    yield from bulk_cases()
    yield from races()
