"""Writes OpenDocument spreadsheets for tests, from the text of their cells and the attributes that these need."""

from pathlib import Path
from xml.sax.saxutils import escape
from zipfile import ZIP_DEFLATED, ZipFile

NAMES = ("table", "office", "text")
DECLARED = " ".join(f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in NAMES)
DECLARED += ' xmlns:calcext="urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0"'


def cell(text: str = "", attributes: str = "") -> str:
    return f"<table:table-cell {attributes}><text:p>{escape(text)}</text:p></table:table-cell>"


def number(value: str, shown: str, attributes: str = "") -> str:
    return cell(shown, f'office:value-type="float" office:value="{value}" {attributes}')


def texts(*values: str) -> str:
    return row(*(cell(value, 'office:value-type="string"') for value in values))


def row(*cells: str, repeated: int = 1) -> str:
    return f'<table:table-row table:number-rows-repeated="{repeated}">{"".join(cells)}</table:table-row>'


def save(path: Path, *tables: str, prolog: str = "") -> None:
    body = "".join(f'<table:table table:name="T{n}">{rows}</table:table>' for n, rows in enumerate(tables, 1))
    content = (
        f"{prolog}<office:document-content {DECLARED}><office:body><office:spreadsheet>{body}</office:spreadsheet>"
        "</office:body></office:document-content>"
    )
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        archive.writestr("content.xml", content)
