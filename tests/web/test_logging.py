"""No library logs what it handles, at any level; a library's error is logged without its message."""

import json
import logging
import subprocess
import sys

import pytest
import sqlalchemy as sa
import structlog

from models.db.database import Database
from tests.conftest import Databases
from web.logging import configure
from web.settings import ROOT

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


def fresh(code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process of its own, where no other test has configured a logger."""
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)


@pytest.mark.parametrize("level", ["debug", "info"])
def test_no_library_logs_below_warning(level: str) -> None:
    names = ("sqlalchemy.engine", "aiosqlite", "asyncpg", "httpx", "httpcore", "uvicorn.error", "redis", "authlib")
    done = fresh(f"""
import logging
import web.app
from web.logging import configure
configure({level!r})
names = {{*logging.root.manager.loggerDict, *{names!r}}}
print([name for name in names if logging.getLogger(name).isEnabledFor(logging.INFO)])
""")
    assert done.stdout == "[]\n"


def test_an_error_is_logged_without_its_message() -> None:
    done = fresh(f"""
import logging
from web.logging import configure
configure("debug")
try:
    raise ValueError({PRIVATE!r})
except ValueError:
    logging.getLogger("uvicorn.error").exception("Exception in ASGI application")
""")
    [line] = done.stderr.splitlines()
    logged = json.loads(line)
    assert PRIVATE not in line
    assert (logged["error"], logged["level"]) == ("ValueError", "error")
    assert logged["where"][-1].endswith("<module>")
