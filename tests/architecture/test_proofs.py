"""A proof is recorded only by a test that passed, with commit and date, and next to the proofs that are there."""

import datetime as dt
from pathlib import Path

import pytest

from tests import conftest
from tests.support.proofs import write

pytest_plugins = ["pytester"]


def test_a_row_replaces_the_one_with_the_same_first_value(tmp_path: Path) -> None:
    table, today = tmp_path / "table.md", f"{dt.datetime.now(dt.UTC):%Y-%m-%d}"
    write(table, "Old columns", "c0", {"database": "SQLite", "kills": 1})
    write(table, "Kills", "c1", {"database": "SQLite", "rows": 1})
    write(table, "Kills", "c2", {"database": "PostgreSQL", "rows": 2})
    write(table, "Kills", "c3", {"database": "SQLite", "rows": 3})
    assert table.read_text().splitlines() == [
        "# Kills",
        "",
        "| database | rows | commit | date |",
        "| --- | --- | --- | --- |",
        f"| PostgreSQL | 2 | c2 | {today} |",
        f"| SQLite | 3 | c3 | {today} |",
    ]


def test_only_a_test_that_passed_is_recorded(
    pytester: pytest.Pytester, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conftest, "COMMIT", "c1")
    monkeypatch.setattr(conftest, "FOLDER", tmp_path)
    pytester.makepyfile(
        """
        def test_that_passes(record_proof):
            record_proof("passed", "Title", {"database": "SQLite", "rows": 1})

        def test_that_fails(record_proof):
            record_proof("failed", "Title", {"database": "SQLite", "rows": 1})
            assert False
        """
    )
    options = ("-p", "tests.conftest", "-o", "asyncio_default_fixture_loop_scope=session")
    pytester.runpytest_inprocess(*options).assert_outcomes(passed=1, failed=1)
    assert [file.name for file in tmp_path.glob("*.md")] == ["passed.md"]
