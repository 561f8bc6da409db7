"""OpenID Connect: the authorization code flow with PKCE, state and nonce, at a provider that discovery describes.

authlib makes and reads the messages, joserfc checks the signature of the ID token.
"""

import asyncio
import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
from authlib.common.errors import AuthlibBaseError
from authlib.common.urls import add_params_to_uri
from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.client import OAuth2Client
from authlib.oauth2.rfc6749.parameters import parse_authorization_code_response, prepare_token_request
from authlib.oidc.core import CodeIDToken
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from web.auth.addresses import is_safe_url

# Signatures by the provider's own key. None that a client could make: no HS256, no "none".
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"]
LEEWAY = 60  # seconds that two clocks may differ
TIMEOUT = 10  # seconds for each request to the provider
FRESH = dt.timedelta(hours=1)  # what the provider says of itself is read again after this long
KEYS_AGAIN = dt.timedelta(minutes=1)  # an unknown key makes the keys be read again, but not more often than this
FORM = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}


class ProviderError(Exception):
    """The provider does not answer, or not as it should. The message has no value of its answer."""


class ProviderSilent(ProviderError):
    """The provider cannot be reached, or fails."""


@dataclass(frozen=True, slots=True)
class Flow:
    """What a browser keeps while its user is at the provider."""

    state: str
    nonce: str
    verifier: str
    next: str


@dataclass(frozen=True, slots=True)
class IdToken:
    """The provider's signed token about a person, and its claims."""

    text: str
    claims: dict[str, Any]


class Provider:
    """One OpenID provider. Keeps what it says of itself, and its keys."""

    def __init__(
        self,
        issuer: str,
        client_id: str,
        client_secret: str | None,
        scope: str,
        clock: Callable[[], dt.datetime],
        http: Callable[[], httpx.AsyncClient] = lambda: httpx.AsyncClient(timeout=TIMEOUT),
    ) -> None:
        self.issuer, self._client_id, self._client_secret, self._scope = issuer, client_id, client_secret, scope
        self._clock, self._make_http = clock, http
        self._http: httpx.AsyncClient | None = None
        self._metadata: tuple[dict[str, Any], dt.datetime] | None = None
        self._keys: tuple[KeySet, dt.datetime] | None = None
        self._turn = asyncio.Lock()

    async def close(self) -> None:
        if self._http is not None:
            await self._http.aclose()

    async def authorization_url(self, flow: Flow, redirect_uri: str) -> str:
        """Where the browser goes. Raises ProviderError."""
        client = OAuth2Client(None, self._client_id, scope=self._scope, code_challenge_method="S256")
        endpoint = (await self._described())["authorization_endpoint"]
        url, _ = client.create_authorization_url(
            endpoint, flow.state, flow.verifier, redirect_uri=redirect_uri, nonce=flow.nonce
        )
        return str(url)

    async def id_token(self, flow: Flow, redirect_uri: str, response_url: str) -> IdToken:
        """The ID token for the code in the URL that the provider sent the browser to.

        Raises ProviderError unless token, code and state are this provider's, for this client and this flow.
        """
        try:
            code = parse_authorization_code_response(response_url, flow.state)["code"]
        except AuthlibBaseError as error:
            raise ProviderError(f"the response has {error.error}") from None
        token = await self._exchange(code, flow, redirect_uri)
        id_token = token.get("id_token")
        if not isinstance(id_token, str):
            raise ProviderError("there is no ID token")
        keys = await self._keys_for(id_token)
        try:
            decoded = jwt.decode(id_token, keys, algorithms=ALGORITHMS)
            options = {
                "iss": {"essential": True, "value": self.issuer},
                "aud": {"essential": True, "values": [self._client_id]},
            }
            parameters = {
                "nonce": flow.nonce,
                "client_id": self._client_id,
                "access_token": token.get("access_token"),
            }
            claims = CodeIDToken(decoded.claims, decoded.header, options, parameters)
            claims.validate(int(self._clock().timestamp()), LEEWAY)
        except (JoseError, AuthlibBaseError, ValueError, TypeError, KeyError) as error:
            raise ProviderError(f"the ID token is not valid: {type(error).__name__}") from None
        return IdToken(id_token, dict(claims))

    async def end_session_url(self, id_token: str, return_uri: str) -> str | None:
        """Where the browser signs out at the provider (OpenID Connect RP-Initiated Logout 1.0), and comes back from.

        None where the provider offers no such address. Raises ProviderError.
        """
        endpoint = (await self._described()).get("end_session_endpoint")
        if not is_safe_url(endpoint):
            return None
        parameters = {
            "id_token_hint": id_token,
            "client_id": self._client_id,
            "post_logout_redirect_uri": return_uri,
        }
        return str(add_params_to_uri(endpoint, list(parameters.items())))

    async def _exchange(self, code: str, flow: Flow, redirect_uri: str) -> dict[str, Any]:
        described = await self._described()
        body = prepare_token_request(
            "authorization_code", code=code, redirect_uri=redirect_uri, code_verifier=flow.verifier
        )
        methods = described.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        method = "client_secret_basic" if "client_secret_basic" in methods else "client_secret_post"
        auth = ClientAuth(self._client_id, self._client_secret, method if self._client_secret else "none")
        url, headers, body = auth.prepare("POST", described["token_endpoint"], dict(FORM), body)
        return await self._json("POST", url, headers=headers, content=body)

    # -- what the provider says of itself --

    async def _described(self) -> dict[str, Any]:
        """The provider's metadata (OpenID Connect Discovery)."""
        async with self._turn:
            now = self._clock()
            if self._metadata is None or now >= self._metadata[1] + FRESH:
                url = self.issuer.rstrip("/") + "/.well-known/openid-configuration"
                metadata = await self._json("GET", url)
                if metadata.get("issuer") != self.issuer:
                    raise ProviderError("the provider names another issuer")
                for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
                    if not is_safe_url(metadata.get(name)):
                        raise ProviderError(f"{name} is not an address of HTTPS")
                self._metadata = (metadata, now)
            return self._metadata[0]

    async def _keys_for(self, id_token: str) -> KeySet:
        """The provider's keys, read again when the key of this token is not among them."""
        try:
            kid = jws.extract_compact(id_token.encode()).headers().get("kid")
        except (JoseError, ValueError):
            raise ProviderError("the ID token is malformed") from None
        url = (await self._described())["jwks_uri"]
        async with self._turn:
            now = self._clock()
            if self._keys is not None:
                keys, read_at = self._keys
                known = kid is None or any(key.kid == kid for key in keys.keys)
                if now < read_at + (FRESH if known else KEYS_AGAIN):
                    return keys
            try:
                self._keys = (KeySet.import_key_set(await self._json("GET", url)), now)  # type: ignore[arg-type]  # checked there
            except (JoseError, ValueError, TypeError, KeyError):
                raise ProviderError("the keys are malformed") from None
            return self._keys[0]

    async def _json(self, method: str, url: str, **arguments: Any) -> dict[str, Any]:
        if self._http is None:
            self._http = self._make_http()
        try:
            response = await self._http.request(method, url, **arguments)
            value = response.json() if response.status_code == 200 else None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ProviderSilent(f"no answer: {type(error).__name__}") from None
        except ValueError:
            raise ProviderError(f"{urlsplit(url).path} does not answer with JSON") from None
        if response.status_code >= 500:
            raise ProviderSilent(f"{urlsplit(url).path} answers {response.status_code}")
        if not isinstance(value, dict):
            raise ProviderError(f"{urlsplit(url).path} answers {response.status_code}")
        return value
