"""Reads values from cells: several columns, parts, numbers and ranges, and what only new rows get."""

import time
from pathlib import Path
from typing import Any

import pytest

import models
from models.db.database import Database
from models.db.tables import table_of
from resolvers.register.cell_sources import cell_source, interval
from resolvers.register.convert import CellFormat
from resolvers.register.errors import InvalidValue
from resolvers.register.mapping import FieldMapping
from tests.support.register_runs import all_rows, digest, run_import
from tests.support.small_register import TOP, rows_by_key


def read(cells: list[Any], **options: Any) -> Any:
    mapped = FieldMapping(**options)
    return cell_source(mapped, CellFormat(no_value=frozenset({"N/A"})), range(len(cells)))(cells)


def test_values_come_from_the_named_part_of_the_named_cells() -> None:
    assert read(["", "N/A", " b ", "c"], first_of=("w", "x", "y", "z")) == "b"
    assert read(["", None], first_of=("x", "y")) is None
    assert read(["F1", 7.0], template="SM-{id}/{seq}") == "SM-F1/7"
    assert read(["F1", ""], template="SM-{id}/{seq}") is None
    assert read(["(310) 555-0100 x2"], column="a", pattern=r"^([^x]*)") == "(310) 555-0100"
    assert read(["12 kg"], column="a", pattern="[0-9]+") == "12"
    assert read(["none"], column="a", pattern="([0-9]*)") is None
    with pytest.raises(InvalidValue, match="does not match the mapping's pattern"):
        read(["none"], column="a", pattern="[0-9]+")


def test_numbers_are_scaled_and_rounded() -> None:
    cases = [("0.0", "nearest", 0), ("2.5", "nearest", 3), ("-2.5", "nearest", -3), ("2.9", "down", 2), (2.1, "up", 3)]
    assert [read([cell], column="a", round=way) for cell, way, _ in cases] == [number for *_, number in cases]
    assert read(["0.29"], column="a", factor=100) == 29  # not 28.999999999999996
    assert read(["1.23456"], column="a", factor=10_000, round="nearest") == 12_346
    assert read(["1.5"], column="a", factor=1) == 1.5  # which a whole number then refuses
    with pytest.raises(InvalidValue, match="not a number"):
        read(["much"], column="a", round="up")


def test_a_pattern_takes_time_in_proportion_to_the_cell() -> None:
    """With backtracking this one would take longer than the universe has existed."""
    started = time.process_time()
    with pytest.raises(InvalidValue):
        read(["a" * 200_000 + "b"], column="a", pattern="^(a+)+$")
    assert time.process_time() - started < 5


def test_intervals_hold_their_lower_end() -> None:
    assert [interval(text) for text in ("60..80", "..60", "-1.5 .. ")] == [
        (60, 80),
        (float("-inf"), 60),
        (-1.5, float("inf")),
    ]
    for text in ("60", "..", "a..b", "80..60", "1...2"):
        with pytest.raises(ValueError, match="an interval"):
            interval(text)


MAPPING = """[enterprises]
file = "e.csv"
skip = { id = ["合计*", ""], state = "closed" }
only = { kind = ["food", "fuel"] }
[enterprises.fields]
external_id = { template = "LA-{id}" }
name = { first_of = ["trade name", "owner"] }
address = { column = "address", only_new = true }
[enterprises.fields.risk_grade]
column = "score"
values = { "none" = "BLUE" }
ranges = { "90.." = "BLUE", "70..90" = "YELLOW", "..70" = "RED" }

[inspections]
file = "i.csv"
[inspections.fields]
external_id = { template = "i-{$row}" }
enterprise = { column = "place", pattern = "^([^ ]+)" }
kind = { constant = "ROUTINE" }
status = { constant = "SUBMITTED", only_new = true }
submitted_at = "day"

[cases]
file = "i.csv"
[cases.fields]
external_id = { template = "c-{$row}" }
inspection = { template = "i-{$row}" }
enterprise = { from = "inspection.enterprise" }
status = { constant = "DECIDED" }
grounds = { constant = "-" }
filed_at = "day"
decided_at = "day"
fine_yuan = { column = "fine", round = "nearest" }
"""


async def test_what_two_registers_needed_can_be_said(database: Database, tmp_path: Path) -> None:
    lines = ["id,kind,state,trade name,owner,score,address", "A,food,,,Ann,69.9,1st", "B,fuel,,Bee,Bob,90,2nd"]
    lines += [
        "C,food,,Cee,,none,3rd",
        "D,food,closed,Dee,,95,4th",
        "E,toys,,Eee,,95,5th",
        "合计:5,food,,,,,",
        ",food,,,,,",
    ]
    (tmp_path / "e.csv").write_text("\n".join(lines), "utf-8")
    (tmp_path / "i.csv").write_text("place,day,fine\nLA-A Ann,2026-03-02,0.0\nLA-B Bee,2026-03-02,99.50\n", "utf-8")
    outcome, report = await run_import(database, TOP + MAPPING, tmp_path)
    assert report == []
    counts = outcome.tables["enterprises"]
    assert (counts.read, counts.new, counts.skipped) == (3, 3, 4)
    stored = await rows_by_key(database, models.Enterprise)
    assert {key: (row.name, row.risk_grade.name) for key, row in stored.items()} == {
        "LA-A": ("Ann", "RED"),
        "LA-B": ("Bee", "BLUE"),
        "LA-C": ("Cee", "BLUE"),
    }
    cases = (await all_rows(database))[table_of(models.Case).name]
    assert [(row.external_id, row.fine_yuan) for row in cases] == [("c-1", 0), ("c-2", 100)]
    before = await digest(database)
    await run_import(database, TOP + MAPPING, tmp_path)
    assert await digest(database) == before


async def test_only_new_rows_get_what_is_for_new_rows(database: Database, tmp_path: Path) -> None:
    """Also the last of several new rows with one key, in whatever batches they are."""
    mapping = TOP + MAPPING.split("[inspections]")[0]
    head = "id,kind,state,trade name,owner,score,address\n"
    for batch, key in ((1, "A"), (100, "B")):
        (tmp_path / "e.csv").write_text(f"{head}{key},food,,a,,1,first\n{key},food,,b,,1,second\n", "utf-8")
        await run_import(database, mapping, tmp_path, batch=batch)
        (tmp_path / "e.csv").write_text(f"{head}{key},food,,c,,1,third\n", "utf-8")
        await run_import(database, mapping, tmp_path)
        row = (await rows_by_key(database, models.Enterprise))[f"LA-{key}"]
        assert (row.name, row.address) == ("c", "second")
    (tmp_path / "e.csv").write_text(f"{head}A,food,,d,,1,x\nC,food,,c,,1,x\n", "utf-8")
    outcome, _ = await run_import(
        database, mapping.replace("[enterprises.fields]", "only_new = true\n[enterprises.fields]"), tmp_path
    )
    assert (outcome.total.new, outcome.total.unchanged) == (1, 1)
