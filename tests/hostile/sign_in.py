"""Everything below /auth: bodies of the wrong shape for each endpoint, rights, foreign pages, floods of attempts."""

import asyncio
from collections.abc import Iterator

import orjson

from tests.hostile.case import COMMANDER, ENTERPRISE, HOST, NOBODY, WALL, Case, Target, faults_of, http, request_case

GROUP = "sign-in"
BAD = "400|413|415"
WITHOUT = "401|403|400|413|415|429 TOO_MANY"
REFUSED = "401|403"
LIMITED = "401|429 TOO_MANY|503 BUSY|503 TOO_MANY"
MAXIMUM = 16_384  # bytes of a body

# Method and path of every endpoint with a body, and a body that has the right shape.
WITH_BODY: dict[tuple[bytes, bytes], dict[str, object]] = {
    (b"POST", b"/auth/sign-in"): {"name": "nobody", "password": "wrong"},
    (b"POST", b"/auth/password"): {"current": "a", "new": "b"},
    (b"POST", b"/auth/totp"): {"password": "a"},
    (b"POST", b"/auth/totp/confirm"): {"code": "000000"},
    (b"DELETE", b"/auth/totp"): {"password": "a"},
    (b"POST", b"/auth/setup"): {"key": "x", "name": "x", "password": "x"},
    (b"POST", b"/auth/accounts"): {"name": "x", "fullName": "x", "role": "ROOT"},
    (b"PATCH", b"/auth/accounts/1"): {"disabled": True},
    (b"POST", b"/auth/tokens"): {"name": "x", "role": "ROOT"},
    (b"POST", b"/auth/pairings/token"): {"deviceCode": "x"},
    (b"POST", b"/auth/pairings/XXXX-XXXX"): {"name": "x"},
}
ANYBODY = {b"/auth/sign-in", b"/auth/setup", b"/auth/pairings/token"}  # may be called without a token
BODIES = {
    "nothing": b"",
    "null": b"null",
    "a list": b"[]",
    "a text": b'"x"',
    "half an object": b"{",
    "two objects": b"{}{}",
    "an empty object": b"{}",
    "an unknown field": b'{"nothing":1}',
    "deep brackets": b"[" * 16_000,
    "nan": b'{"name":NaN}',
    "bytes": b"\xff\xfe",
    "20 KiB": b'{"name":"' + b"a" * 20_000 + b'"}',
    "4 MiB": b" " * (4 << 20),
}
VALUES: dict[str, object] = {
    "null": None, "a number": 1, "true": True, "a list": ["x"], "an object": {"a": "b"}, "an empty text": "", "NUL": "a\0b",
    "5,000 letters": "a" * 5_000, "SQL": "' OR 1=1 --", "control characters": "\u202e\u200b\r\n\t", "full width": "ａｄｍｉｎ",
    "wildcards": "%_*", "spaces": "   ", "emoji": "👩‍👩‍👧‍👦" * 20,
}  # fmt: skip
PATHS: dict[str, tuple[bytes, bytes, str]] = {
    "an account of 2^31": (b"PATCH", b"/auth/accounts/2147483648", "400|404|415"),
    "an account of 2^63": (b"PATCH", b"/auth/accounts/9223372036854775808", "400|404|415"),
    "an account of 5,000 digits": (b"PATCH", b"/auth/accounts/" + b"9" * 5_000, "400|404|414|415"),
    "an account of -1": (b"PATCH", b"/auth/accounts/-1", "404|405"),
    "an account of full width": (b"PATCH", b"/auth/accounts/%EF%BC%91", "400|404|415"),
    "the reset of no account": (b"POST", b"/auth/accounts/0/reset", "404|400"),
    "a token of 2^63": (b"DELETE", b"/auth/tokens/9223372036854775808", "404"),
    "a token of 5,000 digits": (b"DELETE", b"/auth/tokens/" + b"9" * 5_000, "404|400|414"),
    "a pairing of NUL": (b"DELETE", b"/auth/pairings/%00", "404|400"),
    "a pairing of 60,000 letters": (b"DELETE", b"/auth/pairings/" + b"A" * 60_000, "404|400|414|431"),
    "a pairing of bytes": (b"DELETE", b"/auth/pairings/%ff", "404|400"),
    "tokens with 5,000 parameters": (b"GET", b"/auth/tokens?" + b"a=b&" * 5_000, "200|400"),
    "no endpoint": (b"GET", b"/auth/nothing", "404"),
    "the folder": (b"GET", b"/auth/", "404|307"),
    "another method": (b"PUT", b"/auth/session", "405"),
}
COOKIES = {
    "garbage": b"huhang=garbage",
    "nothing": b"huhang=",
    "7 KiB": b"huhang=" + b"a" * 7_000,
    "60 KiB": b"huhang=" + b"a" * 60_000,
    "bytes": b"huhang=\xff\xfe",
    "the secure one": b"__Host-huhang=x",
    "both": b"__Host-huhang=x; huhang=y",
    "1,000 of the name": b"; ".join(b"huhang=%d" % n for n in range(1_000)),
    "a quoted one": b'huhang="a\\073b"',
    "another name's beginning": b"huhangx=1; xhuhang=2",
}
JSON = b"Content-Type: application/json"


def call(method: bytes, path: bytes, body: object, *headers: bytes) -> bytes:
    text = body if isinstance(body, bytes) else orjson.dumps(body)
    return http(method, path, JSON, b"Origin: http://" + HOST, *headers, body=text)


