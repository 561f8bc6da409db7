"""Finds out who sends a request, from its credentials, and ends what was opened with credentials that count no more."""

import asyncio
import datetime as dt
import sys
from collections.abc import Callable, Collection, Iterable

from models.byte_cache import ByteCache, shares
from models.db.database import Database
from models.failures import FAILURES
from models.reason import Reason
from models.visibility import Role, Scope, Viewer
from resolvers.accounts.logins import hash_secret
from resolvers.errors import ErrorCode, RequestError
from resolvers.queries import viewers
from resolvers.queries.holders import Proof, find_holders
from web.auth.credentials import Credentials
from web.auth.provider_tokens import TokenProvider
from web.auth.tokens import Claims, Tokens
from web.auth.viewers import Holders, Identified, KnownViewer, Usage, proofs_of, same

VIEWER_BYTES = 1_500  # of a viewer and what the credentials say, besides the credentials
# A viewer is looked up again after this long, whether or not the poll could.
FRESH = dt.timedelta(seconds=30)
POLL_SECONDS = 1.0
REGISTER = ("inspector", "enterprise")
SIGNED_OUT = Reason("SIGNED_OUT", "This sign-in has ended: sign in again.")
REVOKED = Reason("TOKEN_REVOKED", "This token has been revoked.")
DEMO_ONLY = Reason("TOKEN_OF_DEMO", "This token is for demo mode: it was not issued by this server.")
HOLDER_GONE = Reason("HOLDER_GONE", "The holder of this token is not in the register.")


class Session:
    """A viewer with a live stream. `on_revoked` is called when the credentials count no more.

    `revoked` says the same to a caller that had not set `on_revoked` in time.
    """

    def __init__(
        self,
        authenticator: "Authenticator",
        viewer: Viewer | None,
        credentials: Credentials | None = None,
        identified: Identified | None = None,
    ) -> None:
        self._authenticator, self.viewer = authenticator, viewer
        self.credentials, self.identified = credentials, identified
        self.on_revoked: Callable[[], None] = lambda: None
        self.revoked = False

    def agrees(self, holders: Holders, now: dt.datetime) -> bool:
        """Whether the database still says the same. A stream's own timer ends it when the credentials expire."""
        if self.identified is None or self.viewer is None:
            return True
        has_expired = self.viewer.expires_at is not None and self.viewer.expires_at <= now
        return has_expired or ((current := self.identified.viewer(holders)) is not None and same(current, self.viewer))

    def release(self) -> None:
        """The stream has ended. May be called twice."""
        self._authenticator.sessions.discard(self)


