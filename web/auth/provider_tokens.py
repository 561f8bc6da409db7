"""Bearer tokens of an identity provider: JSON Web Tokens, checked by the keys that it publishes (JWKS, RFC 7517)."""

import asyncio
import datetime as dt
from collections.abc import Callable
from typing import Any

import httpx
import structlog
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jwt import JWTClaimsRegistry

from models.db.database import Database
from models.reason import Reason
from models.visibility import Role, Scope
from resolvers.accounts.provider import provided_account
from resolvers.accounts.records import find_account_of_provider
from resolvers.errors import ErrorCode, RequestError
from resolvers.queries.holders import Proof
from web.auth.claim_mapping import ClaimMapping, one_text, texts
from web.auth.tokens import Claims
from web.auth.viewers import Identified

log = structlog.get_logger(__name__)

# By the provider's own private key. None that a client could make: no HS256, no "none".
ALGORITHMS = ["RS256", "ES256", "EdDSA", "Ed25519"]
TIMEOUT = 5  # seconds
FRESH = dt.timedelta(hours=1)  # keys are read again after this long
AGAIN = dt.timedelta(minutes=1)  # an unknown key makes them be read again, but not more often than this
LEEWAY = 60  # seconds that two clocks may differ when a token is new
NO_TOKEN = Reason("NOT_A_TOKEN_OR_OF_PROVIDER", "This is not a token of this server or of its identity provider.")


class ProviderTokens:
    """Reads the tokens of one provider. Asks it for its keys once an hour, and never for a single token."""

    def __init__(
        self,
        url: str,
        issuer: str,
        audience: str,
        clock: Callable[[], dt.datetime],
        http: Callable[[], httpx.AsyncClient] = lambda: httpx.AsyncClient(timeout=TIMEOUT),
    ) -> None:
        self.issuer, self._url, self._clock, self._make_http = issuer, url, clock, http
        self._registry = JWTClaimsRegistry(
            now=lambda: int(clock().timestamp()),
            leeway=LEEWAY,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            sub={"essential": True},
            exp={"essential": True},
        )
        self._keys: KeySet | None = None
        self._read_at: dt.datetime | None = None
        self._turn = asyncio.Lock()

    async def read(self, token: str) -> tuple[dict[str, Any], dt.datetime]:
        """The claims of a token, and when it expires.

        Raises RequestError unless it is this provider's, for this audience, and valid now.
        """
        try:
            kid = jws.extract_compact(token.encode()).headers().get("kid")
            keys = await self._keys_with(kid)
            if keys is None:
                raise ValueError
            claims = jwt.decode(token, keys, algorithms=ALGORITHMS).claims
            self._registry.validate(claims)
            expires_at = dt.datetime.fromtimestamp(claims["exp"], dt.UTC)
            if not isinstance(claims["sub"], str) or expires_at <= self._clock():
                raise ValueError
        except (JoseError, ValueError, TypeError, KeyError, OverflowError, OSError):
            raise RequestError(ErrorCode.UNAUTHENTICATED, NO_TOKEN) from None
        return claims, expires_at

    async def _keys_with(self, kid: str | None) -> KeySet | None:
        """The provider's keys, read again when the one of this id is not among them."""
        if not self._are_due(kid):
            return self._keys
        async with self._turn:
            if self._are_due(kid):  # another request may have read them meanwhile
                self._read_at = self._clock()
                await self._read_keys()
        return self._keys

    def _are_due(self, kid: str | None) -> bool:
        if self._read_at is None:
            return True
        known = self._keys is not None and any(key.kid == kid for key in self._keys.keys)
        return self._clock() >= self._read_at + (FRESH if known else AGAIN)

    async def _read_keys(self) -> None:
        """Keeps the former keys when the provider does not answer."""
        try:
            async with self._make_http() as http:
                response = await http.get(self._url)
            self._keys = KeySet.import_key_set(response.raise_for_status().json())
        except (httpx.HTTPError, JoseError, ValueError, TypeError, KeyError) as error:
            log.warning("the keys of the identity provider cannot be read", error=type(error).__name__)


class TokenProvider:
    """Who the tokens of an identity provider belong to: people with an account, which is made at first, or programs."""

    def __init__(
        self, tokens: ProviderTokens, mapping: ClaimMapping, database: Database, clock: Callable[[], dt.datetime]
    ) -> None:
        self._tokens, self._mapping, self._database, self._clock = tokens, mapping, database, clock

    async def identify(self, token: str) -> Identified:
        """Raises RequestError for a token that is not valid, or gives its holder no role here."""
        claims, expires_at = await self._tokens.read(token)
        role = self._mapping.role_of(claims)
        if role is Role.INTEGRATOR:
            return Identified(None, program(claims, expires_at))
        person = None if role is None else self._mapping.person(self._tokens.issuer, claims)
        if role is None or person is None:
            raise RequestError(
                ErrorCode.UNAUTHENTICATED, Reason("TOKEN_WITHOUT_ROLE", "The token gives its holder no role here.")
            )
        account = await find_account_of_provider(self._database, person.issuer, person.subject)
        if account is None or (account.role is not role and account.disabled_at is None):
            try:
                account = await provided_account(self._database, person, None, self._clock())
            except RequestError as error:
                raise RequestError(ErrorCode.UNAUTHENTICATED, error.reason) from None
        return Identified(Proof("account", str(account.id)), Claims(role, expires_at))


def program(claims: dict[str, Any], expires_at: dt.datetime) -> Claims:
    """A program, by its subject. Its scopes are those of the claim `scope` that this server knows."""
    words = [word for text in texts(claims.get("scope")) for word in text.split()]
    known = {scope.value: scope for scope in Scope}
    name = next((text for key in ("client_id", "azp") if (text := one_text(claims.get(key)))), claims["sub"])
    scopes = frozenset(known[word] for word in words if word in known)
    return Claims(Role.INTEGRATOR, expires_at, f"oidc:{claims['sub']}", name, scopes=scopes)
