"""Imports files with a thousand rows that are damaged in thirty ways.

Each damaged row is in the report with its line and reason, and all other rows are imported.
"""

from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

import pytest
import sqlalchemy as sa

import models
from models.credit_code import complete
from models.db.database import Database
from tests.support.proof_mode import PROVING
from tests.support.register_runs import digest, run_import

MAPPING = """
no_value = ["N/A"]
dates = ["%Y-%m-%d", "%Y/%m/%d"]
[district]
name = "D"
bounds = [120.0, 30.0, 120.5, 30.5]
[enterprises]
file = "enterprises.csv"
key = "external_id"
[enterprises.fields]
external_id = "id"
credit_code = "code"
name = "name"
point = { latitude = "lat", longitude = "lon", no_value = ["0,0"] }
risk_grade = { column = "risk", values = { "重大" = "RED", "一般" = "YELLOW" } }
hazardous_chemicals = "chemicals"
major_hazard_level = "level"
[hazards]
file = "hazards.csv"
[hazards.fields]
external_id = "id"
enterprise = { column = "enterprise", by = "external_id" }
level = { column = "level", values = { 1 = "GENERAL", 2 = "MAJOR" } }
status = { column = "status", values = { open = "FOUND", done = "CLOSED" } }
description = "what"
found_at = "found"
closed_at = "closed"
"""
ENTERPRISES = "id,code,name,lat,lon,risk,chemicals,level"
HAZARDS = "id,enterprise,level,status,what,found,closed"
ROWS = 4_000
FILES = ("enterprises.csv", "hazards.csv")

Row = list[bytes]


@dataclass
class Damage:
    """One way to damage a row, with the column, reason and severity that the report must have.

    `cells` replaces cells by position, `whole` replaces a text in the whole line once, `cut` drops the cells from that
    position on, and `more` is appended.
    """

    column: str
    reason: str
    cells: dict[int, bytes] = field(default_factory=dict)
    whole: tuple[bytes, bytes] | None = None
    cut: int | None = None
    more: bytes = b""
    severity: str = "error"

    def line(self, row: Row) -> bytes:
        row = [self.cells.get(place, cell) for place, cell in enumerate(row)][: self.cut]
        text = b",".join(row) + self.more
        return text.replace(*self.whole, 1) if self.whole else text


LONG = "x" * 501
AGAIN = Damage(
    "id", "line {last} has the same key; of such rows the last good one counts", {0: b"E0"}, severity="warning"
)
OF_ENTERPRISES = (
    Damage("name", "has no value", {2: b" "}),
    Damage("name", "longer than 500 characters", {2: LONG.encode()}),
    Damage("name", "contains a NUL character", {2: b"a\0b"}),
    Damage("name", "not valid in the mapping's encoding", {2: b"\xb3\xa7"}),
    Damage("lon + lat", "not a number", {3: b"thirty"}),
    Damage("lon + lat", "not a number", {3: b"30.2N"}),
    Damage("lon + lat", "not a point on the Earth", {3: b"95.5"}),
    Damage("lon + lat", "has one coordinate without the other", {4: b"N/A"}),
    Damage("risk", "not among the mapping's values", {5: "高".encode()}),
    Damage("code", "not a unified social credit code (GB 32100-2015)", {1: b"91350100M000100Y4Z"}),
    Damage("chemicals", "neither true nor false", {6: b"perhaps"}),
    Damage("level", "not a whole number", {7: b"1.5"}),
    Damage("level", "not between 1 and 4", {7: b"9"}),
    Damage("id", "has no key", {0: b""}),
    Damage("code", "belongs to another row", {1: b"FIRST"}),
    Damage("", "a quotation mark is not closed, or is inside a field without quotation marks", whole=(b",", b',"')),
    Damage("", "a quotation mark is not closed, or is inside a field without quotation marks", {2: b'"a" b'}),
    Damage("", "has 5 columns, and the header has 8", cut=5),
    Damage("", "has 9 columns, and the header has 8", more=b",more"),
    Damage("lon + lat", "is far outside the district", {3: b"31.5"}, severity="warning"),
    AGAIN,
)
OF_HAZARDS = (
    Damage("enterprise", "none of the enterprises has this external_id", {1: b"nobody"}),
    Damage("enterprise", "has no value", {1: b"N/A"}),
    Damage("level", "not among the mapping's values", {2: b"3"}),
    Damage("status", "not among the mapping's values", {3: b"OPEN"}),
    Damage("what", "has no value", {4: b""}),
    Damage("found", "not a date or time in the format %Y-%m-%d / %Y/%m/%d", {5: b"2023-02-30"}),
    Damage("found", "not a date or time in the format %Y-%m-%d / %Y/%m/%d", {5: b"yesterday"}),
    Damage("found", "not between the years 1900 and 2199", {5: b"0017-05-01"}),
    Damage("closed", "a hazard has a time of closing if and only if it is CLOSED", {3: b"done"}),
    Damage("found", "is in the future", {5: b"2199-01-01"}, severity="warning"),
)


