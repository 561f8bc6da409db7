"""Reads the files of a mapping, each with the reader of its format."""

from collections.abc import Iterator
from pathlib import Path

from resolvers.register.errors import FileError
from resolvers.register.readers import csv, geojson, xlsx
from resolvers.register.readers.record import Record
from resolvers.register.rows import RowConverter


def read_records(converter: RowConverter, directory: Path) -> Iterator[Record]:
    """Stream the records of a file: no more than one is in memory. Raises FileError."""
    file = converter.file
    path = directory / file.file
    if not path.is_file():
        raise FileError(f"{file.file}: is not in {directory}")
    match file.format:
        case "xlsx":
            columns = converter.columns
            return xlsx.read(path, columns, sheet=file.sheet, header=file.header, header_rows=file.header_rows)
        case "geojson":
            return geojson.read(path, converter.columns)
        case _:
            return csv.read(
                path,
                converter.columns,
                encoding=file.encoding or "utf-8",
                delimiter=file.delimiter,
                header=file.header,
                gzipped=file.format == "csv.gz",
            )
