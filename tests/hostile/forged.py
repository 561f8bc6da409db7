"""Tokens that nobody issued: a genuine one that was changed, and others made with any key."""

import base64
import hashlib
import hmac
from collections.abc import Iterator
from typing import Any

import orjson

from tests.hostile.case import COMMANDER, WALL, Case, Target, faults_of, http
from tests.hostile.raw_socket import message, opened

GROUP = "tokens"
REFUSED = "401 UNAUTHENTICATED"
HEADER = {"alg": "HS256", "typ": "JWT"}
BODY = b'{"query":"{ viewer { role } }"}'
FAR = 4_000_000_000  # seconds since 1970
CLAIMS: dict[str, Any] = {
    "iss": "huhang", "aud": "huhang", "sub": "commander", "role": "COMMANDER", "name": "x", "exp": FAR,
}  # fmt: skip
KEYS = {
    "an empty key": b"",
    "a key of one byte": b"\0",
    "a known secret": b"secret",
    "the secret of the tests": b"a secret of the tests, of no use elsewhere",
    "the public name of the purpose": b"huhang tokens",
}
WRONG_HEADERS: dict[str, dict[str, Any]] = {
    "alg none": {"alg": "none"},
    "alg None": {"alg": "None"},
    "alg of nothing": {"alg": ""},
    "alg null": {"alg": None},
    "alg of a list": {"alg": ["HS256"]},
    "alg RS256": {"alg": "RS256"},
    "alg ES256": {"alg": "ES256"},
    "alg HS512": {"alg": "HS512"},
    "no alg": {},
    "a kid of nothing": {**HEADER, "kid": "nothing"},
    "a kid of a path": {**HEADER, "kid": "../../../../dev/null"},
    "a kid of SQL": {**HEADER, "kid": "' OR 1=1 --"},
    "a kid of a list": {**HEADER, "kid": [1]},
    "a kid of an object": {**HEADER, "kid": {"a": 1}},
    "its own key": {**HEADER, "jwk": {"kty": "oct", "k": "AAAA"}},
    "a key's address": {**HEADER, "jku": "http://127.0.0.1:1/jwks.json", "x5u": "http://127.0.0.1:1/x"},
    "a critical extension": {**HEADER, "crit": ["b64"], "b64": False},
    "compression": {**HEADER, "zip": "DEF"},
    "a nested token": {**HEADER, "cty": "JWT"},
    "a thousand entries": {**HEADER, **{f"a{n}": n for n in range(400)}},
}
WRONG_CLAIMS: dict[str, dict[str, Any]] = {
    "no role": {"role": None},
    "an unknown role": {"role": "ROOT"},
    "a role of a list": {"role": ["COMMANDER"]},
    "no expiry": {"exp": None},
    "an expiry of a text": {"exp": "2999-01-01"},
    "an expiry of true": {"exp": True},
    "an expiry of 10^30": {"exp": 1e30},
    "an expiry in the past": {"exp": 1},
    "a negative expiry": {"exp": -1},
    "another issuer": {"iss": "evil"},
    "another audience": {"aud": ["huhang", "evil"]},
    "not valid yet": {"nbf": FAR},
    "an id of an object": {"jti": {"a": 1}},
    "scopes of a text": {"scopes": "read"},
}
SCHEMES = {
    "no scheme": b"x",
    "the scheme alone": b"Bearer",
    "the scheme and spaces": b"Bearer    ",
    "another scheme": b"Basic YTpi",
    "a digest": b'Digest username="a", realm="b"',
    "bytes": b"Bearer \xff\xfe",
    "dots": b"Bearer ..",
    "five dots": b"Bearer a.b.c.d.e",
    "a token of 60 KiB": b"Bearer " + b"a" * 60_000,
    "60,000 dots": b"Bearer " + b"." * 60_000,
    "a token of a path": b"Bearer ../../etc/passwd",
    "two tokens": b"Bearer a, Bearer b",
    "a token with a line end escaped": b"Bearer a%0d%0aX: b",
    "an encrypted token": b"Bearer eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIn0..AAAA.AAAA.AAAA",
    "a token of PBES2 with 2^31 rounds": b"Bearer "
    + base64.urlsafe_b64encode(b'{"alg":"PBES2-HS256+A128KW","enc":"A128GCM","p2s":"AA","p2c":2147483647}').strip(b"=")
    + b".AAAA.AAAA.AAAA.AAAA",
    "a deep header": b"Bearer " + base64.urlsafe_b64encode(b"[" * 5_000).strip(b"=") + b".e30.AAAA",
}


