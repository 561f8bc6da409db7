"""Opening the files of a mapping, each by its format."""

from collections.abc import Iterator
from pathlib import Path

from resolvers.register import csv_rows, geojson_rows, xlsx_rows
from resolvers.register.problems import FileRefused
from resolvers.register.records import Record
from resolvers.register.rows import Form
from resolvers.register.tables import Kind


def records(form: Form, directory: Path) -> Iterator[Record]:
    """The records of a sheet, of which no more than one is held. Raises FileRefused."""
    sheet = form.sheet
    path = directory / sheet.file
    if not path.is_file():
        raise FileRefused(f"{sheet.file}: is not in {directory}")
    match sheet.format:
        case "xlsx":
            dates = {
                name
                for field, origin in sheet.fields.items()
                for name in origin.sources
                if form.table.fields[field].kind in (Kind.TIME, Kind.DATE)
            }
            return xlsx_rows.read(
                path,
                form.wanted,
                sheet=sheet.sheet,
                header=sheet.header,
                header_rows=sheet.header_rows,
                dates=frozenset(dates),
            )
        case "geojson":
            return geojson_rows.read(path, form.wanted)
        case _:
            return csv_rows.read(
                path,
                form.wanted,
                encoding=sheet.encoding or "utf-8",
                delimiter=sheet.delimiter,
                header=sheet.header,
                gzipped=sheet.format == "csv.gz",
            )
