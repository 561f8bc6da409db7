"""An /auth that lives in the browser's routes, for pages in states that a real server rarely is in.

The contract is that of docs/reference/auth.md. A test sets the attributes and reads `requests`.
"""

import datetime as dt
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import BrowserContext, Request, Route

Answer = tuple[int, Any]

COMMANDER = {
    "account": 1,
    "name": "顾长庚",
    "role": "COMMANDER",
    "totp": False,
    "expiresAt": "2030-01-01T00:00:00+00:00",
    "mustChange": False,
}


def failure(status: int, code: str, **extensions: Any) -> Answer:
    return status, {"errors": [{"message": f"Failed: {code}.", "extensions": {"code": code, **extensions}}]}


@dataclass
class FakeAuth:
    """What the server under /auth knows and how it answers."""

    viewer: dict[str, Any] | None = None
    oidc: dict[str, str] | None = None
    setup: bool = False
    # The server's clock minus the browser's.
    clock_difference: dt.timedelta = dt.timedelta()
    silent: bool = False
    # "POST sign-in" → answers to come, in order; the last one stays. Others are answered with 404.
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    requests: list[tuple[str, Any]] = field(default_factory=list)

    def session(self) -> dict[str, Any]:
        now = dt.datetime.now(dt.UTC) + self.clock_difference
        return {"viewer": self.viewer, "serverTime": now.isoformat(), "oidc": self.oidc, "setup": self.setup}

    async def install(self, context: BrowserContext) -> None:
        await context.route("**/auth/**", self._answer)

    async def _answer(self, route: Route) -> None:
        if self.silent:
            return await route.abort("connectionrefused")
        status, body = self._respond(route.request)
        if body is None:
            return await route.fulfill(status=status)
        return await route.fulfill(status=status, json=body)

    def _respond(self, request: Request) -> Answer:
        name = f"{request.method} {urlsplit(request.url).path.removeprefix('/auth/')}"
        if name == "GET session":
            return 200, self.session()
        self.requests.append((name, json.loads(request.post_data) if request.post_data else None))
        answers = self.answers.get(name, [failure(404, "NOT_FOUND")])
        status, body = answers.pop(0) if len(answers) > 1 else answers[0]
        if name in ("POST sign-in", "POST setup") and status == 200:
            self.viewer = body
            return 200, self.session()
        if name == "POST sign-out":
            self.viewer = None
        return status, body
