"""`serve --workers N`: several processes at one address that start, are replaced and stop together."""

import asyncio
import contextlib
import os
import re
import signal
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, closing
from functools import partial
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
import sqlalchemy as sa

from tests.conftest import Databases
from tests.support.patience import PATIENCE
from tests.support.redis_server import Redis, redis
from tests.support.server_process import serving
from tests.support.server_process import web as run
from tests.support.stream_clients import ALL, SECRET, Closed, LiveDistrict, Socket, live_district, small_district
from web import workers
from web.graphql import close_codes

WORKERS = 2

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="only Linux lists a process's children")


@pytest.fixture(scope="module")
def bus(scratch: Path) -> Iterator[Redis]:
    with redis(scratch / "workers-redis.log") as server:
        yield server


@pytest_asyncio.fixture
async def live(databases: Databases, migrated_url: str, scratch: Path, bus: Redis) -> AsyncIterator[LiveDistrict]:
    url, world = await small_district(databases, migrated_url)
    arguments = ("--workers", str(WORKERS))
    with live_district(scratch, url, world, *arguments, HUHANG_BUS_URL=bus.url) as district:
        yield district


def children(pid: int) -> set[int]:
    """The serving children of a process, without multiprocessing's resource tracker."""
    pids = map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    return {child for child in pids if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()}


def alive(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.02)


async def subscribers(live: LiveDistrict, stack: AsyncExitStack, number: int = 12) -> list[Socket]:
    """Subscribers, each at whichever process accepts it."""
    sockets = [await stack.enter_async_context(live.socket()) for _ in range(number)]
    for socket in sockets:
        await socket.subscribe("1", ALL)
        await socket.expect_quiet()
    return sockets


async def test_processes_notify_each_other_are_replaced_and_stop_together(live: LiveDistrict) -> None:
    parent = live.process.popen.pid
    before = children(parent)
    assert len(before) == WORKERS
    async with AsyncExitStack() as stack:
        sockets = await subscribers(live, stack)
        for cursor in await live.plan_inspections(3):
            for socket in sockets:
                await socket.next()
                assert socket.cursor == cursor
        sockets = await one_dies(live, sockets, min(before))
        sockets += await subscribers(live, stack, 4)
        await live.plan_inspections()
        for socket in sockets:
            await socket.next()
        workers = children(parent)
        ending = asyncio.create_task(asyncio.to_thread(live.process.end))
        assert {(await socket.closed()).code for socket in sockets} == {close_codes.ENDING.code}
        assert await ending == 0
        assert [pid for pid in workers if alive(pid)] == []


@pytest.mark.database_independent
async def test_the_metrics_are_those_of_all_processes_and_outlive_them(live: LiveDistrict) -> None:
    async def value(name: str) -> float:
        async with httpx.AsyncClient(base_url=live.address, timeout=PATIENCE) as client:
            text = (await client.get("/metrics")).text
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if re.match(rf"{name}[{{ ]", line))

    async def becomes(name: str, expected: float) -> None:
        async with asyncio.timeout(PATIENCE):
            while await value(name) != expected:
                await asyncio.sleep(0.1)

    counted, parent = "huhang_mutations_total", live.process.popen.pid
    async with AsyncExitStack() as stack:
        await subscribers(live, stack)
        await live.plan_inspections(10)  # each on a connection of its own, so at either process
        await becomes("huhang_processes", WORKERS)
        await becomes("huhang_sockets", 12)
        # Whichever process answers.
        assert {await value(counted) for _ in range(10)} == {10}
        for dead in sorted(children(parent)):
            os.kill(dead, signal.SIGKILL)
            await until(partial(replaced, parent, dead))
            await becomes("huhang_processes", WORKERS)
            assert await value(counted) == 10
        await live.plan_inspections(2)
        assert {await value(counted) for _ in range(10)} == {12}
        await becomes("huhang_sockets", 0)
    folder = metrics_folder(min(children(parent)))
    assert folder.is_dir()
    assert await asyncio.to_thread(live.process.end) == 0
    assert not folder.exists()


def replaced(parent: int, dead: int) -> bool:
    return dead not in children(parent) and len(children(parent)) == WORKERS


