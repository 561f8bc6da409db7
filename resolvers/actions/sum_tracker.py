"""Tracks what an action changes of the rows that portraits count, from the session itself."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from models.db.portrait_changes import SumChanges
from models.db.portrait_rows import FIELDS


class SumTracker:
    """The rows of models.db.portrait_rows.FIELDS that one action writes, with the values that they had before."""

    def __init__(self) -> None:
        # By id(row): the row, which is held so that no id is used twice, and its values before, None for a new row.
        self._rows: dict[int, tuple[Any, dict[str, Any] | None]] = {}

    def collect(self, session: Session) -> None:
        """Note what the session is about to write; to be called before each flush."""
        for row in (*session.new, *session.dirty):
            if type(row) in FIELDS and id(row) not in self._rows:
                self._rows[id(row)] = row, None if row in session.new else _original(row)

    def changes(self) -> SumChanges:
        """The changes so far, once all is flushed."""
        changes = SumChanges()
        for row, before in self._rows.values():
            changes.add(type(row), before, {name: getattr(row, name) for name in FIELDS[type(row)]._fields})
        return changes


def _original(row: Any) -> dict[str, Any]:
    attributes = sa.inspect(row).attrs
    values = {}
    for name in FIELDS[type(row)]._fields:
        history = attributes[name].history
        values[name] = history.deleted[0] if history.deleted else getattr(row, name)
    return values
