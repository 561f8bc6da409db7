"""Endpoints for commanders, who issue, list and revoke tokens."""

import datetime as dt
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from models.db.database import Database
from models.reason import Reason
from models.visibility import Role, Scope
from resolvers.errors import ErrorCode, RequestError
from resolvers.tokens import ListedToken, NewToken, issue_token, list_tokens, revoke_token
from web.admission import Admission
from web.auth.commander import commander
from web.auth.json_api import Body, Text, answer, endpoint, no_content, read_body
from web.auth.tokens import Tokens, duration


class NewTokenBody(Body):
    name: Text | None = None
    account: Text | None = None
    role: Text | None = None
    inspector: Text | None = None
    enterprise: Text | None = None
    scopes: list[Text] | None = None
    ttl: Text = "8h"


class TokenEndpoints:
    def __init__(
        self, database: Database, tokens: Tokens, admission: Admission, clock: Callable[[], dt.datetime]
    ) -> None:
        self._database, self._tokens, self._admission, self._clock = database, tokens, admission, clock

    @property
    def routes(self) -> list[Route]:
        return [
            Route("/auth/tokens", self.list, methods=["GET"]),
            Route("/auth/tokens", self.issue, methods=["POST"]),
            Route("/auth/tokens/{id:key}", self.revoke, methods=["DELETE"]),
        ]

    @endpoint
    async def list(self, request: Request) -> Response:
        """The tokens that count; with `?ended=true` also those that were revoked or have expired."""
        await commander(self._admission, request)
        ended = request.query_params.get("ended") == "true"
        listed = await list_tokens(self._database, self._clock(), ended=ended)
        return answer({"tokens": [listed_json(each) for each in listed]})

    @endpoint
    async def issue(self, request: Request) -> Response:
        """201 with the row and the token itself, which is not shown again."""
        issuer, body = await commander(self._admission, request), await read_body(request, NewTokenBody)
        issued = await issue_token(self._database, new_token(body), self._tokens.key_id, issuer.identity, self._clock())
        return answer({**listed_json(issued), "token": self._tokens.sign(issued.token, issued.role)}, 201)

    @endpoint
    async def revoke(self, request: Request) -> Response:
        revoked_by, key = await commander(self._admission, request), request.path_params["id"]
        if not await revoke_token(self._database, key, revoked_by.identity, self._clock()):
            raise RequestError(
                ErrorCode.NOT_FOUND, Reason("TOKEN_UNKNOWN", "There is no such token, or it has ended already.")
            )
        return no_content()


def new_token(body: NewTokenBody) -> NewToken:
    """Raises RequestError."""
    try:
        return NewToken(
            ttl=duration(body.ttl),
            name=body.name,
            account=body.account,
            role=None if body.role is None else Role[body.role],
            inspector=body.inspector,
            enterprise=body.enterprise,
            scopes=frozenset(Scope(scope) for scope in body.scopes or ()),
        )
    except (KeyError, ValueError):
        reason = Reason(
            "TOKEN_FIELDS",
            "`role` is a role such as WALL, `scopes` are scopes such as read, `ttl` is a time such as 30d.",
        )
        raise RequestError(ErrorCode.BAD_INPUT, reason) from None


def listed_json(listed: ListedToken) -> dict[str, Any]:
    token = listed.token
    return {
        "id": token.id,
        "kind": token.kind.name,
        "name": token.name,
        "role": listed.role.name,
        "scopes": sorted(scope.value for scope in token.scopes),
        "account": listed.account,
        "inspector": listed.inspector,
        "enterprise": listed.enterprise,
        "issuedBy": token.issued_by,
        "issuedAt": token.issued_at.isoformat(),
        "expiresAt": token.expires_at.isoformat(),
        "lastUsedAt": None if token.last_used_at is None else token.last_used_at.isoformat(),
        "revokedBy": token.revoked_by,
        "revokedAt": None if token.revoked_at is None else token.revoked_at.isoformat(),
    }
