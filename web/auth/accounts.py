"""Endpoints for the commander, who manages the accounts."""

import datetime as dt
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from models import Account, Role
from models.db.database import Database
from models.reason import Reason
from resolvers.accounts.audit import Actor
from resolvers.accounts.records import (
    AccountRole,
    Changes,
    ListedAccount,
    NewAccount,
    change_account,
    check_full_name,
    fold_name,
    list_accounts,
    sign_out_account,
)
from resolvers.errors import ErrorCode, RequestError
from web.admission import Admission
from web.auth.commander import commander
from web.auth.json_api import Body, Text, answer, endpoint, no_content, read_body
from web.auth.own_account import client_of, key_of
from web.auth.sign_in import PasswordSignIn


class NewAccountBody(Body):
    name: Text
    full_name: Text
    role: Text
    inspector: Text | None = None
    enterprise: Text | None = None
    password: Text | None = None


class ChangesBody(Body):
    full_name: Text | None = None
    role: Text | None = None
    inspector: Text | None = None
    enterprise: Text | None = None
    disabled: bool | None = None


class AccountEndpoints:
    """Lists, makes and changes accounts, for commanders."""

    def __init__(
        self,
        database: Database,
        sign_in: PasswordSignIn,
        admission: Admission,
        clock: Callable[[], dt.datetime],
    ) -> None:
        self._database, self._sign_in, self._admission, self._clock = database, sign_in, admission, clock

    @property
    def routes(self) -> list[Route]:
        return [
            Route("/auth/accounts", self.list, methods=["GET"]),
            Route("/auth/accounts", self.create, methods=["POST"]),
            Route("/auth/accounts/{id:key}", self.change, methods=["PATCH"]),
            Route("/auth/accounts/{id:key}/reset", self.reset, methods=["POST"]),
            Route("/auth/accounts/{id:key}/logins", self.end_logins, methods=["DELETE"]),
        ]

    async def _commander(self, request: Request) -> Actor:
        viewer = await commander(self._admission, request)
        return Actor(viewer.identity, client_of(request).address)

    @endpoint
    async def list(self, request: Request) -> Response:
        await self._commander(request)
        accounts = await list_accounts(self._database)
        return answer({"accounts": [listed_json(each) for each in accounts]})

    @endpoint
    async def create(self, request: Request) -> Response:
        """201 with the account, and a one-time password unless the request has a password."""
        actor, body = await self._commander(request), await read_body(request, NewAccountBody)
        new = NewAccount(
            name=fold_name(body.name),
            full_name=check_full_name(body.full_name),
            role=account_role(body.role, body.inspector, body.enterprise),
        )
        account, one_time = await self._sign_in.create(new, body.password, actor)
        return answer({**account_json(account), "password": one_time}, 201)

    @endpoint
    async def change(self, request: Request) -> Response:
        actor, body = await self._commander(request), await read_body(request, ChangesBody)
        if body.role is None and (body.inspector is not None or body.enterprise is not None):
            raise RequestError(ErrorCode.BAD_INPUT, Reason("ROLE_NEEDED", "Send `role` too."))
        changes = Changes(
            full_name=None if body.full_name is None else check_full_name(body.full_name),
            role=None if body.role is None else account_role(body.role, body.inspector, body.enterprise),
            disabled=body.disabled,
        )
        account = await change_account(self._database, key_of(request), changes, actor, self._clock())
        return answer(account_json(account))

    @endpoint
    async def reset(self, request: Request) -> Response:
        actor = await self._commander(request)
        return answer({"password": await self._sign_in.reset(key_of(request), actor)})

    @endpoint
    async def end_logins(self, request: Request) -> Response:
        """204; what was opened with a login of the account closes within five seconds."""
        actor = await self._commander(request)
        await sign_out_account(self._database, key_of(request), actor, self._clock())
        return no_content()


def account_role(role: str, inspector: str | None, enterprise: str | None) -> AccountRole:
    """Raises RequestError for a role that does not exist."""
    try:
        return AccountRole(kind=Role[role], inspector=inspector, enterprise=enterprise)
    except KeyError:
        raise RequestError(
            ErrorCode.BAD_INPUT, Reason("ROLE_UNKNOWN", "`role` is COMMANDER, INSPECTOR, ENTERPRISE or WALL.")
        ) from None


def account_json(account: Account) -> dict[str, Any]:
    return {
        "id": account.id,
        "name": account.name,
        "fullName": account.full_name,
        "role": account.role.name,
        "totp": account.totp_confirmed_at is not None,
        "mustChange": account.must_change,
        "oidc": account.oidc_issuer is not None,
        "createdAt": account.created_at.isoformat(),
        "disabledAt": None if account.disabled_at is None else account.disabled_at.isoformat(),
    }


def listed_json(listed: ListedAccount) -> dict[str, Any]:
    return {**account_json(listed.account), "inspector": listed.inspector, "enterprise": listed.enterprise}
