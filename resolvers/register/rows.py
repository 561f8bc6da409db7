"""Converts records of a file to rows of a table, as far as that is possible without the database."""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from zoneinfo import ZoneInfo

from models import ControlGrade
from models.reason import Reason
from resolvers.register import datum, geometry
from resolvers.register.cell_sources import by_interval, cell_source
from resolvers.register.convert import CellFormat, Convert, converter, to_text
from resolvers.register.errors import InvalidValue
from resolvers.register.mapping import GEOMETRY, ROW, FieldMapping, FileMapping
from resolvers.register.numerals import to_number
from resolvers.register.readers.record import Record
from resolvers.register.report import ERROR, WARNING, Issue
from resolvers.register.row_filter import row_filter
from resolvers.register.tables import RADIUS_FIELDS, TABLES, Field, Kind, Table

Key = tuple[str, ...]  # the name of a field and its text; of a composite key the texts of all its fields
Extract = Callable[[Sequence[Any]], Any]  # from the cells of a record to the value of a field
Condition = dict[str, frozenset[str]]  # by field, the texts of which its value must be one


@dataclass(slots=True, eq=False)
class DraftRow:
    """A row that a record describes.

    `values` are keyed by column. `references` are the texts by which it refers to other rows, keyed by field; the
    columns that hold the ids of those rows are filled in later. `radii` are those of a venue's rings in metres.
    `number`: 1 for the first row of the file. `id`: of the row in the database, once it is known.
    `superseded`: the file has a later row with the same key. `overridden`: the fields that later files have for that
    key. `created_in_run`: the row in the database is new in this run. `written`: this draft was written, and `created`:
    as a new row.
    """

    line: int
    number: int = 0
    values: dict[str, Any] = field(default_factory=dict)
    references: dict[str, Any] = field(default_factory=dict)
    radii: dict[ControlGrade, int | None] = field(default_factory=dict)
    inspectors: frozenset[int] | None = None
    keys: tuple[Key, ...] = ()
    issues: list[Issue] = field(default_factory=list)
    superseded: bool = False
    overridden: frozenset[str] = frozenset()
    created_in_run: bool = False
    written: bool = False
    created: bool = False
    id: int | None = None

    def keep(self, row: dict[str, Any], table: Table, fields: Iterable[str]) -> None:
        """Take the values of these fields from the existing row."""
        for name in fields:
            field = table.fields[name]
            if field.kind is Kind.REFERENCES:
                self.inspectors = None
            elif name in RADIUS_FIELDS:
                self.radii.pop(RADIUS_FIELDS[name], None)
            columns = ("latitude", "longitude") if field.kind is Kind.POINT else (field.column or "",)
            self.values.update({column: row[column] for column in columns if column in self.values})

    def is_bad(self) -> bool:  # not a property, because type checkers assume that a property does not change
        return any(issue.severity == ERROR for issue in self.issues)


@dataclass(frozen=True)
class FieldConverter:
    """How one field is filled. `extract` returns its value, None for none, and raises InvalidValue.

    `label` names its columns in the report, `positions` are those of its cells in a record.
    """

    field: Field
    label: str
    extract: Extract
    positions: tuple[int, ...]
    required: bool
    when: Condition


@dataclass(frozen=True)
class CopiedField:
    """A field whose value is copied from the `source` field of the row that `reference` refers to."""

    field: Field
    reference: str
    source: Field
    when: Condition


@dataclass(frozen=True)
class Area:
    """A box in degrees of WGS-84. Points outside it are far from the district."""

    west: float
    south: float
    east: float
    north: float

    def contains(self, longitude: float, latitude: float) -> bool:
        return self.west <= longitude <= self.east and self.south <= latitude <= self.north