def part(content: Any) -> bytes:
    return base64.urlsafe_b64encode(orjson.dumps(content)).strip(b"=")


def signed(header: dict[str, Any], claims: dict[str, Any], key: bytes) -> bytes:
    """A token signed with this key by HMAC and SHA-256, whatever its header says."""
    text = part(header) + b"." + part({name: value for name, value in claims.items() if value is not None})
    signature = hmac.new(key or b"\0", text, hashlib.sha256).digest()
    return text + b"." + base64.urlsafe_b64encode(signature).strip(b"=")


def changed(token: bytes) -> Iterator[tuple[str, bytes]]:
    """A genuine token of the wall, changed to say more than it did."""
    header, claims, signature = token.split(b".")
    content = orjson.loads(base64.urlsafe_b64decode(claims + b"=="))
    yield "another role", b".".join([header, part({**content, "role": "COMMANDER"}), signature])
    yield "a later expiry", b".".join([header, part({**content, "exp": FAR}), signature])
    yield "another token's id", b".".join([header, part({**content, "jti": "x"}), signature])
    yield "no id", b".".join([header, part({k: v for k, v in content.items() if k != "jti"}), signature])
    yield "no signature", b".".join([header, claims, b""])
    yield "half a signature", b".".join([header, claims, signature[:20]])
    yield "a longer signature", b".".join([header, claims, signature + b"AAAA"])
    yield "the last character", token[:-1] + (b"A" if token[-1:] != b"A" else b"Q")
    yield (
        "no algorithm",
        b".".join([part({**orjson.loads(base64.urlsafe_b64decode(header + b"==")), "alg": "none"}), claims, b""]),
    )
    yield "padding", token + b"=="
    yield "an escaped dot", token.replace(b".", b"%2e")
    yield "small letters", token.lower()


def presented(name: str, authorization: bytes) -> Case:
    """A token over HTTP, on a socket and for a stream; nobody is served by it."""

    async def attack(target: Target) -> list[str]:
        line = b"Authorization: " + authorization
        answers = [
            await target.ask(http(b"POST", b"/graphql", b"Content-Type: application/json", line, body=BODY)),
            await target.ask(http(b"PUT", b"/graphql/stream", line)),
            await target.ask(http(b"POST", b"/evidence", b"Content-Type: image/png", line, body=b"x")),
            await target.ask(http(b"GET", b"/auth/tokens", line)),
        ]
        faults = []
        for answer in answers:
            target.count(answer.outcome)
            faults += faults_of(answer.outcome, REFUSED + "|431")
        async with opened(target, "nobody", initialised=False) as socket:
            text = authorization.decode("latin-1")
            socket.send(message({"type": "connection_init", "payload": {"Authorization": text}}))
            outcome = await socket.outcome()
            target.count(outcome)
            return faults if outcome == "closed 4403" else [*faults, f"on a socket: {outcome}"]

    return Case(GROUP, name, attack)


def changed_case(number: int, name: str) -> Case:
    async def attack(target: Target) -> list[str]:
        token = list(changed(target.tokens[WALL].encode()))[number][1]
        return await presented(name, b"Bearer " + token).attack(target)

    return Case(GROUP, f"changed: {name}", attack)


async def another_keeps_its_rights(target: Target) -> list[str]:
    """After all these, a genuine token is still accepted."""
    answer = await target.ask(http(b"GET", b"/auth/tokens"), COMMANDER)
    target.count(answer.outcome)
    return faults_of(answer.outcome, "200")


def cases() -> Iterator[Case]:
    for name, authorization in SCHEMES.items():
        yield presented(name, authorization)
    for name, key in KEYS.items():
        yield presented(f"signed with {name}", b"Bearer " + signed(HEADER, CLAIMS, key))
    for name, header in WRONG_HEADERS.items():
        yield presented(name, b"Bearer " + signed(header, CLAIMS, b"secret"))
    for name, claims in WRONG_CLAIMS.items():
        key = b"a secret of the tests, of no use elsewhere"
        yield presented(name, b"Bearer " + signed(HEADER, {**CLAIMS, **claims}, key))
    for number, (name, _) in enumerate(changed(signed(HEADER, CLAIMS, b"x"))):
        yield changed_case(number, name)
    yield Case(GROUP, "a genuine one afterwards", another_keeps_its_rights)
