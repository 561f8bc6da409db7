"""Rows that are not written yet."""

from collections import Counter, defaultdict
from typing import Any

from models import Row


class Rows:
    """Rows by table. Keys are assigned here, from 1, so that rows can refer to each other before they are written."""

    def __init__(self) -> None:
        self._last: Counter[type[Row]] = Counter()
        self._pending: defaultdict[type[Row], list[dict[str, Any]]] = defaultdict(list)

    def add(self, table: type[Row], **values: Any) -> dict[str, Any]:
        """Add a row, with the next key in `id`. It may be changed until it is taken."""
        self._last[table] += 1
        values["id"] = self._last[table]
        self._pending[table].append(values)
        return values

    @property
    def pending(self) -> int:
        """Number of rows added since the last take."""
        return sum(len(rows) for rows in self._pending.values())

    def take(self) -> dict[type[Row], list[dict[str, Any]]]:
        """Return and remove the rows added since the last take."""
        taken, self._pending = self._pending, defaultdict(list)
        return dict(taken)
