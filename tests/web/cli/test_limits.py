"""`serve` says at its start where PostgreSQL has too few connections for all servers."""

import pytest

from models.db.database import Database
from tests.web.conftest import SECRET
from web.cli import limits
from web.cli.limits import tell_connections
from web.settings import Settings


async def test_servers_times_processes_times_pool_is_compared_with_what_postgresql_allows(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(limits, "say", warnings.append)

    async def warning_of(processes: int, **settings: int) -> str | None:
        warnings.clear()
        await tell_connections(database, Settings(secret=SECRET, **settings), processes)  # type: ignore[arg-type]  # numbers
        return warnings[0] if warnings else None

    if database.sqlite:
        assert await warning_of(200, servers=50) is None
        return
    assert await warning_of(2, pool_size=4) is None
    warning = await warning_of(3, pool_size=9, servers=40)
    assert warning is not None
    assert "40 servers × 3 processes × (HUHANG_POOL_SIZE 9 + 1) may need 1,200." in warning
    assert "max_connections" in warning


async def test_connections_of_others_count_as_well(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    if database.sqlite:
        pytest.skip("SQLite has no bound of connections")
    warnings: list[str] = []
    monkeypatch.setattr(limits, "say", warnings.append)
    async with database.read() as connection:
        allowed, _ = (await connection.execute(limits.ROOM)).one()
        # This connection is another one for the process that looks.
        other = Database(database.url.set(drivername="postgresql").render_as_string(False))
        await tell_connections(other, Settings(secret=SECRET, pool_size=allowed - 1), 1)
        await other.close()
    [warning] = warnings
    assert f"PostgreSQL allows {allowed:,} connections. Others have " in warning
