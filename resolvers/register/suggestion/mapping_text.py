"""Writes a first mapping for files, which runs as it is for plain ones and says what a clerk should check."""

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from models.reason import Reason
from resolvers.register.errors import FileError
from resolvers.register.mapping import GEOMETRY
from resolvers.register.suggestion.columns import Columns, match_columns
from resolvers.register.suggestion.entries import dates, entries, quoted
from resolvers.register.suggestion.sample import Sample, read_sample
from resolvers.register.suggestion.words import WORDS, plain
from resolvers.register.tables import TABLES, Kind, Table

NAME_WEIGHT = 6  # that a word in the name of a file has, against one for each column


@dataclass(frozen=True)
class FileGuess:
    """A guess of a file's contents: the table, the columns of its fields, and how well they fit."""

    sample: Sample
    table: Table
    columns: Columns
    score: float


def suggest(files: Sequence[Path], district: tuple[str, str | None] | None, filled: Collection[str] = ()) -> str:
    """A mapping for the files, in TOML, for an import from `common_folder(files)`. Raises FileError.

    `district` is the name and area code of the database's, `filled` are the tables in which the database has rows.
    """
    folder = common_folder(files)
    guesses = [guess(read_sample(path)) for path in files]
    tables = {one.table.name for one in guesses} | set(filled)
    name, code = district or ("(name of the district)", None)
    lines = [
        "# Suggested from the names of columns and the first rows. docs/guides/register.md explains every line.",
        "# Preview it before anything is written; on the command line with --preview 5 and --dry-run.",
        "",
        "[district]",
        f"name = {quoted(name)}",
        *([f"area_code = {quoted(code)}"] if code else []),
    ]
    order = list(TABLES)
    for one in sorted(guesses, key=lambda one: order.index(one.table.name)):
        several = sum(other.table is one.table for other in guesses) > 1
        lines += _file_lines(one, folder, several, tables)
    return "\n".join(lines) + "\n"


def common_folder(files: Sequence[Path]) -> Path:
    """The innermost folder that has all the files."""
    return Path(os.path.commonpath([path.resolve().parent for path in files]))


def guess(sample: Sample) -> FileGuess:
    """The table whose fields the columns fit best. Raises FileError if none fits."""
    guesses = [_guess(table, sample) for table in TABLES.values()]
    # A file that may be of several tables is most likely one of enterprises.
    possible = sorted((one for one in guesses if one is not None), key=lambda one: one.table.name != "enterprises")
    best = max(possible, key=lambda one: one.score, default=None)
    if best is None:
        reason = Reason("TABLE_UNKNOWN", "no table has columns such as {names}", names=list(sample.columns[:20]))
        raise FileError(reason, str(sample.path))
    return best


def _guess(table: Table, sample: Sample) -> FileGuess | None:
    columns = match_columns(table, sample)
    if not columns or not _possible(table, columns):
        return None
    stem = plain(sample.path.name.split(".")[0])
    named = any(plain(word) in stem for word in WORDS["files"][table.name])
    missing = sum(field.name not in columns for field in table.required)
    return FileGuess(sample, table, columns, len(columns) - missing + NAME_WEIGHT * named)


def _possible(table: Table, columns: Columns) -> bool:
    """Whether every required reference, time and boundary has a column, or can be copied from the inspection."""
    copied = {"enterprise", "found_at"} if "inspection" in columns else set()
    kinds = (Kind.REFERENCE, Kind.TIME, Kind.DATE, Kind.GEOMETRY)
    needed = {field.name for field in table.required if field.kind in kinds}
    return needed <= columns.keys() | copied and (not table.composite or columns.keys() >= set(table.keys))


def _file_lines(one: FileGuess, folder: Path, several: bool, tables: Collection[str]) -> list[str]:
    sample, table = one.sample, one.table
    name = table.name
    fields = list(map(str, entries(table, sample, one.columns, tables)))
    unused = [name for name in sample.columns if name != GEOMETRY and not any(quoted(name) in line for line in fields)]
    lines = ["", f"[[{name}]]" if several else f"[{name}]"]
    lines.append(f"file = {quoted(sample.path.resolve().relative_to(folder).as_posix())}")
    if sample.encoding:
        lines.append(f"encoding = {quoted(sample.encoding)}")
    if sample.delimiter not in (None, ","):
        lines.append(f"delimiter = {quoted(sample.delimiter)}")
    if sample.header > 1:
        lines.append(f"header = {sample.header}")
    formats = dates(sample, table, one.columns)
    if formats and formats != ["iso"]:
        lines.append(f"dates = {quoted(formats)}")
    blank = [text for text in WORDS["no_value"] if any(text in sample.values(c) for c in one.columns.values())]
    if blank:
        lines.append(f"no_value = {quoted(blank)}")
    if unused:
        lines.append(f"# Not used: {', '.join(map(quoted, unused))}")
    lines += ["", f"[{name}.fields]"]
    return [*lines, *fields]