class Authenticator:
    """Turns credentials into viewers. `anonymous` is the viewer of a request without any, or None to refuse it.

    `demo` accepts tokens that were signed with the server's secret but not issued. `provider` knows the tokens of an
    identity provider. `totp_roles` are the roles whose people need TOTP besides a password.
    """

    def __init__(
        self,
        tokens: Tokens,
        database: Database,
        clock: Callable[[], dt.datetime],
        anonymous: Viewer | None,
        *,
        demo: bool = False,
        provider: TokenProvider | None = None,
        totp_roles: Collection[Role] = (),
        cache_bytes: int = shares().viewers,
    ) -> None:
        self._tokens, self._database, self._clock, self.anonymous, self._demo = tokens, database, clock, anonymous, demo
        self._provider, self._totp_roles = provider, totp_roles
        self.cache = ByteCache[Credentials, KnownViewer](cache_bytes)
        self.sessions: set[Session] = set()
        self._usage = Usage(database, clock)
        self._polling: asyncio.Task[None] | None = None
        self._stopped = False

    def seconds_left(self, viewer: Viewer | None) -> float | None:
        """How long a viewer's credentials are still valid; None when they do not expire."""
        if viewer is None or viewer.expires_at is None:
            return None
        return max(0.0, (viewer.expires_at - self._clock()).total_seconds())

    def knows(self, credentials: Credentials) -> bool:
        """Whether these credentials counted a while ago, or are a token that this server signed.

        It takes no look into the database, and they may be out of date by now.
        """
        if credentials in self.cache:
            return True
        if credentials.scheme == "cookie":
            return False
        try:
            self._tokens.read(credentials.secret, self._clock())
        except RequestError:
            return False
        return True

    async def authenticate(self, credentials: Credentials | None) -> Viewer | None:
        """The viewer with these credentials. Raises RequestError for credentials that do not count."""
        if credentials is None:
            return self.anonymous
        now = self._clock()
        cached = self.cache.get(credentials)
        if cached is not None and now < cached.until:
            return cached.viewer
        identified = await self._identify(credentials, now)
        viewer = await self._find(identified, now)
        known = KnownViewer(viewer, identified, min(now + FRESH, viewer.expires_at or now))
        self.cache.put(credentials, known, VIEWER_BYTES + sys.getsizeof(credentials.secret))
        return viewer

    async def open_session(self, credentials: Credentials | None) -> Session:
        """The viewer as the database has them now, for a stream. Raises RequestError like `authenticate`."""
        if credentials is None:
            return Session(self, self.anonymous)
        identified = await self._identify(credentials, self._clock())
        session = Session(self, await self.authenticate(credentials), credentials, identified)
        # Added before the look-up: a removal before the look-up is seen by it, a later one by the next check.
        self.sessions.add(session)
        try:
            await self._check([session])
        except BaseException:
            session.release()
            raise
        if session.revoked:
            raise RequestError(ErrorCode.UNAUTHENTICATED, refusal(identified))
        return session

    async def _identify(self, credentials: Credentials, now: dt.datetime) -> Identified:
        """Raises RequestError for a token that is invalid or expired."""
        if credentials.scheme == "cookie":
            return Identified(Proof("login", hash_secret(credentials.secret)))
        if self._provider is not None and not self._tokens.signed(credentials.secret):
            return await self._provider.identify(credentials.secret)
        claims = self._tokens.read(credentials.secret, now)
        if claims.id is not None:
            return Identified(Proof("token", claims.id), claims)
        if not self._demo:
            raise RequestError(ErrorCode.UNAUTHENTICATED, DEMO_ONLY)
        if claims.role is Role.INSPECTOR:
            return Identified(Proof("inspector", claims.inspector or ""), claims)
        if claims.role is Role.ENTERPRISE:
            return Identified(Proof("enterprise", claims.enterprise or ""), claims)
        return Identified(None, claims)

    async def _find(self, identified: Identified, now: dt.datetime) -> Viewer:
        """Raises RequestError where the database does not confirm it."""
        holders = await self._holders([identified], now)
        viewer = identified.viewer(holders)
        if viewer is None:
            raise RequestError(ErrorCode.UNAUTHENTICATED, refusal(identified))
        for proof, holder in holders.items():
            self._usage.note(proof, holder)
        return viewer

    async def _holders(self, identified: Iterable[Identified | None], now: dt.datetime) -> Holders:
        proofs = proofs_of(identified)
        return await find_holders(self._database, proofs, now, self._totp_roles) if proofs else {}

    # -- checking what is open --

    async def recheck(self) -> None:
        """End every session whose holder is no longer in the register, or is a different row there.

        The feed awaits this between reading events and handing them out, so a holder gets no event that was committed
        after their removal. The order of three steps gives that guarantee:

        1. The feed has read the event, so the event is committed, and so is the removal that came before it.
        2. The register is read only after that, in a new transaction, so this look-up sees the removal.
        3. `on_revoked` leaves the stream at once, without waiting, and the event is handed out only afterwards.

        A session that is opened meanwhile is in `sessions` already, or is found in the register by `open_session` after
        the removal was committed. When the register cannot be read, this raises, and the feed hands nothing out.
        """
        by_register = [session for session in self.sessions if of_register(session.identified)]
        if by_register:
            await self._check(by_register)

    async def _check(self, sessions: list[Session]) -> None:
        now = self._clock()
        self._end_those_gone(sessions, await self._holders((s.identified for s in sessions), now), now)

    async def poll(self) -> None:
        """End every session, and forget every viewer, whose token, login or account counts no more.

        One statement for each kind of credentials, whatever their number; none where nothing is open or in use.
        """
        now = self._clock()
        for credentials, cached in list(self.cache.items()):
            if cached.until <= now:
                self.cache.pop(credentials)
        sessions, entries = list(self.sessions), list(self.cache.items())
        identified = [*(s.identified for s in sessions), *(cached.identified for _, cached in entries)]
        holders = await self._holders(identified, now)
        for credentials, cached in entries:
            if not cached.agrees(holders) and self.cache.get(credentials) is cached:
                self.cache.pop(credentials)
        self._end_those_gone(sessions, holders, now)
        for proof in proofs_of(session.identified for session in self.sessions):
            if proof in holders:
                self._usage.note(proof, holders[proof])
        await self._usage.write_when_due()

    def _end_those_gone(self, sessions: list[Session], holders: Holders, now: dt.datetime) -> None:
        for session in sessions:
            if session in self.sessions and not session.agrees(holders, now):
                if session.credentials is not None:
                    self.cache.pop(session.credentials)
                session.release()
                session.revoked = True
                session.on_revoked()

    def start(self) -> None:
        """Poll from now on."""
        self._polling = asyncio.create_task(self._poll_until_stopped())

    async def _poll_until_stopped(self) -> None:
        while not self._stopped:
            await asyncio.sleep(POLL_SECONDS)
            try:
                await self.poll()
            except Exception as error:  # the database is away; it may come back
                FAILURES.note("credentials cannot be checked", error)

    async def stop(self) -> None:
        # A driver may answer a cancellation with an error of its own, which the loop would take for an outage.
        self._stopped = True
        if self._polling is not None:
            self._polling.cancel()
            await asyncio.gather(self._polling, return_exceptions=True)
        try:
            await self._usage.write()
        except Exception as error:  # it only tells when a token was used last
            FAILURES.note("the use of tokens cannot be written", error)


def of_register(identified: Identified | None) -> bool:
    """Whether a demo's token names its holder by a badge or code of the register, which may be given to another."""
    return identified is not None and identified.proof is not None and identified.proof.kind in REGISTER


def refusal(identified: Identified) -> Reason:
    """Why the database does not confirm credentials."""
    kind = "" if identified.proof is None else identified.proof.kind
    return {"token": REVOKED, "login": SIGNED_OUT}.get(kind, HOLDER_GONE)


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
