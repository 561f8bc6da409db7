"""An /auth that lives in the browser's routes, for pages in states that a real server rarely is in.

A test sets the attributes and reads `requests`. `test_signin_end_to_end.py` has the real server in its place.
"""

import datetime as dt
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import BrowserContext, Request, Route

Answer = tuple[int, Any]

Json = dict[str, Any]

MORNING, LATER = "2026-06-15T08:00:00+08:00", "2030-01-01T00:00:00+08:00"
WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/130.0 Safari/537.36 Edg/130.0"
PHONE = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/120.0 Mobile Safari/537.36"

COMMANDER: Json = {
    "account": 1,
    "name": "gu.changgeng",
    "fullName": "顾长庚",
    "role": "COMMANDER",
    "totp": False,
    "password": True,
    "mustChange": False,
    "mustSetUpTotp": False,
    "expiresAt": LATER,
}


def login(number: int, agent: str, *, current: bool) -> Json:
    times = {"createdAt": MORNING, "lastSeenAt": MORNING, "expiresAt": LATER}
    return {"id": number, **times, "address": f"10.33.1.{number}", "agent": agent, "current": current}


def account(number: int, name: str, full_name: str, role: str, **more: Any) -> Json:
    state = {"totp": False, "mustChange": False, "oidc": False, "createdAt": MORNING, "disabledAt": None}
    holder = {"inspector": None, "enterprise": None}
    return {"id": number, "name": name, "fullName": full_name, "role": role, **state, **holder, **more}


def token(number: int, kind: str, name: str, role: str, *scopes: str) -> Json:
    holder = {"account": None, "inspector": None, "enterprise": None}
    times = {"issuedAt": MORNING, "expiresAt": LATER, "lastUsedAt": None}
    return {"id": number, "kind": kind, "name": name, "role": role, "scopes": scopes, **holder, **times}


# An answer of "POST totp".
PROPOSED = {"secret": "JBSWY3DPEHPK3PXP", "uri": "otpauth://totp/Huhang:gu?secret=JBSWY3DPEHPK3PXP&issuer=Huhang"}
# Changes of the viewer by a request that succeeds.
EFFECTS = {"POST password": {"mustChange": False}, "POST totp/confirm": {"totp": True, "mustSetUpTotp": False}}
LOGINS = [login(1, WINDOWS, current=True), login(2, PHONE, current=False)]
ACCOUNTS = [
    account(1, "gu.changgeng", "顾长庚", "COMMANDER"),
    account(2, "zhou.yan", "周砚", "COMMANDER", oidc=True),
    account(3, "he.ruogu", "何若谷", "INSPECTOR", inspector="XS-0021", mustChange=True),
    account(4, "luo.huaijin", "骆怀瑾", "ENTERPRISE", enterprise="91350100M000100Y43", disabledAt=MORNING),
]
TOKENS = [
    token(1, "SCREEN", "指挥厅左侧", "WALL"),
    token(2, "PROGRAM", "水利雨量", "INTEGRATOR", "readings", "warnings"),
]
WAITING = [{"userCode": "7KQ4-M2XW", "address": "10.33.4.9", "createdAt": MORNING, "expiresAt": LATER}]


def commander_answers() -> dict[str, list[Answer]]:
    """What a commander's pages read."""
    return {
        "GET logins": [(200, {"logins": LOGINS})],
        "GET accounts": [(200, {"accounts": ACCOUNTS})],
        "GET tokens": [(200, {"tokens": TOKENS})],
        "GET pairings": [(200, {"pairings": WAITING})],
    }


def screen_answers() -> dict[str, list[Answer]]:
    """What a screen that waits for its pairing gets."""
    started = {"userCode": "7KQ4-M2XW", "deviceCode": "d", "expiresIn": 600, "interval": 5, "address": "unused"}
    return {"POST pairings": [(201, started)], "POST pairings/token": [failure(400, "AUTHORIZATION_PENDING")]}


def failure(status: int, code: str, **extensions: Any) -> Answer:
    return status, {"errors": [{"message": f"Failed: {code}.", "extensions": {"code": code, **extensions}}]}


@dataclass
class FakeAuth:
    """What the server under /auth knows and how it answers."""

    viewer: Json | None = None
    oidc: dict[str, str] | None = None
    setup: bool = False
    notice: dict[str, str] | None = None
    # The server's clock minus the browser's.
    clock_difference: dt.timedelta = dt.timedelta()
    silent: bool = False
    # "POST sign-in" → answers to come, in order; the last one stays. Others are answered with 404.
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    requests: list[tuple[str, Any]] = field(default_factory=list)

    def session(self) -> dict[str, Any]:
        now = dt.datetime.now(dt.UTC) + self.clock_difference
        return {
            "viewer": self.viewer,
            "serverTime": now.isoformat(),
            "oidc": self.oidc,
            "setup": self.setup,
            "notice": self.notice,
        }

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
        if self.viewer is not None and status < 400:
            self.viewer = {**self.viewer, **EFFECTS.get(name, {})}
        return status, body
