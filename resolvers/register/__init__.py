"""The register: what a bureau already has in spreadsheets and exports of other systems, imported and exported.

A mapping (mapping.py, read and checked by checking.py) says what the files hold. A run (importing.py) reads them
record by record (files.py and the readers beside it), makes rows of them (rows.py, by values.py), compares a batch with
what stands there (batch.py) and writes the difference (writing.py). docs/guides/register.md is for who writes a mapping.
"""

from resolvers.register.check_mapping import load_mapping, parse_mapping
from resolvers.register.errors import DistrictMismatch, FileError, MappingError, RegisterError
from resolvers.register.export import export
from resolvers.register.mapping import Mapping
from resolvers.register.report import Counts, Issue, Outcome, Report
from resolvers.register.run import ImportRun, Progress

__all__ = [
    "Counts",
    "DistrictMismatch",
    "FileError",
    "ImportRun",
    "Issue",
    "Mapping",
    "MappingError",
    "Outcome",
    "Progress",
    "RegisterError",
    "Report",
    "export",
    "load_mapping",
    "parse_mapping",
]
