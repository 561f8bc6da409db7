"""`serve --workers N`: several processes at one address, started, replaced and ended together."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from tests.buses import Redis, redis
from tests.conftest import Databases
from tests.web.process import web as run
from tests.web.subscribing import ALL, SECRET, Closed, Socket, Town, settled, town
from web import closing

WORKERS = 2
PATIENCE = 30.0

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="only Linux tells of a process's children")


@pytest.fixture(scope="module")
def bus(scratch: Path) -> Iterator[Redis]:
    with redis(scratch / "workers-redis.log") as found:
        yield found


@pytest_asyncio.fixture
async def live(databases: Databases, migrated_url: str, scratch: Path, bus: Redis) -> AsyncIterator[Town]:
    url, world = await settled(databases, migrated_url)
    arguments = ("--workers", str(WORKERS))
    with town(scratch, url, world, *arguments, HUHANG_BUS_URL=bus.url) as found:
        yield found


def children(pid: int) -> set[int]:
    """The processes that serve: those that this one has started, the one aside that looks after shared memory."""
    found = map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    return {child for child in found if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()}


def there(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


async def until(holds: object) -> None:
    assert callable(holds)
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end
        await asyncio.sleep(0.02)


async def many(live: Town, stack: AsyncExitStack, number: int = 12) -> list[Socket]:
    """Subscribers, wherever they come to."""
    sockets = [await stack.enter_async_context(live.socket()) for _ in range(number)]
    for socket in sockets:
        await socket.ask("1", ALL)
        await socket.quiet()
    return sockets


async def test_they_hear_of_each_other_are_replaced_and_end_together(live: Town) -> None:
    parent = live.process.popen.pid
    before = children(parent)
    assert len(before) == WORKERS
    async with AsyncExitStack() as stack:
        sockets = await many(live, stack)
        for cursor in await live.plan(3):
            for socket in sockets:
                await socket.next()
                assert socket.cursor == cursor
        sockets = await one_dies(live, sockets, min(before))
        sockets += await many(live, stack, 4)
        await live.plan()
        for socket in sockets:
            await socket.next()
        workers = children(parent)
        ending = asyncio.create_task(asyncio.to_thread(live.process.end))
        assert {(await socket.closed()).code for socket in sockets} == {closing.ENDING.code}
        assert await ending == 0
        assert [pid for pid in workers if there(pid)] == []


async def one_dies(live: Town, sockets: list[Socket], dead: int) -> list[Socket]:
    """Another takes its place; the sockets that are not its own go on, and are returned."""
    parent = live.process.popen.pid
    os.kill(dead, signal.SIGKILL)
    await until(lambda: dead not in children(parent) and len(children(parent)) == WORKERS)
    [cursor] = await live.plan()
    kept = []
    for socket in sockets:
        with contextlib.suppress(Closed):
            await socket.next()
            assert socket.cursor == cursor
            kept.append(socket)
    assert kept
    return kept


async def test_without_a_bus_they_look_each_second_and_none_outlives_who_started_it(
    databases: Databases, migrated_url: str, scratch: Path
) -> None:
    url, world = await settled(databases, migrated_url)
    if not url.startswith("sqlite"):
        done = await asyncio.to_thread(run, "serve", "--port", "0", "--workers", "2", url=url, HUHANG_SECRET=SECRET)
        assert (done.returncode, done.stderr) == (2, "Several processes need a bus: HUHANG_BUS_URL=redis://…\n")
        return
    with town(scratch, url, world, "--workers", "2") as live:
        assert "each second" in live.process.said
        async with AsyncExitStack() as stack:
            sockets = await many(live, stack, 6)
            [cursor] = await live.plan()
            for socket in sockets:
                await socket.next()
                assert socket.cursor == cursor
        workers = children(live.process.popen.pid)
        live.process.popen.kill()
        live.process.popen.wait()
        await until(lambda: not any(there(pid) for pid in workers))


def test_what_cannot_start_ends_the_whole(tmp_path: Path) -> None:
    file = tmp_path / "huhang.db"
    file.write_text("not a database, and long enough to tell")
    done = run("serve", "--port", "0", "--workers", "2", url=f"sqlite:///{file}", HUHANG_SECRET=SECRET)
    assert done.returncode == 1
    assert "could not start" in done.stdout + done.stderr