def metrics_folder(process: int) -> Path:
    variables = dict(line.split("=", 1) for line in Path(f"/proc/{process}/environ").read_text().split("\0") if line)
    return Path(variables["PROMETHEUS_MULTIPROC_DIR"])


async def one_dies(live: LiveDistrict, sockets: list[Socket], dead: int) -> list[Socket]:
    """Kill a process and wait for its replacement. Returns the sockets of the others, which go on."""
    parent = live.process.popen.pid
    os.kill(dead, signal.SIGKILL)
    await until(lambda: dead not in children(parent) and len(children(parent)) == WORKERS)
    [cursor] = await live.plan_inspections()
    open_sockets = []
    for socket in sockets:
        with contextlib.suppress(Closed):
            await socket.next()
            assert socket.cursor == cursor
            open_sockets.append(socket)
    assert open_sockets
    return open_sockets


async def test_without_a_bus_processes_poll_and_none_outlives_its_supervisor(
    databases: Databases, migrated_url: str, scratch: Path
) -> None:
    url, world = await small_district(databases, migrated_url)
    if not url.startswith("sqlite"):
        done = await asyncio.to_thread(run, "serve", "--port", "0", "--workers", "2", url=url, HUHANG_SECRET=SECRET)
        assert (done.returncode, done.stderr) == (2, "Several processes need a bus: HUHANG_BUS_URL=redis://…\n")
        return
    with live_district(scratch, url, world, "--workers", "2") as live:
        assert "each second" in live.process.log
        async with AsyncExitStack() as stack:
            sockets = await subscribers(live, stack, 6)
            [cursor] = await live.plan_inspections()
            for socket in sockets:
                await socket.next()
                assert socket.cursor == cursor
        workers = children(live.process.popen.pid)
        live.process.popen.kill()
        live.process.popen.wait()
        await until(lambda: not any(alive(pid) for pid in workers))


@pytest.mark.database_independent
async def test_a_dead_process_is_replaced_when_another_can_start_and_the_rest_go_on(
    databases: Databases, migrated_url: str, scratch: Path, bus: Redis
) -> None:
    url, world = await small_district(databases, migrated_url)
    arguments = ("--workers", str(WORKERS))
    # Without `live_district`, because a failed start logs a traceback.
    with serving(scratch / "away.log", url, *arguments, HUHANG_SECRET=SECRET, HUHANG_BUS_URL=bus.url) as process:
        live, parent = LiveDistrict(process, url, world), process.popen.pid
        async with AsyncExitStack() as stack:
            sockets = await subscribers(live, stack)
            await one_dies_for_good(live, min(children(parent)))
            await live.plan_inspections()
            received = 0
            for socket in sockets:
                with contextlib.suppress(Closed):
                    await socket.next()
                    received += 1
            assert received
            await live.execute(sa.text("ALTER TABLE elsewhere RENAME TO district"))
            await until(lambda: "serves again" in process.log)
            assert len(children(parent)) == WORKERS
        # It also stops while it waits for the next attempt.
        await one_dies_for_good(live, max(children(parent)))
        others = children(parent)
        assert await asyncio.to_thread(process.end) == 0
        assert [pid for pid in others if alive(pid)] == []


async def one_dies_for_good(live: LiveDistrict, dead: int) -> None:
    """Kill a process while none can start: they cannot read the district, which they need first."""
    before = live.process.log.count("tried again")
    await live.execute(sa.text("ALTER TABLE district RENAME TO elsewhere"))
    os.kill(dead, signal.SIGKILL)
    await until(lambda: live.process.log.count("tried again") >= before + 2)
    assert live.process.popen.poll() is None


def test_the_backoff_doubles_up_to_a_maximum() -> None:
    backoff = workers.Backoff()
    assert [backoff.next() for _ in range(7)] == [0.5, 1, 2, 4, 8, 10, 10]
    backoff.reset()
    assert backoff.next() == 0.5


def test_a_process_that_cannot_start_at_first_ends_all(tmp_path: Path) -> None:
    file = tmp_path / "huhang.db"
    assert run("migrate", url=f"sqlite:///{file}").returncode == 0
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("DELETE FROM event_log")  # the row that each process reads at its start
    done = run("serve", "--port", "0", "--workers", "2", url=f"sqlite:///{file}", HUHANG_SECRET=SECRET)
    assert done.returncode == 1
    assert "could not start" in done.stdout + done.stderr
