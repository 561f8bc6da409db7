"""The mapping: how the files of somebody else's register become rows of Huhang. docs/guides/register.md explains every key.

These are its shapes alone; resolvers/register/checking.py holds them against the tables, and both are done before any
row is read.
"""

import datetime as dt
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from resolvers.register import datum
from resolvers.register.convert import EXCEL, ISO
from resolvers.register.tables import TABLES

GEOMETRY = "$geometry"  # the name of what a GeoJSON feature has besides its properties
ENCODINGS = ("utf-8", "utf-8-sig", "gb18030")
SUFFIXES = {".csv": "csv", ".csv.gz": "csv.gz", ".xlsx": "xlsx", ".geojson": "geojson"}

Format = Literal["csv", "csv.gz", "xlsx", "geojson"]
Encoding = Literal["utf-8", "utf-8-sig", "gb18030"]
Text = Annotated[str, Field(min_length=1)]


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


OneOrMore = Annotated[tuple[Text, ...], BeforeValidator(_as_list), Field(min_length=1)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _zone(name: str | None) -> str | None:
    try:
        return None if name is None else ZoneInfo(name).key
    except (KeyError, ValueError, OSError):
        raise ValueError("not the IANA name of a time zone") from None


def _datum(name: str | None) -> str | None:
    if name is not None and datum.to_wgs84(name) is None:
        raise ValueError("not wgs84, gcj02, cgcs2000, or EPSG:… of a projected CGCS2000")
    return name


def _formats(forms: tuple[str, ...] | None) -> tuple[str, ...] | None:
    sample = dt.datetime(2023, 9, 23, 20, 0, 1)
    for form in forms or ():
        try:
            good = form in (ISO, EXCEL) or dt.datetime.strptime(sample.strftime(form), form).date() == sample.date()
        except ValueError:
            good = False
        if not good:
            raise ValueError(f"not a form of dates: {ISO}, {EXCEL}, or one for strptime such as %Y-%m-%d")
    return forms


def _file(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
        raise ValueError("a file lies in the directory of the import")
    return name


File = Annotated[Text, AfterValidator(_file)]
Zone = Annotated[str | None, BeforeValidator(_zone)]
Datum = Annotated[str | None, BeforeValidator(_datum)]


class FieldMapping(_Section):
    """Where a field's value comes from, and how it is read. A text alone is the name of a column."""

    column: Text | None = None
    columns: tuple[Text, ...] = ()
    separator: str = " "
    constant: Any = None
    from_: Text | None = Field(default=None, alias="from")
    latitude: Text | None = None
    longitude: Text | None = None
    easting: Text | None = None
    northing: Text | None = None
    by: OneOrMore | None = None
    values: dict[str, str | int | bool] | None = None
    default: Any = None
    format: OneOrMore | None = None
    time_zone: Zone = None
    datum: Datum = None
    no_value: tuple[str, ...] = ()
    split: Text | None = None
    when: dict[str, OneOrMore] = Field(default_factory=dict)

    formats_hold = field_validator("format")(_formats)

    @property
    def sources(self) -> tuple[str, ...]:
        """The columns that it is read from; of a point the one with its y last."""
        pairs = (self.longitude, self.latitude, self.easting, self.northing)
        return tuple(name for name in (self.column, *self.columns, *pairs) if name is not None)

    @property
    def kinds(self) -> list[str]:
        """Which of the ways to get a value it uses; there must be one."""
        given = {
            "column": self.column is not None,
            "columns": bool(self.columns),
            "constant": self.constant is not None,
            "from": self.from_ is not None,
            "latitude and longitude": self.latitude is not None or self.longitude is not None,
            "easting and northing": self.easting is not None or self.northing is not None,
        }
        return [name for name, present in given.items() if present]


def _origin(value: Any) -> Any:
    return {"column": value} if isinstance(value, str) else value


class FileMapping(_Section):
    """One file, and the fields of one table that it fills."""

    file: File
    format: Format
    key: OneOrMore | None = None
    encoding: Encoding | None = None
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    sheet: Text | None = None
    header: Annotated[int, Field(ge=1)] = 1
    header_rows: Annotated[int, Field(ge=1, le=5)] = 1
    datum: Datum = None
    time_zone: Zone = None
    no_value: tuple[str, ...] = ()
    dates: OneOrMore | None = None
    fields: dict[str, Annotated[FieldMapping, BeforeValidator(_origin)]] = Field(min_length=1)

    formats_hold = field_validator("dates")(_formats)

    @model_validator(mode="before")
    @classmethod
    def format_by_name(cls, value: Any) -> Any:
        """A file's format is what its name ends in, unless it is said."""
        if isinstance(value, dict) and "format" not in value and isinstance(value.get("file"), str):
            name = value["file"].lower()
            found = [form for suffix, form in SUFFIXES.items() if name.endswith(suffix)]
            return {**value, "format": found[-1]} if found else value
        return value


class DistrictMapping(_Section):
    """The district. `bounds`: west, south, east and north in degrees of WGS-84, for the warning of far points."""

    name: Text
    name_en: Text | None = None
    area_code: Text | None = None
    time_zone: Annotated[str, BeforeValidator(_zone)] = "Asia/Shanghai"
    boundary: File | None = None
    bounds: tuple[float, float, float, float] | None = None
    far_metres: Annotated[int, Field(ge=0)] = 10_000

    @field_validator("bounds")
    @classmethod
    def bounds_are_a_box(cls, value: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if value is not None and not (-180 <= value[0] < value[2] <= 180 and -90 <= value[1] < value[3] <= 90):
            raise ValueError("west, south, east and north, in degrees")
        return value


def _sheets(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


class Mapping(_Section):
    """A whole mapping. What stands at the top holds for every sheet that does not say otherwise."""

    district: DistrictMapping
    encoding: Encoding = "utf-8"
    datum: Annotated[str, BeforeValidator(_datum)] = "wgs84"
    time_zone: Zone = None
    no_value: tuple[str, ...] = ()
    dates: OneOrMore = (ISO,)
    escaped: bool = False
    sheets: dict[str, tuple[FileMapping, ...]] = Field(min_length=1)

    formats_hold = field_validator("dates")(_formats)

    @model_validator(mode="before")
    @classmethod
    def gather_sheets(cls, value: Any) -> Any:
        """Tables stand at the top of the text by their names, once or as an array."""
        if not isinstance(value, dict):
            return value
        rest = {key: inner for key, inner in value.items() if key not in TABLES}
        sheets = {key: _sheets(value[key]) for key in TABLES if key in value}
        return {**rest, "sheets": sheets}

    def settled(self) -> "Mapping":
        """The same with every sheet saying for itself what the top says for all."""
        common = {"encoding": self.encoding, "datum": self.datum, "dates": self.dates}
        common["time_zone"] = self.time_zone or self.district.time_zone

        def told(sheet: FileMapping) -> FileMapping:
            lacking = {key: value for key, value in common.items() if getattr(sheet, key) is None}
            return sheet.model_copy(update={**lacking, "no_value": (*self.no_value, *sheet.no_value)})

        sheets = {name: tuple(told(sheet) for sheet in of) for name, of in self.sheets.items()}
        return self.model_copy(update={"sheets": sheets})
