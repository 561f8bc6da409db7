"""No library logs what it handles, at any level; a library's error is logged without its message."""

import json
import logging

import pytest
import sqlalchemy as sa
import structlog

from models.db.database import Database
from tests.conftest import Databases
from web.logging import configure

PRIVATE = "张三的电话"


@pytest.fixture(autouse=True)
def _restored() -> object:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


@pytest.mark.parametrize("level", ["debug", "info", "warning"])
async def test_parameters_are_not_logged(level: str, databases: Databases, capfd: pytest.CaptureFixture[str]) -> None:
    configure(level)
    database = Database(await databases.new())
    statement = sa.text("SELECT CAST(:name AS VARCHAR)")
    async with database.write() as session:
        assert (await session.execute(statement, {"name": PRIVATE})).scalar_one() == PRIVATE
    with pytest.raises(sa.exc.DBAPIError) as failed:
        async with database.write() as session:
            await session.execute(sa.text("SELECT CAST(:name AS VARCHAR) FROM nowhere"), {"name": PRIVATE})
    assert PRIVATE not in str(failed.value)
    await database.close()
    assert PRIVATE not in capfd.readouterr().err


@pytest.mark.parametrize("level", ["debug", "info"])
def test_no_library_logs_below_warning(level: str) -> None:
    configure(level)
    loud = {
        name
        for name in logging.root.manager.loggerDict
        if logging.getLogger(name).isEnabledFor(logging.INFO) and not name.startswith("pytest")
    }
    assert loud == set()
    for name in ("sqlalchemy.engine", "aiosqlite", "asyncpg", "httpx", "httpcore", "uvicorn.error", "redis", "authlib"):
        assert not logging.getLogger(name).isEnabledFor(logging.INFO), name


def test_an_error_is_logged_without_its_message(capfd: pytest.CaptureFixture[str]) -> None:
    configure("debug")
    try:
        raise ValueError(PRIVATE)
    except ValueError:
        logging.getLogger("uvicorn.error").exception("Exception in ASGI application\n")
    [line] = capfd.readouterr().err.splitlines()
    logged = json.loads(line)
    assert PRIVATE not in line
    assert (logged["error"], logged["level"]) == ("ValueError", "error")
    assert "test_an_error_is_logged" in logged["where"][-1]
