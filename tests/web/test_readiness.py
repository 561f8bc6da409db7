"""`/readyz` tells what works. Each fault is a real one, and the check that fails by it is named."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import pytest_asyncio
import sqlalchemy as sa
import structlog

from models.db.database import Database
from models.db.revisions import head, known_revisions
from subscriptions.feed import Feed
from tests.conftest import Databases
from tests.support.patience import PATIENCE
from tests.web.conftest import SECRET, talking
from web import readiness
from web.readiness import FEED_SECONDS
from web.settings import Settings


@pytest.fixture(autouse=True)
def unbounded_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each request makes a check of its own, unless they come together."""
    monkeypatch.setattr(readiness, "EVERY_SECONDS", 0.0)
    monkeypatch.setattr(readiness, "PATIENCE_SECONDS", float(PATIENCE))


@pytest_asyncio.fixture
async def url(databases: Databases, demo_url: str) -> str:
    return await databases.new(demo_url)


async def ready(client: httpx.AsyncClient) -> tuple[int, dict[str, str]]:
    """The status and the outcomes of the checks, which /metrics tells as well."""
    response = await client.get("/readyz")
    body = response.json()
    failed = [name for name, outcome in body["checks"].items() if outcome == "failed"]
    assert body["status"] == ("not ready" if failed else "ok")
    metrics = (await client.get("/metrics")).text
    for name in body["checks"]:
        assert f'huhang_ready{{check="{name}"}} {float(name not in failed)}\n' in metrics
    return response.status_code, body["checks"]


GOOD = {"connection": "ok", "migrations": "ok", "write": "ok", "feed": "ok"}


@asynccontextmanager
async def executing(url: str) -> AsyncIterator[Any]:
    """Runs statements, each in a transaction of its own."""
    database = Database(url)

    async def execute(text: str) -> None:
        async with database.write() as session:
            await session.execute(sa.text(text))

    yield execute
    await database.close()


async def test_a_database_at_another_revision_is_told(url: str) -> None:
    async with talking(Settings(database_url=url, demo=True, secret=SECRET)) as client, executing(url) as execute:
        assert await ready(client) == (200, GOOD)
        await execute(f"UPDATE alembic_version SET version_num = '{min(known_revisions())}'")
        with structlog.testing.capture_logs() as logs:
            assert await ready(client) == (503, {**GOOD, "migrations": "failed"})
            assert await ready(client) == (503, {**GOOD, "migrations": "failed"})
            await execute("UPDATE alembic_version SET version_num = '9999'")
            assert await ready(client) == (200, {**GOOD, "migrations": "newer"})
            await execute(f"UPDATE alembic_version SET version_num = '{head()}'")
            assert await ready(client) == (200, GOOD)
            await execute("DROP TABLE alembic_version")
            assert await ready(client) == (503, {**GOOD, "migrations": "failed"})
        events = [(e["event"], e.get("failed")) for e in logs if "ready" in e["event"]]
        assert events == [("not ready", ["migrations"]), ("ready again", None), ("not ready", ["migrations"])]


async def test_a_lock_that_is_stuck_is_told_and_reads_go_on(url: str) -> None:
    async with talking(Settings(database_url=url, demo=True, secret=SECRET, lock_timeout=0.2)) as client:
        holder = Database(url)
        async with holder.write() as session:
            if holder.sqlite:
                await session.execute(sa.text("UPDATE event_log SET epoch = epoch"))
            else:
                await session.execute(sa.text("SELECT pg_advisory_xact_lock(20230924)"))
            with structlog.testing.capture_logs() as logs:
                assert await ready(client) == (503, {**GOOD, "write": "failed"})
            assert (await client.post("/graphql", json={"query": "{ zones { code } }"})).json()["data"]["zones"]
        await holder.close()
        state = "SQLITE_BUSY" if holder.sqlite else "55P03"
        assert [e["state"] for e in logs if e["event"] == "not ready"] == [state]
        assert await ready(client) == (200, GOOD)


async def test_a_feed_that_does_not_keep_up_is_told(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    feeds: list[Feed] = []
    start = Feed.start

    async def starting(feed: Feed) -> None:
        feeds.append(feed)
        await start(feed)

    async def never(feed: Feed, number: int) -> Any:
        await asyncio.Event().wait()

    monkeypatch.setattr(Feed, "start", starting)
    async with talking(Settings(database_url=url, demo=True, secret=SECRET)) as client:
        assert await ready(client) == (200, GOOD)
        monkeypatch.setattr(Feed, "_page", never)
        [feed] = feeds
        feed.notify()
        while feed._due.is_set():
            await asyncio.sleep(0)
        feed.current_at -= FEED_SECONDS + 1
        assert await ready(client) == (503, {**GOOD, "feed": "failed"})


async def test_a_full_pool_neither_hides_nor_causes_a_failure(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    databases: list[Database] = []
    probe = Database.probe

    def probing(database: Database, lock: int) -> Any:
        databases.append(database)
        return probe(database, lock)

    monkeypatch.setattr(Database, "probe", probing)
    settings = Settings(database_url=url, demo=True, secret=SECRET, pool_size=2)
    async with talking(settings) as client, databases[0].read() as connection:
        await connection.execute(sa.text("SELECT 1"))
        assert await ready(client) == (200, GOOD)


async def test_requests_that_come_together_share_a_check(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "EVERY_SECONDS", 3600.0)
    checks = 0
    check = readiness.Readiness._check

    async def counted(self: readiness.Readiness) -> Any:
        nonlocal checks
        checks += 1
        return await check(self)

    monkeypatch.setattr(readiness.Readiness, "_check", counted)
    async with talking(Settings(database_url=url, demo=True, secret=SECRET)) as client:
        responses = await asyncio.gather(*(client.get("/readyz") for _ in range(5)))
        await client.get("/metrics")
    assert [response.status_code for response in responses] == [200] * 5
    assert checks == 1


async def test_a_probe_that_hangs_fails_and_no_other_one_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "PATIENCE_SECONDS", 0.01)

    class Hanging:
        step, revision, runs = "write", head(), 0

        async def run(self) -> None:
            self.runs += 1
            await asyncio.Event().wait()

    class Known:
        current_at = float("inf")
        state = type("State", (), {"value": "listening"})

    probe, known = Hanging(), Known()
    checked = readiness.Readiness(probe, known, known)  # type: ignore[arg-type]  # what it looks at of both
    for _ in range(2):
        assert (await checked.state()).checks == {**GOOD, "write": "failed"}
    assert probe.runs == 1
    await checked.stop()
