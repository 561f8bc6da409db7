"""The shapes of a mapping, the TOML file that says how the files of another register become rows of Huhang.

docs/guides/register.md explains every key. `check_mapping` checks a mapping against the tables.
"""

import datetime as dt
import re
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from models.reason import Reason
from resolvers.register import datum
from resolvers.register.convert import EXCEL, ISO
from resolvers.register.tables import TABLES

GEOMETRY = "$geometry"  # stands for the geometry of a GeoJSON feature, which is not one of its properties
FEATURE_ID = "$id"  # stands for the id of a GeoJSON feature, which is not one of its properties either
ROW = "$row"  # stands for the number of the row in its file, from 1
PLACE = re.compile(r"\{([^{}]+)\}")  # of a column in a template
SHEETS = ("xlsx", "xls", "ods")
SUFFIXES = {".csv": "csv", ".csv.gz": "csv.gz", **{f".{name}": name for name in SHEETS}, ".geojson": "geojson"}

Format = Literal["csv", "csv.gz", "xlsx", "xls", "ods", "geojson"]
Encoding = Literal["utf-8", "utf-8-sig", "gb18030", "utf-16", "windows-1252"]
Text = Annotated[str, Field(min_length=1)]


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Texts = Annotated[tuple[str, ...], BeforeValidator(_as_list), Field(min_length=1)]  # the empty one is of a blank cell
OneOrMore = Annotated[tuple[Text, ...], BeforeValidator(_as_list), Field(min_length=1)]


def template_columns(template: str) -> tuple[str, ...]:
    """The columns that a template names."""
    return tuple(PLACE.findall(template))


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _zone(name: str | None) -> str | None:
    try:
        return None if name is None else ZoneInfo(name).key
    except (KeyError, ValueError, OSError):
        raise ValueError(Reason("ZONE_UNKNOWN", "not the IANA name of a time zone")) from None


def _datum(name: str | None) -> str | None:
    if name is not None and datum.to_wgs84(name) is None:
        raise ValueError(
            Reason("DATUM_UNKNOWN", "must be wgs84, gcj02, bd09, cgcs2000, or EPSG:… of a projected CGCS2000 system")
        )
    return name


def _formats(formats: tuple[str, ...] | None) -> tuple[str, ...] | None:
    sample = dt.datetime(2023, 9, 23, 20, 0, 1)
    for name in formats or ():
        try:
            valid = name in (ISO, EXCEL) or dt.datetime.strptime(sample.strftime(name), name).date() == sample.date()
        except ValueError:
            valid = False
        if not valid:
            raise ValueError(
                Reason(
                    "DATE_FORMAT",
                    "not a date format: use {iso}, {excel}, or one for strptime such as %Y-%m-%d",
                    iso=ISO,
                    excel=EXCEL,
                )
            )
    return formats


