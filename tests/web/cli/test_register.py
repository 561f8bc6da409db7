"""`python -m web import` in a clerk's hands: a suggestion, a preview, and the summary of a run."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from web.cli import app


def run(*words: str) -> tuple[int, str, str]:
    """The status, standard output and standard error of a command."""
    result = CliRunner().invoke(app, words)
    return result.exit_code, result.stdout, result.stderr


def test_from_a_suggestion_to_a_summary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HUHANG_DATABASE_URL", f"sqlite:///{tmp_path / 'huhang.db'}")
    rows = "".join(f"E{n},企业{n},{'重大' if n % 3 else '特级'}\n" for n in range(60))
    (tmp_path / "e.csv").write_text("编号,企业名称,风险等级\n" + rows, "utf-8")
    status, mapping, hint = run("import", "--suggest", "e.csv")
    assert (status, "Write the name of the district" in hint) == (0, True)
    assert not (tmp_path / "huhang.db").exists()
    (tmp_path / "m.toml").write_text(mapping.replace("(name of the district)", "萧山区"), "utf-8")
    status, shown, _ = run("import", "m.toml", ".", "--preview", "2")
    assert (status, shown.count("e.csv, line"), "  risk_grade = RED" in shown) == (0, 2, True)
    assert not (tmp_path / "huhang.db").exists()
    status, _, printed = run("import", "m.toml", ".")
    assert status == 1
    assert "20 rows to look at: import-report.csv" in printed
    assert "  20 errors: e.csv, 风险等级: not among the mapping's values (line 2, 特级)\n" in printed
    # Now the database says which district it is.
    status, mapping, hint = run("import", "--suggest", "e.csv")
    assert ('name = "萧山区"' in mapping, "Write the name" in hint) == (True, False)


def test_wrong_paths_are_refused(tmp_path: Path) -> None:
    assert run("import", str(tmp_path))[0] == 2
    assert run("import", "--suggest", str(tmp_path / "none.csv"))[0] == 2
