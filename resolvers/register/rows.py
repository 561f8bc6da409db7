"""From a record of a file to a row of a table, as far as that goes without the database."""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from models import ControlGrade
from resolvers.register import datum
from resolvers.register.convert import CellFormat, converter, number, point_coordinates, text
from resolvers.register.errors import InvalidValue
from resolvers.register.mapping import GEOMETRY, FieldMapping, FileMapping
from resolvers.register.readers.record import Record
from resolvers.register.report import ERROR, WARNING, Issue
from resolvers.register.tables import RINGS, TABLES, Field, Kind, Table

Key = tuple[str, ...]  # the name of a field and its text; of a table with a composite key the texts of all its fields
Extract = Callable[[Sequence[Any]], Any]


@dataclass(slots=True, eq=False)
class DraftRow:
    """A row to be: values by column, and the texts by which it refers to other rows, by field.

    `issues` with an error among them make it bad. `superseded`: its key comes again further down.
    """

    line: int
    values: dict[str, Any] = field(default_factory=dict)
    references: dict[str, Any] = field(default_factory=dict)
    rings: dict[ControlGrade, int | None] = field(default_factory=dict)
    inspectors: frozenset[int] | None = None
    keys: tuple[Key, ...] = ()
    issues: list[Issue] = field(default_factory=list)
    superseded: bool = False
    id: int | None = None

    def is_bad(self) -> bool:
        return any(issue.severity == ERROR for issue in self.issues)


@dataclass(frozen=True)
class FieldConverter:
    """How one field is filled. `take` gives its value from the cells, None for none, and raises Bad."""

    field: Field
    column: str
    take: Extract
    sources: tuple[int, ...]
    required: bool
    when: dict[str, frozenset[str]]


@dataclass(frozen=True)
class CopiedField:
    """A field that is taken from a row which this one refers to."""

    field: Field
    reference: str
    taken: Field
    when: dict[str, frozenset[str]]


@dataclass(frozen=True)
class Area:
    """Where the district lies, far points excluded: west, south, east, north in degrees."""

    west: float
    south: float
    east: float
    north: float

    def near(self, longitude: float, latitude: float) -> bool:
        return self.west <= longitude <= self.east and self.south <= latitude <= self.north


