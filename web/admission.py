"""Who comes in: finds a request's viewer and party before anything else of it is looked at, and counts it."""

import math
import time
from collections.abc import Mapping
from typing import Any

import structlog
from limits import RateLimitItemPerMinute
from limits.aio.storage import RedisStorage
from limits.aio.strategies import FixedWindowRateLimiter
from limits.errors import StorageError
from limits.storage import storage_from_string
from starlette.types import Scope

from models.metrics import REFUSED_TOKENS
from models.reason import Reason
from models.request_record import logged_request
from models.visibility import Viewer
from resolvers.errors import ErrorCode, RequestError, ThrottledError
from schema.execution.pace import Turns
from subscriptions.fair_queue import FairQueue, QueueFull
from web.auth.credentials import Credentials, credentials
from web.auth.sessions import Authenticator
from web.shares import Party, Shares, address_key

log = structlog.get_logger(__name__)

# A request's viewer, and whose share it is part of.
Admitted = tuple[Viewer | None, Party]

REDIS_SECONDS = 0.5  # a bus that does not answer is not waited for longer
BLOCKED_MAXIMUM = 10_000  # addresses
INVALID_TOKENS = Reason("INVALID_TOKENS", "Too many invalid tokens from this address.")
LOOK_UPS, LOOK_UP_SECONDS = 16, 1  # cookies of one slowed address that wait, and when others may be sent again


class FailedTokens:
    """Slows addresses down that send invalid tokens: after `per_minute` failures the rest of the minute is refused.

    Failures are counted in Redis if that is the bus, so that all processes know of them. Requests with a valid token
    cost nothing here.
    """

    def __init__(self, per_minute: int, bus_url: str) -> None:
        # The library's own storage in memory takes 5 µs and more for each hit, growing with the number of keys. That is
        # fine for failures; operations are counted by `TokenBucket`.
        if bus_url.startswith("redis"):
            storage = storage_from_string(
                f"async+{bus_url}",
                implementation="redispy",
                wrap_exceptions=True,
                socket_timeout=REDIS_SECONDS,
                socket_connect_timeout=REDIS_SECONDS,
            )
        else:
            storage = storage_from_string("async+memory://")
        self._limiter = FixedWindowRateLimiter(storage)
        self._limit = RateLimitItemPerMinute(per_minute, namespace="HUHANG")
        self._until: dict[str, float] = {}

    @property
    def slowing(self) -> bool:
        """Whether any address is slowed down."""
        return bool(self._until)

    def check(self, host: str | None) -> None:
        """Raises ThrottledError for an address that sent too many invalid tokens."""
        key, now = address_key(host), time.monotonic()
        until = self._until.get(key)
        if until is None:
            return
        if until > now:
            raise ThrottledError(
                ErrorCode.TOO_MANY,
                INVALID_TOKENS,
                math.ceil(until - now),
            )
        del self._until[key]

    async def close(self) -> None:
        """End the connections to Redis."""
        if isinstance(self._limiter.storage, RedisStorage):
            client: Any = self._limiter.storage.bridge
            await client.storage.aclose()

    async def count(self, host: str | None) -> None:
        """Count a failure."""
        key = address_key(host)
        try:
            if await self._limiter.hit(self._limit, "tokens", key):
                return
            reset = (await self._limiter.get_window_stats(self._limit, "tokens", key)).reset_time
        except StorageError:
            return  # the bus is away, which its listener logs
        if key not in self._until:
            # Once for each address and minute, and never the token.
            log.warning("too many invalid tokens", address=key.removeprefix("address:"))
        if len(self._until) >= BLOCKED_MAXIMUM:
            self._until.clear()
        self._until[key] = time.monotonic() + min(60.0, max(1.0, reset - time.time()))


class Admission:
    """Admits requests, by their headers and the address that they come from."""

    def __init__(
        self, authenticator: Authenticator, shares: Shares, failed: FailedTokens, *, logged: bool = False
    ) -> None:
        """`logged` says whether requests are logged."""
        self.authenticator, self.shares, self.failed, self._logged = authenticator, shares, failed, logged
        self._turns = Turns()
        # Unknown cookies from addresses that send invalid tokens are looked up one at a time.
        self._look_ups = FairQueue(1, 1, waiting_share=LOOK_UPS, waiting_maximum=16 * LOOK_UPS)

    async def admit(self, headers: Mapping[bytes, bytes], host: str | None) -> Admitted:
        """Find out who sends a request, and count it. Of many that come together, the addresses' take turns.

        Raises RequestError for credentials that are not valid, and ThrottledError when too many requests came.
        """
        try:
            sent = credentials(headers)
        except RequestError as error:
            await self._failed(host, error)
            raise
        return await self.admit_as(sent, host)

    async def admit_as(self, sent: Credentials | None, host: str | None) -> Admitted:
        """Like `admit`, for credentials that were read already."""
        if self._turns.over():
            await self._turns.turn(address_key(host))
        shares = self.shares
        if sent is None:
            viewer = self.authenticator.anonymous
            party = shares.party(None, host)
        else:
            viewer = await self._viewer(sent, host)
            party = shares.party(viewer, host)
        if self._logged and viewer is not None and (record := logged_request()) is not None:
            record.facts["viewer"] = viewer.identity
        shares.count(party)
        return viewer, party

    async def _viewer(self, sent: Credentials, host: str | None) -> Viewer | None:
        """Raises RequestError."""
        try:
            if not self.failed.slowing or self._passes(host, sent):
                return await self.authenticator.authenticate(sent)
            async with self._look_ups.turn(address_key(host)):
                return await self.authenticator.authenticate(sent)
        except QueueFull:
            self.shares.refused["tokens"] += 1
            raise ThrottledError(ErrorCode.TOO_MANY, INVALID_TOKENS, LOOK_UP_SECONDS) from None
        except RequestError as error:
            if error.code is ErrorCode.UNAUTHENTICATED:
                await self._failed(host, error)
            raise

    def _passes(self, host: str | None, sent: Credentials) -> bool:
        """Whether credentials are looked at without delay. False for a cookie that has to wait for its turn.

        Others at an address that sends invalid tokens go on with those that this server gave them. Whether a cookie is
        one of these only the database knows. Raises ThrottledError for a token that is none.
        """
        try:
            self.failed.check(host)
        except ThrottledError:
            if self.authenticator.knows(sent):
                return True
            if sent.scheme == "cookie":
                return False
            self.shares.refused["tokens"] += 1
            raise
        return True

    async def _failed(self, host: str | None, error: RequestError) -> None:
        self.shares.refused["unauthenticated"] += 1
        REFUSED_TOKENS.labels(error.reason.code).inc()
        await self.failed.count(host)


def host_of(scope: Scope) -> str | None:
    """The address of a request's client; of a proxy's client where uvicorn trusts the proxy."""
    client = scope.get("client")
    return None if client is None else client[0]
