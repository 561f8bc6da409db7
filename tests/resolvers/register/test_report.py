"""The report: values that are no formulas for a spreadsheet program, and the summary by kind with the first of each."""

import csv
import io

from resolvers.register.report import KINDS_MAXIMUM, WARNING, Issue, Report


def test_issues_are_summed_up_by_kind() -> None:
    report = Report(io.StringIO())
    again = [Issue(n, "id", "A", f"line {n + 1:,} has the same key", WARNING) for n in range(2, 2_000)]
    report.add("e.csv", [*again, Issue(7, "grade", "高", "not among the mapping's values")])
    report.add("f.csv", [Issue(3, "grade", "?", "not among the mapping's values")] * 2)
    assert [(group.file, group.first.line, group.count) for group in report.summary()] == [
        ("f.csv", 3, 2),
        ("e.csv", 7, 1),
        ("e.csv", 2, 1_998),
    ]
    assert report.count == 2_001


def test_the_summary_stays_small_whatever_the_file_has() -> None:
    report = Report(io.StringIO())
    names = ["".join(chr(97 + int(digit)) for digit in str(n)) for n in range(2 * KINDS_MAXIMUM)]
    report.add("e.csv", [Issue(1, "", "", name) for name in names])
    assert len(report.summary()) == KINDS_MAXIMUM + 1
    assert sum(group.count for group in report.summary()) == report.count == 2 * KINDS_MAXIMUM


def test_no_value_is_a_formula_for_a_spreadsheet_program() -> None:
    text = io.StringIO(newline="")
    report = Report(text)
    link = '=HYPERLINK("http://127.0.0.1/?x="&A1,"click")'
    formulas = [link, "=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1+1", "-2+cmd|' /C calc'!A0"]
    plain = ["-5", "+86", "-120.5", "1=1", "a@b", "", "'=1"]
    report.add("=e.csv", [Issue(2, "=b", value, "=c") for value in [*formulas, *plain]])
    _, *rows = csv.reader(io.StringIO(text.getvalue().removeprefix("\ufeff"), newline=""))
    assert [row[3] for row in rows] == [*(f"'{value}" for value in formulas), *plain]
    assert {(row[0], row[2], row[4]) for row in rows} == {("'=e.csv", "'=b", "'=c")}
