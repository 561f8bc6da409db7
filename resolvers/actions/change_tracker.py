"""Tracks which columns an action changes, from the session itself, so no action has to list its changes."""

import datetime as dt
import enum
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.orm import Session

import models
from models import Subject
from models.db.tables import Versioned, is_personal, table_of

# Models whose rows may only be written together with an event about the row: all subjects of events.
OWN_EVENT_MODELS: tuple[type[Any], ...] = tuple(
    getattr(models, subject.value) for subject in Subject if subject is not Subject.REGISTER
)
# Columns that may change without an event: positions are not logged, and the others are derived from logged changes.
UNTRACKED_COLUMNS: dict[Any, set[str]] = {
    models.Inspector: {"latitude", "longitude", "position_at"},
    models.Enterprise: {"open_hazards", "last_inspected_at", "updated_at"},
    models.Inspection: {"announced"},
}
# Models whose rows may be written with any event: by an import, or by an action together with another row.
ANY_EVENT_MODELS: tuple[type[Any], ...] = (
    models.District,
    models.CommandUnit,
    models.Zone,
    models.Town,
    models.Venue,
    models.ControlRing,
    models.EnterpriseRing,
    models.Camera,
    models.Warehouse,
    models.InspectionInspector,
    models.DeadlineExtension,
)


# Models whose changes are not told by events: more viewers may see the event than the row.
UNTOLD_MODELS: tuple[type[Any], ...] = (models.Handover,)


class ChangeTracker:
    """The changes of one action by row: which columns, from what to what. A new or deleted row has no such list."""

    def __init__(self) -> None:
        # All by id(row). The rows are held in `_written`, so that no id is used twice.
        self._rows: dict[int, Any] = {}
        self._new_or_deleted: set[int] = set()
        self._columns: dict[int, dict[str, tuple[Any, Any]]] = {}
        self._extra: dict[int, dict[str, tuple[Any, Any]]] = {}
        self._any_event_models: set[str] = set()
        self._written: dict[int, Any] = {}

    def collect(self, session: Session, now: dt.datetime) -> None:
        """Note what the session is about to write; to be called before each flush.

        Raises a row's version by one, however often the action writes the row.
        """
        dirty = [row for row in session.dirty if session.is_modified(row)]
        written = (*session.new, *session.deleted, *dirty)
        self._written.update((id(row), row) for row in written)
        self._any_event_models |= {type(row).__name__ for row in written if isinstance(row, ANY_EVENT_MODELS)}
        for row in (*session.new, *session.deleted):
            if isinstance(row, OWN_EVENT_MODELS):
                self._rows[id(row)] = row
                self._new_or_deleted.add(id(row))
                if isinstance(row, models.Enterprise):
                    row.updated_at = now
        for row in dirty:
            if isinstance(row, OWN_EVENT_MODELS) and id(row) not in self._new_or_deleted:
                self._collect_columns(row, now)

    def _collect_columns(self, row: Any, now: dt.datetime) -> None:
        changed = _changed_columns(row)
        if not changed:
            return
        if id(row) not in self._rows:
            self._rows[id(row)] = row
            if isinstance(row, Versioned):
                row.version += 1
            if isinstance(row, models.Enterprise):
                row.updated_at = now
        columns = self._columns.setdefault(id(row), {})
        for name, (old, new) in changed.items():
            columns[name] = (columns[name][0] if name in columns else old, new)

    def wrote(self, row: Any) -> bool:
        """Whether the action has inserted, changed or touched the row."""
        return id(row) in self._written

    def touch(self, row: Any) -> None:
        """Count the row as changed, because a row that belongs to it has changed."""
        self._written[id(row)] = row
        if id(row) not in self._rows:
            self._rows[id(row)] = row
            row.version += 1

    def add_entry(self, row: Any, field: str, new: Any, old: Any = None) -> None:
        """Add to the log's entries what no column holds, such as a reason."""
        self._extra.setdefault(id(row), {})[field] = (old, new)

    def settle(self, row: Any) -> list[dict[str, Any]]:
        """The row's changes so far. From now on changes of the row are counted anew."""
        entries = self.entries(row)
        self._new_or_deleted.discard(id(row))
        for changes in (self._rows, self._columns, self._extra):
            changes.pop(id(row), None)
        return entries

    def require_events(self, rows: set[int]) -> None:
        """Raises RuntimeError where a row was written that needs an event and has none; `rows` are those with one.

        That is a fault of the action. Without any event, a row of ANY_EVENT_MODELS is such a fault too.
        """
        missing = [type(row).__name__ for key, row in self._rows.items() if key not in rows]
        missing += [] if rows else self._any_event_models
        if missing:
            raise RuntimeError(f"written without an event: {', '.join(sorted(missing))}")

    def entries(self, row: Any) -> list[dict[str, Any]]:
        """The row's changes as the log stores them; the status is not among them, since the event has it."""
        if isinstance(row, UNTOLD_MODELS):
            return []
        changes = self._columns.get(id(row), {}) | self._extra.get(id(row), {})
        columns = table_of(type(row)).columns
        personal = {name for name in changes if name in columns and is_personal(columns[name])}
        return [
            {"field": _camel(name), "from": _text(old), "to": _text(new), "personal": name in personal}
            for name, (old, new) in changes.items()
            if name != "status"
        ]


def _changed_columns(row: Any) -> dict[str, tuple[Any, Any]]:
    untracked = {"version", *UNTRACKED_COLUMNS.get(type(row), ())}
    changed = {}
    for attribute in sa.inspect(row).attrs:
        history = attribute.history
        if attribute.key not in untracked and history.has_changes():
            changed[attribute.key] = (history.deleted[0] if history.deleted else None, history.added[0])
    return changed


def _text(value: Any) -> str | None:
    """The value as text: enums by name, times in UTC, anything else as JSON."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat()
    if isinstance(value, dt.date):
        return value.isoformat()
    # orjson would write an enum by its value.
    plain = [v.name if isinstance(v, enum.Enum) else v for v in value] if isinstance(value, list) else value
    return orjson.dumps(plain).decode()


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
