"""Import and export of the register: the spreadsheets and exports of other systems that a bureau already has.

An import runs through these modules in this order:

1. `check_mapping` reads the mapping, the TOML file that describes the bureau's files, into the shapes of `mapping` and
   checks it against `tables`.
2. `run` goes through the files in a stream, in one transaction a batch. `readers` yield the records of a file.
3. `batch` imports one batch: `rows` converts records to rows (`cell_sources` picks the cells, `convert` converts
   them, with `numerals`, and `geometry` and `datum` their coordinates; `row_filter` leaves rows out), `key_index` tells
   which of several rows with one key counts, `references` finds the rows that they refer to, `match` finds the rows
   that exist already, `placement` sets zone, town and rings, and `write` with `linked_rows` writes the difference.
   `retirement` retires what has vanished.
4. `report` lists what is wrong with which row.

`suggestion` writes a first mapping for files, and `preview` shows their first rows as they would be stored. `export`
writes files that `run` can import. The guide for mapping authors is docs/guides/register.md.
"""

from resolvers.register.check_mapping import load_mapping, parse_mapping
from resolvers.register.errors import DistrictMismatch, FileError, MappingError, RegisterError
from resolvers.register.export import export
from resolvers.register.mapping import Mapping
from resolvers.register.preview import PreviewRow, preview
from resolvers.register.report import Counts, Issue, IssueGroup, Outcome, Report
from resolvers.register.run import ImportRun, Progress

__all__ = [
    "Counts",
    "DistrictMismatch",
    "FileError",
    "ImportRun",
    "Issue",
    "IssueGroup",
    "Mapping",
    "MappingError",
    "Outcome",
    "PreviewRow",
    "Progress",
    "RegisterError",
    "Report",
    "export",
    "load_mapping",
    "parse_mapping",
    "preview",
]
