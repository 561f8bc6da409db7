"""OpenDocument spreadsheets."""

from pathlib import Path
from zipfile import ZipFile

import pytest

from resolvers.register import FileError, parse_mapping
from resolvers.register.readers import ods
from resolvers.register.readers import sheet as sheets
from tests.support.ods_files import cell, number, row, save, texts


def read(path: Path, wanted: list[str], sheet: str | None = None) -> list[tuple[int, list[str]]]:
    records = sheets.read(ods.open_sheet, path, wanted, sheet=sheet, header=1, header_rows=1)
    return [(record.line, [str(cell) for cell in record.cells]) for record in records]


def reasons(path: Path) -> list[str]:
    [record] = sheets.read(ods.open_sheet, path, ["a", "b", "c", "d"], sheet=None, header=1, header_rows=1)
    return [getattr(cell, "reason", "") for cell in record.cells]


def test_cells_of_every_kind_are_read(tmp_path: Path) -> None:
    path = tmp_path / "e.ods"
    covered = "<table:covered-table-cell><text:p>hidden</text:p></table:covered-table-cell>"
    note = "<office:annotation><text:p>a note</text:p></office:annotation>"
    spaced = '<text:p>a<text:s text:c="2"/>b<text:tab/><text:span>c</text:span></text:p>'
    save(
        path,
        texts("a", "b", "c")
        + row(number("12", "00012"), number("1234.5", "1,234.50"), cell("x", 'table:number-rows-spanned="2"'))
        + row(number("0.3", "30%", 'table:number-columns-repeated="2"'), covered)
        + row(cell("", 'table:number-columns-repeated="16384"'), repeated=3)
        + row(
            cell("2022/4/20", 'office:value-type="date" office:date-value="2022-04-20"'),
            cell("WAHR", 'office:value-type="boolean" office:boolean-value="true"'),
            f"<table:table-cell>{note}{spaced}</table:table-cell>",
            repeated=2,
        )
        + row(cell("", 'table:number-columns-repeated="16384"'), repeated=1_048_569),
        texts("d") + texts("e"),
    )
    assert read(path, ["a", "b", "c"]) == [
        (2, ["12".zfill(5), "1234.5", "x"]),
        (3, ["0.3", "0.3", "x"]),
        (7, ["2022-04-20 00:00:00", "True", "a  b\tc"]),
        (8, ["2022-04-20 00:00:00", "True", "a  b\tc"]),
    ]
    assert read(path, ["d"], "T2") == [(2, ["e"])]
    assert parse_mapping(
        '[district]\nname = "D"\n[towns]\nfile = "e.ods"\nsheet = "T2"\nfields = { code = "d", name = "d" }'
    )


def test_what_a_cell_does_not_tell_is_unknown(tmp_path: Path) -> None:
    cells = (
        cell("#DIV/0!", 'office:value-type="string" office:string-value="" calcext:value-type="error"'),
        cell("#N/A", 'table:formula="of:=A1" office:value-type="string"'),
        cell("", 'table:formula="of:=A1"'),
        number("3.3E19", "33000000000000000000"),
    )
    save(tmp_path / "e.ods", texts("a", "b", "c", "d") + row(*cells))
    expected = [sheets.IS_ERROR, sheets.IS_ERROR, sheets.NO_RESULT, sheets.TOO_LONG]
    assert reasons(tmp_path / "e.ods") == expected
    plain = (cell("#N/A", 'office:value-type="string"'), cell('=""', 'table:formula="x" office:value-type="string"'))
    save(tmp_path / "e.ods", texts("a", "b", "c", "d") + row(*plain))
    assert reasons(tmp_path / "e.ods") == ["", "", "", ""]


def test_a_damaged_or_hostile_spreadsheet_is_refused(tmp_path: Path) -> None:
    path, good = tmp_path / "e.ods", texts("a") + texts("x")
    save(path, good)
    whole = path.read_bytes()
    for content in (whole[:-30], whole[:50], b"", b"<html>", b"a,b"):
        path.write_bytes(content)
        with pytest.raises(FileError, match=r"e\.ods: not an ODS spreadsheet"):
            read(path, ["a"])
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 30}">' for n in range(1, 8))
    entities = f'<!DOCTYPE x [<!ENTITY l0 "ha">{laughs}<!ENTITY f SYSTEM "{path}">]>'
    hostile = [texts("a") + row(cell("x", 'table:number-columns-repeated="16384"'), repeated=1_048_570)]
    hostile += [
        texts("a") + row(cell("x"), repeated=2_000_000),
        texts("a") + row(cell("x", 'table:number-columns-repeated="99999"')),
    ]
    hostile += [texts("a") + row(number("many", "many")), texts("a") + row(cell("x"), repeated="x")]  # type: ignore[arg-type]  # bad on purpose
    hostile += [texts("a") + texts("x").replace("x<", f"&{name};<") for name in ("l7", "f")]
    hostile += [
        texts("a")
        + row(
            "<table:table-cell><text:p>"
            + "<text:span>" * 5_000
            + "</text:span>" * 5_000
            + "</text:p></table:table-cell>"
        )
    ]
    for rows in hostile:
        save(path, rows, prolog=entities if "&" in rows else "")
        with pytest.raises(FileError, match=r"e\.ods: the spreadsheet is damaged or has a password"):
            read(path, ["a"])
    with ZipFile(path, "w") as archive:
        archive.writestr("other.xml", "")
    with pytest.raises(FileError, match=r"e\.ods: the spreadsheet is damaged"):
        read(path, ["a"])
    save(path)
    with pytest.raises(FileError, match=r"e\.ods: has no worksheet"):
        read(path, ["a"])
    save(path, good)
    with pytest.raises(FileError, match=r"e\.ods: has no sheet T2; it has T1"):
        read(path, ["a"], "T2")