class RowConverter:
    """What a sheet's records become: the steps, in the order in which they are taken."""

    def __init__(
        self, table: Table, sheet: FileMapping, escaped: bool, now: dt.datetime, area: Area | None = None
    ) -> None:
        self.table, self.sheet, self._now, self.area = table, sheet, now, area
        self._today = now.date() + dt.timedelta(days=1)  # somewhere on the Earth it has begun
        self.wanted: list[str] = list(
            dict.fromkeys(name for origin in sheet.fields.values() for name in origin.sources)
        )
        self._escaped, self._defaults = escaped, table.defaults
        fields = {name: table.fields[name] for name in sheet.fields}
        steps = [self._step(f, sheet.fields[f.name]) for f in fields.values() if sheet.fields[f.name].from_ is None]
        # Conditions look at values that are there already.
        self._steps = sorted(steps, key=lambda step: bool(step.when))
        self.borrowed = [
            self._borrowed(f, sheet.fields[f.name]) for f in fields.values() if sheet.fields[f.name].from_ is not None
        ]
        mapped = [name for name in table.keys if name in sheet.fields]
        self.keys: tuple[str, ...] = table.keys if table.composite else tuple(sheet.key or mapped)
        self._key_steps = [step for step in self._steps if step.field.name in self.keys]

    @property
    def references(self) -> dict[str, tuple[str, tuple[str, ...] | None]]:
        """By field that refers to rows: their table, and the fields by which they are named, if the mapping says."""
        return {
            step.field.name: (step.field.target, self.sheet.fields[step.field.name].by)
            for step in self._steps
            if step.field.kind in (Kind.REFERENCE, Kind.REFERENCES)
        }

    def column(self, name: str) -> str:
        """The column of the file that a field comes from, for the report."""
        return " + ".join(self.sheet.fields[name].sources) or name

    # -- made once --

    def _step(self, of: Field, origin: FieldMapping) -> FieldConverter:
        places = tuple(self.wanted.index(name) for name in origin.sources)
        required = of.required and of.kind not in (Kind.TEXTS, Kind.ENUMS)
        when = _condition(origin)
        # A condition decides whether there is a value at all.
        return FieldConverter(
            of, self.column(of.name), self._taker(of, origin, places), places, required and not when, when
        )

    def _borrowed(self, of: Field, origin: FieldMapping) -> CopiedField:
        reference, _, name = (origin.from_ or "").partition(".")
        taken = TABLES[self.table.fields[reference].target].fields[name]
        return CopiedField(of, reference, taken, _condition(origin))

    def _reading(self, origin: FieldMapping) -> CellFormat:
        sheet = self.sheet
        return CellFormat(
            no_value=frozenset((*sheet.no_value, *origin.no_value)),
            escaped=self._escaped,
            formats=tuple(origin.format or sheet.dates or ()),
            zone=ZoneInfo(origin.time_zone or sheet.time_zone or "UTC"),
            split=origin.split or ";",
            values=origin.values,
            datum=origin.datum or sheet.datum or "wgs84",
        )

    def _taker(self, of: Field, origin: FieldMapping, places: tuple[int, ...]) -> Extract:
        reading = self._reading(origin)
        if of.kind is Kind.POINT:
            return _point(origin, reading, places)
        convert = converter(of, reading)
        if origin.constant is not None:
            constant = converter(of, CellFormat(formats=("iso", *reading.formats), zone=reading.zone))(origin.constant)
            return lambda cells: constant
        default = None
        if origin.default is not None:
            default = converter(of, CellFormat(formats=("iso", *reading.formats), zone=reading.zone))(origin.default)
        if len(places) > 1 or origin.columns:
            return _joined(reading, convert, places, origin.separator, default)
        [place] = places
        clean = reading.clean

        def one(cells: Sequence[Any]) -> Any:
            value = clean(cells[place])
            return default if value is None else convert(value)

        return one

    # -- for each record --

    def key_of(self, record: Record) -> Key | None:
        """The key of a record, where it has a good one."""
        if record.reason:
            return None
        draft = DraftRow(record.line)
        for step in self._key_steps:
            self._take(step, record, draft)
        keys = self._keys(draft)
        return keys[0] if keys else None

    def draft(self, record: Record) -> DraftRow:
        """The row of a record. Whatever is wrong with it stands in its issues."""
        draft = DraftRow(record.line)
        if record.reason:
            draft.issues.append(Issue(record.line, "", record.raw, record.reason))
            return draft
        for step in self._steps:
            if condition_holds(step.when, draft.values):
                self._take(step, record, draft)
            else:
                self._put(draft, step.field, None)
        draft.keys = self._keys(draft)
        if not draft.keys and not draft.is_bad():
            column = ", ".join(map(self.column, self.keys))
            draft.issues.append(Issue(record.line, column, "", "has no key"))
        return draft

    def _take(self, step: FieldConverter, record: Record, draft: DraftRow) -> None:
        try:
            value = step.take(record.cells)
            if value is None and step.required:
                raise InvalidValue("has no value")
            self._put(draft, step.field, value)
        except InvalidValue as bad:
            shown = ", ".join(_shown(record.cells[place]) for place in step.sources)
            draft.issues.append(Issue(record.line, step.column, shown, bad.reason))
            return
        if value is not None and (reason := self._doubtful(step.field, value)):
            shown = ", ".join(_shown(record.cells[place]) for place in step.sources)
            draft.issues.append(Issue(record.line, step.column, shown, reason, WARNING))

    def _put(self, draft: DraftRow, of: Field, value: Any) -> None:
        if of.kind is Kind.POINT:
            draft.values["longitude"], draft.values["latitude"] = value or (None, None)
        elif of.kind in (Kind.REFERENCE, Kind.REFERENCES):
            draft.references[of.name] = value
        elif of.name in RINGS:
            draft.rings[RINGS[of.name]] = value
        elif value is None and of.column and of.required and of.kind in (Kind.TEXTS, Kind.ENUMS):
            draft.values[of.column] = []  # none at all
        elif value is None and of.column and (default := self._defaults.get(of.column)) is not None:
            draft.values[of.column] = default
        elif of.column:
            draft.values[of.column] = value

    def _doubtful(self, of: Field, value: Any) -> str:
        """Why a value is loaded and listed all the same; empty where there is nothing to say."""
        if of.kind is Kind.TIME and not of.ahead and value > self._now:
            return "lies in the future"
        if of.kind is Kind.DATE and not of.ahead and value > self._today:
            return "lies in the future"
        if of.kind is Kind.POINT and self.area is not None and not self.area.near(*value):
            return "lies far outside the district"
        return ""

    def _keys(self, draft: DraftRow) -> tuple[Key, ...]:
        if self.table.composite:
            parts = [draft.references.get(name) or draft.values.get(name) for name in self.keys]
            return () if None in parts else (tuple(map(str, parts)),)
        found = ((name, draft.values.get(name)) for name in self.keys)
        return tuple((name, str(value)) for name, value in found if value is not None)


def _condition(origin: FieldMapping) -> dict[str, frozenset[str]]:
    return {name: frozenset(values or ()) for name, values in origin.when.items()}


def condition_holds(when: dict[str, frozenset[str]], values: dict[str, Any]) -> bool:
    """Whether a condition holds: each field has one of the texts, an enum the name of its member."""
    for name, wanted in when.items():
        value = values.get(name)
        said = getattr(value, "name", value)
        if said is None or (text(said) if not isinstance(said, str) else said) not in wanted:
            return False
    return True


def _joined(
    reading: CellFormat, convert: Callable[[Any], Any], places: Sequence[int], by: str, default: Any
) -> Extract:
    def joined(cells: Sequence[Any]) -> Any:
        parts = [text(part) for place in places if (part := reading.clean(cells[place])) is not None]
        return convert(by.join(parts)) if parts else default

    return joined


def _point(origin: FieldMapping, reading: CellFormat, places: Sequence[int]) -> Extract:
    convert = datum.to_wgs84(reading.datum)
    assert convert is not None
    none = {pair for pair in map(_pair, reading.no_value) if pair is not None}

    def point(cells: Sequence[Any]) -> tuple[float, float] | None:
        if origin.column == GEOMETRY:
            found = point_coordinates(cells[places[0]])
        else:
            x, y = (reading.clean(cells[place]) for place in places)
            if (x is None) != (y is None):
                raise InvalidValue("has one coordinate without the other")
            found = None if x is None else (number(x), number(y))
        if found is None or (found[1], found[0]) in none:
            return None
        return datum.convert_point(convert, *found)

    return point


def _pair(marker: str) -> tuple[float, float] | None:
    """A marker such as `0,0`: latitude and longitude, or northing and easting, that are no point."""
    parts = marker.split(",")
    try:
        return (float(parts[0]), float(parts[1])) if len(parts) == 2 else None
    except ValueError:
        return None


def _shown(cell: Any) -> str:
    return "" if cell is None else str(cell)
