"""Signing in at an identity provider: to the provider, back with a code, and on to the page that was wanted."""

import asyncio
import datetime as dt
import secrets
from collections.abc import Callable
from typing import Any

import orjson
import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from models.db.database import Database
from resolvers.accounts.provider import ProvidedPerson, sign_in_provided
from resolvers.errors import ErrorCode, RequestError
from web.auth.addresses import local_path
from web.auth.cipher import Cipher
from web.auth.claim_mapping import ClaimMapping
from web.auth.cookies import FLOW_SECONDS, Cookies
from web.auth.json_api import NO_STORE, endpoint
from web.auth.oidc import Flow, Provider, ProviderError, ProviderSilent
from web.auth.own_account import client_of

log = structlog.get_logger(__name__)

START, CALLBACK = "/auth/oidc/start", "/auth/oidc/callback"
SIGNED_OUT = "/signin/"  # where the browser comes back from signing out at the provider
PATIENCE = 3  # seconds for what the provider says of itself: a person who signs out waits for it
# Codes that the sign-in page explains.
DENIED, EXPIRED, SILENT, FAILED = "OIDC_DENIED", "OIDC_EXPIRED", "OIDC_SILENT", "OIDC_FAILED"
NO_ROLE, DISABLED = "NO_ROLE", "DISABLED"


class SignInFailed(Exception):
    """The person is sent to the sign-in page with this code."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class OidcEndpoints:
    """Where the browser goes and comes back. `mapping` says what the provider's claims make of a person."""

    def __init__(
        self,
        provider: Provider,
        database: Database,
        cipher: Cipher,
        cookies: Cookies,
        clock: Callable[[], dt.datetime],
        *,
        mapping: ClaimMapping,
        public_url: str | None,
    ) -> None:
        self._provider, self._database, self._cipher, self._cookies = provider, database, cipher, cookies
        self._clock, self._mapping, self._public_url = clock, mapping, public_url

    @property
    def routes(self) -> list[Route]:
        return [Route(START, self.start, methods=["GET"]), Route(CALLBACK, self.callback, methods=["GET"])]

    def _own_url(self, request: Request, path: str) -> str:
        return (self._public_url or f"{request.url.scheme}://{request.url.netloc}") + path

    @endpoint
    async def start(self, request: Request) -> Response:
        """302 to the provider."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        flow = Flow(state, nonce, verifier, local_path(request.query_params.get("next")))
        try:
            url = await self._provider.authorization_url(flow, self._own_url(request, CALLBACK))
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
            token = await self._provider.id_token(flow, self._own_url(request, CALLBACK), str(request.url))
        except ProviderError as error:
            raise SignInFailed(failure_of(error)) from None
        now, person = self._clock(), self._person(token.claims)
        kept = self._cipher.encrypt(token.text, now)
        try:
            return await sign_in_provided(self._database, person, client_of(request), now, id_token=kept)
        except RequestError as error:
            log.warning("identity provider's account refused", code=error.code.value)
            raise SignInFailed(DISABLED if error.code is ErrorCode.BAD_CREDENTIALS else NO_ROLE) from None

    async def sign_out_url(self, request: Request, kept: str | None) -> str | None:
        """Where the browser ends the sign-in at the provider as well. `kept` is the ended login's ID token.

        None for a login that was not made there, and where the provider offers no such address or does not answer: the
        person is signed out here all the same.
        """
        id_token = None if kept is None else self._cipher.decrypt(kept, self._clock())
        if id_token is None:
            return None
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._provider.end_session_url(id_token, self._own_url(request, SIGNED_OUT))
        except (ProviderError, TimeoutError) as error:
            log.warning("nobody is signed out at the identity provider", reason=str(error) or type(error).__name__)
            return None

    def _person(self, claims: dict[str, Any]) -> ProvidedPerson:
        person = self._mapping.person(self._provider.issuer, claims)
        if person is None:
            raise SignInFailed(NO_ROLE)
        return person


def failure_of(error: ProviderError) -> str:
    """The code for an error of the provider, which the log has in full."""
    log.warning("identity provider failed", reason=str(error))
    return SILENT if isinstance(error, ProviderSilent) else FAILED


def redirect_to_sign_in(code: str) -> Response:
    return RedirectResponse(f"/signin/?error={code}", 302, NO_STORE)
