"""Signing in at an identity provider: to the provider, back with a code, and on to the page that was wanted."""

import dataclasses
import datetime as dt
import secrets
from collections.abc import Callable, Mapping
from typing import Any

import orjson
import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from models import Role
from models.db.database import Database
from resolvers.accounts.provider import ProvidedPerson, sign_in_provided
from resolvers.accounts.records import AccountRole
from resolvers.errors import ErrorCode, RequestError
from web.auth.addresses import local_path
from web.auth.cipher import Cipher
from web.auth.cookies import FLOW_SECONDS, Cookies
from web.auth.json_api import NO_STORE, endpoint
from web.auth.oidc import Flow, Provider, ProviderError, ProviderSilent
from web.auth.own_account import client_of

log = structlog.get_logger(__name__)

START, CALLBACK = "/auth/oidc/start", "/auth/oidc/callback"
# Codes that the sign-in page explains.
DENIED, EXPIRED, SILENT, FAILED = "ACCESS_DENIED", "EXPIRED", "PROVIDER_SILENT", "PROVIDER_FAILED"
NO_ROLE, DISABLED = "NO_ROLE", "DISABLED"


class SignInFailed(Exception):
    """The person is sent to the sign-in page with this code."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclasses.dataclass(frozen=True, slots=True)
class ClaimNames:
    """Which claims say what a person is in the bureau. A dot leads into an object: `realm_access.roles`."""

    role: str
    inspector: str
    enterprise: str


class OidcEndpoints:
    """`roles` maps values of the role claim to roles; the first one that a person has counts."""

    def __init__(
        self,
        provider: Provider,
        database: Database,
        cipher: Cipher,
        cookies: Cookies,
        clock: Callable[[], dt.datetime],
        *,
        roles: Mapping[str, Role],
        claims: ClaimNames,
        public_url: str | None,
    ) -> None:
        self._provider, self._database, self._cipher, self._cookies = provider, database, cipher, cookies
        self._clock, self._roles, self._claims, self._public_url = clock, roles, claims, public_url

    @property
    def routes(self) -> list[Route]:
        return [Route(START, self.start, methods=["GET"]), Route(CALLBACK, self.callback, methods=["GET"])]

    def _redirect_uri(self, request: Request) -> str:
        return (self._public_url or f"{request.url.scheme}://{request.url.netloc}") + CALLBACK

    @endpoint
    async def start(self, request: Request) -> Response:
        """302 to the provider."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        flow = Flow(state, nonce, verifier, local_path(request.query_params.get("next")))
        try:
            url = await self._provider.authorization_url(flow, self._redirect_uri(request))
        except ProviderError as error:
            return redirect_to_sign_in(failure_of(error))
        response = RedirectResponse(url, 302, NO_STORE)
        kept = self._cipher.encrypt(orjson.dumps(flow).decode(), self._clock())
        self._cookies.begin_flow(request, response, kept)
        return response

    @endpoint
    async def callback(self, request: Request) -> Response:
        """302 to the page that was wanted, signed in; or to the sign-in page with a code."""
        try:
            flow = self._flow(request)
            secret = await self._sign_in(request, flow)
            response: Response = RedirectResponse(flow.next, 302, NO_STORE)
            self._cookies.sign_in(request, response, secret)
        except SignInFailed as failure:
            response = redirect_to_sign_in(failure.code)
        self._cookies.end_flow(request, response)
        return response

    def _flow(self, request: Request) -> Flow:
        """The flow that this browser began. Raises SignInFailed without one, or with one of another response."""
        valid = dt.timedelta(seconds=FLOW_SECONDS)
        kept = self._cipher.decrypt(self._cookies.flow(request) or "", self._clock(), valid=valid)
        if kept is None:
            raise SignInFailed(EXPIRED)
        flow = Flow(**orjson.loads(kept))
        if not secrets.compare_digest(request.query_params.get("state", "").encode(), flow.state.encode()):
            raise SignInFailed(EXPIRED)
        return flow

    async def _sign_in(self, request: Request, flow: Flow) -> str:
        if "error" in request.query_params:
            raise SignInFailed(DENIED)
        # RFC 9207: a response that names another issuer is not this provider's.
        if request.query_params.get("iss", self._provider.issuer) != self._provider.issuer:
            raise SignInFailed(FAILED)
        try:
            claims = await self._provider.claims(flow, self._redirect_uri(request), str(request.url))
        except ProviderError as error:
            raise SignInFailed(failure_of(error)) from None
        try:
            return await sign_in_provided(self._database, self._person(claims), client_of(request), self._clock())
        except RequestError as error:
            log.warning("identity provider's account refused", code=error.code.value)
            raise SignInFailed(DISABLED if error.code is ErrorCode.BAD_CREDENTIALS else NO_ROLE) from None

    def _person(self, claims: dict[str, Any]) -> ProvidedPerson:
        values = texts(claim_at(claims, self._claims.role))
        kind = next((kind for value, kind in self._roles.items() if value in values), None)
        if kind is None:
            raise SignInFailed(NO_ROLE)
        badge, code = (claim_at(claims, name) for name in (self._claims.inspector, self._claims.enterprise))
        role = AccountRole(
            kind=kind,
            inspector=one_text(badge) if kind is Role.INSPECTOR else None,
            enterprise=one_text(code) if kind is Role.ENTERPRISE else None,
        )
        names = [claims[name] for name in ("preferred_username", "email") if isinstance(claims.get(name), str)]
        full_name = one_text(claims.get("name")) or ""
        return ProvidedPerson(self._provider.issuer, str(claims["sub"]), names, full_name, role)


def failure_of(error: ProviderError) -> str:
    """The code for an error of the provider, which the log has in full."""
    log.warning("identity provider failed", reason=str(error))
    return SILENT if isinstance(error, ProviderSilent) else FAILED


def claim_at(claims: dict[str, Any], name: str) -> Any:
    """A claim by its name, or by a path of names with dots."""
    if name in claims:
        return claims[name]
    value: Any = claims
    for part in name.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def texts(value: Any) -> list[str]:
    """A claim that is one text or a list of texts."""
    return [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, str)]


def one_text(value: Any) -> str | None:
    """A claim that is one text both databases can store."""
    return value if isinstance(value, str) and value and "\0" not in value else None


def redirect_to_sign_in(code: str) -> Response:
    return RedirectResponse(f"/signin/?error={code}", 302, NO_STORE)
