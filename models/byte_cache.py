"""Caches that are bounded by the bytes that Python really uses for their entries.

`HUHANG_CACHE_BYTES` is divided among them (`shares`). Entries that are small and of one size are bounded by number
instead, with `lru_cache`, which is faster; FIXED_BYTES is what all of those may take.
"""

import sys
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from gc import get_referents
from types import FunctionType, ModuleType, NoneType
from typing import Any, Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

MIB = 1 << 20
CACHE_BYTES, CACHE_BYTES_MINIMUM = 40 * MIB, 16 * MIB
FIXED_BYTES = 6 * MIB
ENTRY_BYTES = 350  # of one entry besides its value: its place in the dictionary, its tuple and a short key
ALLOCATION_BYTES = 16  # which the allocator adds to a larger object
ATTRIBUTES_BYTES = 60  # of an object with attributes, which `getsizeof` leaves out

# Of these an object has references to what it shares with others.
SHARED = (type, ModuleType, FunctionType, Enum, NoneType)


@dataclass(frozen=True)
class CacheShares:
    """The most bytes that each cache of one process may have."""

    documents: int
    statements: int
    renderings: int
    events: int
    viewers: int


def shares(total: int = CACHE_BYTES) -> CacheShares:
    """The division of `total` bytes, after the share that the caches of fixed size may take."""
    part = (total - FIXED_BYTES) // 34
    return CacheShares(documents=13 * part, statements=9 * part, renderings=7 * part, events=4 * part, viewers=part)


class ByteCache(Generic[K, V]):
    """The most recently used values, whose weights are together no more than `maximum` bytes.

    A value that is heavier than all of the cache is not kept. `evictions` counts those that had to go for others.
    """

    def __init__(self, maximum: int) -> None:
        self.maximum = maximum
        self.bytes = self.evictions = 0
        self._entries: OrderedDict[K, tuple[V, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: K) -> bool:
        return key in self._entries

    def get(self, key: K) -> V | None:
        entry = self._entries.get(key)
        if entry is None:
            return None
        self._entries.move_to_end(key)
        return entry[0]

    def put(self, key: K, value: V, weight: int) -> None:
        """Keep a value of so many bytes, its key included. Nothing has to go for one that is not kept."""
        self.pop(key)
        weight += ENTRY_BYTES
        if weight > self.maximum:
            return
        self._entries[key] = value, weight
        self.bytes += weight
        while self.bytes > self.maximum:
            _, (_, gone) = self._entries.popitem(last=False)
            self.bytes -= gone
            self.evictions += 1

    def grow(self, key: K, value: V, weight: int) -> None:
        """The value has grown by so many bytes, or shrunk. Nothing happens if it is no longer kept."""
        entry = self._entries.get(key)
        if entry is not None and entry[0] is value:
            self.put(key, value, entry[1] - ENTRY_BYTES + weight)

    def pop(self, key: K) -> V | None:
        entry = self._entries.pop(key, None)
        if entry is None:
            return None
        self.bytes -= entry[1]
        return entry[0]

    def items(self) -> Iterator[tuple[K, V]]:
        """All entries, the least recently used first."""
        return ((key, value) for key, (value, _) in self._entries.items())

    def clear(self) -> None:
        self._entries.clear()
        self.bytes = 0


class LockedByteCache(ByteCache[K, V]):
    """For several threads."""

    def __init__(self, maximum: int) -> None:
        super().__init__(maximum)
        self._lock = threading.Lock()

    def get(self, key: K) -> V | None:
        with self._lock:
            return super().get(key)

    def put(self, key: K, value: V, weight: int) -> None:
        with self._lock:
            super().put(key, value, weight)


@dataclass
class CacheUse:
    """The bytes and entries of a cache, and the number of entries that had to go for others."""

    bytes: int
    entries: int
    evictions: int = field(default=0)


def use_of(cache: ByteCache[Any, Any]) -> CacheUse:
    return CacheUse(cache.bytes, len(cache), cache.evictions)


def deep_bytes(*roots: Any) -> int:
    """The bytes of objects and of all that they refer to, each counted once; classes and functions are shared.

    It is for trees of objects of their own, such as documents: it would follow any reference to shared data.
    """
    seen: dict[int, Any] = {}
    level: list[Any] = list(roots)
    while level:
        new = {id(one): one for one in level if not isinstance(one, SHARED)}
        for known in new.keys() & seen.keys():
            del new[known]
        seen |= new
        level = get_referents(*new.values())
    sizes = [*map(sys.getsizeof, seen.values())]
    attributes = sum(type(one).__dictoffset__ != 0 for one in seen.values())
    return sum(sizes) + ALLOCATION_BYTES * sum(size > 512 for size in sizes) + ATTRIBUTES_BYTES * attributes
