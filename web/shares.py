"""Fair shares: what one viewer, or one address without a viewer, may use of this process at once and in a minute.

Another viewer's flood costs a viewer some turns, never the service. Two lanes keep light operations apart from heavy
ones, which may take all of the database's connections for reading but one.
"""

import asyncio
import ipaddress
import math
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from functools import lru_cache
from typing import ParamSpec, TypeVar

from models.reason import Reason
from models.visibility import Viewer
from resolvers.errors import ErrorCode, ThrottledError
from schema.execution.executor import Executor
from schema.execution.operation import Operation, PreparedOperation
from schema.live.streams import PreparedStream, StreamMembership
from subscriptions.fair_queue import FairQueue, QueueFull
from subscriptions.feed import Sink

P = ParamSpec("P")
T = TypeVar("T")

HEAVY = 2_000  # an operation of a greater cost is heavy
LEAST = 50  # the cost of the lightest operation, as it counts
LIGHT_SHARE, LIGHT_CAPACITY = 4_000, 16_000  # costs that run at once: of one party, and of all
LIGHT_WAITING, HEAVY_WAITING = 64, 16  # operations of one party that wait
WAITING_MAXIMUM = 1_024  # operations of all parties that wait, in each lane
WAIT_SECONDS = 10.0
UNKNOWN_TOKENS = 9  # an operation whose document is unknown counts as so many more
COST_PER_TOKEN = 10_000  # a heavy operation counts as several
UNSENT_MAXIMUM = 32 << 20  # bytes of large answers that one party has not taken
PARTIES = 10_000  # are looked through for idle ones when there are more
BUSY_SECONDS = 2


@dataclass(frozen=True)
class ShareLimits:
    """What operators can set. 0 is no limit of the operations per minute."""

    operations_per_minute: int = 12_000
    anonymous_per_minute: int = 1_200
    streams: int = 200
    streams_per_address: int = 1_000
    subscriptions: int = 1_000
    documents: int = 100
    documents_maximum: int = 2_000


class TokenBucket:
    """Allows `per_minute` in any minute, all of them at once if need be."""

    __slots__ = ("_at", "_full", "_level", "_rate")

    def __init__(self, per_minute: int) -> None:
        self._full = self._level = float(per_minute)
        self._rate = per_minute / 60
        self._at = time.monotonic()

    def take(self, number: float) -> float:
        """Take so many. Returns how many seconds are missing; 0 when they were there."""
        now = time.monotonic()
        level = min(self._full, self._level + (now - self._at) * self._rate)
        self._at = now
        if level < number and level < self._full:
            self._level = level
            return (min(number, self._full) - level) / self._rate
        self._level = level - number
        return 0.0

    @property
    def idle(self) -> bool:
        return self._level + (time.monotonic() - self._at) * self._rate >= self._full


class Party:
    """A viewer, or an address whose requests have none, and what it uses now."""

    __slots__ = ("bucket", "documents", "key", "streams", "subscriptions", "unsent")

    def __init__(self, key: str, per_minute: int) -> None:
        self.key = key
        self.bucket = TokenBucket(per_minute) if per_minute else None
        self.streams = self.subscriptions = self.unsent = 0
        self.documents: Counter[Hashable] = Counter()

    @property
    def idle(self) -> bool:
        """Nothing would be lost by forgetting it. What still runs is known to the lanes."""
        used = self.streams or self.subscriptions or self.unsent
        return not used and (self.bucket is None or self.bucket.idle)