class RowConverter:
    """Converts the records of one file. `columns` are those of the file that it needs, in the order of a record."""

    def __init__(
        self, table: Table, file: FileMapping, escaped: bool, now: dt.datetime, area: Area | None = None
    ) -> None:
        self.table, self.file = table, file
        self._escaped, self._now, self._area = escaped, now, area
        self._today = now.date() + dt.timedelta(days=1)  # the latest date that it is anywhere on the Earth
        self._defaults = table.defaults
        sources = [name for mapped in file.fields.values() for name in mapped.source_columns]
        self.columns = [name for name in dict.fromkeys((*sources, *file.only, *file.skip)) if name != ROW]
        self._numbered = ROW in sources
        self._wanted = row_filter(file.only, file.skip, self.columns.index)
        own = [name for name, mapped in file.fields.items() if mapped.from_ is None]
        # Fields with a condition come last, because the condition looks at the values of others.
        self._converters = sorted(map(self._field_converter, own), key=lambda one: bool(one.when))
        self.copied = [self._copied_field(name) for name in file.fields if name not in own]
        mapped_keys = [name for name in table.keys if name in file.fields]
        self.only_new = frozenset(name for name, mapped in file.fields.items() if mapped.only_new)
        self.keys: tuple[str, ...] = table.keys if table.composite else tuple(file.key or mapped_keys)
        self._key_converters = [one for one in self._converters if one.field.name in self.keys]

    @property
    def mapped(self) -> frozenset[str]:
        """The fields that the file has."""
        return frozenset(self.file.fields)

    @property
    def references(self) -> dict[str, tuple[str, tuple[str, ...] | None]]:
        """By field that refers to rows: their table, and the fields to find them by if the mapping names them."""
        return {
            one.field.name: (one.field.target, self.file.fields[one.field.name].by)
            for one in self._converters
            if one.field.kind in (Kind.REFERENCE, Kind.REFERENCES)
        }

    def label(self, *fields: str) -> str:
        """The columns that fields come from, for the report."""
        mapped = self.file.fields
        return ", ".join(" + ".join(mapped[name].source_columns if name in mapped else ()) or name for name in fields)

    # -- preparation --

    def _field_converter(self, name: str) -> FieldConverter:
        target, mapped = self.table.fields[name], self.file.fields[name]
        positions = tuple(map([*self.columns, ROW].index, mapped.source_columns))
        when = _condition(mapped)
        # A list may be empty, and a condition may leave any field without a value.
        required = target.required and not when and target.kind not in (Kind.TEXTS, Kind.ENUMS)
        return FieldConverter(
            target, self.label(name), self._extract(target, mapped, positions), positions, required, when
        )

    def _copied_field(self, name: str) -> CopiedField:
        mapped = self.file.fields[name]
        reference, _, source = (mapped.from_ or "").partition(".")
        target = TABLES[self.table.fields[reference].target]
        return CopiedField(self.table.fields[name], reference, target.fields[source], _condition(mapped))

    def _cell_format(self, mapped: FieldMapping) -> CellFormat:
        file = self.file
        return CellFormat(
            no_value=frozenset((*file.no_value, *mapped.no_value)),
            escaped=self._escaped,
            formats=tuple(mapped.format or file.dates or ()),
            zone=ZoneInfo(mapped.time_zone or file.time_zone or "UTC"),
            split=mapped.split or ";",
            values=mapped.values,
            datum=mapped.datum or file.datum or "wgs84",
        )

    def _extract(self, target: Field, mapped: FieldMapping, positions: tuple[int, ...]) -> Extract:
        cell_format = self._cell_format(mapped)
        if target.kind is Kind.POINT:
            return _extract_point(mapped, cell_format, positions)
        # Constants and defaults are Huhang's own values, not codes of the file.
        literal = converter(target, CellFormat(formats=("iso", *cell_format.formats), zone=cell_format.zone))
        if mapped.constant is not None:
            constant = literal(mapped.constant)
            return lambda cells: constant
        default = None if mapped.default is None else literal(mapped.default)
        if mapped.by and "name" in mapped.by:
            target = replace(target, identifier=False)  # names are compared as they are
        convert = converter(target, cell_format)
        if mapped.ranges is not None:
            convert = _ranged(by_interval(mapped.ranges, literal), convert, mapped.values)
        source = cell_source(mapped, cell_format, positions)

        def extract(cells: Sequence[Any]) -> Any:
            value = source(cells)
            return default if value is None else convert(value)

        return extract

    # -- conversion --

    def wants(self, record: Record) -> bool:
        """Whether a record is part of the register, by the mapping's `only` and `skip`."""
        return self._wanted is None or bool(record.reason) or self._wanted(record.cells)

    def _with_number(self, record: Record, number: int) -> Record:
        return replace(record, cells=[*record.cells, number]) if self._numbered and not record.reason else record

    def keys_of(self, record: Record, number: int) -> tuple[Key, ...]:
        """The valid keys of a record, which is the `number`th of its file."""
        if record.reason:
            return ()
        record = self._with_number(record, number)
        draft = DraftRow(record.line)
        for one in self._key_converters:
            self._fill(one, record, draft)
        return self._keys(draft)

    def convert(self, record: Record, number: int) -> DraftRow:
        """The row of a record, which is the `number`th of its file, with its issues."""
        draft = DraftRow(record.line, number)
        record = self._with_number(record, number)
        if record.reason:
            draft.issues.append(Issue(record.line, "", record.raw, record.reason))
            return draft
        for one in self._converters:
            if condition_holds(one.when, draft.values):
                self._fill(one, record, draft)
            else:
                self._set(draft, one.field, None)
        draft.keys = self._keys(draft)
        if not draft.keys and not draft.is_bad():
            draft.issues.append(Issue(record.line, self.label(*self.keys), "", Reason("ROW_WITHOUT_KEY", "has no key")))
        return draft

    def _fill(self, one: FieldConverter, record: Record, draft: DraftRow) -> None:
        try:
            value = one.extract(record.cells)
            if value is None and one.required:
                raise InvalidValue(Reason("CELL_REQUIRED", "has no value"))
            self._set(draft, one.field, value)
        except InvalidValue as invalid:
            draft.issues.append(Issue(record.line, one.label, invalid.shown or _shown(one, record), invalid.reason))
            return
        if value is not None and (reason := self._doubt(one, record, value)):
            draft.issues.append(Issue(record.line, one.label, _shown(one, record), reason, WARNING))

    def _set(self, draft: DraftRow, target: Field, value: Any) -> None:
        if target.kind is Kind.POINT:
            draft.values["longitude"], draft.values["latitude"] = value or (None, None)
        elif target.kind in (Kind.REFERENCE, Kind.REFERENCES):
            draft.references[target.name] = value
        elif target.name in RADIUS_FIELDS:
            draft.radii[RADIUS_FIELDS[target.name]] = value
        elif value is None and target.column and target.required and target.kind in (Kind.TEXTS, Kind.ENUMS):
            draft.values[target.column] = []
        elif value is None and target.column and (default := self._defaults.get(target.column)) is not None:
            draft.values[target.column] = default
        elif target.column:
            draft.values[target.column] = value

    def _doubt(self, one: FieldConverter, record: Record, value: Any) -> str:
        """The reason for a warning about a value; empty if there is none."""
        target = one.field
        if target.kind is Kind.GEOMETRY:
            return geometry.doubt(record.cells[one.positions[0]], value)
        if target.kind is Kind.TIME and not target.future and value > self._now:
            return Reason("TIME_COMING", "is in the future")
        if target.kind is Kind.DATE and not target.future and value > self._today:
            return Reason("TIME_COMING", "is in the future")
        if target.kind is Kind.POINT and self._area is not None and not self._area.contains(*value):
            return Reason("FAR_OUTSIDE", "is far outside the district")
        return ""

    def _keys(self, draft: DraftRow) -> tuple[Key, ...]:
        if self.table.composite:
            parts = [draft.references.get(name) or draft.values.get(name) for name in self.keys]
            return () if None in parts else (tuple(map(str, parts)),)
        values = ((name, draft.values.get(name)) for name in self.keys)
        return tuple((name, str(value)) for name, value in values if value is not None)


