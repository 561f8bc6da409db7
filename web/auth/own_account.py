"""Endpoints for people with an account of their own: signing in and out, browsers, the password, TOTP, the setup."""

import datetime as dt
from collections.abc import Awaitable, Callable, Collection
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from models import AccountEventKind, Role
from models.db.database import Database
from models.reason import Reason
from resolvers.accounts.audit import account_actor
from resolvers.accounts.logins import Client, CurrentLogin, end_login, find_login, hash_secret, list_logins
from resolvers.accounts.records import any_account
from resolvers.errors import SIGN_IN_FIRST, ErrorCode, RequestError
from web.admission import Admission, host_of
from web.auth import totp
from web.auth.cookies import Cookies
from web.auth.credentials import session_cookie
from web.auth.json_api import Body, Text, answer, endpoint, no_content, read_body
from web.auth.sign_in import PasswordSignIn
from web.demo import notice

AGENT_MAXIMUM = 200

ProviderSignOut = Callable[[Request, str | None], Awaitable[str | None]]


class SignInBody(Body):
    name: Text
    password: Text
    code: Text | None = None


class PasswordBody(Body):
    current: Text
    new: Text


class ProofBody(Body):
    password: Text


class CodeBody(Body):
    code: Text


class SetupBody(Body):
    key: Text
    name: Text
    full_name: Text | None = None
    password: Text


