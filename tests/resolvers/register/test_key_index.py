"""Rows that share a key: the last good one counts, whatever the database had, and a second run changes nothing."""

import json
from pathlib import Path
from typing import Any

import models
from models.db.database import Database
from tests.support.register_runs import digest, run_import
from tests.support.small_register import TOP, rows_by_key, write_files

GRADED = """[enterprises]
file = "e.csv"
fields = { external_id = "id", name = "name", risk_grade = "grade", address = "addr" }
"""


def grades(rows: dict[str, Any]) -> dict[str, tuple[str | None, str | None]]:
    return {key: (row.risk_grade and row.risk_grade.name, row.address) for key, row in rows.items()}


def row(key: str, grade: str, address: str) -> dict[str, str]:
    return {"id": key, "name": "甲厂", "grade": grade, "addr": address}


async def test_a_later_bad_row_of_a_key_does_not_cost_a_good_one(database: Database, tmp_path: Path) -> None:
    write_files(tmp_path, e=[row("A1", "BLUE", "旧址"), row("A3", "BLUE", "a")])
    await run_import(database, TOP + GRADED, tmp_path)
    second = [row("A1", "RED", "新址"), row("A2", "BLUE", "x"), row("A1", "ORANGE", "y"), row("A1", "PURPLE", "新址")]
    write_files(tmp_path, e=[*second, row("A3", "RED", "b"), row("A3", "BLUE", "c"), row("A4", "PURPLE", "")])
    for batch in (2, 100, 1):
        outcome, report = await run_import(database, TOP + GRADED, tmp_path, batch=batch)
        stored = await rows_by_key(database, models.Enterprise)
        assert grades(stored) == {"A1": ("ORANGE", "y"), "A2": ("BLUE", "x"), "A3": ("BLUE", "c")}
        assert [(r["line"], r["severity"]) for r in report] == [
            ("2", "warning"),
            ("4", "warning"),
            ("5", "error"),
            ("6", "warning"),
            ("8", "error"),
        ]
        assert report[0]["reason"] == "line 5 has the same key; of such rows the last good one counts"
        if batch == 2:
            assert (outcome.total.new, outcome.total.changed, outcome.total.bad) == (1, 2, 2)
    assert (outcome.total.new, outcome.total.changed, outcome.total.unchanged) == (0, 0, 5)
    assert {key: one.version for key, one in stored.items()} == {"A1": 2, "A2": 1, "A3": 2}


async def test_an_empty_database_and_a_full_one_end_alike(database: Database, tmp_path: Path) -> None:
    """Into an empty database the first row of a key is written at once, so that later rows can refer to it."""
    rows = [row("A", "RED", "1"), row("A", "BLUE", "2"), row("A", "PURPLE", "3"), row("B", "RED", "1")]
    write_files(tmp_path, e=rows)
    for expected in ((2, 1, 0), (0, 0, 3)):
        outcome, _ = await run_import(database, TOP + GRADED, tmp_path, batch=1)
        assert grades(await rows_by_key(database, models.Enterprise)) == {"A": ("BLUE", "2"), "B": ("RED", "1")}
        assert (outcome.total.new, outcome.total.changed, outcome.total.unchanged) == expected


async def test_a_row_that_only_the_database_rejects_does_not_count(database: Database, tmp_path: Path) -> None:
    visits = """[inspections]
file = "i.csv"
[inspections.fields]
external_id = "id"
enterprise = "e"
kind = { constant = "ROUTINE" }
status = { constant = "SUBMITTED" }
submitted_at = { constant = 2026-03-02 }
summary = "text"
"""
    write_files(tmp_path, e=[row("A", "RED", ""), row("B", "RED", "")])
    visit = {"id": "1", "e": "A", "text": "old"}
    write_files(tmp_path, i=[visit])
    await run_import(database, TOP + GRADED + visits, tmp_path)
    write_files(tmp_path, i=[{**visit, "text": "new"}, {**visit, "e": "B"}, {**visit, "e": "none"}])
    for batch in (100, 1):
        _, report = await run_import(database, TOP + GRADED + visits, tmp_path, batch=batch)
        assert (await rows_by_key(database, models.Inspection))["1"].summary == "new"
        assert [(r["line"], r["severity"]) for r in report if r["severity"] == "error"] == [
            ("3", "error"),
            ("4", "error"),
        ]


async def test_features_of_one_line_are_told_apart(database: Database, tmp_path: Path) -> None:
    def feature(key: str, name: str) -> dict[str, Any]:
        return {"type": "Feature", "properties": {"id": key, "name": name}, "geometry": None}

    features = [feature("A", "first"), feature("B", "only"), feature("A", "last")]
    (tmp_path / "e.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    mapping = TOP + '[enterprises]\nfile = "e.geojson"\nfields = { external_id = "id", name = "name" }\n'
    for batch in (1, 100):
        await run_import(database, mapping, tmp_path, batch=batch)
        assert (await rows_by_key(database, models.Enterprise))["A"].name == "last"
    before = await digest(database)
    outcome, _ = await run_import(database, mapping, tmp_path, batch=1)
    assert (outcome.total.unchanged, await digest(database)) == (3, before)


TWO_FILES = """[[enterprises]]
file = "old.csv"
fields = { external_id = "id", name = "name", risk_grade = "grade", address = "addr" }
[[enterprises]]
file = "new.csv"
fields = { external_id = "id", name = "name", risk_grade = "grade", legal_name = "boss" }
"""


async def test_files_that_share_keys_agree_on_one_row(database: Database, tmp_path: Path) -> None:
    """The later file counts for the fields that it has. Nothing flips there and back with every run."""
    old = [row("A", "RED", "one"), row("B", "RED", "two"), row("C", "RED", "three")]
    new = [{"id": key, "name": "新", "grade": grade, "boss": "王"} for key, grade in (("A", "BLUE"), ("B", "PURPLE"))]
    write_files(tmp_path, old=old, new=new)
    _, report = await run_import(database, TOP + TWO_FILES, tmp_path, batch=1)
    stored = await rows_by_key(database, models.Enterprise)
    assert grades(stored) == {"A": ("BLUE", "one"), "B": ("RED", "two"), "C": ("RED", "three")}
    assert (stored["A"].name, stored["A"].legal_name) == ("新", "王")
    assert [(r["file"], r["line"], r["reason"]) for r in report if r["severity"] == "warning"] == [
        ("old.csv", str(line), f"line {line} of new.csv has the same key; of such rows the last good one counts")
        for line in (2, 3)
    ]
    before = await digest(database)
    for batch in (1, 100):
        outcome, _ = await run_import(database, TOP + TWO_FILES, tmp_path, batch=batch)
        assert (outcome.total.changed, await digest(database)) == (0, before)
    # Fields that only the earlier file has keep its values; fields that both have take the later file's good row.
    write_files(tmp_path, old=[row("A", "ORANGE", "moved"), row("B", "ORANGE", "two")])
    outcome, _ = await run_import(database, TOP + TWO_FILES, tmp_path)
    stored = await rows_by_key(database, models.Enterprise)
    assert grades(stored) == {"A": ("BLUE", "moved"), "B": ("ORANGE", "two"), "C": ("RED", "three")}
    assert (outcome.total.changed, outcome.total.unchanged, outcome.total.bad) == (2, 1, 1)