def _file(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
        raise ValueError(Reason("PATH_OUTSIDE", "must be a path inside the import directory"))
    return name


File = Annotated[Text, AfterValidator(_file)]
Zone = Annotated[str | None, BeforeValidator(_zone)]
Datum = Annotated[str | None, BeforeValidator(_datum)]


class FieldMapping(_Section):
    """Where the value of a field comes from and how it is read. A plain text is the name of a column."""

    column: Text | None = None
    columns: tuple[Text, ...] = ()
    separator: str = " "
    first_of: tuple[Text, ...] = ()
    template: Text | None = None
    constant: Any = None
    from_: Text | None = Field(default=None, alias="from")
    latitude: Text | None = None
    longitude: Text | None = None
    easting: Text | None = None
    northing: Text | None = None
    by: OneOrMore | None = None
    pattern: Text | None = None
    factor: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    round: Literal["nearest", "up", "down"] | None = None
    ranges: dict[str, str | int | bool] | None = None
    values: dict[str, str | int | bool] | None = None
    default: Any = None
    format: OneOrMore | None = None
    time_zone: Zone = None
    datum: Datum = None
    no_value: tuple[str, ...] = ()
    split: Text | None = None
    when: dict[str, OneOrMore] = Field(default_factory=dict)
    only_new: bool = False

    check_format = field_validator("format")(_formats)

    @property
    def source_columns(self) -> tuple[str, ...]:
        """The columns that the value is read from. Of a point, the column of x comes before that of y."""
        pairs = (self.longitude, self.latitude, self.easting, self.northing)
        several = (*self.columns, *self.first_of, *template_columns(self.template or ""))
        return tuple(name for name in (self.column, *several, *pairs) if name is not None)

    @property
    def source_options(self) -> list[str]:
        """The options in use that say where the value comes from. A valid mapping has exactly one."""
        in_use = {
            "column": self.column is not None,
            "columns": bool(self.columns),
            "first_of": bool(self.first_of),
            "template": self.template is not None,
            "constant": self.constant is not None,
            "from": self.from_ is not None,
            "latitude and longitude": self.latitude is not None or self.longitude is not None,
            "easting and northing": self.easting is not None or self.northing is not None,
        }
        return [name for name, used in in_use.items() if used]


def _field(value: Any) -> Any:
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
    only: dict[str, Texts] = Field(default_factory=dict)
    skip: dict[str, Texts] = Field(default_factory=dict)
    only_new: bool = False
    missing: Literal["keep", "retire"] = "keep"
    register_: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(default=None, alias="register")
    retire_most: Annotated[int, Field(ge=1, le=100)] = 10
    fields: dict[str, Annotated[FieldMapping, BeforeValidator(_field)]] = Field(min_length=1)

    check_dates = field_validator("dates")(_formats)

    @model_validator(mode="before")
    @classmethod
    def infer_format(cls, value: Any) -> Any:
        """Infer a format that is not given from the suffix of the file name."""
        if isinstance(value, dict) and "format" not in value and isinstance(value.get("file"), str):
            name = value["file"].lower()
            formats = [name_of for suffix, name_of in SUFFIXES.items() if name.endswith(suffix)]
            return {**value, "format": formats[-1]} if formats else value
        return value


class DistrictMapping(_Section):
    """The district. `bounds` are west, south, east and north in degrees of WGS-84, for the warning of far points."""

    name: Text
    name_en: Text | None = None
    area_code: Text | None = None
    time_zone: Zone = None
    boundary: File | None = None
    bounds: tuple[float, float, float, float] | None = None
    far_metres: Annotated[int, Field(ge=0)] = 10_000

    @field_validator("bounds")
    @classmethod
    def check_bounds(cls, value: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if value is not None and not (-180 <= value[0] < value[2] <= 180 and -90 <= value[1] < value[3] <= 90):
            raise ValueError(Reason("BOUNDS_ORDER", "must be west, south, east and north in degrees"))
        return value


class Mapping(_Section):
    """A whole mapping. Its options apply to every file that does not have its own. `files` are keyed by table."""

    district: DistrictMapping
    encoding: Encoding | None = None
    datum: Annotated[str, BeforeValidator(_datum)] = "wgs84"
    time_zone: Zone = None
    no_value: tuple[str, ...] = ()
    dates: OneOrMore = (ISO,)
    escaped: bool = False
    files: dict[str, tuple[FileMapping, ...]] = Field(min_length=1)

    check_dates = field_validator("dates")(_formats)

    @model_validator(mode="before")
    @classmethod
    def gather_files(cls, value: Any) -> Any:
        """Move the tables, which are at the top level of the text, to `files`. A table may be an array."""
        if not isinstance(value, dict):
            return value
        options = {key: inner for key, inner in value.items() if key not in TABLES}
        files = {key: value[key] if isinstance(value[key], list) else [value[key]] for key in TABLES if key in value}
        return {**options, "files": files}

    def with_defaults(self) -> "Mapping":
        """A copy in which every file has all options. A file without an encoding is read in the one that it is in."""
        common = {"encoding": self.encoding, "datum": self.datum, "dates": self.dates}
        common["time_zone"] = self.time_zone

        def completed(file: FileMapping) -> FileMapping:
            missing = {key: value for key, value in common.items() if getattr(file, key) is None}
            return file.model_copy(update={**missing, "no_value": (*self.no_value, *file.no_value)})

        files = {table: tuple(map(completed, mappings)) for table, mappings in self.files.items()}
        return self.model_copy(update={"files": files})

    def in_zone(self, name: str) -> "Mapping":
        """A copy in which files without a time zone have this one."""

        def completed(file: FileMapping) -> FileMapping:
            return file if file.time_zone else file.model_copy(update={"time_zone": name})

        files = {table: tuple(map(completed, mappings)) for table, mappings in self.files.items()}
        return self.model_copy(update={"files": files})
