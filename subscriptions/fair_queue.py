"""Shares a scarce resource among parties: each runs at most its part, and those that wait take turns."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager

UNBOUNDED = 1 << 62


class QueueFull(Exception):
    """Too much waits already, of this party or of all."""


class FairQueue:
    """At most `capacity` runs at once, of which one party has at most `share`; both are sums of weights.

    Work that does not fit waits behind the same party's work, and the parties take turns. So the work of one party
    waits for others at most one turn each, however much they bring. At most `waiting_share` of one party's works wait,
    and `waiting_maximum` of all.
    """

    def __init__(
        self, capacity: int, share: int, *, waiting_share: int = UNBOUNDED, waiting_maximum: int = UNBOUNDED
    ) -> None:
        self._capacity, self._share = capacity, min(share, capacity)
        self._waiting_share, self._waiting_maximum = waiting_share, waiting_maximum
        self._running: dict[Hashable, int] = {}
        self._total = 0
        # The weights of each party's works that wait. Any of them may leave the queue, in constant time.
        self._waiting: OrderedDict[Hashable, OrderedDict[asyncio.Future[None], int]] = OrderedDict()
        self.waiting = 0  # works that wait

    def weight(self, weight: int) -> int:
        """The weight as it counts here: what is heavier than a share runs alone in it."""
        return min(weight, self._share)

    def try_enter(self, party: Hashable, weight: int) -> bool:
        """Begin now if nobody has to wait. What has begun must `leave` with the same weight."""
        running = self._running.get(party, 0) + weight
        if self._waiting or running > self._share or self._total + weight > self._capacity:
            return False
        self._running[party] = running
        self._total += weight
        return True

    async def enter(self, party: Hashable, weight: int) -> None:
        """Wait for the party's turn. Raises QueueFull. Work that is cancelled leaves the queue."""
        if self.try_enter(party, weight):
            return
        queue = self._waiting.get(party)
        if self.waiting >= self._waiting_maximum or (queue is not None and len(queue) >= self._waiting_share):
            raise QueueFull
        if queue is None:
            queue = self._waiting[party] = OrderedDict()
        turn = asyncio.get_running_loop().create_future()
        queue[turn] = weight
        self.waiting += 1
        # Others that wait may have no room in their shares, while this party has.
        self._admit()
        try:
            await turn
        except BaseException:
            if not turn.cancelled():  # its turn had come
                self.leave(party, weight)
            else:
                self._remove(party, turn)
            raise

    def leave(self, party: Hashable, weight: int) -> None:
        """The work has ended."""
        running = self._running[party] - weight
        if running:
            self._running[party] = running
        else:
            del self._running[party]
        self._total -= weight
        if self._waiting:
            self._admit()

    @asynccontextmanager
    async def turn(self, party: Hashable, weight: int = 1) -> AsyncIterator[None]:
        """The party's turn, for as long as the context lasts."""
        await self.enter(party, weight)
        try:
            yield
        finally:
            self.leave(party, weight)

    def _remove(self, party: Hashable, turn: "asyncio.Future[None]") -> None:
        queue = self._waiting.get(party)
        if queue is not None and turn in queue:
            del queue[turn]
            self.waiting -= 1
            if not queue:
                del self._waiting[party]
            self._admit()

    def _admit(self) -> None:
        """Begin what fits, one of each party in turn."""
        passed = 0  # parties in a row with no room in their shares
        while self._waiting and passed < len(self._waiting):
            party, queue = next(iter(self._waiting.items()))
            turn, weight = next(iter(queue.items()))
            running = self._running.get(party, 0) + weight
            if turn.cancelled():
                pass  # the task that waits for it removes it; it has not run yet
            elif self._total + weight > self._capacity:
                return  # lighter work of others must not overtake it for ever
            elif running <= self._share:
                self._running[party] = running
                self._total += weight
                turn.set_result(None)
            else:
                passed += 1
                self._waiting.move_to_end(party)
                continue
            passed = 0
            queue.popitem(last=False)
            self.waiting -= 1
            if queue:
                self._waiting.move_to_end(party)
            else:
                del self._waiting[party]
