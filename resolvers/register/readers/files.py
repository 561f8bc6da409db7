"""Reads the files of a mapping, each with the reader of its format."""

from collections.abc import Iterator
from pathlib import Path

from models.reason import Reason
from resolvers.register.errors import FileError
from resolvers.register.mapping import GEOMETRY, FileMapping
from resolvers.register.readers import csv, geojson, ods, sheet, xls, xlsx
from resolvers.register.readers.encodings import GB_18030, detect
from resolvers.register.readers.record import Record
from resolvers.register.rows import RowConverter

SHEETS: dict[str, sheet.Opener] = {"xlsx": xlsx.open_sheet, "xls": xls.open_sheet, "ods": ods.open_sheet}


def read_records(converter: RowConverter, directory: Path) -> Iterator[Record]:
    """Stream the records of a file: no more than one is in memory. Raises FileError."""
    file = converter.file
    path = directory / file.file
    if not path.is_file():
        raise FileError(Reason("FILE_MISSING", "is not in {directory}", directory=str(directory)), file.file)
    match file.format:
        case "xlsx" | "xls" | "ods":
            options = {"header": file.header, "header_rows": file.header_rows}
            return sheet.read(SHEETS[file.format], path, converter.columns, sheet=file.sheet, **options)
        case "geojson":
            datums = [mapped.datum or file.datum for mapped in file.fields.values() if mapped.column == GEOMETRY]
            return geojson.read(path, converter.columns, datum=next(filter(None, datums), None) or "wgs84")
        case _:
            return csv.read(
                path,
                converter.columns,
                encoding=file.encoding,
                delimiter=file.delimiter,
                header=file.header,
                gzipped=file.format == "csv.gz",
            )


def file_notices(file: FileMapping, directory: Path) -> list[str]:
    """A remark of the report on a file as a whole."""
    if file.format in ("csv", "csv.gz") and file.encoding is None:
        encoding = detect(directory / file.file, file.format == "csv.gz")
        if encoding == GB_18030:
            return [
                Reason(
                    "READ_AS_CHINESE",
                    'is not UTF-8 and was read as GB 18030; encoding = "{encoding}" in the mapping says so',
                    encoding=encoding,
                )
            ]
    return []
