"""Who sends a request, from its bearer token."""

import datetime as dt
from collections import OrderedDict
from collections.abc import Callable

from models.db.database import Database
from models.visibility import Role, Scope, Viewer, Visibility
from resolvers.errors import ErrorCode, RequestError
from resolvers.queries import viewers
from web.auth.tokens import Claims, Tokens

KEPT = 1_000
# So long a token's holder is not looked up anew: a badge taken back counts after that.
FRESH = dt.timedelta(seconds=30)
GONE = "The token is of somebody who is not in the register."


class Session:
    """A viewer whose stream goes on. `gone` is called when the holder of the token is not who they were.

    `lost` tells the same to whoever could not say in time what to call.
    """

    def __init__(
        self, viewers: "Authenticator", viewer: Viewer | None, token: str = "", claims: Claims | None = None
    ) -> None:
        self._viewers, self.viewer, self.token = viewers, viewer, token
        role = None if claims is None else claims.role
        self.badge = claims.inspector if claims is not None and role is Role.INSPECTOR else None
        self.code = claims.enterprise if claims is not None and role is Role.ENTERPRISE else None
        self.gone: Callable[[], None] = lambda: None
        self.lost = False

    @property
    def key(self) -> int | None:
        """Of the row that stands for the viewer, where one does."""
        if self.viewer is None:
            return None
        return self.viewer.inspector if self.badge else self.viewer.visibility.enterprise

    def release(self) -> None:
        """The stream has ended. It may be called twice."""
        self._viewers.held.discard(self)


class Authenticator:
    """Tokens as viewers. `anonymous` is who a request without a token is, or None where it is nobody."""

    def __init__(
        self, tokens: Tokens, database: Database, clock: Callable[[], dt.datetime], anonymous: Viewer | None
    ) -> None:
        self._tokens, self._database, self._clock, self.anonymous = tokens, database, clock, anonymous
        self._kept: OrderedDict[str, tuple[Viewer, dt.datetime]] = OrderedDict()
        self.held: set[Session] = set()

    def seconds_left(self, viewer: Viewer | None) -> float | None:
        """How long a viewer's token is good; None where it does not end."""
        if viewer is None or viewer.expires_at is None:
            return None
        return max(0.0, (viewer.expires_at - self._clock()).total_seconds())

    async def of(self, authorization: str | None) -> Viewer | None:
        """The viewer of an Authorization header. Raises Refused for a header that names nobody."""
        token = _token(authorization)
        return self.anonymous if token is None else await self.of_token(token)

    def known(self, authorization: str | None) -> Viewer | None:
        """The same where nothing needs to be looked up; else None."""
        if authorization is None:
            return self.anonymous
        scheme, _, token = authorization.partition(" ")
        kept = self._kept.get(token.strip()) if scheme.lower() == "bearer" else None
        return kept[0] if kept is not None and self._clock() < kept[1] else None

    async def hold(self, authorization: str | None) -> Session:
        """The viewer as the register has them at this moment, for a stream. Raises Refused as `of` does."""
        token = _token(authorization)
        if token is None:
            return Session(self, self.anonymous)
        claims = self._tokens.read(token, self._clock())
        holding = Session(self, await self.of_token(token), token, claims)
        if holding.badge or holding.code:
            self.held.add(holding)
            # Looked up after it is held: nobody would tell of what came between.
            await self._recheck([holding])
            if holding.lost:
                raise RequestError(ErrorCode.UNAUTHENTICATED, GONE)
        return holding

    async def recheck(self) -> None:
        """Let all go whose holder is not in the register any more, or is another there."""
        if self.held:
            await self._recheck(list(self.held))

    async def _recheck(self, held: list[Session]) -> None:
        badges, codes = {h.badge for h in held if h.badge}, {h.code for h in held if h.code}
        inspectors, enterprises = await viewers.standing(self._database, badges, codes)
        for holding in held:
            found = inspectors.get(holding.badge) if holding.badge else enterprises.get(holding.code or "")
            if found != holding.key and holding in self.held:
                self._kept.pop(holding.token, None)
                holding.release()
                holding.lost = True
                holding.gone()

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
            raise RequestError(ErrorCode.UNAUTHENTICATED, GONE)
        scopes = claims.scopes if claims.role is Role.INTEGRATOR else frozenset()
        return Viewer(
            Visibility(claims.role, scopes, person.enterprise),
            inspector=person.inspector,
            subject=claims.subject,
            name=claims.name or person.name,
            expires_at=claims.expires_at,
        )


def _token(authorization: str | None) -> str | None:
    """The token in an Authorization header, if there is a header. Raises Refused."""
    if authorization is None:
        return None
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise RequestError(ErrorCode.UNAUTHENTICATED, "Send `Authorization: Bearer <token>`.")
    return token.strip()


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
