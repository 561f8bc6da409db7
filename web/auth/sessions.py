"""Finds out who sends a request, from its credentials, and ends the sessions of holders who leave the register."""

import datetime as dt
from collections import OrderedDict
from collections.abc import Callable

from models.db.database import Database
from models.visibility import Role, Scope, Viewer, Visibility
from resolvers.errors import ErrorCode, RequestError
from resolvers.queries import viewers
from web.auth.credentials import Credentials
from web.auth.tokens import Claims, Tokens

CACHE_SIZE = 1_000
# A viewer is looked up again after this long. A request by the holder of a removed badge is refused after it.
FRESH = dt.timedelta(seconds=30)
SIGNED_OUT = "This sign-in has ended: sign in again."
HOLDER_GONE = "The holder of this token is not in the register."


class Session:
    """A viewer with a live stream. `on_revoked` is called when the register no longer has the holder as before.

    `revoked` says the same to a caller that had not set `on_revoked` in time.
    """

    def __init__(
        self,
        authenticator: "Authenticator",
        viewer: Viewer | None,
        credentials: Credentials | None = None,
        claims: Claims | None = None,
    ) -> None:
        self._authenticator, self.viewer, self.credentials = authenticator, viewer, credentials
        role = None if claims is None else claims.role
        self.badge = claims.inspector if claims is not None and role is Role.INSPECTOR else None
        self.code = claims.enterprise if claims is not None and role is Role.ENTERPRISE else None
        self.on_revoked: Callable[[], None] = lambda: None
        self.revoked = False

    @property
    def key(self) -> int | None:
        """The key of the viewer's row in the register; None for a role without one."""
        if self.viewer is None:
            return None
        return self.viewer.inspector if self.badge else self.viewer.visibility.enterprise

    def release(self) -> None:
        """The stream has ended. May be called twice."""
        self._authenticator.sessions.discard(self)


class Authenticator:
    """Turns credentials into viewers. `anonymous` is the viewer of a request without any, or None to refuse it."""

    def __init__(
        self, tokens: Tokens, database: Database, clock: Callable[[], dt.datetime], anonymous: Viewer | None
    ) -> None:
        self._tokens, self._database, self._clock, self.anonymous = tokens, database, clock, anonymous
        self._cache: OrderedDict[Credentials, tuple[Viewer, dt.datetime]] = OrderedDict()
        self.sessions: set[Session] = set()

    def seconds_left(self, viewer: Viewer | None) -> float | None:
        """How long a viewer's token is still valid; None when it does not expire."""
        if viewer is None or viewer.expires_at is None:
            return None
        return max(0.0, (viewer.expires_at - self._clock()).total_seconds())

    async def authenticate(self, credentials: Credentials | None) -> Viewer | None:
        """The viewer with these credentials. Raises RequestError for credentials that are not valid."""
        if credentials is None:
            return self.anonymous
        now = self._clock()
        cached = self._cache.get(credentials)
        if cached is not None and now < cached[1]:
            return cached[0]
        viewer = await self._viewer(self._claims(credentials, now))
        self._cache[credentials] = (viewer, min(now + FRESH, viewer.expires_at or now))
        if len(self._cache) > CACHE_SIZE:
            self._cache.popitem(last=False)
        return viewer

    async def open_session(self, credentials: Credentials | None) -> Session:
        """The viewer as the register has them now, for a stream. Raises RequestError like `authenticate`."""
        if credentials is None:
            return Session(self, self.anonymous)
        claims = self._claims(credentials, self._clock())
        session = Session(self, await self.authenticate(credentials), credentials, claims)
        if session.badge or session.code:
            # Added before the look-up: a removal before the look-up is seen by it, a later one by `recheck`.
            self.sessions.add(session)
            await self._recheck([session])
            if session.revoked:
                raise RequestError(ErrorCode.UNAUTHENTICATED, HOLDER_GONE)
        return session

    async def recheck(self) -> None:
        """End every session whose holder is no longer in the register, or is a different row there.

        The feed awaits this between reading events and handing them out, so a holder gets no event that was committed
        after their removal. The order of three steps gives that guarantee:

        1. The feed has read the event, so the event is committed, and so is the removal that came before it.
        2. The register is read only after that, in a new transaction, so this look-up sees the removal.
        3. `on_revoked` leaves the stream at once, without waiting, and the event is handed out only afterwards.

        A session that is opened meanwhile is in `sessions` already, or is checked against the register by
        `open_session` after the removal was committed. When the register cannot be read, this raises, and the feed
        hands nothing out.
        """
        if self.sessions:
            await self._recheck(list(self.sessions))

    async def _recheck(self, sessions: list[Session]) -> None:
        badges, codes = {s.badge for s in sessions if s.badge}, {s.code for s in sessions if s.code}
        inspectors, enterprises = await viewers.current_keys(self._database, badges, codes)
        for session in sessions:
            key = inspectors.get(session.badge) if session.badge else enterprises.get(session.code or "")
            if key != session.key and session in self.sessions:
                if session.credentials is not None:
                    self._cache.pop(session.credentials, None)
                session.release()
                session.revoked = True
                session.on_revoked()

    def _claims(self, credentials: Credentials, now: dt.datetime) -> Claims:
        """Raises RequestError for a token that is invalid or expired."""
        if credentials.scheme == "cookie":
            raise RequestError(ErrorCode.UNAUTHENTICATED, SIGNED_OUT)
        return self._tokens.read(credentials.secret, now)

    async def _viewer(self, claims: Claims) -> Viewer:
        person = await viewers.find_holder(self._database, claims.role, claims.inspector, claims.enterprise)
        if person is None:
            raise RequestError(ErrorCode.UNAUTHENTICATED, HOLDER_GONE)
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
    """A token for each role, as {label, token}. The inspector and the enterprise are the first of the register."""
    until = now + DEMO_TTL
    claims = [Claims(Role.COMMANDER, until, subject="commander", name="演示指挥长")]
    first = await viewers.first_codes(database)
    if first.badge is not None:
        claims.append(Claims(Role.INSPECTOR, until, subject=first.badge, inspector=first.badge))
    if first.code is not None:
        claims.append(Claims(Role.ENTERPRISE, until, subject=first.code, enterprise=first.code))
    claims.append(Claims(Role.WALL, until, subject="wall"))
    claims.append(Claims(Role.INTEGRATOR, until, subject="program", scopes=frozenset(Scope)))
    return [{"label": c.role.name.capitalize(), "token": tokens.make(c)} for c in claims]
