"""The register: what a bureau already has in spreadsheets and exports of other systems, imported and exported.

A mapping (mapping.py, read and checked by checking.py) says what the files hold. A run (importing.py) reads them
record by record (files.py and the readers beside it), makes rows of them (rows.py, by values.py), compares a batch with
what stands there (batch.py) and writes the difference (writing.py). docs/import.md is for who writes a mapping.
"""

from resolvers.register.check_mapping import load, parse
from resolvers.register.errors import DistrictRefused, FileRefused, MappingRefused, RegisterRefused
from resolvers.register.export import export
from resolvers.register.mapping import Mapping
from resolvers.register.report import Counts, Issue, Outcome, Report
from resolvers.register.run import Progress, Run

__all__ = [
    "Counts",
    "DistrictRefused",
    "FileRefused",
    "Issue",
    "Mapping",
    "MappingRefused",
    "Outcome",
    "Progress",
    "RegisterRefused",
    "Report",
    "Run",
    "export",
    "load",
    "parse",
]