class Shares:
    """The parties of this process. `connections` is how many connections heavy operations may hold at once."""

    def __init__(self, limits: ShareLimits, connections: int) -> None:
        self.limits = limits
        self._parties: dict[str, Party] = {}
        self._sweep_at = PARTIES
        self._documents: Counter[Hashable] = Counter()
        self._unknown: dict[Hashable, asyncio.Future[None]] = {}
        self._addresses: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.light = FairQueue(
            LIGHT_CAPACITY, LIGHT_SHARE, waiting_share=LIGHT_WAITING, waiting_maximum=WAITING_MAXIMUM
        )
        self.preparing = FairQueue(1, 1, waiting_share=LIGHT_WAITING, waiting_maximum=WAITING_MAXIMUM)
        # A party has at most half, so that another one's turn comes even while operations last long.
        self.heavy = FairQueue(
            connections, (connections + 1) // 2, waiting_share=HEAVY_WAITING, waiting_maximum=WAITING_MAXIMUM
        )

    def party(self, viewer: Viewer | None, host: str | None) -> Party:
        """The party of a viewer; without one, that of the address."""
        key = address_key(host) if viewer is None else viewer.identity
        party = self._parties.get(key)
        if party is None:
            if len(self._parties) >= self._sweep_at:
                self._sweep()
            limits = self.limits
            per_minute = limits.anonymous_per_minute if viewer is None else limits.operations_per_minute
            party = self._parties[key] = Party(key, per_minute)
        return party

    def _sweep(self) -> None:
        self._parties = {key: party for key, party in self._parties.items() if not party.idle}
        self._sweep_at = max(PARTIES, 2 * len(self._parties))

    # -- operations --

    def count(self, party: Party, number: float = 1) -> None:
        """Count an operation. Raises ThrottledError when there were too many in the last minute."""
        if party.bucket is not None and (seconds := party.bucket.take(number)):
            raise self.refuse(
                ErrorCode.TOO_MANY,
                Reason("OPERATIONS_PER_MINUTE", "Too many operations: wait a little."),
                seconds,
                "rate",
            )

    async def prepare(
        self, party: Party, executor: Executor, operation: Operation, viewer: Viewer | None
    ) -> PreparedOperation:
        """Prepare an operation; an unknown one when it is the party's turn. Raises RequestError.

        Of requests with the same unknown document the first one prepares it for all.
        """
        document, loop = (operation.query, operation.name), asyncio.get_running_loop()
        while (known := executor.known(operation, viewer)) is None:
            if document not in self._unknown:
                first = self._unknown[document] = loop.create_future()
                try:
                    return await self._prepare(party, executor, operation, viewer)
                finally:
                    del self._unknown[document]
                    first.set_result(None)
            # Waits for the end of the first one, whatever it is.
            await asyncio.wait([self._unknown[document]])
        return known

    async def _prepare(
        self, party: Party, executor: Executor, operation: Operation, viewer: Viewer | None
    ) -> PreparedOperation:
        """One is prepared at a time, and then others have the event loop for as long as that took."""
        self.count(party, UNKNOWN_TOKENS)
        await self.wait(self.preparing, party.key, 1)
        loop = asyncio.get_running_loop()
        start = loop.time()
        try:
            return await executor.prepare(operation, viewer)
        finally:
            loop.call_later(loop.time() - start, self.preparing.leave, party.key, 1)

    async def run(
        self, party: Party, cost: int, execute: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Execute an operation of this cost when the party's turn has come. Raises ThrottledError."""
        lane, weight = self.lane(party, cost)
        if not lane.try_enter(party.key, weight):
            await self.wait(lane, party.key, weight)
        try:
            return await execute(*args, **kwargs)
        finally:
            lane.leave(party.key, weight)

    def lane(self, party: Party, cost: int) -> tuple[FairQueue, int]:
        """The lane in which an operation of this cost runs, and its weight there. Raises ThrottledError."""
        if cost <= HEAVY:
            return self.light, max(cost, LEAST)
        self.count(party, cost / COST_PER_TOKEN)
        if party.unsent > UNSENT_MAXIMUM:
            raise self.busy(Reason("ANSWERS_UNREAD", "Read the answers that are on their way first."), "unsent")
        return self.heavy, 1

    async def wait(self, lane: FairQueue, key: str, weight: int) -> None:
        """Wait for the party's turn in a lane. Raises ThrottledError."""
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await lane.enter(key, weight)
        except QueueFull:
            raise self.busy(
                Reason("OPERATIONS_WAITING", "Too many operations at once: wait a little."), "queue"
            ) from None
        except TimeoutError:
            raise self.busy(Reason("NO_TURN", "The server is busy: wait a little."), "wait") from None

    # -- streams --

    def connect(self, host: str | None) -> "Place":
        """Count a socket or an HTTP stream of an address until its place is left. Raises ThrottledError."""
        key, maximum = address_key(host), self.limits.streams_per_address
        if self._addresses[key] >= maximum:
            message = Reason(
                "STREAMS_OF_ADDRESS", "At most {maximum:,} sockets and streams of one address at once.", maximum=maximum
            )
            raise self.refuse(ErrorCode.TOO_MANY, message, BUSY_SECONDS, "address")
        self._addresses[key] += 1
        return Place(self, key)

    def disconnect(self, key: str) -> None:
        self._addresses[key] -= 1
        if not self._addresses[key]:
            del self._addresses[key]

    def open_stream(self, party: Party) -> None:
        """Count a viewer's socket or HTTP stream. Raises ThrottledError."""
        if party.streams >= self.limits.streams:
            message = Reason(
                "STREAMS_AT_ONCE", "At most {maximum:,} sockets and streams at once.", maximum=self.limits.streams
            )
            raise self.refuse(ErrorCode.TOO_MANY, message, BUSY_SECONDS, "streams")
        party.streams += 1

    def join(self, party: Party, stream: PreparedStream, sink: Sink) -> "CountedMembership":
        """Begin a subscription, and count it until it is left. Raises ThrottledError."""
        document, limits = stream.request.key, self.limits
        if party.subscriptions >= limits.subscriptions:
            message = Reason(
                "SUBSCRIPTIONS_AT_ONCE", "At most {maximum:,} subscriptions at once.", maximum=limits.subscriptions
            )
            raise self.refuse(ErrorCode.TOO_MANY, message, BUSY_SECONDS, "subscriptions")
        if document not in party.documents and len(party.documents) >= limits.documents:
            message = Reason(
                "DOCUMENTS_AT_ONCE",
                "At most {maximum:,} different subscriptions at once; equal ones share an execution.",
                maximum=limits.documents,
            )
            raise self.refuse(ErrorCode.TOO_MANY, message, BUSY_SECONDS, "documents")
        if document not in self._documents and len(self._documents) >= limits.documents_maximum:
            raise self.busy(
                Reason("DOCUMENTS_OF_SERVER", "Too many different subscriptions on this server."), "documents"
            )
        self._documents[document] += 1
        return CountedMembership(self, party, document, stream.join(sink))

    def end_subscription(self, party: Party, document: Hashable) -> None:
        party.subscriptions -= 1
        for documents in (party.documents, self._documents):
            documents[document] -= 1
            if not documents[document]:
                del documents[document]

    def busy(self, message: Reason, reason: str) -> ThrottledError:
        return self.refuse(ErrorCode.BUSY, message, BUSY_SECONDS, reason)

    def refuse(self, code: ErrorCode, message: Reason, seconds: float, reason: str) -> ThrottledError:
        """The error for a refused request, counted by reason."""
        self.refused[reason] += 1
        return ThrottledError(code, message, math.ceil(seconds))

    @property
    def subscriptions(self) -> int:
        """Subscriptions of all parties."""
        return self._documents.total()

    @property
    def waiting(self) -> int:
        """Operations that wait."""
        return self.light.waiting + self.heavy.waiting + self.preparing.waiting


class Place:
    """A socket's or HTTP stream's place among those of its address and, once `party` is set, of its viewer."""

    __slots__ = ("_key", "_shares", "party")

    def __init__(self, shares: Shares, key: str) -> None:
        self._shares, self._key = shares, key
        self.party: Party | None = None

    def take(self, party: Party) -> None:
        """Count the stream as the party's. Raises ThrottledError."""
        self._shares.open_stream(party)
        self.party = party

    def leave(self) -> None:
        """May be called twice."""
        key, self._key = self._key, ""
        if key:
            self._shares.disconnect(key)
        if self.party is not None:
            self.party.streams -= 1
            self.party = None


class CountedMembership:
    """A membership of a stream that counts as its party's until it is left."""

    __slots__ = ("_document", "_membership", "_party", "_shares")

    def __init__(self, shares: Shares, party: Party, document: Hashable, membership: StreamMembership) -> None:
        self._shares, self._document, self._membership = shares, document, membership
        self._party: Party | None = party
        party.subscriptions += 1
        party.documents[document] += 1

    @property
    def position(self) -> int | None:
        return self._membership.position

    def leave(self) -> None:
        """Send nothing from now on. May be called twice."""
        party, self._party = self._party, None
        if party is not None:
            self._shares.end_subscription(party, self._document)
            self._membership.leave()


@lru_cache(maxsize=4_096)
def address_key(host: str | None) -> str:
    """What requests of one address have in common: with IPv6, where a client chooses from many, the first 64 bits."""
    try:
        address = ipaddress.ip_address(host or "")
    except ValueError:
        return f"address:{(host or '')[:100]}"
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return f"address:{address.ipv4_mapped}"
        return f"address:{ipaddress.ip_network((address, 64), strict=False)}"
    return f"address:{address}"
