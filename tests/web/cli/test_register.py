"""`python -m web import` in a clerk's hands: a suggestion, a preview, and the summary of a run."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from models.reason import Language
from web.cli import app
from web.cli.register import chosen


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


def test_a_clerk_reads_chinese(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HUHANG_DATABASE_URL", f"sqlite:///{tmp_path / 'huhang.db'}")
    header, row = "编号,企业名称,风险等级\n", "E2,乙,重大\n"
    (tmp_path / "e.csv").write_text(header + row, "utf-8")
    _, mapping, _ = run("import", "--suggest", "e.csv")
    (tmp_path / "m.toml").write_text(mapping.replace("(name of the district)", "萧山区"), "utf-8")
    (tmp_path / "e.csv").write_text(f"{header}E1,甲,特级\n{row}{row},丁,重大\n", "utf-8")
    _, shown, _ = run("import", "m.toml", ".", "--preview", "1", "--language", "zh")
    assert "enterprises: e.csv, 第 2 行\n" in shown
    assert "  错误: 风险等级 特级: 不在映射的 values 中\n" in shown
    status, _, printed = run("import", "m.toml", ".", "--language", "zh")
    assert status == 1
    assert printed.splitlines() == [
        "enterprises：读取 4 = 新增 1 + 修改 0 + 未变 1 + 有误 2",
        "合计：读取 4 = 新增 1 + 修改 0 + 未变 1 + 有误 2",
        "3 行需要查看：import-report.csv",
        "  1 个错误: e.csv, 风险等级: 不在映射的 values 中 (第 2 行, 特级)",
        "  1 个错误: e.csv, 编号: 没有主键 (第 5 行)",
        "  1 个警告: e.csv, 编号: 第 4 行有相同的主键；这样的行以最后一个正确的为准 (第 3 行, E2)",
    ]
    header, first, *_ = (tmp_path / "import-report.csv").read_text("utf-8-sig").splitlines()
    assert (header, first) == ("文件,行,列,值,原因,级别", "e.csv,2,风险等级,特级,不在映射的 values 中,错误")
    wrong = mapping.replace("(name of the district)", "萧山区").replace("risk_grade", "risk")
    (tmp_path / "wrong.toml").write_text(wrong, "utf-8")
    mistake = run("import", "wrong.toml", ".", "--language", "zh")[2]
    assert re.match(
        r"wrong.toml: 第 \d+ 行: enterprises.fields.risk: enterprises 没有这个字段，只有 credit_code, ", mistake
    )
    (tmp_path / "e.csv").unlink()
    assert run("import", "m.toml", ".", "--language", "zh")[2].startswith("e.csv: 不在 ")


@pytest.mark.parametrize(
    ("option", "setting", "locale", "language"),
    [
        (Language.ENGLISH, "zh", "zh_CN.UTF-8", Language.ENGLISH),
        (None, "zh", "en_GB.UTF-8", Language.CHINESE),
        (None, "en", "zh_CN.UTF-8", Language.ENGLISH),
        (None, None, "zh_CN.UTF-8", Language.CHINESE),
        (None, None, "de_DE.UTF-8", Language.ENGLISH),
        (None, None, "C", Language.ENGLISH),
    ],
)
def test_the_language_is_that_of_the_option_or_the_setting_or_the_locale(
    monkeypatch: pytest.MonkeyPatch, option: Language | None, setting: str | None, locale: str, language: Language
) -> None:
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LC_CTYPE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", locale)
    if setting is not None:
        monkeypatch.setenv("HUHANG_LANGUAGE", setting)
    assert chosen(option) is language


def test_wrong_paths_are_refused(tmp_path: Path) -> None:
    assert run("import", str(tmp_path))[0] == 2
    assert run("import", "--suggest", str(tmp_path / "none.csv"))[0] == 2