class OwnAccountEndpoints:
    """`oidc_label` names the identity provider, if there is one, and `provider_sign_out` gives the address where the
    browser signs out there, from the ID token of the login that ended. `totp_roles` are the roles whose people need
    TOTP besides a password.
    """

    def __init__(
        self,
        database: Database,
        sign_in: PasswordSignIn,
        cookies: Cookies,
        admission: Admission,
        clock: Callable[[], dt.datetime],
        *,
        demo: bool,
        oidc_label: str | None,
        provider_sign_out: ProviderSignOut | None,
        totp_roles: Collection[Role],
    ) -> None:
        self._database, self._sign_in, self._cookies, self._clock = database, sign_in, cookies, clock
        self._admission, self._demo, self._setup, self._totp_roles = admission, demo, not demo, totp_roles
        self._oidc_label, self._provider_sign_out = oidc_label, provider_sign_out

    @property
    def routes(self) -> list[Route]:
        return [
            Route("/auth/session", self.session, methods=["GET"]),
            Route("/auth/sign-in", self.sign_in, methods=["POST"]),
            Route("/auth/sign-out", self.sign_out, methods=["POST"]),
            Route("/auth/logins", self.logins, methods=["GET"]),
            Route("/auth/logins/{id:key}", self.end_login, methods=["DELETE"]),
            Route("/auth/password", self.change_password, methods=["POST"]),
            Route("/auth/totp", self.propose_totp, methods=["POST"]),
            Route("/auth/totp", self.remove_totp, methods=["DELETE"]),
            Route("/auth/totp/confirm", self.confirm_totp, methods=["POST"]),
            Route("/auth/setup", self.set_up, methods=["POST"]),
        ]

    # -- who is signed in --

    def _count(self, request: Request) -> None:
        """Raises RequestError when an address sends too many requests."""
        shares = self._admission.shares
        shares.count(shares.party(None, host_of(request.scope)), 1)

    async def _login(self, request: Request) -> CurrentLogin | None:
        self._count(request)
        cookie = session_cookie(request.headers.get("cookie", "").encode("latin-1"))
        if cookie is None:
            return None
        return await self._find(cookie.secret)

    async def _find(self, secret: str) -> CurrentLogin | None:
        return await find_login(self._database, hash_secret(secret), self._clock(), self._totp_roles)

    async def _required(self, request: Request, *, restricted: bool = False) -> CurrentLogin:
        """Raises RequestError without a login. One that gives no rights yet counts only with `restricted`."""
        login = await self._login(request)
        if login is None or (login.restricted and not restricted):
            raise RequestError(ErrorCode.UNAUTHENTICATED, SIGN_IN_FIRST)
        return login

    async def _for_totp(self, request: Request) -> CurrentLogin:
        """The login of a person who may set TOTP up: not with a one-time password, which others may know."""
        login = await self._required(request, restricted=True)
        if login.must_change:
            raise RequestError(ErrorCode.UNAUTHENTICATED, SIGN_IN_FIRST)
        return login

    async def _session(self, request: Request, login: CurrentLogin | None) -> dict[str, Any]:
        if self._setup and (login is not None or await any_account(self._database)):
            self._setup = False  # for good: accounts are never deleted
        return {
            "viewer": None if login is None else viewer_json(login),
            "serverTime": self._clock().isoformat(),
            "oidc": None if self._oidc_label is None else {"label": self._oidc_label},
            "setup": self._setup,
            "notice": notice(request.scope) if self._demo else None,
        }

    async def _signed_in(self, request: Request, secret: str) -> Response:
        """The session of a new login, with its cookie."""
        login = await self._find(secret)
        response = answer(await self._session(request, login))
        self._cookies.sign_in(request, response, secret)
        return response

    @endpoint
    async def session(self, request: Request) -> Response:
        return answer(await self._session(request, await self._login(request)))

    # -- signing in and out --

    @endpoint
    async def sign_in(self, request: Request) -> Response:
        self._count(request)
        self._cookies.check(request)
        body = await read_body(request, SignInBody)
        secret = await self._sign_in.sign_in(body.name, body.password, body.code, client_of(request))
        return await self._signed_in(request, secret)

    @endpoint
    async def set_up(self, request: Request) -> Response:
        self._count(request)
        self._cookies.check(request)
        body = await read_body(request, SetupBody)
        full_name = body.full_name or body.name
        secret = await self._sign_in.set_up(body.key, body.name, full_name, body.password, client_of(request))
        return await self._signed_in(request, secret)

    @endpoint
    async def sign_out(self, request: Request) -> Response:
        """204, or 200 with the address where the browser signs out at the identity provider too."""
        login, ended, url = await self._login(request), None, None
        if login is not None:
            actor = account_actor(login.account_id, client_of(request).address)
            kind = AccountEventKind.SIGNED_OUT
            ended = await end_login(self._database, login.account_id, login.id, actor, self._clock(), kind)
        if ended is not None and self._provider_sign_out is not None:
            url = await self._provider_sign_out(request, ended.id_token)
        response = no_content() if url is None else answer({"next": url})
        self._cookies.sign_out(response)
        return response

    @endpoint
    async def logins(self, request: Request) -> Response:
        current = await self._required(request)
        rows = await list_logins(self._database, current.account_id, self._clock())
        return answer(
            {
                "logins": [
                    {
                        "id": row.id,
                        "createdAt": row.created_at.isoformat(),
                        "lastSeenAt": row.last_seen_at.isoformat(),
                        "expiresAt": row.expires_at.isoformat(),
                        "address": row.address,
                        "agent": row.agent,
                        "current": row.id == current.id,
                    }
                    for row in rows
                ]
            }
        )

    @endpoint
    async def end_login(self, request: Request) -> Response:
        current, now = await self._required(request), self._clock()
        actor = account_actor(current.account_id, client_of(request).address)
        login_id, kind = key_of(request), AccountEventKind.LOGIN_ENDED
        if await end_login(self._database, current.account_id, login_id, actor, now, kind) is None:
            raise RequestError(ErrorCode.NOT_FOUND, Reason("LOGIN_UNKNOWN", "You have no such sign-in."))
        return no_content()

    # -- password and TOTP --

    @endpoint
    async def change_password(self, request: Request) -> Response:
        login, body = await self._required(request, restricted=True), await read_body(request, PasswordBody)
        secret = await self._sign_in.change_password(login, body.current, body.new, client_of(request))
        response = no_content()
        self._cookies.sign_in(request, response, secret)
        return response

    @endpoint
    async def propose_totp(self, request: Request) -> Response:
        login, body = await self._for_totp(request), await read_body(request, ProofBody)
        secret = await self._sign_in.propose_totp(login, body.password, client_of(request))
        return answer({"secret": secret, "uri": totp.uri(secret, login.name)})

    @endpoint
    async def confirm_totp(self, request: Request) -> Response:
        login, body = await self._for_totp(request), await read_body(request, CodeBody)
        await self._sign_in.confirm_totp(login, body.code, client_of(request))
        return no_content()

    @endpoint
    async def remove_totp(self, request: Request) -> Response:
        login, body = await self._required(request), await read_body(request, ProofBody)
        await self._sign_in.remove_totp(login, body.password, client_of(request))
        return no_content()


def viewer_json(login: CurrentLogin) -> dict[str, Any]:
    return {
        "account": login.account_id,
        "name": login.name,
        "fullName": login.full_name,
        "role": login.role.name,
        "totp": login.totp,
        "password": login.password,
        "mustChange": login.must_change,
        "mustSetUpTotp": login.must_set_up_totp,
        "expiresAt": login.expires_at.isoformat(),
    }


def client_of(request: Request) -> Client:
    """Where a request comes from, as text that both databases can store."""
    agent = "".join(c for c in request.headers.get("user-agent", "")[:AGENT_MAXIMUM] if c.isprintable())
    return Client(None if request.client is None else request.client.host, agent or None)


def key_of(request: Request) -> int:
    """The key in the path."""
    key: int = request.path_params["id"]
    return key
