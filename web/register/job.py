"""Runs one job on files of the register, in a process of its own: `python -m web.register.job`.

Reading a large file takes a processor for a minute and much memory, which a server that answers others has not to give.
The job comes as JSON by standard input. Each line of standard output is a JSON object: `progress` again and again, and
at the end one other. Nothing goes to a log, because the errors of an import may contain values of rows.
"""

import asyncio
import os
import resource
import sys
from collections.abc import Callable, Iterable
from io import StringIO
from pathlib import Path
from typing import Any

import orjson

from models.db.database import Database
from models.failures import origin
from models.reason import Language, Reason, text_in
from models.visibility import Role, Viewer, Visibility
from resolvers.register import (
    ImportRun,
    Issue,
    Mapping,
    MappingError,
    Outcome,
    Progress,
    RegisterError,
    Report,
    parse_mapping,
)
from resolvers.register.district import contents
from resolvers.register.report import shown_value
from resolvers.register.suggestion import suggest
from resolvers.register.workbook import TableColumn, write_workbook

LISTED = 10_000  # issues that the answer has; the command's report has all
COUNTS = ("read", "new", "changed", "unchanged", "bad", "warnings", "skipped")
MEMORY = 4 * 2**30  # bytes
SECONDS = 3_600  # of a processor
NICENESS = 10  # the server's own requests come first

Job = dict[str, Any]


class Listing(Report):
    """A report that keeps the first issues as lists of texts, in place of a file."""

    def __init__(self, language: Language) -> None:
        super().__init__(StringIO(), language)
        self.listed: list[dict[str, Any]] = []

    def add(self, file_name: str, issues: Iterable[Issue]) -> None:
        for issue in issues:
            self._summarise(file_name, issue)
            if len(self.listed) < LISTED:
                self.listed.append(
                    {
                        "file": file_name,
                        "line": issue.line,
                        "column": issue.column,
                        "value": shown_value(issue),
                        "reason": text_in(self.language, issue.reason),
                        "severity": issue.severity.upper(),
                    }
                )


def say(line: dict[str, Any]) -> None:
    sys.stdout.buffer.write(orjson.dumps(line) + b"\n")
    sys.stdout.buffer.flush()


def main() -> None:
    os.nice(NICENESS)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    job: Job = orjson.loads(sys.stdin.buffer.read())
    language = Language(job["language"])
    try:
        say(JOBS[job["kind"]](job, language))
    except MappingError as error:
        say({"errors": [refused(each.text(language), each.reason, line=each.line) for each in error.mistakes]})
    except RegisterError as error:
        say({"errors": [refused(error.text(language), error.reason)]})
    except Exception as error:  # the server logs what it was, and answers with a masked error
        say({"failed": type(error).__name__, "where": origin(error)})


def refused(message: str, reason: str, **more: Any) -> dict[str, Any]:
    """An error in the form of the graph's errors."""
    code = reason.code if isinstance(reason, Reason) else "BAD_INPUT"
    return {"message": message, "extensions": {"code": "BAD_INPUT", "reason": code, **more}}


def suggest_mapping(job: Job, language: Language) -> dict[str, Any]:
    async def known() -> tuple[tuple[str, str | None] | None, list[str]]:
        database = Database(job["database"])
        try:
            async with database.read() as connection:
                return await contents(connection)
        finally:
            await database.close()

    return {"mapping": suggest([Path(job["folder"]) / name for name in job["files"]], *asyncio.run(known()))}


def import_files(job: Job, language: Language) -> dict[str, Any]:
    mapping = parse_mapping(job["mapping"])
    require_sent(mapping, job["files"])
    report = Listing(language)

    def progress(at: Progress) -> None:
        left = None if at.seconds_left is None else round(at.seconds_left)
        say({"progress": {"table": at.table, "done": at.done, "total": at.total, "secondsLeft": left}})

    async def run() -> Outcome:
        database = Database(job["database"], pool_size=4)
        try:
            by = Viewer(Visibility(Role.COMMANDER), subject=job["by"], name=job["name"], issued=True)
            options: dict[str, Any] = {"dry_run": not job["write"], "progress": progress, "by": by}
            return await ImportRun(database, mapping, Path(job["folder"]), report, **options).execute()
        finally:
            await database.close()

    return {"outcome": outcome_json(asyncio.run(run()), report, written=job["write"])}


def require_sent(mapping: Mapping, sent: list[str]) -> None:
    """Raises RegisterError for a mapping that names a file of the server, or one that was not sent."""
    boundary = mapping.district.boundary
    named = [file.file for files in mapping.files.values() for file in files]
    for name in [*named, *([] if boundary is None else [boundary])]:
        if name not in sent:
            raise RegisterError(Reason("FILE_NOT_SENT", "the mapping names this file, which was not sent"), name)


def outcome_json(outcome: Outcome, report: Listing, *, written: bool) -> dict[str, Any]:
    tables = [
        {"table": table, **{name: getattr(counts, name) for name in COUNTS}} for table, counts in outcome.tables.items()
    ]
    changes = {"moved": outcome.moved, "retired": outcome.retired, "missing": outcome.missing}
    return {"written": written, "tables": tables, **changes, "issues": report.count, "listed": report.listed}


def make_workbook(job: Job, language: Language) -> dict[str, Any]:
    folder = Path(job["folder"])
    columns = [TableColumn(**column) for column in job["columns"]]
    with (folder / job["files"][0]).open("rb") as lines:
        rows = write_workbook(job["title"], columns, lines, folder / job["target"])
    return {"rows": rows}


JOBS: dict[str, Callable[[Job, Language], dict[str, Any]]] = {
    "suggest": suggest_mapping,
    "import": import_files,
    "workbook": make_workbook,
}

if __name__ == "__main__":
    main()
