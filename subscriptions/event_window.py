"""The latest events in memory, so that a short resume does not read the database."""

from collections import deque
from collections.abc import Iterable
from typing import Any

from models.byte_cache import CacheUse, deep_bytes

WINDOW = 2_048  # events at most


class EventWindow:
    """The latest events, at most WINDOW, and of at most so many bytes. It has all that come after the one `begin`."""

    def __init__(self, maximum: int) -> None:
        self._maximum = maximum
        self.begin = 0
        self.events: deque[Any] = deque()
        self._weights: deque[int] = deque()
        self.use = CacheUse(0, 0)

    def add(self, event: Any) -> None:
        weight = deep_bytes(*event) if isinstance(event, Iterable) else deep_bytes(event)
        self.events.append(event)
        self._weights.append(weight)
        self.use.bytes += weight
        while len(self.events) > WINDOW or self.use.bytes > self._maximum:
            self.begin = self.events.popleft().id
            self.use.bytes -= self._weights.popleft()
            self.use.evictions += 1
        self.use.entries = len(self.events)
