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
import sqlalchemy as sa

from tests.conftest import Databases
from tests.support.patience import PATIENCE
from tests.support.redis_server import Redis, redis
from tests.support.server_process import serving
from tests.support.server_process import web as run
from tests.support.stream_clients import ALL, SECRET, Closed, Socket, Town, settled, town
from web import workers
from web.graphql import close_codes

WORKERS = 2

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
        assert {(await socket.closed()).code for socket in sockets} == {close_codes.ENDING.code}
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


async def test_one_that_dies_while_no_other_can_start_is_replaced_when_one_can_and_the_rest_go_on(
    databases: Databases, migrated_url: str, scratch: Path, bus: Redis
) -> None:
    url, world = await settled(databases, migrated_url)
    arguments = ("--workers", str(WORKERS))
    # Not a town: a start that fails says so at length.
    with serving(scratch / "away.log", url, *arguments, HUHANG_SECRET=SECRET, HUHANG_BUS_URL=bus.url) as process:
        live, parent = Town(process, url, world), process.popen.pid
        async with AsyncExitStack() as stack:
            sockets = await many(live, stack)
            await one_dies_for_good(live, min(children(parent)))
            await live.plan()
            heard = 0
            for socket in sockets:
                with contextlib.suppress(Closed):
                    await socket.next()
                    heard += 1
            assert heard
            await live.execute(sa.text("ALTER TABLE elsewhere RENAME TO district"))
            await until(lambda: "serves again" in process.said)
            assert len(children(parent)) == WORKERS
        # Told to end while it waits to try again, it ends.
        await one_dies_for_good(live, max(children(parent)))
        rest = children(parent)
        assert await asyncio.to_thread(process.end) == 0
        assert [pid for pid in rest if there(pid)] == []


async def one_dies_for_good(live: Town, dead: int) -> None:
    """Without what a process reads first there is none that could take its place."""
    before = live.process.said.count("tried again")
    await live.execute(sa.text("ALTER TABLE district RENAME TO elsewhere"))
    os.kill(dead, signal.SIGKILL)
    await until(lambda: live.process.said.count("tried again") >= before + 2)
    assert live.process.popen.poll() is None


def test_between_trials_there_is_more_time_each_time_up_to_a_bound() -> None:
    pauses = workers.Backoff()
    assert [pauses.next() for _ in range(7)] == [0.5, 1, 2, 4, 8, 10, 10]
    pauses.reset()
    assert pauses.next() == 0.5


def test_what_cannot_start_ends_the_whole(tmp_path: Path) -> None:
    file = tmp_path / "huhang.db"
    file.write_text("not a database, and long enough to tell")
    done = run("serve", "--port", "0", "--workers", "2", url=f"sqlite:///{file}", HUHANG_SECRET=SECRET)
    assert done.returncode == 1
    assert "could not start" in done.stdout + done.stderr