def enterprise(number: int) -> Row:
    code = complete(f"913501{number:011d}")
    # As in real files, some names are quoted, and some of those extend over two lines.
    name = {0: f'"第{number}厂, 分厂"', 3: f'"two\nlines {number}"'}.get(number % 9, f"第{number}厂")
    cells = (f"E{number}", code, name, "30.25", "120.25", "重大" if number % 2 else "", "是", "3")
    return [str(cell).encode() for cell in cells]


def hazard(number: int) -> Row:
    cells = (f"H{number}", "E0", "2", "open", f"what {number}", "2023/9/1" if number % 2 else "2023-09-01", "")
    return [str(cell).encode() for cell in cells]


def write_rows(path: Path, header: str, rows: list[tuple[Row, Damage | None]]) -> list[tuple[int, Damage]]:
    """Write a file. Returns the first line and the damage of each damaged row."""
    lines, damages, number = [header.encode()], [], 2
    for row, damage in rows:
        line = b",".join(row) if damage is None else damage.line(row)
        lines.append(line)
        if damage is not None:
            damages.append((number, damage))
        number += line.count(b"\n") + 1
    path.write_bytes(b"\r\n".join(lines) + b"\r\n")
    return damages


def mixed(rng: Random, count: int, ways: tuple[Damage, ...], each: int) -> list[Damage | None]:
    """The damage of each row, if any. The first row has none, because others are compared with it."""
    damages: list[Damage | None] = [way for way in ways for _ in range(each)]
    damages += [None] * (count - 1 - len(damages))
    rng.shuffle(damages)
    return [None, *damages]


def enterprises(rng: Random, each: int) -> tuple[list[tuple[Row, Damage | None]], int]:
    """Rows with their damage, and the position of the last row that has the key of the first. That row counts."""
    rows: list[tuple[Row, Damage | None]] = []
    for number, damage in enumerate(mixed(rng, ROWS, OF_ENTERPRISES, each)):
        row = enterprise(number)
        if damage is not None:
            # The damage must be the only fault: in a quoted name, some ways of damage would cause another.
            row[2] = b"n"
            if damage.cells.get(1) == b"FIRST":
                damage = Damage(damage.column, damage.reason, {1: enterprise(0)[1]})
            if damage is AGAIN:
                row[1] = enterprise(0)[1]
        rows.append((row, damage))
    last = max(number for number, (_, damage) in enumerate(rows) if damage is AGAIN)
    rows[last] = ([*enterprise(0)[:2], b"n", *enterprise(0)[3:]], None)
    return rows, last


def damaged(directory: Path, rng: Random) -> list[tuple[str, int, Damage]]:
    """Write both files. Returns the file, line and damage of each entry that the report must have."""
    each = 1_000 // (len(OF_ENTERPRISES) + len(OF_HAZARDS)) + 1
    rows, last = enterprises(rng, each)
    entries = [(FILES[0], *e) for e in write_rows(directory / FILES[0], ENTERPRISES, rows)]
    line = 2 + sum(b",".join(row).count(b"\n") + 1 for row, _ in rows[:last])
    entries.append((FILES[0], 2, AGAIN))
    entries = [(f, n, replace(d, reason=d.reason.format(last=line))) for f, n, d in entries]
    hazards = [(hazard(n), damage) for n, damage in enumerate(mixed(rng, ROWS, OF_HAZARDS, each))]
    return entries + [(FILES[1], *e) for e in write_rows(directory / FILES[1], HAZARDS, hazards)]


@pytest.mark.exhaustive
@pytest.mark.parametrize("seed", [1, 2] if PROVING else [1])
async def test_each_damaged_row_is_reported_and_all_others_are_imported(
    database: Database, tmp_path: Path, seed: int
) -> None:
    expected = damaged(tmp_path, Random(seed))
    assert len(expected) > 1_000
    outcome, report = await run_import(database, MAPPING, tmp_path, batch=300)
    reported = Counter((r["file"], r["line"], r["column"], r["reason"], r["severity"]) for r in report)
    expected_entries = Counter((f, str(n), d.column, d.reason, d.severity) for f, n, d in expected)
    assert reported - expected_entries == Counter()
    assert expected_entries - reported == Counter()
    bad = Counter(f for f, _, d in expected if d.severity == "error")
    assert [(c.read, c.bad) for c in outcome.tables.values()] == [(ROWS, bad[file]) for file in FILES]
    assert sum(c.warnings for c in outcome.tables.values()) == len(expected) - sum(bad.values())
    # Only one of the rows that have the key of the first is in the database.
    same = sum(damage.cells == AGAIN.cells for _, _, damage in expected)
    async with database.read() as connection:
        rows = [
            (await connection.execute(sa.select(sa.func.count()).select_from(model))).scalar()
            for model in (models.Enterprise, models.Hazard)
        ]
    assert rows == [ROWS - bad[FILES[0]] - same, ROWS - bad[FILES[1]]]

    before = await digest(database)
    outcome, report_again = await run_import(database, MAPPING, tmp_path, batch=300)
    assert (outcome.total.new, outcome.total.changed) == (0, 0)
    assert report_again == report
    assert await digest(database) == before
