"""Who sends a request, from its bearer token."""

import datetime as dt
from collections import OrderedDict
from collections.abc import Callable

from models.database import Database
from models.visibility import Role, Scope, Viewer, Visibility
from resolvers import viewers
from resolvers.refusals import Code, Refused
from web.tokens import Claims, Tokens

KEPT = 1_000
# So long a token's holder is not looked up anew: a badge taken back counts after that.
FRESH = dt.timedelta(seconds=30)


class Viewers:
    """Tokens as viewers. `anonymous` is who a request without a token is, or None where it is nobody."""

    def __init__(
        self, tokens: Tokens, database: Database, clock: Callable[[], dt.datetime], anonymous: Viewer | None
    ) -> None:
        self._tokens, self._database, self._clock, self.anonymous = tokens, database, clock, anonymous
        self._kept: OrderedDict[str, tuple[Viewer, dt.datetime]] = OrderedDict()

    def seconds_left(self, viewer: Viewer | None) -> float | None:
        """How long a viewer's token is good; None where it does not end."""
        if viewer is None or viewer.expires_at is None:
            return None
        return max(0.0, (viewer.expires_at - self._clock()).total_seconds())

    async def of(self, authorization: str | None) -> Viewer | None:
        """The viewer of an Authorization header. Raises Refused for a header that names nobody."""
        if authorization is None:
            return self.anonymous
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Refused(Code.UNAUTHENTICATED, "Send `Authorization: Bearer <token>`.")
        return await self.of_token(token.strip())

    async def of_token(self, token: str) -> Viewer:
        """Raises Refused for a token that is not ours, has ended, or whose holder is not there any more."""
        now = self._clock()
        kept = self._kept.get(token)
        if kept is not None and now < kept[1]:
            return kept[0]
        viewer = await self._viewer(self._tokens.read(token, now))
        self._kept[token] = (viewer, min(now + FRESH, viewer.expires_at or now))
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return viewer

    async def _viewer(self, claims: Claims) -> Viewer:
        person = await viewers.find(self._database, claims.role, claims.inspector, claims.enterprise)
        if person is None:
            raise Refused(Code.UNAUTHENTICATED, "The token is of somebody who is not in the register.")
        scopes = claims.scopes if claims.role is Role.INTEGRATOR else frozenset()
        return Viewer(
            Visibility(claims.role, scopes, person.enterprise),
            inspector=person.inspector,
            subject=claims.subject,
            name=claims.name or person.name,
            expires_at=claims.expires_at,
        )


DEMO_TTL = dt.timedelta(hours=12)


async def demo_viewers(tokens: Tokens, database: Database, now: dt.datetime) -> list[dict[str, str]]:
    """A token for each role of the demo: {label, token}. The inspector and the enterprise are the first ones."""
    until = now + DEMO_TTL
    claims = [Claims(Role.COMMANDER, until, subject="commander", name="演示指挥长")]
    first = await viewers.first(database)
    if first.badge is not None:
        claims.append(Claims(Role.INSPECTOR, until, subject=first.badge, inspector=first.badge))
    if first.code is not None:
        claims.append(Claims(Role.ENTERPRISE, until, subject=first.code, enterprise=first.code))
    claims.append(Claims(Role.WALL, until, subject="wall"))
    claims.append(Claims(Role.INTEGRATOR, until, subject="program", scopes=frozenset(Scope)))
    return [{"label": c.role.name.capitalize(), "token": tokens.make(c)} for c in claims]
