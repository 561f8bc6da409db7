"""The SELECTs of an operation, and the plans that databases make for them."""

from typing import Any

import sqlalchemy as sa

from models.db.database import Database
from schema.build import Graph
from schema.execution.operation import Operation
from tests.conftest import COMMANDER, make_executor

# Without these ways of execution, PostgreSQL sorts or reads a whole table only if no index fits.
DISABLED = ("seqscan", "sort", "incremental_sort", "bitmapscan", "hashjoin", "mergejoin")


class RecordedSelects:
    """Records the SELECTs that a database executes, with their parameters."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.selects: list[tuple[str, Any]] = []

    def __enter__(self) -> "RecordedSelects":
        sa.event.listen(self._database.engine.sync_engine, "before_cursor_execute", self._record)
        return self

    def __exit__(self, *_: object) -> None:
        sa.event.remove(self._database.engine.sync_engine, "before_cursor_execute", self._record)

    def _record(self, connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith("SELECT"):
            self.selects.append((statement, parameters))


async def plan(database: Database, statement: str, parameters: Any) -> str:
    """The database's plan for a statement."""
    async with database.engine.connect() as connection:
        if not database.sqlite:
            for way in DISABLED:
                await connection.exec_driver_sql(f"SET LOCAL enable_{way} = off")
        explain = "EXPLAIN QUERY PLAN " if database.sqlite else "EXPLAIN (COSTS OFF) "
        rows = (await connection.exec_driver_sql(explain + statement, parameters)).all()
    return "\n".join(str(row[-1]) for row in rows)


async def selects_of(graph: Graph, demo: Database, query: str, at: str | None = None) -> list[tuple[str, Any]]:
    with RecordedSelects(demo) as recorded:
        response = await make_executor(graph, demo, planned=False).run(Operation(query, {"at": at}), COMMANDER)
    assert response.errors == []
    return recorded.selects
