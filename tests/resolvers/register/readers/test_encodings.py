"""CSV files in the encodings that programs write, named by the mapping or not, and files that were cut off."""

import codecs
import gzip
from pathlib import Path

import pytest

import models
from models.db.database import Database
from resolvers.register import RegisterError
from resolvers.register.readers import encodings
from resolvers.register.readers.encodings import detect
from tests.support.register_runs import run_import
from tests.support.small_register import rows_by_key

MAPPING = """[district]
name = "测试区"
[enterprises]
file = "e.csv"
fields = { external_id = "编号", name = "企业名称" }
"""
LINES = ["编号,企业名称", "001,甲厂", "002,乙厂（二）", '003,"丙厂, 分厂"']
TEXT = "\r\n".join(LINES) + "\r\n"
NAMES = {"001": "甲厂", "002": "乙厂（二）", "003": "丙厂, 分厂"}
NOTICE = 'is not UTF-8 and was read as GB 18030; encoding = "gb18030" in the mapping says so'


async def test_the_encoding_of_a_file_is_detected(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "e.csv"
    marked = codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be")
    for content, notices in (
        (TEXT.encode("gb18030"), [NOTICE]),
        (TEXT.encode(), []),
        (TEXT.encode("utf-8-sig"), []),
        (TEXT.encode("utf-16"), []),
        (marked, []),
    ):
        path.write_bytes(content)
        outcome, report = await run_import(database, MAPPING, tmp_path)
        assert [(row["line"], row["reason"], row["severity"]) for row in report] == [
            ("1", n, "warning") for n in notices
        ]
        assert {key: row.name for key, row in (await rows_by_key(database, models.Enterprise)).items()} == NAMES
        assert outcome.total.bad == outcome.total.changed == 0
    path.write_bytes(TEXT.encode("gb18030"))
    _, report = await run_import(database, f'encoding = "gb18030"\n{MAPPING}', tmp_path)
    assert report == []
    # A wrong byte costs its own line, whichever of the two encodings the others are in.
    for encoding in ("utf-8", "gb18030"):
        path.write_bytes(TEXT.encode(encoding) + b"004,\xff\xff\r\n")
        outcome, report = await run_import(database, MAPPING, tmp_path)
        assert (report[-1]["line"], report[-1]["value"], outcome.total.bad) == ("5", "\\xff\\xff", 1)
    # Windows-1252 is no encoding of these registers unless the mapping names it.
    path.write_bytes("编号,企业名称\n".encode() + "5,Café Müller €\n".encode("windows-1252"))
    _, [bad] = await run_import(database, MAPPING, tmp_path)
    assert (bad["line"], bad["column"]) == ("2", "企业名称")
    latin = MAPPING.replace("编号", "id").replace("企业名称", "name")
    path.write_bytes("id,name\n5,Café Müller €\n".encode("windows-1252"))
    _, report = await run_import(database, f'encoding = "windows-1252"\n{latin}', tmp_path)
    assert report == []
    assert (await rows_by_key(database, models.Enterprise))["5"].name == "Café Müller €"


async def test_a_header_that_does_not_match_names_its_columns_and_the_likely_encoding(
    database: Database, tmp_path: Path
) -> None:
    path = tmp_path / "e.csv"
    hint = r'With encoding = "{}" and delimiter = "{}" it has all columns of the mapping'
    for content, named, message in (
        (TEXT.encode("gb18030"), "utf-8", hint.format("gb18030", ",")),
        (TEXT.encode(), "gb18030", hint.format("utf-8", ",")),
        (TEXT.encode("utf-16"), "utf-8", hint.format("utf-16", ",")),
        (TEXT.replace(",", "\t").encode("utf-16"), "gb18030", hint.format("utf-16", r"\\t")),
        (TEXT.replace(",", ";").encode("gb18030"), "gb18030", hint.format("gb18030", ";")),
        ("编码,名称\n".encode(), "utf-8", "has no column 编号, 企业名称; it has 编码, 名称$"),
        (b",\n", "utf-8", "it has no names$"),
    ):
        path.write_bytes(content)
        with pytest.raises(RegisterError, match=message) as refused:
            await run_import(database, f'encoding = "{named}"\n{MAPPING}', tmp_path)
        str(refused.value).encode()  # no bytes that are not characters
    # Characters that cannot be seen are no part of a name.
    path.write_text("\u200b编号\ufeff, 企业名称\u200b\n001,甲厂\n", "utf-8")
    _, report = await run_import(database, MAPPING, tmp_path)
    assert report == []


async def test_a_file_that_was_cut_off_is_refused(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "e.csv"
    for end in ('004,"丁', '004,"丁厂\n二分', '004,"丁厂, ""二', '004,"', '"00'):
        path.write_bytes((TEXT + end).encode())
        with pytest.raises(RegisterError, match=r"e\.csv: ends within a quoted field: the file was cut off"):
            await run_import(database, MAPPING, tmp_path)
    path.write_bytes(TEXT.encode("utf-16")[:-1])
    with pytest.raises(RegisterError, match=r"e\.csv: not utf-16, or cut off"):
        await run_import(database, MAPPING, tmp_path)
    assert await rows_by_key(database, models.Enterprise) == {}
    # A quotation mark that is closed nowhere, but with whole rows to the end, costs its own row.
    path.write_bytes((TEXT + '004,"丁厂\r\n005,"戊厂"\r\n006,己厂').encode())
    outcome, [bad] = await run_import(database, MAPPING, tmp_path)
    assert (outcome.total.new, bad["line"]) == (5, "5")


def test_a_file_of_many_chunks_is_detected_and_one_that_changed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encodings, "CHUNK", 7)
    path = tmp_path / "e.csv"
    for content, encoding in (
        (TEXT.encode(), "utf-8"),
        (TEXT.encode() + "丁".encode()[:2], "utf-8"),
        (b"", "utf-8"),
        (b"id,name\n1,plain\n", "utf-8"),
        (b"id,name\n1,plain\n" + "2,丁厂\n".encode("gb18030"), "gb18030"),
        (TEXT.encode("gb18030") * 2, "gb18030"),
        (TEXT.encode("utf-16"), "utf-16"),
    ):
        path.write_bytes(content)
        (tmp_path / "e.csv.gz").write_bytes(gzip.compress(content))
        encodings._detect.cache_clear()
        assert (detect(path, False), detect(tmp_path / "e.csv.gz", True)) == (encoding, encoding), content