def bodies_case(method: bytes, path: bytes) -> Case:
    """Bodies of the wrong shape, and each field with each wrong value. The codes are never those of a success."""
    right = WITH_BODY[method, path]
    bodies = {**BODIES, **{f"{key}: {n}": orjson.dumps({**right, key: v}) for key in right for n, v in VALUES.items()}}

    async def attack(target: Target) -> list[str]:
        faults = []
        for name, body in bodies.items():
            for viewer in (NOBODY, COMMANDER):
                answer = await target.ask(call(method, path, body), viewer)
                target.count(answer.outcome)
                expected = WITHOUT if viewer == NOBODY or path in ANYBODY else WITHOUT + "|404|409|201|200|204"
                faults += [f"{name}: {one}" for one in faults_of(answer.outcome, expected, viewer)]
        return faults

    return Case(GROUP, f"{method.decode()} {path.decode()}: bodies", attack)


def rights_case(method: bytes, path: bytes, body: object) -> Case:
    """Who is no commander manages nothing."""

    async def attack(target: Target) -> list[str]:
        faults = []
        for viewer in (NOBODY, WALL, ENTERPRISE):
            answer = await target.ask(call(method, path, body), viewer)
            target.count(answer.outcome)
            faults += faults_of(answer.outcome, REFUSED, viewer)
        return faults

    return Case(GROUP, f"{method.decode()} {path.decode()}: rights", attack)


async def flood(target: Target) -> list[str]:
    """100 attempts at once for one name: slowed down, not served, and others go on."""
    request = call(b"POST", b"/auth/sign-in", {"name": "commander", "password": "wrong"})
    answers = await asyncio.gather(*(target.ask(request) for _ in range(100)), return_exceptions=True)
    faults = []
    for answer in answers:
        if isinstance(answer, BaseException):
            faults.append(f"no answer: {answer!r}")
        else:
            target.count(answer.outcome)
            faults += faults_of(answer.outcome, LIMITED)
    limited = [one for one in answers if not isinstance(one, BaseException) and one.status in (429, 503)]
    return faults if limited else [*faults, "nothing was slowed down"]


async def names_in_turn(target: Target) -> list[str]:
    """100 names, one attempt each: an address is slowed down too, and no name is told from another."""
    faults = []
    for number in range(100):
        answer = await target.ask(call(b"POST", b"/auth/sign-in", {"name": f"n{number}", "password": "wrong"}))
        target.count(answer.outcome)
        faults += faults_of(answer.outcome, LIMITED)
    return faults[:3]


async def pairings(target: Target) -> list[str]:
    """300 screens of one address begin to pair."""
    faults = []
    for _ in range(300):
        answer = await target.ask(http(b"POST", b"/auth/pairings"))
        target.count(str(answer.status))
        faults += faults_of(answer.outcome, "201|429 TOO_MANY|503 TOO_MANY|503 BUSY")
    return faults[:3]


def foreign_cases() -> Iterator[Case]:
    """Pages of other sites, which a browser sends cookies for."""
    cookie = b"Cookie: huhang=x"
    for origin in (b"https://evil.example", b"null", b"http://" + HOST + b".evil.example", b""):
        for method, path in (
            (b"POST", b"/auth/sign-out"),
            (b"POST", b"/graphql"),
            (b"POST", b"/evidence"),
            (b"PUT", b"/graphql/stream"),
        ):
            request = http(method, path, JSON, cookie, b"Origin: " + origin, body=b"{}")
            name = f"{method.decode()} {path.decode()} from {origin.decode()[:25]!r}"
            yield request_case(GROUP, name, request, "403 BAD_ORIGIN|401|400", viewers=[NOBODY])
    for kind in (b"text/plain", b"application/x-www-form-urlencoded", b"multipart/form-data; boundary=x"):
        request = http(b"POST", b"/auth/sign-in", b"Content-Type: " + kind, body=b'{"name":"a","password":"b"}')
        yield request_case(GROUP, f"a form of {kind.decode()[:20]}", request, "415|403|400", viewers=[NOBODY])


def provider_cases() -> Iterator[Case]:
    """The endpoints of OpenID Connect, which is not set up here."""
    for query in (
        b"",
        b"?next=//evil.example",
        b"?next=https://evil.example",
        b"?code=x&state=y",
        b"?error=" + b"x" * 5_000,
        b"?state=%00&code=%ff",
    ):
        for path in (b"/auth/oidc/start", b"/auth/oidc/callback"):
            name = f"{path.decode()}{query[:25].decode()}"
            yield request_case(GROUP, name, http(b"GET", path + query), "404|400|302", viewers=[NOBODY])


def cases() -> Iterator[Case]:
    for (method, path), body in WITH_BODY.items():
        yield bodies_case(method, path)
        if path not in ANYBODY:
            yield rights_case(method, path, body)
    for path in (b"/auth/tokens", b"/auth/accounts", b"/auth/pairings"):
        yield rights_case(b"GET", path, b"")
    for name, (method, path, expected) in PATHS.items():
        yield request_case(
            GROUP,
            name,
            http(method, path, JSON, body=b"{}"),
            f"{expected}|403",
            nobody=f"{expected}|{REFUSED}",
            viewers=[NOBODY, COMMANDER],
        )
    for name, cookie in COOKIES.items():
        request = http(b"GET", b"/auth/logins", b"Cookie: " + cookie)
        yield request_case(GROUP, f"a cookie of {name}", request, "401|431", viewers=[NOBODY])
    yield from foreign_cases()
    yield from provider_cases()
    yield Case(GROUP, "300 pairings", pairings)
    yield Case(GROUP, "100 names in turn", names_in_turn, long=True)
    yield Case(GROUP, "100 attempts at once", flood, long=True)
