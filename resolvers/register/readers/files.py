"""Opening the files of a mapping, each by its format."""

from collections.abc import Iterator
from pathlib import Path

from resolvers.register.errors import FileError
from resolvers.register.readers import csv, geojson, xlsx
from resolvers.register.readers.record import Record
from resolvers.register.rows import RowConverter
from resolvers.register.tables import Kind


def read_records(form: RowConverter, directory: Path) -> Iterator[Record]:
    """The records of a sheet, of which no more than one is held. Raises FileError."""
    sheet = form.sheet
    path = directory / sheet.file
    if not path.is_file():
        raise FileError(f"{sheet.file}: is not in {directory}")
    match sheet.format:
        case "xlsx":
            dates = {
                name
                for field, origin in sheet.fields.items()
                for name in origin.sources
                if form.table.fields[field].kind in (Kind.TIME, Kind.DATE)
            }
            return xlsx.read(
                path,
                form.wanted,
                sheet=sheet.sheet,
                header=sheet.header,
                header_rows=sheet.header_rows,
                dates=frozenset(dates),
            )
        case "geojson":
            return geojson.read(path, form.wanted)
        case _:
            return csv.read(
                path,
                form.wanted,
                encoding=sheet.encoding or "utf-8",
                delimiter=sheet.delimiter,
                header=sheet.header,
                gzipped=sheet.format == "csv.gz",
            )
