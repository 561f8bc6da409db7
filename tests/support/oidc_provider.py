"""OpenID providers for tests: a real one in a process of its own, and one in memory that can lie."""

import base64
import hashlib
import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from tests.support.patience import PATIENCE

CLIENT_ID, CLIENT_SECRET = "huhang", "a secret of the client"


@contextmanager
def real_provider(*users: dict[str, Any]) -> Iterator[str]:
    """oidc-provider-mock with these users, claims and all. Yields its issuer."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    claims = [argument for user in users for argument in ("--user-claims", json.dumps(user))]
    command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(port), "--require-nonce", "true", *claims]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    issuer = f"http://127.0.0.1:{port}"
    try:
        wait_for(issuer, process)
        yield issuer
    finally:
        process.terminate()
        process.wait()


def wait_for(issuer: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        assert process.poll() is None, "the provider has ended"
        try:
            httpx.get(f"{issuer}/.well-known/openid-configuration")
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("the provider did not start")


@cache
def first_key() -> RSAKey:
    """The key that every provider begins with: to make one takes longer than most tests of it."""
    return RSAKey.generate_key(2048, {"kid": "first", "use": "sig"}, auto_kid=False)


class LyingProvider:
    """A provider in memory. What it says can be replaced, to see what a client believes."""

    def __init__(self, now: Callable[[], float], issuer: str = "https://provider.test/realms/bureau") -> None:
        self.issuer, self._now = issuer, now
        self.key = first_key()
        self.published = [self.key]
        self.metadata: dict[str, Any] = {
            "issuer": issuer,
            "authorization_endpoint": f"{issuer}/authorize",
            "token_endpoint": f"{issuer}/token",
            "jwks_uri": f"{issuer}/keys",
        }
        self.header: dict[str, Any] = {"alg": "RS256", "kid": "first"}
        self.claims: dict[str, Any] = {"roles": ["duty"]}
        self.sign: Callable[[dict[str, Any]], str] = lambda claims: jwt.encode(self.header, claims, self.key)
        self.token: dict[str, Any] = {}
        self.failing: dict[str, int] = {}
        self.requests: list[str] = []
        self._asked: dict[str, dict[str, str]] = {}

    def http(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.MockTransport(self._respond))

    def authorize(self, url: str) -> dict[str, str]:
        """The person says yes at this address; returns the parameters of the response."""
        asked = dict(parse_qsl(urlsplit(url).query))
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        code = f"code{len(self._asked)}"
        self._asked[code] = asked
        return {"code": code, "state": asked["state"]}

    def _respond(self, request: httpx.Request) -> httpx.Response:
        name = request.url.path.rsplit("/", 1)[-1]
        self.requests.append(name)
        if name in self.failing:
            return httpx.Response(self.failing[name], text="no")
        if name == "openid-configuration":
            return httpx.Response(200, json=self.metadata)
        if name == "keys":
            return httpx.Response(200, json={"keys": [key.as_dict(private=False) for key in self.published]})
        return httpx.Response(200, json=self._exchange(request))

    def _exchange(self, request: httpx.Request) -> dict[str, Any]:
        form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        asked = self._asked.pop(form["code"])
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).rstrip(b"=")
        assert challenge.decode() == asked["code_challenge"]
        assert form["redirect_uri"] == asked["redirect_uri"]
        expected = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        assert request.headers["authorization"] == f"Basic {expected}"
        seconds = int(self._now())
        claims = {
            "iss": self.issuer,
            "sub": "0815",
            "aud": CLIENT_ID,
            "iat": seconds,
            "exp": seconds + 300,
            "nonce": asked["nonce"],
            **self.claims,
        }
        given = {name: value for name, value in claims.items() if value is not None}
        return {"access_token": "opaque", "token_type": "Bearer", "id_token": self.sign(given), **self.token}


def signed_with_public_key(provider: LyingProvider) -> Callable[[dict[str, Any]], str]:
    """The known attack: the public key, which everybody has, taken for the secret of HS256."""
    public = provider.key.as_pem(private=False)
    return lambda claims: jwt.encode({"alg": "HS256", "kid": "first"}, claims, OctKey.import_key(public))
