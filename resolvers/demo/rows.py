"""Rows that are made and not yet written."""

from collections import Counter, defaultdict
from typing import Any

from models import Row


class Rows:
    """Rows by table. Keys are given out here, from 1 on, so that a row can name another before either is written."""

    def __init__(self) -> None:
        self._last: Counter[type[Row]] = Counter()
        self._pending: defaultdict[type[Row], list[dict[str, Any]]] = defaultdict(list)

    def add(self, table: type[Row], **values: Any) -> dict[str, Any]:
        """A new row with the next key in `id`. It may still be changed until it is taken."""
        self._last[table] += 1
        values["id"] = self._last[table]
        self._pending[table].append(values)
        return values

    @property
    def pending(self) -> int:
        """How many were added since the last time they were taken."""
        return sum(len(rows) for rows in self._pending.values())

    def take(self) -> dict[type[Row], list[dict[str, Any]]]:
        """What was added since the last time, and forget it."""
        taken, self._pending = self._pending, defaultdict(list)
        return dict(taken)
