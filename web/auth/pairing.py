"""Endpoints that pair screens: a screen starts, shows its code and asks; a commander confirms or refuses.

The manner is that of RFC 8628, the device authorization grant. Starting and asking need no token.
"""

import datetime as dt
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from models import Role
from models.db.database import Database
from resolvers.pairings import (
    INTERVAL,
    LIFETIME,
    ask_for_token,
    confirm_pairing,
    deny_pairing,
    list_pairings,
    shown_code,
    start_pairing,
)
from web.admission import Admission, host_of
from web.auth.commander import commander
from web.auth.json_api import Body, Text, answer, endpoint, no_content, read_body
from web.auth.tokens import Tokens

CONFIRM_PAGE = "signin/pair/"
WITHOUT_CREDENTIALS: dict[bytes, bytes] = {}  # a screen has none; it counts for its address


class AskBody(Body):
    device_code: Text


class ConfirmBody(Body):
    name: Text


class PairingEndpoints:
    def __init__(
        self, database: Database, tokens: Tokens, admission: Admission, clock: Callable[[], dt.datetime]
    ) -> None:
        self._database, self._tokens, self._admission, self._clock = database, tokens, admission, clock

    @property
    def routes(self) -> list[Route]:
        return [
            Route("/auth/pairings", self.list, methods=["GET"]),
            Route("/auth/pairings", self.start, methods=["POST"]),
            Route("/auth/pairings/token", self.ask, methods=["POST"]),
            Route("/auth/pairings/{code}", self.confirm, methods=["POST"]),
            Route("/auth/pairings/{code}", self.deny, methods=["DELETE"]),
        ]

    @endpoint
    async def start(self, request: Request) -> Response:
        """201 with the code to show, the code to ask with, and the address where a commander confirms."""
        await self._admission.admit(WITHOUT_CREDENTIALS, host_of(request.scope))
        started = await start_pairing(self._database, host_of(request.scope), self._clock())
        code = shown_code(started.user_code)
        return answer(
            {
                "userCode": code,
                "deviceCode": started.device_code,
                "expiresIn": int(LIFETIME.total_seconds()),
                "interval": INTERVAL,
                "address": f"{request.base_url}{CONFIRM_PAGE}?code={code}",
            },
            201,
        )

    @endpoint
    async def ask(self, request: Request) -> Response:
        """200 with the screen's token, or why there is none (yet)."""
        await self._admission.admit(WITHOUT_CREDENTIALS, host_of(request.scope))
        body = await read_body(request, AskBody)
        row = await ask_for_token(self._database, body.device_code, self._tokens.key_id, self._clock())
        return answer(
            {"token": self._tokens.sign(row, Role.WALL), "name": row.name, "expiresAt": row.expires_at.isoformat()}
        )

    @endpoint
    async def list(self, request: Request) -> Response:
        await commander(self._admission, request)
        waiting = await list_pairings(self._database, self._clock())
        return answer(
            {
                "pairings": [
                    {
                        "userCode": shown_code(each.user_code),
                        "address": each.address,
                        "createdAt": each.created_at.isoformat(),
                        "expiresAt": each.expires_at.isoformat(),
                    }
                    for each in waiting
                ]
            }
        )

    @endpoint
    async def confirm(self, request: Request) -> Response:
        """200 with the id of the token that the screen gets."""
        confirmed_by, body = await commander(self._admission, request), await read_body(request, ConfirmBody)
        code: str = request.path_params["code"]
        row = await confirm_pairing(self._database, code, body.name, confirmed_by.identity, self._clock())
        return answer({"id": row.id, "name": row.name, "expiresAt": row.expires_at.isoformat()})

    @endpoint
    async def deny(self, request: Request) -> Response:
        await commander(self._admission, request)
        await deny_pairing(self._database, request.path_params["code"], self._clock())
        return no_content()
