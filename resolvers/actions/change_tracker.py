"""What an action changed, taken from the rows themselves: nobody has to remember to say it."""

import datetime as dt
import enum
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.orm import Session

import models
from models.db.tables import Versioned

# Rows that only an action with an event about them may write.
OWN_EVENT_MODELS: tuple[type[Any], ...] = (
    models.Inspection,
    models.Hazard,
    models.Case,
    models.Dispatch,
    models.AssistanceRequest,
    models.DutyReport,
    models.ControlMeasure,
    models.Warning,
    models.Enterprise,
    models.Inspector,
    models.Team,
    models.Expert,
    models.StockItem,
)
# An inspector's position is overwritten and never logged; versions and times of change speak for themselves.
UNTRACKED_COLUMNS: dict[Any, set[str]] = {
    models.Inspector: {"latitude", "longitude", "position_at"},
    models.Enterprise: {"open_hazards", "last_inspected_at", "updated_at"},
}
# Rows that an import writes, each batch with its event, or an action together with a guarded row.
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
# Columns that hold names and telephone numbers of people.
PERSONAL_SUFFIXES = ("_name", "phone")


class ChangeTracker:
    """By row: which columns changed, from what to what. Of a row that is new all is, and nothing is told."""

    def __init__(self) -> None:
        self._rows: dict[int, Any] = {}
        self._whole: set[int] = set()
        self._values: dict[int, dict[str, tuple[Any, Any]]] = {}
        self._said: dict[int, dict[str, tuple[Any, Any]]] = {}
        self._following: set[str] = set()

    def collect(self, session: Session, now: dt.datetime) -> None:
        """What is about to be written. A row's version rises by one in an action, however often it is written."""
        dirty = [row for row in session.dirty if session.is_modified(row)]
        written = (*session.new, *session.deleted, *dirty)
        self._following |= {type(row).__name__ for row in written if isinstance(row, ANY_EVENT_MODELS)}
        for row in (*session.new, *session.deleted):
            if isinstance(row, OWN_EVENT_MODELS):
                self._rows[id(row)] = row
                self._whole.add(id(row))
                if isinstance(row, models.Enterprise):
                    row.updated_at = now
        for row in dirty:
            if not isinstance(row, OWN_EVENT_MODELS) or id(row) in self._whole:
                continue
            changed = _changed(row)
            if not changed:
                continue
            if id(row) not in self._rows:
                self._rows[id(row)] = row
                if isinstance(row, Versioned):
                    row.version += 1
                if isinstance(row, models.Enterprise):
                    row.updated_at = now
            values = self._values.setdefault(id(row), {})
            for name, (old, new) in changed.items():
                values[name] = (values[name][0] if name in values else old, new)

    def touch(self, row: Any) -> None:
        """The row counts as changed, though the change is in a row that belongs to it."""
        if id(row) not in self._rows:
            self._rows[id(row)] = row
            row.version += 1

    def add_entry(self, row: Any, field: str, new: Any, old: Any = None) -> None:
        """What the log shall say besides the columns, such as a reason."""
        self._said.setdefault(id(row), {})[field] = (old, new)

    def check(self, told: set[int]) -> None:
        """Raises RuntimeError where a guarded row was written that no event tells of: a fault of the action.

        So it does for a row that follows others, where there is no event at all.
        """
        silent = [type(row).__name__ for key, row in self._rows.items() if key not in told]
        silent += [] if told else self._following
        if silent:
            raise RuntimeError(f"written without an event: {', '.join(sorted(silent))}")

    def entries(self, row: Any) -> list[dict[str, Any]]:
        """The changes of a row as the log keeps them; a new row has none, for all of it is new."""
        return [
            {"field": _camel(name), "from": _text(old), "to": _text(new), "personal": name.endswith(PERSONAL_SUFFIXES)}
            for name, (old, new) in (self._values.get(id(row), {}) | self._said.get(id(row), {})).items()
            if name != "status"
        ]


def _changed(row: Any) -> dict[str, tuple[Any, Any]]:
    quiet = {"version", *UNTRACKED_COLUMNS.get(type(row), ())}
    found = {}
    for attribute in sa.inspect(row).attrs:
        history = attribute.history
        if attribute.key not in quiet and history.has_changes():
            found[attribute.key] = (history.deleted[0] if history.deleted else None, history.added[0])
    return found


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat()
    if isinstance(value, dt.date):
        return value.isoformat()
    # An enum is written by its name, and not by its value as orjson would.
    plain = [v.name if isinstance(v, enum.Enum) else v for v in value] if isinstance(value, list) else value
    return orjson.dumps(plain).decode()


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