def _condition(mapped: FieldMapping) -> Condition:
    return {name: frozenset(values or ()) for name, values in mapped.when.items()}


def condition_holds(when: Condition, values: dict[str, Any]) -> bool:
    """Whether each field has one of its texts. The text of an enum member is its name."""
    for name, texts in when.items():
        value = values.get(name)
        value = getattr(value, "name", value)
        if value is None or (value if isinstance(value, str) else to_text(value)) not in texts:
            return False
    return True


def _ranged(in_range: Convert, by_code: Convert, codes: Mapping[str, Any] | None) -> Convert:
    """Codes of the mapping's `values` come before its `ranges`."""
    return lambda value: by_code(value) if codes and to_text(value) in codes else in_range(value)


def _extract_point(mapped: FieldMapping, cell_format: CellFormat, positions: Sequence[int]) -> Extract:
    convert = datum.to_wgs84(cell_format.datum)
    assert convert is not None
    no_points = {pair for pair in map(_pair, cell_format.no_value) if pair is not None}

    def extract(cells: Sequence[Any]) -> tuple[float, float] | None:
        if mapped.column == GEOMETRY:
            point = geometry.point_coordinates(cell_format.clean(cells[positions[0]]))
        else:
            x, y = (cell_format.clean(cells[at]) for at in positions)
            if (x is None) != (y is None):
                raise InvalidValue(Reason("HALF_A_POINT", "has one coordinate without the other"))
            point = None if x is None else (to_number(x), to_number(y))
        if point is None or (point[1], point[0]) in no_points:
            return None
        return datum.convert_point(convert, *point)

    return extract


def _pair(marker: str) -> tuple[float, float] | None:
    """The y and x (latitude and longitude, or northing and easting) of a marker for no point such as `0,0`."""
    parts = marker.split(",")
    try:
        return (float(parts[0]), float(parts[1])) if len(parts) == 2 else None
    except ValueError:
        return None


def _shown(one: FieldConverter, record: Record) -> str:
    """The cells of a field, for the report."""
    cells = (record.cells[at] for at in one.positions)
    return ", ".join("" if cell is None else str(cell) for cell in cells)
