"""Answers kept for as long as the log has not gone on.

Whoever changes logged rows appends an event in the same transaction, and events are numbered in the order of commits.
So two moments with the same head of the log have the same logged rows, and an answer made of those alone is still the
one that would be given. The head is read anew for each answer: nothing is trusted to have been heard of.
"""

from collections import OrderedDict
from collections.abc import Coroutine
from typing import Any

from models.db.read_pool import Fetch, ReadPool, Work

BYTES_KEPT = 64 << 20
BESIDES = 1_000  # bytes that an answer takes besides its own, about
PART = 8  # one answer may take this part of all

# Those who ask at once share it: it is read by a key, which is always the same (models/held.py).
POSTGRES = "SELECT epoch, (SELECT coalesce(max(id), 0) FROM event), k FROM event_log, unnest($1::int[]) AS k"
SQLITE = "SELECT epoch, (SELECT coalesce(max(id), 0) FROM event) FROM event_log"

Head = tuple[str, int]


class ResultCache:
    """Answers by key, the latest used kept; `reused` counts those that were given again."""

    def __init__(self, held: ReadPool, *, sqlite: bool, most: int = BYTES_KEPT) -> None:
        self._pool, self._sqlite, self._most = held, sqlite, most
        self._kept: OrderedDict[tuple[Any, bytes, Any], tuple[Head, bytes]] = OrderedDict()
        self.bytes = self.reused = 0

    async def get(self, key: tuple[Any, bytes, Any], work: Work[bytes]) -> bytes:
        """The answer that the work would give now; the second part of the key is counted as the answer is."""
        kept = self._kept.get(key)
        if kept is not None and await self._pool.read(self._head, single=True) == kept[0]:
            self.reused += 1
            if key in self._kept:
                self._kept.move_to_end(key)
            return kept[1]

        def both(fetch: Fetch) -> Coroutine[Any, Any, tuple[Head, bytes]]:
            async def read() -> tuple[Head, bytes]:
                return await self._head(fetch), await work(fetch)

            return read()

        head, found = await self._pool.read(both)
        self._keep(key, head, found)
        return found

    async def _head(self, fetch: Fetch) -> Head:
        rows = await (fetch(SQLITE, [], None) if self._sqlite else fetch(POSTGRES, [[1]], 0))
        [row] = rows
        return row[0], row[1]

    def _keep(self, key: tuple[Any, bytes, Any], head: Head, found: bytes) -> None:
        before = self._kept.pop(key, None)
        if before is not None:
            self.bytes -= size(key, before[1])
        if size(key, found) * PART > self._most:
            return
        self._kept[key] = head, found
        self.bytes += size(key, found)
        while self.bytes > self._most:
            oldest, (_, gone) = self._kept.popitem(last=False)
            self.bytes -= size(oldest, gone)


def size(key: tuple[Any, bytes, Any], found: bytes) -> int:
    return len(key[1]) + len(found) + BESIDES
